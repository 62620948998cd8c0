"""The pages of the back office that are more than the records of one room."""

from collections.abc import Callable

from django.contrib.admin import AdminSite
from django.http import HttpResponse
from django.urls import URLPattern, path

from issuer.backoffice import deposits, issuances, redemptions, tokens


def site_urls(site: AdminSite) -> list[URLPattern]:
    """Return the pages, for whoever `site` lets in; they stand in front of the rooms' own."""
    issuance = "primary_market/issuancerequest/<uuid:record_id>"
    redemption = "primary_market/redemptionrequest/<uuid:record_id>"
    deposit = "primary_market/deposit/<uuid:record_id>"
    pages: list[tuple[str, Callable[..., HttpResponse], str]] = [
        (f"{issuance}/change/", issuances.page, "primary_market_issuancerequest_change"),
        (f"{issuance}/<slug:name>/", issuances.take, "issuance-act"),
        (f"{redemption}/change/", redemptions.page, "primary_market_redemptionrequest_change"),
        (f"{redemption}/<slug:name>/", redemptions.take, "redemption-act"),
        ("primary_market/deposit/", deposits.queue, "primary_market_deposit_changelist"),
        (f"{deposit}/change/", deposits.page, "primary_market_deposit_change"),
        (f"{deposit}/<slug:name>/", deposits.take, "deposit-act"),
        ("instruments/token/<uuid:token_id>/change/", tokens.page, "instruments_token_change"),
    ]
    return [path(route, site.admin_view(view), name=name) for route, view, name in pages]
