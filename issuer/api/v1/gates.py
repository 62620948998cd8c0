"""How the gate of a token is shown, wherever it is."""

from collections.abc import Mapping, Sequence
from typing import Any

from rest_framework import serializers

from issuer.foundation import canonical
from issuer.gate import selectors
from issuer.gate.models import GateState, Hold, ScopeKind


class HoldOutput(serializers.Serializer):
    """Something that holds a gate shut."""

    scope = serializers.ChoiceField(ScopeKind.choices, help_text="What kind of thing is held.")
    scope_id = serializers.UUIDField(help_text="Which of that kind.")
    effect = serializers.ChoiceField(GateState.choices)
    reason = serializers.CharField()
    since = serializers.DateTimeField()


class GateOutput(serializers.Serializer):
    """Whether tokens may be issued, and what forbids it."""

    state = serializers.ChoiceField(
        GateState.choices,
        help_text="The tightest there is on any chain, as `mint.state` in attestations.",
    )
    holds = HoldOutput(many=True)


def gate_document(holds: Sequence[Hold]) -> Mapping[str, Any]:
    """Return how the holds in force on a token are shown."""
    return {
        "state": selectors.tightest(GateState(hold.effect) for hold in holds).value,
        "holds": [
            {
                "scope": hold.scope.kind,
                "scope_id": str(hold.scope.subject_id),
                "effect": hold.effect,
                "reason": hold.reason,
                "since": canonical.timestamp(hold.placed_at),
            }
            for hold in holds
        ],
    }
