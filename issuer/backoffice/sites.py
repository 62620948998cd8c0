"""The admin site of the back office: Today is its index, and staff log in by the house's door."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.account.views import logout as account_logout
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse
from unfold.sites import UnfoldAdminSite


class BackofficeSite(UnfoldAdminSite):
    """The admin of every room, with the pages that belong to none of them alone."""

    index_title = "Today"
    enable_nav_sidebar = True

    def extra_urls(self) -> list[URLPattern]:
        """Return the pages of the back office; they come before those of the rooms."""
        # Imported late: the views need models, and the site is made before there are any.
        from issuer.backoffice.urls import site_urls

        return site_urls(self)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        from issuer.backoffice.views import today  # late, as above

        return today(request, extra_context or {})

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Send whoever is not logged in to the login page with its second factor."""
        return _enter(request)

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return account_logout(request)

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return redirect("account_change_password")


@secure_admin_login
def _enter(_request: HttpRequest) -> HttpResponse:
    """Let staff in who are logged in already."""
    return redirect("admin:index")


def on_account_pages(request: HttpRequest) -> dict[str, Any]:
    """Give the pages about a login what the site's own pages have: colors, sidebar, user menu."""
    if not request.path.startswith("/accounts/"):
        return {}
    site: UnfoldAdminSite = admin.site
    return {**site.each_context(request), "site_url": reverse("reserves")}
