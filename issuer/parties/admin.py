"""Parties and wallets as staff see them."""

from typing import Any, Final

from django.contrib import admin
from unfold.admin import ModelAdmin

from issuer.parties import forms, services
from issuer.parties.models import (
    AuthorizedParticipant,
    Criteria,
    Custodian,
    LegalEntity,
    Program,
    Wallet,
)
from issuer.parties.states import WalletState
from issuer.people.acts import Act, ActsAdmin, ReasonForm

MANAGE: Final = "parties.manage_parties"


def _registering(label: str, consequence: str, service: Any, form: Any) -> Act:
    return Act(
        name="register",
        label=label,
        consequence=consequence,
        permission=MANAGE,
        take=lambda _, **asked: service(**asked),
        form=form,
    )


@admin.register(LegalEntity)
class LegalEntityAdmin(ActsAdmin, ModelAdmin):
    """Companies, by LEI."""

    list_display = ("name", "lei", "jurisdiction")
    list_filter = ("jurisdiction",)
    search_fields = ("name", "lei")
    ordering = ("name", "id")
    show_full_result_count = False
    opening = _registering(
        "Register legal entity",
        "The entity can then take part as a participant, a custodian or in a program.",
        services.register_legal_entity,
        forms.LegalEntityForm,
    )


@admin.register(Program)
class ProgramAdmin(ActsAdmin, ModelAdmin):
    """SPVs with those around them."""

    list_display = ("name", "code", "spv", "arranger", "security_agent")
    list_select_related = ("spv", "arranger", "security_agent")
    search_fields = ("name", "code")
    ordering = ("name", "id")
    opening = _registering(
        "Register program",
        "Tokens, participants and criteria can then be registered under the program.",
        services.register_program,
        forms.ProgramForm,
    )


@admin.register(Criteria)
class CriteriaAdmin(ActsAdmin, ModelAdmin):
    """The published policies; what is out is never changed."""

    list_display = ("name", "version", "program", "published_at", "sha256")
    list_filter = ("program",)
    list_select_related = ("program",)
    ordering = ("-published_at", "-id")
    opening = _registering(
        "Publish criteria",
        "Statements of the program are measured against this text from now on."
        " It is public, and cannot be changed.",
        services.publish_criteria,
        forms.CriteriaForm,
    )


@admin.register(Custodian)
class CustodianAdmin(ActsAdmin, ModelAdmin):
    """Those who hold the shares."""

    list_display = ("entity", "code")
    list_select_related = ("entity",)
    search_fields = ("entity__name", "code")
    ordering = ("entity__name", "id")
    opening = _registering(
        "Register custodian",
        "Custody accounts can then be opened at the entity.",
        services.register_custodian,
        forms.CustodianForm,
    )


@admin.register(AuthorizedParticipant)
class AuthorizedParticipantAdmin(ActsAdmin, ModelAdmin):
    """Those who may request issuance and redemption."""

    list_display = ("entity", "code", "program")
    list_filter = ("program",)
    list_select_related = ("entity", "program")
    search_fields = ("entity__name", "entity__lei", "code")
    ordering = ("entity__name", "id")
    show_full_result_count = False
    opening = _registering(
        "Register participant",
        "The entity may request issuance and redemption, as long as its KYC is cleared.",
        services.register_participant,
        forms.ParticipantForm,
    )


@admin.register(Wallet)
class WalletAdmin(ActsAdmin, ModelAdmin):
    """The wallets that participants proved to control; bound over the interface for partners."""

    list_display = ("address", "namespace", "participant", "state", "bound_at", "revoked_at")
    list_filter = ("state", "namespace")
    list_select_related = ("participant__entity",)
    search_fields = ("address", "participant__entity__name")
    ordering = ("-bound_at", "-id")
    show_full_result_count = False
    acts = (
        Act(
            name="revoke",
            label="Revoke",
            consequence="Nothing is minted to this wallet any more, also of requests under way."
            " The participant can bind it anew.",
            permission="parties.revoke_wallet",
            take=services.revoke_wallet,
            form=ReasonForm,
            offered=lambda wallet: wallet.state == WalletState.BOUND,
            grave=True,
        ),
    )
