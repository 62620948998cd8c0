"""What happened, to what, by whom and when; and the seals over it."""

from django.db import models
from django.db.models import Q

from issuer.foundation.fields import IdField, TransactionIdField


class AuditEvent(models.Model):
    """One act and its facts; append-only. Holds no secrets and no personal data."""

    id = IdField()
    action = models.CharField(max_length=64, help_text="What was done, as issuance.confirm.")
    subject_type = models.CharField(max_length=64, help_text="Label of the model it was done to.")
    subject_id = models.UUIDField()
    actor = models.CharField(max_length=128)
    person_id = models.UUIDField(null=True, help_text="The human behind the actor, if any.")
    facts = models.JSONField(default=dict)
    occurred_at = models.DateTimeField()
    transaction_id = TransactionIdField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="audit_event_names_its_action", condition=~Q(action="")),
            models.CheckConstraint(name="audit_event_names_its_actor", condition=~Q(actor="")),
        ]
        indexes = [
            models.Index(name="audit_event_of_subject", fields=["subject_type", "subject_id"]),
            models.Index(name="audit_event_by_time", fields=["occurred_at"]),
            models.Index(name="audit_event_in_commit_order", fields=["transaction_id", "id"]),
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.actor}"


class Seal(models.Model):
    """A hash over a run of audit events and the seal before it; append-only.

    Whoever keeps one seal can tell whether anything before it was changed, left out or added.
    """

    number = models.PositiveBigIntegerField(primary_key=True)
    first_position = models.PositiveBigIntegerField()
    last_position = models.PositiveBigIntegerField()
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)
    sealed_at = models.DateTimeField()
    sealed_by = models.CharField(max_length=128)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.CheckConstraint(
                name="seal_covers_a_run_of_events",
                condition=Q(first_position__gte=1)
                & Q(last_position__gte=models.F("first_position")),
            ),
            models.UniqueConstraint(
                name="seal_starts_where_no_other_does", fields=["first_position"]
            ),
            models.UniqueConstraint(name="seal_follows_another_once", fields=["previous_hash"]),
        ]

    def __str__(self) -> str:
        return f"Seal {self.number}"


class SealedEvent(models.Model):
    """The gapless position that a seal gave to an event; append-only."""

    position = models.PositiveBigIntegerField(primary_key=True)
    event = models.OneToOneField(AuditEvent, models.PROTECT, related_name="sealed")
    seal = models.ForeignKey(Seal, models.PROTECT, related_name="events")

    def __str__(self) -> str:
        return f"Position {self.position}"
