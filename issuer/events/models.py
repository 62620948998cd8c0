"""Facts that others may want to know, recorded in the transaction that makes them true."""

from django.db import models
from django.db.models import Q

from issuer.foundation.fields import IdField, TransactionIdField


class Event(models.Model):
    """Something that happened to a subject, in the past tense (issuance.funded); append-only.

    Readers follow `transaction_id`, not `id`: ids are given before rows are committed.
    """

    id = IdField()
    type = models.CharField(max_length=64)
    subject_type = models.CharField(max_length=64)
    subject_id = models.UUIDField()
    sequence = models.PositiveIntegerField(help_text="1, 2, 3, … per subject.")
    data = models.JSONField(default=dict)
    occurred_at = models.DateTimeField()
    transaction_id = TransactionIdField()

    class Meta:
        ordering = ["transaction_id", "id"]
        constraints = [
            models.CheckConstraint(name="event_has_a_type", condition=~Q(type="")),
            models.UniqueConstraint(
                name="event_sequence_once_per_subject",
                fields=["subject_type", "subject_id", "sequence"],
            ),
        ]
        indexes = [models.Index(name="event_in_commit_order", fields=["transaction_id", "id"])]

    def __str__(self) -> str:
        return f"{self.type} of {self.subject_id}"
