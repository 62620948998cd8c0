"""How staff log in: with a password and a second factor, on accounts that others open for them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from allauth.account import views
from allauth.mfa.adapter import get_adapter as get_mfa_adapter
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import include, path, reverse

if TYPE_CHECKING:  # allauth's, which it extends, has no types
    DefaultAccountAdapter = object
else:
    from allauth.account.adapter import DefaultAccountAdapter

#: Pages that staff need before they have a second factor.
_ALWAYS_OPEN: Final = ("/accounts/", "/static/")

#: The pages of the login library that staff use. Nobody signs up, and nobody changes or resets a
#: password by mail, so those pages do not exist.
urlpatterns = [
    path("login/", views.login, name="account_login"),
    path("logout/", views.logout, name="account_logout"),
    path("inactive/", views.account_inactive, name="account_inactive"),
    path("reauthenticate/", views.reauthenticate, name="account_reauthenticate"),
    path("password/change/", views.password_change, name="account_change_password"),
    path("2fa/", include("allauth.mfa.urls")),
]


class StaffAccountAdapter(DefaultAccountAdapter):
    """The login library's rules, for accounts that an administrator opens."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


class RequireSecondFactor:
    """Sends staff who have no second factor to where they set one up, before anything else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if self._lacks_second_factor(request):
            messages.warning(request, "Set up a second factor first; the back office requires one.")
            return HttpResponseRedirect(reverse("mfa_index"))
        return self._get_response(request)

    def _lacks_second_factor(self, request: HttpRequest) -> bool:
        return (
            settings.STAFF_MFA_REQUIRED
            and not request.path.startswith(_ALWAYS_OPEN)
            and request.user.is_authenticated
            and not get_mfa_adapter().is_mfa_enabled(request.user)
        )
