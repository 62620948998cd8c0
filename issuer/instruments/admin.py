"""Instruments as staff see them."""

from typing import Any, Final

from django.contrib import admin
from unfold.admin import ModelAdmin, TabularInline

from issuer.foundation.admin import ReadOnlyAdmin
from issuer.instruments import forms, services
from issuer.instruments.models import (
    ControlledAddress,
    Deployment,
    Multiplier,
    Network,
    Security,
    Split,
    Token,
)
from issuer.people.acts import Act, ActsAdmin, ReasonForm

MANAGE: Final = "instruments.manage_instruments"


def _registering(label: str, consequence: str, service: Any, form: Any) -> Act:
    return Act(
        name="register",
        label=label,
        consequence=consequence,
        permission=MANAGE,
        take=lambda _, **asked: service(**asked),
        form=form,
    )


@admin.register(Security)
class SecurityAdmin(ActsAdmin, ModelAdmin):
    """The shares that tokens track."""

    list_display = ("ticker", "name", "isin", "cusip", "figi", "mic")
    list_filter = ("mic",)
    search_fields = ("ticker", "name", "isin", "cusip", "figi")
    ordering = ("ticker", "id")
    opening = _registering(
        "Register security",
        "Tokens that track the share can then be registered.",
        services.register_security,
        forms.SecurityForm,
    )


@admin.register(Token)
class TokenAdmin(ActsAdmin, ModelAdmin):
    """The products."""

    list_display = ("symbol", "name", "isin", "security", "program", "issuance_open")
    list_filter = ("program", "issuance_open")
    list_select_related = ("security", "program")
    search_fields = ("symbol", "name", "isin", "security__ticker", "security__isin")
    ordering = ("symbol", "id")
    opening = _registering(
        "Register token",
        "The token's accounts are opened in the books.",
        services.register_token,
        forms.TokenForm,
    )
    acts = (
        Act(
            name="suspend-issuance",
            label="Suspend issuance",
            consequence="No new requests to issue the token are taken. Those under way go on.",
            permission=MANAGE,
            take=services.suspend_issuance,
            form=ReasonForm,
            offered=lambda token: token.issuance_open,
        ),
        Act(
            name="resume-issuance",
            label="Resume issuance",
            consequence="New requests to issue the token are taken again.",
            permission=MANAGE,
            take=services.resume_issuance,
            form=ReasonForm,
            offered=lambda token: not token.issuance_open,
        ),
    )


@admin.register(Network)
class NetworkAdmin(ActsAdmin, ModelAdmin):
    """The chains."""

    list_display = ("name", "caip2", "kind", "final_age_max_seconds")
    search_fields = ("name", "caip2")
    ordering = ("caip2", "id")
    # Named, or Django makes a form of them that nobody is shown, and warns of it.
    fields = ("caip2", "name", "kind", "final_age_max_seconds", "explorer_url")
    opening = _registering(
        "Register network",
        "Contracts on the chain can then be registered. Its nodes are named in the settings.",
        services.register_network,
        forms.NetworkForm,
    )


class MultiplierInline(ReadOnlyAdmin, TabularInline):
    """How many shares a token of the deployment stood for, and when."""

    model = Multiplier
    fields = ("value", "effective")
    readonly_fields = fields
    extra = 0
    ordering = ("effective",)


@admin.register(Deployment)
class DeploymentAdmin(ActsAdmin, ModelAdmin):
    """The contracts of tokens."""

    list_display = ("token", "network", "address", "decimals", "deployed_block")
    list_filter = ("network",)
    list_select_related = ("token", "network")
    search_fields = ("token__symbol", "address")
    ordering = ("token__symbol", "network__caip2", "id")
    inlines = (MultiplierInline,)
    opening = _registering(
        "Register deployment",
        "The contract's supply counts as owed from now on, and its events are read.",
        services.register_deployment,
        forms.DeploymentForm,
    )


@admin.register(Multiplier)
class MultiplierAdmin(ReadOnlyAdmin, ModelAdmin):
    """Shares per token, over time."""

    list_display = ("deployment", "value", "effective")
    list_filter = ("deployment__network",)
    list_select_related = ("deployment__token", "deployment__network")
    search_fields = ("deployment__token__symbol",)
    ordering = ("deployment", "effective", "id")


@admin.register(Split)
class SplitAdmin(ReadOnlyAdmin, ModelAdmin):
    """Splits, and when the books followed."""

    list_display = (
        "token",
        "shares_after",
        "shares_before",
        "effective_at",
        "booked_at",
        "cancelled_at",
    )
    list_filter = ("token",)
    list_select_related = ("token",)
    search_fields = ("token__symbol",)
    ordering = ("-effective_at", "-id")


@admin.register(ControlledAddress)
class ControlledAddressAdmin(ActsAdmin, ModelAdmin):
    """The issuer's own addresses, whose tokens are owed to nobody."""

    list_display = ("address", "network", "role", "reason")
    list_filter = ("role", "network")
    list_select_related = ("network",)
    search_fields = ("address", "reason")
    ordering = ("network__caip2", "address", "id")
    opening = _registering(
        "Declare a controlled address",
        "Tokens at the address no longer count as owed. The address and its reason are public.",
        services.register_controlled_address,
        forms.ControlledAddressForm,
    )
