"""Maker and checker: what one person proposed and another confirmed, to the byte."""

from django.db import models
from django.db.models import Q

from issuer.approvals.states import ProposalState
from issuer.foundation.fields import IdField


class Proposal(models.Model):
    """One person's proposal to do `action` to a subject, bound to the hash of its `payload`.

    Only `services` write `state`. PostgreSQL refuses a confirmation by the proposer's own person,
    of another payload, or of a proposal that is not open.
    """

    id = IdField()
    action = models.CharField(max_length=64, help_text="What is to be done, as issuance.approve.")
    subject_type = models.CharField(max_length=64)
    subject_id = models.UUIDField()
    payload = models.JSONField(help_text="What the approver signs.")
    payload_hash = models.CharField(max_length=64, help_text="SHA-256 of the canonical payload.")
    state = models.CharField(
        max_length=16, choices=ProposalState, default=ProposalState.OPEN, editable=False
    )
    reason = models.CharField(max_length=500, blank=True, help_text="Why declined or voided.")
    proposed_by = models.CharField(max_length=128)
    proposer = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    closed_by = models.CharField(max_length=128, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="proposal_state_known", condition=Q(state__in=ProposalState.values)
            ),
            models.UniqueConstraint(
                name="proposal_open_once_per_subject_and_action",
                fields=["action", "subject_type", "subject_id"],
                condition=Q(state=ProposalState.OPEN),
            ),
            models.CheckConstraint(
                name="proposal_closed_has_time_and_author",
                condition=Q(state=ProposalState.OPEN, closed_at=None, closed_by="")
                | ~Q(state=ProposalState.OPEN) & Q(closed_at__isnull=False) & ~Q(closed_by=""),
            ),
            models.CheckConstraint(
                name="proposal_hash_is_sha256", condition=Q(payload_hash__regex=r"^[0-9a-f]{64}$")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} proposed by {self.proposer}"


class Approval(models.Model):
    """That another person confirmed a proposal, and which payload they saw; append-only."""

    id = IdField()
    proposal = models.OneToOneField(Proposal, models.PROTECT, related_name="approval")
    payload_hash = models.CharField(max_length=64)
    approved_by = models.CharField(max_length=128)
    approver = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    approved_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"Approval by {self.approver}"
