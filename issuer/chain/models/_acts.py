"""What two persons have contracts do."""

from django.db import models
from django.db.models import F, Q

from issuer.chain.models._intents import TransactionIntent
from issuer.chain.models._patterns import EVM_ADDRESS
from issuer.chain.models._readings import ChainEvent
from issuer.chain.states import (
    ACT_KINDS,
    CHANGES_ROLE,
    CONCERNS_NOBODY,
    ActState,
    IntentKind,
    SignerPurpose,
)
from issuer.foundation.fields import BaseUnitsField, IdField, QuantityField

STOPPED = [ActState.DECLINED, ActState.FAILED]


class ContractAct(models.Model):
    """Something that two persons have contracts of a network do; only `services` write `state`.

    It is called once on each deployment that it concerns. What it says never changes: another
    wording is another act. It may be a part of something that another room knows, as a split is:
    then it is confirmed and declined with that, and never by itself.
    """

    id = IdField()
    network = models.ForeignKey("instruments.Network", models.PROTECT, related_name="acts")
    kind = models.CharField(max_length=32, choices=IntentKind)
    account = models.CharField(max_length=64, blank=True, help_text="Whom it concerns.")
    role = models.CharField(max_length=16, choices=SignerPurpose, blank=True)
    base_units = BaseUnitsField(null=True, blank=True, help_text="What is seized.")
    remedied_event = models.ForeignKey(
        ChainEvent,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="remedies",
        help_text="The mint past the books that a seizure undoes.",
    )
    multiplier = QuantityField(null=True, blank=True, help_text="Shares per token.")
    effective_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=500, help_text="No personal data.")
    part_of_type = models.CharField(
        max_length=64, blank=True, editable=False, help_text="The kind of record it is a part of."
    )
    part_of_id = models.UUIDField(
        null=True, editable=False, help_text="The record with which alone it is decided on."
    )
    state = models.CharField(
        max_length=16, choices=ActState, default=ActState.PROPOSED, editable=False
    )
    stopped_reason = models.CharField(
        max_length=500, blank=True, help_text="Why it was declined, or how it failed."
    )
    proposed_by = models.CharField(max_length=128)
    proposed_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="contract_act_kind_known", condition=Q(kind__in=sorted(ACT_KINDS))
            ),
            models.CheckConstraint(
                name="contract_act_state_known", condition=Q(state__in=ActState.values)
            ),
            models.CheckConstraint(
                name="contract_act_concerns_somebody_if_its_kind_does",
                condition=Q(kind__in=sorted(CONCERNS_NOBODY), account="")
                | ~Q(kind__in=sorted(CONCERNS_NOBODY)) & Q(account__regex=EVM_ADDRESS),
            ),
            models.CheckConstraint(
                name="contract_act_names_a_role_iff_it_changes_one",
                condition=Q(kind__in=sorted(CHANGES_ROLE), role__in=SignerPurpose.values)
                | ~Q(kind__in=sorted(CHANGES_ROLE)) & Q(role=""),
            ),
            models.CheckConstraint(
                name="contract_act_seizes_for_a_mint_iff_it_seizes",
                condition=Q(kind=IntentKind.SEIZE)
                & Q(base_units__isnull=False, base_units__gt=0, remedied_event__isnull=False)
                | ~Q(kind=IntentKind.SEIZE) & Q(base_units=None, remedied_event=None),
            ),
            models.CheckConstraint(
                name="contract_act_has_terms_iff_it_schedules",
                condition=Q(kind=IntentKind.SCHEDULE_MULTIPLIER)
                & Q(multiplier__isnull=False, multiplier__gt=0)
                & Q(effective_at__isnull=False, effective_at__gt=F("proposed_at"))
                | ~Q(kind=IntentKind.SCHEDULE_MULTIPLIER) & Q(multiplier=None, effective_at=None),
            ),
            models.CheckConstraint(name="contract_act_says_why", condition=~Q(reason="")),
            models.CheckConstraint(
                name="contract_act_part_has_type_and_id",
                condition=Q(part_of_type="", part_of_id=None)
                | ~Q(part_of_type="") & Q(part_of_id__isnull=False),
            ),
            models.CheckConstraint(
                name="contract_act_stopped_says_why",
                condition=Q(state__in=STOPPED) & ~Q(stopped_reason="")
                | ~Q(state__in=STOPPED) & Q(stopped_reason=""),
            ),
        ]
        permissions = [
            ("propose_contractact", "Can propose contract acts"),
            ("confirm_contractact", "Can confirm contract acts"),
        ]

    def __str__(self) -> str:
        role = f" {self.get_role_display().lower()}" if self.role else ""
        whom = f" {self.account}" if self.account else ""
        return f"{self.get_kind_display()}{role}{whom} on {self.network}"


class ContractCall(models.Model):
    """What an act does to one deployment; its intent, once it is signed, has its id as request."""

    id = IdField()
    act = models.ForeignKey(ContractAct, models.PROTECT, related_name="calls")
    deployment = models.ForeignKey(
        "instruments.Deployment", models.PROTECT, related_name="contract_calls"
    )
    intent = models.OneToOneField(
        TransactionIntent, models.PROTECT, null=True, blank=True, related_name="contract_call"
    )
    refusal = models.CharField(
        max_length=500, blank=True, help_text="Why the contract would not take it when last asked."
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                name="contract_call_once_per_deployment", fields=["act", "deployment"]
            ),
            models.CheckConstraint(
                name="contract_call_signed_is_not_refused",
                condition=Q(intent=None) | Q(refusal=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.act}: {self.deployment}"


class ContractActTransition(models.Model):
    """A step of a contract act; append-only."""

    id = IdField()
    act = models.ForeignKey(ContractAct, models.PROTECT, related_name="transitions")
    step = models.CharField(max_length=16)
    origin = models.CharField(max_length=16)
    destination = models.CharField(max_length=16)
    actor = models.CharField(max_length=128)
    occurred_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.origin} to {self.destination}"
