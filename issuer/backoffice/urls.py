"""The pages of the back office that are more than the records of one room."""

from django.contrib.admin import AdminSite
from django.urls import URLPattern, path

from issuer.backoffice import issuances, tokens


def site_urls(site: AdminSite) -> list[URLPattern]:
    """Return the pages, for whoever `site` lets in; they stand in front of the rooms' own."""
    issuance = "primary_market/issuancerequest/<uuid:request_id>"
    return [
        path(
            f"{issuance}/change/",
            site.admin_view(issuances.page),
            name="primary_market_issuancerequest_change",
        ),
        path(
            "instruments/token/<uuid:token_id>/change/",
            site.admin_view(tokens.page),
            name="instruments_token_change",
        ),
        path(f"{issuance}/<slug:name>/", site.admin_view(issuances.take), name="issuance-act"),
    ]
