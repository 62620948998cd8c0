"""Questions about people."""

from issuer.people.models import Person, RoleAssignment
from issuer.people.roles import Role


def roles_of(person: Person) -> frozenset[Role]:
    """Return the roles that `person` has now."""
    held = RoleAssignment.objects.filter(person=person, revoked_at=None)
    return frozenset(Role(role) for role in held.values_list("role", flat=True))


def administrator_exists() -> bool:
    """Say whether anybody has the administrator's role now."""
    return RoleAssignment.objects.filter(role=Role.ADMINISTRATOR, revoked_at=None).exists()
