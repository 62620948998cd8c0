"""Questions about what chains said, and about our mints."""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import QuerySet

from issuer.chain.models import ChainEvent, NetworkTrouble, SupplySnapshot, TransactionIntent
from issuer.chain.states import LIVE_STATES, EventKind, IntentState
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
    """Return the mints that the chain may still carry out, in the order of their nonces."""
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


def final_unbooked(token: Token) -> QuerySet[TransactionIntent]:
    """Return the mints of `token` that are final but not in the books yet."""
    return TransactionIntent.objects.filter(
        deployment__token=token, state=IntentState.FINAL
    ).select_related("deployment", "event")


def unmatched_mints(token: Token) -> QuerySet[ChainEvent]:
    """Return the final mints of `token` that no intent of ours explains."""
    return (
        ChainEvent.objects.filter(deployment__token=token, kind=EventKind.MINT, intent__isnull=True)
        .select_related("deployment__network")
        .order_by("block_number", "log_index")
    )
