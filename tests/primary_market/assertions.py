"""What the tests of this room say about a request more than once."""

from issuer.primary_market.models import IssuanceRequest, IssuanceTransition
from issuer.primary_market.states import IssuanceState
from issuer.reserves.models import ShareHold


def last_step(request: IssuanceRequest) -> tuple[str, str, str, str]:
    """Return the newest step of a request: its name, from where, to where, and by whom."""
    step = IssuanceTransition.objects.filter(request=request).order_by("id").last()
    assert step is not None
    return step.step, step.origin, step.destination, step.actor


def assert_still(request: IssuanceRequest, state: IssuanceState) -> None:
    """Fail if the request took a step since it was read, or is in another state."""
    steps = [step.destination for step in request.transitions.order_by("id")]
    found = IssuanceRequest.objects.get(pk=request.pk)
    assert found.state == state
    assert (found.reason, found.mint_intent_id) == (request.reason, request.mint_intent_id)
    assert steps[-1:] in ([], [state])


def holds_of(request: IssuanceRequest) -> list[str]:
    """Return the states of the holds of a request, the oldest first."""
    holds = ShareHold.objects.filter(request_id=request.pk).order_by("id")
    return list(holds.values_list("state", flat=True))
