"""Who asks: a partner, by one of their keys."""

from dataclasses import dataclass
from typing import Final

from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from issuer.api import errors, selectors
from issuer.api.models import ApiKey, Scope
from issuer.foundation import clock
from issuer.foundation.actors import Actor, ActorKind
from issuer.parties.models import AuthorizedParticipant

SCHEME: Final = "Bearer"


@dataclass(frozen=True)
class Caller:
    """A partner at the door, as `request.user`."""

    key: ApiKey
    is_authenticated: bool = True

    @property
    def participant(self) -> AuthorizedParticipant:
        """Whose key it is."""
        return self.key.participant

    @property
    def actor(self) -> Actor:
        """The partner as an actor: by the id of the key, for a key is nobody's person."""
        return Actor(ActorKind.PARTNER, str(self.key.pk))


class KeyAuthentication(BaseAuthentication):
    """Knows partners by `Authorization: Bearer iss_<prefix>_<secret>`."""

    def authenticate(self, request: Request) -> tuple[Caller, ApiKey]:
        """Return the caller and the key.

        Raises:
            KeyMissing: if no key was sent.
            KeyInvalid, KeyExpired, KeyRevoked: if the key may not be used.
        """
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if not text or scheme.lower() != SCHEME.lower():
            raise errors.KeyMissing("Send `Authorization: Bearer` and your key.")
        key = selectors.key_in_force(text.strip(), at=clock.now())
        return Caller(key), key


class ScopeOfMethod(BasePermission):
    """Reading needs the scope READ, everything else TRADE."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Say yes, or refuse with `ScopeMissing`."""
        needed = Scope.READ if request.method in SAFE_METHODS else Scope.TRADE
        if needed not in caller_of(request).key.scopes:
            raise errors.ScopeMissing(f"This key lacks the scope {needed}.", needed=needed.value)
        return True


def caller_of(request: Request) -> Caller:
    """Return who asks, on a view that only partners reach."""
    assert isinstance(request.user, Caller)
    return request.user
