"""Who acts."""

from dataclasses import dataclass
from enum import Enum, unique
from uuid import UUID


@unique
class ActorKind(Enum):
    """By which door an actor comes in."""

    STAFF = "STAFF"
    PARTNER = "PARTNER"
    SYSTEM = "SYSTEM"


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever does something.

    `name` is immutable: the id of a user, the id of an API key, or the name of a task. `person`
    is the id of the human behind a login (`people.Person`); two logins of one human have one
    person, and the system has none.
    """

    kind: ActorKind
    name: str
    person: UUID | None = None

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.name}"


def system(name: str) -> Actor:
    """Return the actor for something that the house does by itself, such as a scheduled task."""
    return Actor(ActorKind.SYSTEM, name)
