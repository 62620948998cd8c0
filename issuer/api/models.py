"""Keys of partners, and the answers that were given once and may be asked for again."""

from django.db import models
from django.db.models import F, Q

from issuer.foundation.fields import IdField


class Scope(models.TextChoices):
    """What a key may be used for."""

    READ = "READ", "Read"
    TRADE = "TRADE", "Request issuance and redemption, and bind wallets"


class ApiKey(models.Model):
    """A partner's key: shown once, kept as a hash, revocable."""

    id = IdField()
    participant = models.ForeignKey(
        "parties.AuthorizedParticipant", models.PROTECT, related_name="api_keys"
    )
    label = models.CharField(max_length=64)
    prefix = models.CharField(
        max_length=12, unique=True, help_text="Public part, to tell keys apart."
    )
    secret_hash = models.CharField(max_length=64, help_text="SHA-256 of the 256-bit secret.")
    scopes = models.JSONField(default=list)
    issued_by = models.CharField(max_length=128)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_by = models.CharField(max_length=128, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        permissions = [("issue_apikey", "Can issue and revoke API keys")]
        verbose_name = "API key"
        constraints = [
            models.CheckConstraint(
                name="api_key_hash_is_sha256",
                condition=Q(("secret_hash__regex", r"^[0-9a-f]{64}$")),
            ),
            models.CheckConstraint(
                name="api_key_expires_after_issue", condition=Q(expires_at__gt=F("issued_at"))
            ),
            models.CheckConstraint(
                name="api_key_has_a_scope",
                condition=~Q(scopes=[]) & Q(scopes__contained_by=Scope.values),
            ),
            models.CheckConstraint(name="api_key_has_a_label", condition=~Q(label="")),
            models.CheckConstraint(
                name="api_key_revocation_has_time_and_author",
                condition=Q(revoked_at=None, revoked_by="")
                | Q(revoked_at__isnull=False) & ~Q(revoked_by=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prefix} of {self.participant}"


class ServedRequest(models.Model):
    """The answer to a write, kept so that the same request gets the same answer.

    It has no answer only inside the transaction that is finding it.
    """

    id = IdField()
    participant = models.ForeignKey(
        "parties.AuthorizedParticipant", models.PROTECT, related_name="+"
    )
    idempotency_key = models.CharField(max_length=128)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(blank=True, help_text="JSON, to the byte.")
    served_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="served_request_once_per_participant_and_key",
                fields=["participant", "idempotency_key"],
            ),
            models.CheckConstraint(
                name="served_request_answer_is_whole",
                condition=Q(status=None, body="") | Q(status__isnull=False) & ~Q(body=""),
            ),
            models.CheckConstraint(
                name="served_request_fingerprint_is_sha256",
                condition=Q(fingerprint__regex=r"^[0-9a-f]{64}$"),
            ),
            models.CheckConstraint(
                name="served_request_key_is_printable",
                condition=Q(idempotency_key__regex=r"^[!-~]{1,128}$"),
            ),
        ]
        indexes = [models.Index(name="served_request_by_age", fields=["served_at"])]

    def __str__(self) -> str:
        return self.idempotency_key
