"""Who may deal with us, and until when."""

from django.db import models
from django.db.models import Q

from issuer.foundation.fields import IdField
from issuer.kyc.states import CLEARED_STATES, EXPLAINED_STATES, CaseState, CaseStep


class RiskRating(models.TextChoices):
    """How closely a party is watched; decides the review cycle."""

    LOW = "LOW", "Low"
    MEDIUM = "MEDIUM", "Medium"
    HIGH = "HIGH", "High"


class MediaType(models.TextChoices):
    """The forms that evidence may have: those that every officer can open, and that run nothing."""

    PDF = "application/pdf", "PDF"
    PNG = "image/png", "PNG"
    JPEG = "image/jpeg", "JPEG"


class DataKey(models.Model):
    """The key under which one party's personal data is encrypted, wrapped by the master key.

    Destroying it makes everything encrypted under it unreadable, in history too.
    """

    id = IdField()
    entity = models.OneToOneField("parties.LegalEntity", models.PROTECT, related_name="data_key")
    wrapped_key = models.BinaryField(null=True, help_text="AES-256-GCM; null once shredded.")
    created_at = models.DateTimeField()
    shredded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="data_key_present_unless_shredded",
                condition=Q(shredded_at=None, wrapped_key__isnull=False)
                | Q(shredded_at__isnull=False, wrapped_key=None),
            ),
        ]

    def __str__(self) -> str:
        return f"Data key of {self.entity}"


class Case(models.Model):
    """The one truth about a legal entity's KYC. Only `services` write `state`."""

    id = IdField()
    entity = models.OneToOneField("parties.LegalEntity", models.PROTECT, related_name="kyc_case")
    state = models.CharField(
        max_length=16, choices=CaseState, default=CaseState.NEW, editable=False
    )
    risk_rating = models.CharField(max_length=8, choices=RiskRating, blank=True)
    valid_until = models.DateField(null=True, blank=True, help_text="Cleared through this day.")
    reviewer = models.ForeignKey(
        "people.Person", models.PROTECT, null=True, blank=True, related_name="+"
    )
    reason = models.CharField(max_length=500, blank=True, help_text="Of the last step; no PII.")
    opened_at = models.DateTimeField()

    class Meta:
        permissions = [
            ("manage_case", "Can work on KYC cases"),
            ("view_personal_data", "Can see personal data"),
        ]
        constraints = [
            models.CheckConstraint(
                name="kyc_case_state_known", condition=Q(state__in=CaseState.values)
            ),
            models.CheckConstraint(
                name="kyc_case_cleared_has_reviewer_rating_and_end",
                condition=~Q(state__in=sorted(CLEARED_STATES))
                | Q(valid_until__isnull=False, reviewer__isnull=False)
                & Q(risk_rating__in=RiskRating.values),
            ),
            models.CheckConstraint(
                name="kyc_case_risk_rating_known",
                condition=Q(risk_rating="") | Q(risk_rating__in=RiskRating.values),
            ),
            models.CheckConstraint(
                name="kyc_case_says_why_not",
                condition=~Q(state__in=sorted(EXPLAINED_STATES)) | ~Q(reason=""),
            ),
        ]

    def __str__(self) -> str:
        return f"KYC of {self.entity}"


class EvidenceDocument(models.Model):
    """A document behind a case: hash in the clear, content encrypted; append-only."""

    id = IdField()
    case = models.ForeignKey(Case, models.PROTECT, related_name="documents")
    kind = models.CharField(max_length=64, help_text="As certificate-of-incorporation.")
    media_type = models.CharField(max_length=64, choices=MediaType)
    sha256 = models.CharField("SHA-256", max_length=64, help_text="Of the content, unencrypted.")
    size_bytes = models.PositiveIntegerField()
    ciphertext = models.BinaryField()
    added_by = models.CharField(max_length=128)
    added_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                name="evidence_document_once_per_case", fields=["case", "sha256"]
            ),
            models.CheckConstraint(
                name="evidence_document_hash_is_sha256",
                condition=Q(sha256__regex=r"^[0-9a-f]{64}$"),
            ),
            models.CheckConstraint(
                name="evidence_document_not_empty", condition=Q(size_bytes__gt=0)
            ),
            models.CheckConstraint(
                name="evidence_document_kind_is_plain",
                condition=Q(kind__regex=r"^[a-z0-9]+(-[a-z0-9]+)*$"),
            ),
            models.CheckConstraint(
                name="evidence_document_media_type_known",
                condition=Q(media_type__in=MediaType.values),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.sha256[:12]}"


def _any_step() -> Q:
    """Return the condition that a transition is one that a named step makes."""
    steps = Q()
    for step in CaseStep:
        origins = sorted(step.value.origins)
        steps |= Q(step=step.name, origin__in=origins, destination=step.value.destination)
    return steps


class CaseTransition(models.Model):
    """A step of a KYC case; append-only."""

    id = IdField()
    case = models.ForeignKey(Case, models.PROTECT, related_name="transitions")
    step = models.CharField(max_length=32)
    origin = models.CharField(max_length=16)
    destination = models.CharField(max_length=16)
    actor = models.CharField(max_length=128)
    occurred_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(name="kyc_case_transition_is_a_step", condition=_any_step()),
        ]

    def __str__(self) -> str:
        return f"{self.origin} to {self.destination}"
