"""Users as actors, and actors as people read them."""

from collections.abc import Iterable
from uuid import UUID

from issuer.foundation.actors import Actor, ActorKind
from issuer.people.models import User


def actor_of(user: User) -> Actor:
    """Return the actor behind the login `user`; its name is the user's id, which never changes."""
    return Actor(ActorKind.STAFF, str(user.pk), person=user.person_id)


def names_of(actors: Iterable[str]) -> dict[str, str]:
    """Return how each actor is called on a screen; a login by its person, whatever it is called."""
    parts = {actor: actor.partition(":") for actor in actors}
    logins = {name for kind, _, name in parts.values() if kind == ActorKind.STAFF.value}
    found = User.objects.filter(pk__in=[UUID(login) for login in logins])
    persons = {str(pk): name for pk, name in found.values_list("pk", "person__name")}
    return {actor: _name(kind, name, persons) for actor, (kind, _, name) in parts.items()}


def _name(kind: str, name: str, persons: dict[str, str]) -> str:
    match kind:
        case ActorKind.STAFF.value:
            return persons.get(name, f"Login {name}")
        case ActorKind.PARTNER.value:
            return f"Partner, API key {name}"
        case _:
            task = name.rpartition(".")[2]  # the room that it is of tells an officer nothing
            return f"System, {task.replace('_', ' ')}" if task else "System"
