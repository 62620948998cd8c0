"""Questions about what chains said, about what we told them, and about who may."""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import QuerySet, Sum

from issuer.approvals import selectors as approvals
from issuer.approvals.models import Proposal
from issuer.chain.models import (
    ChainEvent,
    ContractAct,
    ContractCall,
    NetworkTrouble,
    SignerAccount,
    SupplySnapshot,
    TransactionIntent,
)
from issuer.chain.payload import CONFIRM_ACT
from issuer.chain.states import (
    FAILED_STATES,
    FINAL_ACT_STATES,
    LIVE_STATES,
    ActState,
    EventKind,
    IntentKind,
    IntentState,
    SignerPurpose,
)
from issuer.instruments.models import Deployment, Network, Token

#: A transaction that waits longer for a block has fees that are too low for the day.
STUCK_AFTER: Final = timedelta(minutes=3)


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


def live_intents() -> QuerySet[TransactionIntent]:
    """Return what the chain may still carry out, in the order of its nonces."""
    return (
        TransactionIntent.objects.filter(state__in=LIVE_STATES)
        .select_related("deployment__token", "deployment__network", "signer_account")
        .order_by("signer_account_id", "nonce")
    )


def is_stuck(intent: TransactionIntent, *, at: datetime) -> bool:
    """Return whether `intent` was sent, and its newest attempt is in no block for too long.

    One that waits for an earlier nonce of its account is not stuck: no fee gets it ahead.
    """
    if intent.state != IntentState.BROADCAST:
        return False
    if intent.attempts.latest("id").signed_at + STUCK_AFTER > at:
        return False
    return not TransactionIntent.objects.filter(
        signer_account=intent.signer_account_id,
        nonce__lt=intent.nonce,
        state__in=[IntentState.SIGNED, IntentState.BROADCAST],
    ).exists()


def signer_in_use(network: Network, purpose: SignerPurpose) -> SignerAccount | None:
    """Return the account that signs for `purpose` on `network`, if one is appointed."""
    return network.signer_accounts.filter(purpose=purpose, retired_at=None).first()


def signers_of(network: Network) -> QuerySet[SignerAccount]:
    """Return who signs on `network` and who did, by purpose; of each the newest first."""
    return network.signer_accounts.order_by("purpose", "-id")


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
