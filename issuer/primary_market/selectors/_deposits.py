"""Questions about tokens that came to a deposit address, and that go back."""

from dataclasses import dataclass
from typing import Any

from django.db.models import F, Prefetch, Q, QuerySet

from issuer.approvals import selectors as approvals
from issuer.approvals.models import Proposal
from issuer.chain.models import IncomingTransfer
from issuer.chain.states import FAILED_STATES, IntentState
from issuer.foundation import canonical
from issuer.foundation.actors import Actor
from issuer.instruments.models import Network
from issuer.primary_market import checks
from issuer.primary_market.errors import NothingToReturn
from issuer.primary_market.models import Deposit, DepositReturn, RedemptionRequest
from issuer.primary_market.payload import RETURN_TOKENS, return_payload
from issuer.primary_market.selectors._refusals import (
    SHUT_FOR_REDEMPTION,
    Refusal,
    refusals,
    require_another_person,
    require_none_proposed,
    require_person,
    require_same_payload,
    shut_gates,
)
from issuer.primary_market.states import (
    OPEN_RETURN_STATES,
    RECEIVING_STATES,
    DepositState,
    DepositStep,
    ReturnState,
    ReturnStep,
)

_WAITING = (DepositState.UNMATCHED, DepositState.QUARANTINED)


@dataclass(frozen=True, slots=True)
class ReturnView:
    """A deposit before its return, as `actor` sees it.

    `payload` is what is signed, empty while nothing is proposed. The two lists say why `actor`
    cannot propose or confirm now; empty is a button that can be pressed.
    """

    payload: dict[str, Any]
    payload_hash: str
    proposal: Proposal | None
    open_return: DepositReturn | None
    not_to_propose: tuple[Refusal, ...]
    not_to_confirm: tuple[Refusal, ...]


def unmatched_transfers() -> QuerySet[IncomingTransfer]:
    """Return the final transfers to deposit addresses that are not recorded as deposits yet."""
    return IncomingTransfer.objects.filter(deposit=None).order_by("block_mined_at", "id")


def unmatched_transfers_to(network: Network, address: str) -> QuerySet[IncomingTransfer]:
    """Return the final transfers to one deposit address that are not recorded as deposits yet."""
    return unmatched_transfers().filter(deployment__network=network, recipient=address)


def deposits_at(network: Network, address: str) -> QuerySet[Deposit]:
    """Return the deposits of which something waits at an address, or is on its way back."""
    return deposits().filter(
        state__in=[*_WAITING, DepositState.RETURNING],
        transfer__deployment__network=network,
        transfer__recipient=address,
    )


def deposits() -> QuerySet[Deposit]:
    """Return every deposit, the newest first, with all that a page shows of it."""
    returns = DepositReturn.objects.select_related("intent").order_by("-id")
    return (
        Deposit.objects.select_related(
            "transfer__deployment__token",
            "transfer__deployment__network",
            "redemption__participant__entity",
        )
        .prefetch_related(Prefetch("returns", returns))
        .order_by("-id")
    )


def waiting_deposits() -> QuerySet[Deposit]:
    """Return the deposits that wait for a person, the oldest first."""
    return deposits().filter(state__in=_WAITING).order_by("recorded_at", "id")


def assignable_to(deposit: Deposit) -> QuerySet[RedemptionRequest]:
    """Return the redemptions of its sender for which a waiting deposit could count."""
    if deposit.redemption is not None:
        return RedemptionRequest.objects.none()
    return (
        RedemptionRequest.objects.filter(
            deployment=deposit.transfer.deployment_id,
            wallet__address=deposit.transfer.sender,
            state__in=RECEIVING_STATES,
            received__lt=F("quantity"),
        )
        .select_related("participant__entity", "token")
        .order_by("id")
    )


def open_returns() -> QuerySet[DepositReturn]:
    """Return the returns that are proposed or under way, the oldest first."""
    return _returns(Q(state__in=sorted(OPEN_RETURN_STATES)))


def returns_to_sign() -> QuerySet[DepositReturn]:
    """Return the approved returns, the oldest first."""
    return _returns(Q(state=ReturnState.APPROVED))


def finally_returned() -> QuerySet[DepositReturn]:
    """Return the returns whose transfer is final and which are not closed yet."""
    return _returns(Q(state=ReturnState.SIGNED, intent__state=IntentState.FINAL))


def failed_to_return() -> QuerySet[DepositReturn]:
    """Return the returns whose transfer the chain has certainly not carried out."""
    return _returns(Q(state=ReturnState.SIGNED, intent__state__in=sorted(FAILED_STATES)))


def return_view(deposit: Deposit, *, actor: Actor) -> ReturnView:
    """Return what would be signed to send a deposit back, and why `actor` cannot act, if so.

    It asks what the services will ask; they ask again under their locks, and have the last word.
    """
    found = deposit.returns.filter(state__in=sorted(OPEN_RETURN_STATES)).first()
    proposal = None if found is None else approvals.open_proposal(found, RETURN_TOKENS)
    payload = {} if found is None else return_payload(found)
    payload_hash = canonical.sha256(payload) if payload else ""
    state = DepositState(deposit.state)
    shut = shut_gates(deposit.transfer.deployment, SHUT_FOR_REDEMPTION)
    shared = [
        lambda: DepositStep.APPROVE_RETURN.value.check(state),
        lambda: _require_something(deposit),
        lambda: checks.require_lawful_return(deposit),
        lambda: require_person(actor),
    ]
    to_confirm = [
        *shared,
        lambda: require_another_person(proposal, actor),
        lambda: require_same_payload(proposal, payload_hash),
    ]
    if found is not None:
        to_confirm.append(lambda: ReturnStep.CONFIRM.value.check(ReturnState(found.state)))
    return ReturnView(
        payload=payload,
        payload_hash=payload_hash,
        proposal=proposal,
        open_return=found,
        not_to_propose=refusals([*shared, lambda: require_none_proposed(proposal)]) + shut,
        not_to_confirm=refusals(to_confirm) + shut,
    )


def _require_something(deposit: Deposit) -> None:
    if deposit.to_return <= 0:
        raise NothingToReturn(f"Nothing of {deposit} can be returned.")


def _returns(condition: Q) -> QuerySet[DepositReturn]:
    return (
        DepositReturn.objects.filter(condition)
        .select_related(
            "deposit__transfer__deployment__token",
            "deposit__transfer__deployment__network",
            "deposit__redemption__participant__entity",
            "intent",
        )
        .order_by("id")
    )
