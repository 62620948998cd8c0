"""Whether the shares are there."""

from issuer.reserves.selectors._chains import burning
from issuer.reserves.selectors._figures import cover_of, covers_of, figures_of
from issuer.reserves.selectors._headroom import headrooms, shared_out
from issuer.reserves.selectors._holds import active_hold, scopes_of

__all__ = [
    "active_hold",
    "burning",
    "cover_of",
    "covers_of",
    "figures_of",
    "headrooms",
    "scopes_of",
    "shared_out",
]
