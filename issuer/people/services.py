"""Everything that writes people, their logins and their roles."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from issuer.audit import services as audit
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import translating
from issuer.people import errors
from issuer.people.models import Person, RoleAssignment, User
from issuer.people.roles import Role


@transaction.atomic
def register_user(
    *,
    person: Person | None = None,
    person_name: str = "",
    username: str,
    password: str,
    roles: Iterable[Role],
    actor: Actor,
    at: datetime,
) -> User:
    """Give a login to `person`, or to a new person called `person_name`, who gets `roles` too.

    Roles that the person has already are left as they are.

    Raises:
        PasswordWeak: if `password` is too easy to guess.
        UsernameTaken: if another login has the name.
        OwnRole: if `actor` is that person and would gain a role.
    """
    if person is None:
        person = Person.objects.create(name=person_name)
        audit.record("person.register", subject=person, actor=actor, at=at)
    user = User(person=person, username=username, is_staff=True, date_joined=at)
    try:
        validate_password(password, user)
    except ValidationError as exc:
        raise errors.PasswordWeak(" ".join(exc.messages)) from exc
    user.set_password(password)

    taken = errors.UsernameTaken(f"Another login is called {username}.", username=username)
    with translating({"people_user_username_key": taken}):
        user.save(force_insert=True)
    audit.record("user.register", subject=user, actor=actor, at=at, person=str(person.pk))

    held = set(RoleAssignment.objects.filter(person=person, revoked_at=None).values_list("role"))
    for role in roles:
        if (role.value,) not in held:
            grant_role(person=person, role=role, actor=actor, at=at)
    return user


@transaction.atomic
def shut_login(user_id: UUID, *, actor: Actor, at: datetime) -> User:
    """Shut a login for good; whoever is logged in by it is logged out.

    Raises:
        OwnLogin: if it is one of the person behind `actor`.
        LoginShut: if it is shut already.
    """
    user = User.objects.select_for_update(of=("self",)).get(pk=user_id)
    if actor.person == user.person_id:
        raise errors.OwnLogin("Somebody else has to shut your login.")
    if not user.is_active:
        raise errors.LoginShut(f"{user.username} is shut already.", username=user.username)
    user.is_active = False
    user.save(update_fields=["is_active"])
    audit.record("user.shut", subject=user, actor=actor, at=at)
    return user


@transaction.atomic
def grant_role(*, person: Person, role: Role, actor: Actor, at: datetime) -> RoleAssignment:
    """Give `person` a role.

    Raises:
        OwnRole: if `actor` is that person.
        RoleHeld: if the person has the role already.
    """
    _refuse_own(person, actor)
    held = errors.RoleHeld(f"{role.label} is a role that the person has.", role=role.value)
    with translating({"role_held_once_at_a_time": held}):
        assignment = RoleAssignment.objects.create(
            person=person, role=role, granted_by=str(actor), granted_at=at
        )
    audit.record("role.grant", subject=person, actor=actor, at=at, role=role.value)
    return assignment


@transaction.atomic
def revoke_role(*, person: Person, role: Role, actor: Actor, at: datetime) -> RoleAssignment:
    """Take a role from `person`; that they had it stays on record.

    Raises:
        OwnRole: if `actor` is that person.
        RoleNotHeld: if the person does not have the role.
    """
    _refuse_own(person, actor)
    held = RoleAssignment.objects.select_for_update(of=("self",))
    assignment = held.filter(person=person, role=role, revoked_at=None).first()
    if assignment is None:
        raise errors.RoleNotHeld(f"{role.label} is no role of the person.", role=role.value)
    assignment.revoked_by = str(actor)
    assignment.revoked_at = at
    assignment.save(update_fields=["revoked_by", "revoked_at"])
    audit.record("role.revoke", subject=person, actor=actor, at=at, role=role.value)
    return assignment


def _refuse_own(person: Person, actor: Actor) -> None:
    if actor.person == person.pk:
        raise errors.OwnRole("Somebody else has to change your roles.")
