from enum import Enum

import pytest
from django.db import models

from issuer.foundation.errors import IllegalTransition
from issuer.foundation.states import Transition, final_states


class Light(models.TextChoices):
    GREEN = "GREEN", "Green"
    YELLOW = "YELLOW", "Yellow"
    RED = "RED", "Red"
    BROKEN = "BROKEN", "Broken"


class LightStep(Enum):
    WARN = Transition(frozenset({Light.GREEN}), Light.YELLOW)
    STOP = Transition(frozenset({Light.YELLOW}), Light.RED)
    BLINK = Transition(frozenset({Light.GREEN}), Light.YELLOW)  # of one shape with WARN
    BREAK = Transition(frozenset({Light.GREEN, Light.YELLOW, Light.RED}), Light.BROKEN)


class TestTransition:
    def test_may_be_taken_from_its_origins(self) -> None:
        LightStep.BREAK.value.check(Light.RED)

    def test_may_not_be_taken_from_elsewhere(self) -> None:
        with pytest.raises(IllegalTransition) as refusal:
            LightStep.STOP.value.check(Light.GREEN)

        assert refusal.value.detail == "Red cannot follow Green."
        assert refusal.value.facts == {"current": "GREEN", "destination": "RED"}

    def test_is_no_alias_of_another_of_its_shape(self) -> None:
        assert [step.name for step in LightStep] == ["WARN", "STOP", "BLINK", "BREAK"]


class TestFinalStates:
    def test_are_those_that_no_step_leaves(self) -> None:
        assert final_states(Light, LightStep) == {Light.BROKEN}
