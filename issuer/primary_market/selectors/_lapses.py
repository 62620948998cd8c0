"""Which requests of either kind must not go on, or not on their terms."""

from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from issuer.instruments import selectors as instruments
from issuer.instruments.models import Split
from issuer.kyc import selectors as kyc
from issuer.kyc.errors import KycNotCleared
from issuer.parties.models import LegalEntity, Wallet
from issuer.parties.states import WalletState
from issuer.primary_market.models import IssuanceRequest, RedemptionRequest
from issuer.primary_market.states import (
    ENDED_STATES,
    FINAL_STATES,
    IssuanceState,
    RedemptionState,
)

Request = TypeVar("Request", IssuanceRequest, RedemptionRequest)

#: The states in which an issuance can be frozen.
STOPPABLE = (
    IssuanceState.REQUESTED,
    IssuanceState.ACCEPTED,
    IssuanceState.FUNDED,
    IssuanceState.APPROVED,
)
#: The states in which a redemption can be stopped.
STOPPABLE_REDEMPTIONS = (
    RedemptionState.REQUESTED,
    RedemptionState.AWAITING_TOKENS,
    RedemptionState.RECEIVED,
    RedemptionState.APPROVED,
    RedemptionState.BURNED,
)


def lapsed(at: datetime) -> list[UUID]:
    """Return the issuances that must not go on, for KYC or wallet lapsed.

    Those whose mint is signed are not among them, for the chain may carry it out whatever we wish.
    """
    return _lapsed(IssuanceRequest.objects.filter(state__in=STOPPABLE), at)


def lapsed_redemptions(at: datetime) -> list[UUID]:
    """Return the redemptions that must not go on, for KYC or wallet lapsed.

    Those whose burn is signed are not among them. Once it is booked no wallet is needed any more.
    """
    return _lapsed(RedemptionRequest.objects.filter(state__in=STOPPABLE_REDEMPTIONS), at)


def issuances_to_requote(at: datetime) -> list[UUID]:
    """Return the issuances in flight over a booked split that are not on the terms after it."""
    return _to_requote(IssuanceRequest.objects.exclude(state__in=FINAL_STATES), at)


def redemptions_to_requote(at: datetime) -> list[UUID]:
    """Return the redemptions in flight over a booked split that are not on the terms after it."""
    return _to_requote(RedemptionRequest.objects.exclude(state__in=ENDED_STATES), at)


def _lapsed(stoppable: QuerySet[Request], at: datetime) -> list[UUID]:
    """Return what the task of each looks at again, under its lock."""
    found: list[UUID] = []
    cleared: dict[UUID, bool] = {}
    bound = Wallet.objects.filter(
        participant=OuterRef("participant"),
        namespace=OuterRef("wallet__namespace"),
        address=OuterRef("wallet__address"),
        state=WalletState.BOUND,  # it may be another row: one bound again after a revocation
    )
    rows = (
        stoppable.select_related("participant__entity", "wallet")
        .annotate(wallet_bound=Exists(bound))
        .order_by("id")
    )
    for request in rows:
        entity = request.participant.entity
        if entity.pk not in cleared:
            cleared[entity.pk] = _is_cleared(entity, at)
        needs_wallet = request.state != RedemptionState.BURNED
        if not cleared[entity.pk] or (needs_wallet and not request.wallet_bound):
            found.append(request.pk)
    return found


def _is_cleared(entity: LegalEntity, at: datetime) -> bool:
    try:
        kyc.require_cleared(entity, at=at)
    except KycNotCleared:
        return False
    return True


def _to_requote(live: QuerySet[Request], at: datetime) -> list[UUID]:
    booked = Split.objects.filter(
        token=OuterRef("token"), booked_at__lte=at, effective_at__gte=OuterRef("requested_at")
    )
    requests = list(
        live.filter(Exists(booked)).select_related("deployment__token", "deployment__network")
    )
    if not requests:
        return []
    deployments = {request.deployment_id: request.deployment for request in requests}
    multipliers = instruments.booked_multipliers(list(deployments.values()), at)
    return [
        request.pk
        for request in sorted(requests, key=lambda request: request.pk)
        if request.multiplier != multipliers[request.deployment_id]
    ]
