"""Questions about what chains said, about what we told them, and about who may."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import QuerySet, Sum

from issuer.approvals import selectors as approvals
from issuer.approvals.models import Proposal
from issuer.chain.models import (
    ChainEvent,
    ContractAct,
    ContractCall,
    NetworkTrouble,
    ScanCursor,
    SignerAccount,
    SupplySnapshot,
    TransactionAttempt,
    TransactionIntent,
)
from issuer.chain.payload import CONFIRM_ACT
from issuer.chain.request_ids import request_id_bytes32
from issuer.chain.states import (
    CANCELLABLE_STATES,
    CANCELLING_STATES,
    FAILED_STATES,
    FINAL_ACT_STATES,
    LIVE_STATES,
    SENDABLE_STATES,
    ActState,
    EventKind,
    IntentKind,
    IntentState,
    SignerPurpose,
)
from issuer.gate import selectors as gate
from issuer.gate.models import GateState, ScopeKind
from issuer.gate.selectors import ScopeKey
from issuer.instruments.models import Deployment, Network, Token

#: A transaction that waits longer for a block has fees that are too low for the day.
STUCK_AFTER: Final = timedelta(minutes=3)

#: What of a gate keeps from the chain what needs another.
_SHUT_OUT_BY: Final[Mapping[str, set[GateState]]] = {
    GateState.OPEN: {GateState.REDEEM_ONLY, GateState.HALTED},
    GateState.REDEEM_ONLY: {GateState.HALTED},
}


def newest_snapshot(deployment: Deployment) -> SupplySnapshot | None:
    """Return the snapshot of the deployment's newest final block that was read."""
    return deployment.supply_snapshots.order_by("-block_number").first()


def snapshots_of(token: Token) -> QuerySet[SupplySnapshot]:
    """Return the newest snapshot of each deployment of `token`; none for one never read."""
    return (
        SupplySnapshot.objects.filter(deployment__token=token)
        .select_related("deployment__network")
        .order_by("deployment_id", "-block_number")
        .distinct("deployment_id")
    )


def open_trouble(network: Network) -> NetworkTrouble | None:
    """Return why `network` cannot be read now, if so."""
    return network.troubles.filter(ended_at=None).first()


def incoming_read_until(deployment: Deployment, recipient: str) -> datetime | None:
    """Return when the final block was mined up to which what came to a redemption address is read.

    None if nothing is read of it yet. All transfers of blocks up to then are recorded.
    """
    cursor = ScanCursor.objects.filter(deployment=deployment).first()
    reached = None if cursor is None else cursor.recipients.get(recipient)
    if reached is None:
        return None
    snapshot = (
        deployment.supply_snapshots.filter(block_number__lte=reached)
        .order_by("-block_number")
        .first()
    )
    return None if snapshot is None else snapshot.block_mined_at


def live_intents() -> QuerySet[TransactionIntent]:
    """Return what the chain may still carry out, in the order of its nonces."""
    return (
        TransactionIntent.objects.filter(state__in=LIVE_STATES)
        .select_related("deployment__token", "deployment__network", "signer_account")
        .order_by("signer_account_id", "nonce")
    )


def newest_attempt(intent: TransactionIntent) -> TransactionAttempt:
    """Return what of an intent was signed last; it alone is sent.

    Of one that is being cancelled, that is nothing but what cancels it.
    """
    cancels = intent.state in CANCELLING_STATES
    attempts = intent.attempts.filter(cancels=True) if cancels else intent.attempts.all()
    return attempts.latest("serial")


def earlier_of_account(
    intent: TransactionIntent, *, final_nonce: int = 0
) -> QuerySet[TransactionIntent]:
    """Return what may go to a block before `intent` can, in order: the earlier nonces.

    Those below `final_nonce` are used up, whatever we know of it.
    """
    return TransactionIntent.objects.filter(
        signer_account=intent.signer_account_id,
        nonce__gte=final_nonce,
        nonce__lt=intent.nonce,
        state__in=sorted(SENDABLE_STATES),
    ).order_by("nonce")


def is_stuck(intent: TransactionIntent, *, at: datetime, final_nonce: int = 0) -> bool:
    """Return whether `intent`, or what cancels it, waits too long for a block, or for a node.

    One that waits for an earlier nonce of its account is not stuck: no fee gets it ahead.
    """
    if intent.state not in SENDABLE_STATES:
        return False
    if newest_attempt(intent).signed_at + STUCK_AFTER > at:
        return False
    return not earlier_of_account(intent, final_nonce=final_nonce).exists()


def next_nonce_of(network: Network, address: str) -> int:
    """Return the next nonce of an account of ours as we know it; 0 of one that is not appointed."""
    account = network.signer_accounts.filter(address=address).first()
    return 0 if account is None else account.next_nonce


def shut_out_intents() -> list[TransactionIntent]:
    """Return what may be on its way to a block, and may not go there at the gates as they are."""
    waiting = list(
        TransactionIntent.objects.filter(state__in=sorted(CANCELLABLE_STATES))
        .exclude(gate_needed="")
        .order_by("signer_account_id", "nonce")
    )
    scopes = {scope for intent in waiting for scope in _scopes_of(intent)}
    if not scopes:
        return []
    effects: dict[ScopeKey, set[GateState]] = defaultdict(set)
    for hold in gate.holds_in_force(sorted(scopes)):
        effects[ScopeKind(hold.scope.kind), hold.scope.subject_id].add(GateState(hold.effect))
    return [
        intent
        for intent in waiting
        if any(effects[scope] & _SHUT_OUT_BY[intent.gate_needed] for scope in _scopes_of(intent))
    ]


def free_serial(deployment: Deployment, request_id: UUID) -> int:
    """Return the lowest serial of a request's id that no final event has used up on a contract.

    It is 0 unless somebody copied the id before our transaction was final: the contract takes an
    id once, so those below stay used up, and what was signed with them never happens any more.
    """
    serial = 0
    while ChainEvent.objects.filter(
        deployment=deployment, request_id=request_id_bytes32(request_id, serial)
    ).exists():
        serial += 1
    return serial


def signer_in_use(network: Network, purpose: SignerPurpose) -> SignerAccount | None:
    """Return the account that signs for `purpose` on `network`, if one is appointed."""
    return network.signer_accounts.filter(purpose=purpose, retired_at=None).first()


def signers_of(network: Network) -> QuerySet[SignerAccount]:
    """Return who signs on `network` and who did, by purpose; of each the newest first."""
    return network.signer_accounts.order_by("purpose", "-id")


def is_blocked(network: Network, address: str) -> bool:
    """Return whether acts of ours have blocked `address` on each contract of `network`, finally."""
    calls = ContractCall.objects.filter(
        act__network=network,
        act__account=address,
        act__kind__in=[IntentKind.BLOCK_ADDRESS, IntentKind.UNBLOCK_ADDRESS],
        intent__state__in=[IntentState.FINAL, IntentState.BOOKED],
    ).order_by("intent_id")
    newest = dict(calls.values_list("deployment_id", "act__kind"))
    deployments = Deployment.objects.filter(network=network).order_by()
    blocked = IntentKind.BLOCK_ADDRESS
    return all(newest.get(pk) == blocked for pk in deployments.values_list("pk", flat=True))


def unfinished_acts() -> QuerySet[ContractAct]:
    """Return the contract acts that two persons agreed on and that have not ended."""
    ended = {*FINAL_ACT_STATES, ActState.PROPOSED}
    return ContractAct.objects.exclude(state__in=ended).select_related("network").order_by("id")


def unsigned_calls(act: ContractAct) -> QuerySet[ContractCall]:
    """Return the calls of `act` that are not signed yet, in the order of their signing."""
    return (
        act.calls.filter(intent=None)
        .select_related("act__network", "deployment__network", "deployment__token")
        .order_by("id")
    )


def open_proposal(act: ContractAct) -> Proposal | None:
    """Return the proposal of `act` that waits for another person, if it does; with its hash."""
    return approvals.open_proposal(act, CONFIRM_ACT)


def failures_of(act: ContractAct) -> list[str]:
    """Return how the calls of `act` that have failed did."""
    failed = act.calls.filter(intent__state__in=sorted(FAILED_STATES)).order_by("id")
    return list(failed.values_list("intent__failure", flat=True))


def is_under_way(act: ContractAct) -> bool:
    """Return whether the chain may still carry a signed call of `act` out."""
    return act.calls.filter(intent__state__in=sorted(LIVE_STATES)).exists()


def seized_base_units(event: ChainEvent) -> int:
    """Return how much of an unapproved mint has been seized, in final blocks."""
    final = [IntentState.FINAL, IntentState.BOOKED]
    seized = event.remedies.filter(calls__intent__state__in=final).aggregate(Sum("base_units"))
    return int(seized["base_units__sum"] or 0)


def final_unbooked(token: Token, kind: IntentKind = IntentKind.MINT) -> QuerySet[TransactionIntent]:
    """Return what of one kind, by default mints, is final for `token` but not in the books yet."""
    return TransactionIntent.objects.filter(
        deployment__token=token, kind=kind, state=IntentState.FINAL
    ).select_related("deployment", "event")


def mints_past_the_books() -> QuerySet[ChainEvent]:
    """Return the final mints that no intent of ours explains, of whatever token, by their order."""
    return (
        ChainEvent.objects.filter(kind=EventKind.MINT, intent__isnull=True)
        .select_related("deployment__network", "deployment__token")
        .order_by("deployment_id", "block_number", "log_index")
    )


def unmatched_mints(token: Token) -> QuerySet[ChainEvent]:
    """Return the final mints of `token` that no intent of ours explains."""
    return (
        mints_past_the_books().filter(deployment__token=token).order_by("block_number", "log_index")
    )


def _scopes_of(intent: TransactionIntent) -> list[ScopeKey]:
    return [(ScopeKind(kind), UUID(subject)) for kind, subject in intent.gate_scopes]
