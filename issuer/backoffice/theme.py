"""How the back office looks and where its own pages, styles and links come from.

Read by the settings, so it names everything by its path and imports nothing of the house.
"""

from typing import Any, Final

#: What django-unfold reads.
UNFOLD: Final[dict[str, Any]] = {
    "SITE_TITLE": "Issuer",
    "SITE_HEADER": "Issuer",
    "SITE_SUBHEADER": "Back office",
    "SITE_SYMBOL": "account_balance",
    "SITE_URL": "/",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "issuer.backoffice.navigation.environment",
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "primary": {  # a quiet blue, apart from the colors that states have
            "50": "oklch(97% .014 254.6)",
            "100": "oklch(93.2% .032 255.6)",
            "200": "oklch(88.2% .059 254.1)",
            "300": "oklch(80.9% .105 251.8)",
            "400": "oklch(70.7% .165 254.6)",
            "500": "oklch(58.3% .16 255)",
            "600": "oklch(48.8% .14 256)",
            "700": "oklch(42.4% .125 257)",
            "800": "oklch(37.9% .1 258)",
            "900": "oklch(32.9% .075 259)",
            "950": "oklch(24.2% .055 260)",
        },
    },
    "STYLES": [
        "issuer.backoffice.navigation.screens_style",
        "issuer.backoffice.navigation.backoffice_style",
    ],
    "SCRIPTS": ["issuer.backoffice.navigation.copy_script"],
    "ACCOUNT": {"navigation": "issuer.backoffice.navigation.account_links"},
    "TABS": "issuer.backoffice.navigation.tabs",
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": "issuer.backoffice.navigation.sidebar",
    },
}
