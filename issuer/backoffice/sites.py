"""The admin site of the back office: Today is its index, and staff log in by the house's door."""

from typing import TYPE_CHECKING, Any

from allauth.account.views import logout as account_logout
from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import URLPattern, reverse

if TYPE_CHECKING:  # unfold's, which it extends, has no types
    from django.contrib.admin import AdminSite as UnfoldAdminSite
else:
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
        """Send whoever is not logged in to the login page, which asks for the second factor.

        Raises:
            PermissionDenied: if the login is not one of staff.
        """
        if not request.user.is_authenticated:
            target = request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index")
            return redirect_to_login(target, login_url=reverse("account_login"))
        if not self.has_permission(request):
            raise PermissionDenied
        return redirect("admin:index")

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return account_logout(request)

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        return redirect("account_change_password")


def on_account_pages(request: HttpRequest) -> dict[str, Any]:
    """Give the pages about a login what the site's own pages have: colors, sidebar, user menu."""
    if not request.path.startswith("/accounts/"):
        return {}
    return {**admin.site.each_context(request), "title": "Your login"}
