"""What we state to the public, frozen as of a moment."""

from typing import Final

from django.db import models
from django.db.models import F, Q

from issuer.attestation.states import UNDER_WAY, AttestationKind, AttestationState
from issuer.foundation.fields import IdField
from issuer.reserves.cover import CoverStatus

#: How long a reason may be: why something was corrected, declined or not published.
REASON_LENGTH: Final = 500
NO_DOCUMENT = Q(document=None, sha256="")
WITH_DOCUMENT = Q(document__isnull=False) & ~Q(sha256="")
OUT = Q(state__in=[AttestationState.PUBLISHED, AttestationState.SUPERSEDED])


class Attestation(models.Model):
    """A statement of reserves of a program. Only `services` write `state`.

    `content` is what one officer proposed and another approves; `document` is that content with
    the approval in it, as it is signed and published. Neither changes once it is there, and each
    hash is of the bytes beside it. `sequence` is gapless per program: a declined statement gives
    its number back, and one that was declined after its review keeps the document that it had.

    Nobody approves an EVENT, so PostgreSQL refuses one that is better than the statement before
    in any token. A CORRECTION names the statement whose figures it replaces, which stays as it is.
    """

    id = IdField()
    program = models.ForeignKey("parties.Program", models.PROTECT, related_name="attestations")
    run = models.ForeignKey("reconciliation.Run", models.PROTECT, related_name="attestations")
    sequence = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=AttestationKind)
    content = models.BinaryField(help_text="What is approved: RFC 8785 bytes.")
    content_sha256 = models.CharField("SHA-256 of the content", max_length=64)
    document = models.BinaryField(null=True, help_text="What is signed: RFC 8785 bytes.")
    sha256 = models.CharField("SHA-256", max_length=64, blank=True)
    previous = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="successors"
    )
    corrects = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="corrections"
    )
    correction_reason = models.CharField(
        max_length=REASON_LENGTH, blank=True, help_text="Public: no personal data."
    )
    status = models.CharField(max_length=16, choices=CoverStatus)
    as_of = models.DateTimeField()
    valid_until = models.DateTimeField(help_text="Do not rely on it after this.")
    state = models.CharField(
        max_length=16, choices=AttestationState, default=AttestationState.FROZEN, editable=False
    )
    frozen_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)
    publishing_failed_at = models.DateTimeField(
        null=True, blank=True, help_text="When staff were told that it could not be published."
    )
    publishing_failure = models.CharField(max_length=REASON_LENGTH, blank=True)

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
            models.CheckConstraint(
                name="attestation_status_known", condition=Q(status__in=CoverStatus.values)
            ),
            models.CheckConstraint(
                name="attestation_kind_known", condition=Q(kind__in=AttestationKind.values)
            ),
            models.CheckConstraint(
                name="attestation_event_follows_another",
                condition=~Q(kind=AttestationKind.EVENT) | Q(previous__isnull=False),
            ),
            models.CheckConstraint(
                name="attestation_correction_names_what_and_why",
                condition=Q(kind=AttestationKind.CORRECTION, corrects__isnull=False)
                & ~Q(correction_reason="")
                | ~Q(kind=AttestationKind.CORRECTION) & Q(corrects=None, correction_reason=""),
            ),
            models.UniqueConstraint(
                name="attestation_corrected_once",
                fields=["corrects"],
                condition=~Q(state=AttestationState.DECLINED),
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
            models.UniqueConstraint(
                name="attestation_one_under_way_per_program",
                fields=["program"],
                condition=Q(state__in=sorted(UNDER_WAY)),
            ),
            models.UniqueConstraint(
                name="attestation_one_current_per_program",
                fields=["program"],
                condition=Q(state=AttestationState.PUBLISHED),
            ),
            models.CheckConstraint(
                name="attestation_first_has_no_previous",
                condition=Q(sequence=1, previous=None) | Q(sequence__gt=1, previous__isnull=False),
            ),
            models.CheckConstraint(
                name="attestation_not_invalid_before_its_cut_off",
                condition=Q(valid_until__gte=F("as_of")),
            ),
            models.CheckConstraint(
                name="attestation_document_iff_reviewed",
                condition=Q(state=AttestationState.FROZEN) & NO_DOCUMENT
                | Q(state=AttestationState.DECLINED) & (NO_DOCUMENT | WITH_DOCUMENT)
                | ~Q(state__in=[AttestationState.FROZEN, AttestationState.DECLINED])
                & WITH_DOCUMENT,
            ),
            models.CheckConstraint(
                name="attestation_failure_has_time_and_reason",
                condition=Q(publishing_failed_at=None, publishing_failure="")
                | Q(publishing_failed_at__isnull=False) & ~Q(publishing_failure=""),
            ),
            models.CheckConstraint(
                name="attestation_published_has_time",
                condition=OUT & Q(published_at__isnull=False) | ~OUT & Q(published_at=None),
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
    reason = models.CharField(
        max_length=REASON_LENGTH, blank=True, help_text="Why it was declined."
    )

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.origin} to {self.destination}"


class StatementKey(models.Model):
    """A public key that statements are signed with, as the public is told of it; append-only.

    A key is in use from `valid_from` until the next one is, or for ever.
    """

    id = IdField()
    key_id = models.CharField(max_length=16, unique=True)
    public_key = models.CharField(max_length=64, unique=True, help_text="Ed25519, in hex.")
    valid_from = models.DateTimeField(unique=True)
    registered_by = models.CharField(max_length=128)

    class Meta:
        ordering = ["valid_from"]
        constraints = [
            models.CheckConstraint(
                name="statement_key_is_ed25519", condition=Q(public_key__regex=r"^[0-9a-f]{64}$")
            ),
        ]

    def __str__(self) -> str:
        return self.key_id
