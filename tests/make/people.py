"""Persons, logins and actors for tests."""

from datetime import UTC, datetime
from itertools import count
from typing import Final

from issuer.foundation import actors
from issuer.foundation.actors import Actor
from issuer.people import services
from issuer.people.actors import actor_of
from issuer.people.models import Person, User
from issuer.people.roles import Role

PASSWORD: Final = "correct horse battery staple"
REGISTERED_AT: Final = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

_serial = count(1)


def person(name: str = "") -> Person:
    """A human being without a login."""
    return Person.objects.create(name=name or f"Person {next(_serial)}")


def user(*roles: Role, person: Person | None = None, username: str = "") -> User:
    """A login with `PASSWORD` of a person, who has `roles`; of a new one if none is named."""
    number = next(_serial)
    return services.register_user(
        person=person,
        person_name=f"Person {number}",
        username=username or f"user-{number}",
        password=PASSWORD,
        roles=roles,
        actor=actors.system("tests"),
        at=REGISTERED_AT,
    )


def staff_actor(role: Role) -> Actor:
    """A person on staff who has `role`."""
    return actor_of(user(role))
