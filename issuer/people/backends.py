"""What a login may do: what the roles of its person allow, and nothing else."""

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.conf import settings

from issuer.people import selectors
from issuer.people.models import User
from issuer.people.roles import MATRIX, Role

if TYPE_CHECKING:  # allauth's, which it extends, has no types
    from django.contrib.auth.backends import ModelBackend as PasswordBackend
else:
    from allauth.account.auth_backends import AuthenticationBackend as PasswordBackend

#: Looking at these takes a permission of its own.
PERSONAL_DATA: Final = "kyc.view_personal_data"
_RESTRICTED: Final = frozenset({"kyc.view_evidencedocument", "kyc.view_datakey"})


class RoleBackend(PasswordBackend):
    """Checks passwords as allauth does, and answers every permission from the matrix of roles.

    Django's own tables of permissions and groups are not asked, so that nobody gains a right by a
    row that no review has seen.
    """

    def get_user_permissions(self, user_obj: Any, obj: object = None) -> set[str]:
        """Return what the roles of the person allow, of records in general, not of one."""
        if not isinstance(user_obj, User) or obj is not None:
            return set()
        if not (user_obj.is_active and user_obj.is_staff):
            return set()
        roles = selectors.roles_of(user_obj.person)
        return set().union(*(permissions_of(role) for role in roles))

    def get_group_permissions(self, user_obj: Any, obj: object = None) -> set[str]:
        """Return nothing, for there are no groups."""
        return set()


@cache
def permissions_of(role: Role) -> frozenset[str]:
    """Return all that `role` allows: its acts, and looking at every record but personal data."""
    acts = MATRIX[role]
    hidden = frozenset() if PERSONAL_DATA in acts else _RESTRICTED
    looking = {
        f"{model._meta.app_label}.view_{model._meta.model_name}"
        for model in apps.get_models()
        if model._meta.app_label in settings.ROOMS
    }
    return acts | (looking - hidden)
