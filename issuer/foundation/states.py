"""Life cycles: what a named step does, and from where it may be taken."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

from django.db import models

from issuer.foundation.errors import IllegalTransition

State = TypeVar("State", bound=models.TextChoices)


@dataclass(frozen=True, eq=False)
class Transition(Generic[State]):
    """What one step does: it leads from any of `origins` to `destination`.

    Compared by identity: two steps of one shape stay two members of an enum, not aliases.
    """

    origins: frozenset[State]
    destination: State

    def check(self, current: State) -> None:
        """Refuse the step unless it may be taken from `current`.

        Raises:
            IllegalTransition: if it may not.
        """
        if current not in self.origins:
            detail = f"{self.destination.label} cannot follow {current.label}."
            raise IllegalTransition(
                detail, current=current.value, destination=self.destination.value
            )


def final_states(states: type[State], steps: type[Enum]) -> frozenset[State]:
    """Return the states that no step leaves."""
    transitions: list[Transition[Any]] = [step.value for step in steps]
    left = {origin for transition in transitions for origin in transition.origins}
    return frozenset(state for state in states if state not in left)
