"""Who we deal with: programs, legal entities in their roles, and the wallets of participants."""

from typing import Any

from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from issuer.foundation.fields import IdField
from issuer.parties.states import WalletState

LEI = r"^[0-9A-Z]{18}[0-9]{2}$"
EVM_ADDRESS = r"^0x[0-9a-fA-F]{40}$"


class LegalEntity(models.Model):
    """A company, known by its Legal Entity Identifier (ISO 17442)."""

    id = IdField()
    name = models.CharField(max_length=128)
    lei = models.CharField("LEI", max_length=20, unique=True)
    jurisdiction = models.CharField(max_length=2, help_text="ISO 3166-1 alpha-2.")
    history: Any = HistoricalRecords(history_id_field=IdField())

    class Meta:
        verbose_name_plural = "legal entities"
        permissions = [("manage_parties", "Can register parties")]
        constraints = [
            models.CheckConstraint(name="legal_entity_has_a_name", condition=~Q(name="")),
            models.CheckConstraint(name="legal_entity_has_an_lei", condition=Q(lei__regex=LEI)),
            models.CheckConstraint(
                name="legal_entity_has_a_jurisdiction",
                condition=Q(jurisdiction__regex=r"^[A-Z]{2}$"),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Program(models.Model):
    """One SPV with its tokens, custodians, security agent and criteria."""

    id = IdField()
    code = models.SlugField(max_length=32, unique=True)
    name = models.CharField(max_length=128)
    spv = models.ForeignKey(
        LegalEntity, models.PROTECT, related_name="programs", verbose_name="SPV"
    )
    arranger = models.ForeignKey(LegalEntity, models.PROTECT, related_name="+")
    security_agent = models.ForeignKey(LegalEntity, models.PROTECT, related_name="+")
    history: Any = HistoricalRecords(history_id_field=IdField())

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="security_agent_is_not_the_spv", condition=~Q(security_agent=F("spv"))
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Criteria(models.Model):
    """The published policy that statements of a program are measured against; append-only."""

    id = IdField()
    program = models.ForeignKey(Program, models.PROTECT, related_name="criteria")
    name = models.CharField(max_length=128)
    version = models.CharField(max_length=16)
    text = models.TextField()
    sha256 = models.CharField("SHA-256", max_length=64)
    published_at = models.DateTimeField()

    class Meta:
        ordering = ["-published_at"]
        verbose_name_plural = "criteria"
        constraints = [
            models.UniqueConstraint(
                name="criteria_version_once_per_program", fields=["program", "version"]
            ),
            models.CheckConstraint(
                name="criteria_hash_is_sha256", condition=Q(sha256__regex=r"^[0-9a-f]{64}$")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class Custodian(models.Model):
    """A legal entity that holds shares for the SPV."""

    id = IdField()
    code = models.SlugField(max_length=32, unique=True)
    entity = models.OneToOneField(LegalEntity, models.PROTECT, related_name="custodian")
    history: Any = HistoricalRecords(history_id_field=IdField())

    def __str__(self) -> str:
        return self.entity.name


class AuthorizedParticipant(models.Model):
    """A partner that may request issuance and redemption under a program."""

    id = IdField()
    code = models.SlugField(max_length=32, unique=True)
    entity = models.ForeignKey(LegalEntity, models.PROTECT, related_name="participations")
    program = models.ForeignKey(Program, models.PROTECT, related_name="participants")
    history: Any = HistoricalRecords(history_id_field=IdField())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="participant_once_per_program", fields=["entity", "program"]
            ),
        ]

    def __str__(self) -> str:
        return self.entity.name


class Wallet(models.Model):
    """A chain account that a participant proved to control. Only `services` write `state`.

    `address` is normalized (EVM: EIP-55), `namespace` is CAIP-2's (eip155). An address is bound
    to at most one participant at a time.
    """

    id = IdField()
    participant = models.ForeignKey(AuthorizedParticipant, models.PROTECT, related_name="wallets")
    namespace = models.CharField(max_length=8)
    address = models.CharField(max_length=64)
    state = models.CharField(
        max_length=16, choices=WalletState, default=WalletState.BOUND, editable=False
    )
    bound_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    revocation_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="wallet_state_known", condition=Q(state__in=WalletState.values)
            ),
            models.UniqueConstraint(
                name="wallet_bound_to_one_participant",
                fields=["namespace", "address"],
                condition=Q(state=WalletState.BOUND),
            ),
            models.CheckConstraint(
                name="wallet_address_fits_its_namespace",
                condition=~Q(namespace="eip155") | Q(address__regex=EVM_ADDRESS),
            ),
            models.CheckConstraint(
                name="wallet_revoked_has_time_and_reason",
                condition=~Q(state=WalletState.REVOKED) & Q(revoked_at=None, revocation_reason="")
                | Q(state=WalletState.REVOKED, revoked_at__isnull=False) & ~Q(revocation_reason=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.namespace}:{self.address}"


class WalletChallenge(models.Model):
    """A message that the holder of an address is to sign: single use, valid for ten minutes."""

    id = IdField()
    participant = models.ForeignKey(AuthorizedParticipant, models.PROTECT, related_name="+")
    namespace = models.CharField(max_length=8)
    address = models.CharField(max_length=64)
    message = models.TextField(help_text="The exact text to sign (EIP-191 personal message).")
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="wallet_challenge_expires_after_issue",
                condition=Q(expires_at__gt=F("issued_at")),
            ),
            models.CheckConstraint(
                name="wallet_challenge_used_in_time",
                condition=Q(used_at=None)
                | Q(used_at__gte=F("issued_at")) & Q(used_at__lte=F("expires_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"Challenge for {self.address}"
