"""Questions about what waits for a second person."""

from django.db import models
from django.db.models import QuerySet

from issuer.approvals.models import Approval, Proposal
from issuer.approvals.states import ProposalState


def open_proposal(subject: models.Model, action: str) -> Proposal | None:
    """Return the proposal to do `action` to `subject` that waits for another person, if any."""
    return (
        open_proposals()
        .filter(action=action, subject_type=subject._meta.label_lower, subject_id=subject.pk)
        .first()
    )


def newest_approval(subject: models.Model, action: str) -> Approval | None:
    """Return how it was last confirmed to do `action` to `subject`, if it ever was."""
    return (
        Approval.objects.filter(
            proposal__action=action,
            proposal__subject_type=subject._meta.label_lower,
            proposal__subject_id=subject.pk,
        )
        .order_by("-id")
        .first()
    )


def open_proposals() -> QuerySet[Proposal]:
    """Return what waits for another person, the oldest first."""
    waiting = Proposal.objects.filter(state=ProposalState.OPEN).select_related("proposer")
    return waiting.order_by("proposed_at", "id")
