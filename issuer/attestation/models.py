"""What we state to the public, frozen as of a moment."""

from django.db import models
from django.db.models import F, Q

from issuer.attestation.states import AttestationState
from issuer.foundation.fields import IdField

ISSUED = Q(
    state__in=[
        AttestationState.SIGNED,
        AttestationState.PUBLISHED,
        AttestationState.SUPERSEDED,
    ]
)


class Attestation(models.Model):
    """A statement of reserves of a program. Only `services` write `state`.

    `document` holds the canonical bytes, which never change once the row exists. `sequence` is
    gapless per program and taken by review, so a declined draft leaves no hole.
    """

    id = IdField()
    program = models.ForeignKey("parties.Program", models.PROTECT, related_name="attestations")
    run = models.ForeignKey("reconciliation.Run", models.PROTECT, related_name="attestations")
    sequence = models.PositiveIntegerField()
    document = models.BinaryField(help_text="RFC 8785 bytes.")
    sha256 = models.CharField("SHA-256", max_length=64)
    previous = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="successors"
    )
    as_of = models.DateTimeField()
    valid_until = models.DateTimeField(help_text="Do not rely on it after this.")
    state = models.CharField(
        max_length=16, choices=AttestationState, default=AttestationState.FROZEN, editable=False
    )
    frozen_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-sequence", "-id"]
        permissions = [
            ("propose_attestation", "Can propose attestations"),
            ("confirm_attestation", "Can confirm attestations"),
        ]
        constraints = [
            models.CheckConstraint(
                name="attestation_state_known", condition=Q(state__in=AttestationState.values)
            ),
            models.UniqueConstraint(
                name="attestation_sequence_once_per_program",
                fields=["program", "sequence"],
                condition=~Q(state=AttestationState.DECLINED),
            ),
            models.UniqueConstraint(
                name="attestation_continues_another_once",
                fields=["previous"],
                condition=~Q(state=AttestationState.DECLINED),
            ),
            models.CheckConstraint(
                name="attestation_first_has_no_previous",
                condition=Q(sequence=1, previous=None) | Q(sequence__gt=1, previous__isnull=False),
            ),
            models.CheckConstraint(
                name="attestation_valid_after_its_cut_off",
                condition=Q(valid_until__gt=F("as_of")),
            ),
            models.CheckConstraint(
                name="attestation_published_has_time",
                condition=Q(
                    state__in=[AttestationState.PUBLISHED, AttestationState.SUPERSEDED],
                    published_at__isnull=False,
                )
                | ~Q(state__in=[AttestationState.PUBLISHED, AttestationState.SUPERSEDED])
                & Q(published_at=None),
            ),
            models.CheckConstraint(
                name="attestation_hash_is_sha256", condition=Q(sha256__regex=r"^[0-9a-f]{64}$")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.program.code}-{self.sequence}"


class Exhibit(models.Model):
    """One file of an attestation's package, byte for byte; append-only."""

    id = IdField()
    attestation = models.ForeignKey(Attestation, models.PROTECT, related_name="exhibits")
    name = models.CharField(max_length=64)
    media_type = models.CharField(max_length=64)
    content = models.BinaryField()
    sha256 = models.CharField("SHA-256", max_length=64)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                name="exhibit_name_once_per_attestation", fields=["attestation", "name"]
            ),
        ]

    def __str__(self) -> str:
        return self.name


class AttestationTransition(models.Model):
    """A step of an attestation; append-only."""

    id = IdField()
    attestation = models.ForeignKey(Attestation, models.PROTECT, related_name="transitions")
    step = models.CharField(max_length=16)
    origin = models.CharField(max_length=16)
    destination = models.CharField(max_length=16)
    actor = models.CharField(max_length=128)
    occurred_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.origin} to {self.destination}"
