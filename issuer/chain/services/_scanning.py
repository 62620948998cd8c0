"""Recording what a chain says of a deployment, up to its final block."""

from datetime import datetime
from typing import Final

import structlog
from django.db import transaction

from issuer.audit import services as audit
from issuer.chain import selectors
from issuer.chain.errors import ChainUnavailable, Reorganized
from issuer.chain.models import (
    ChainEvent,
    IncomingTransfer,
    NetworkTrouble,
    ScanCursor,
    SupplySnapshot,
)
from issuer.chain.readers import SupplyReader
from issuer.chain.services import _reading, _steps
from issuer.chain.services._reading import Reading
from issuer.chain.states import SignerPurpose
from issuer.foundation.actors import Actor
from issuer.instruments.models import Deployment, Network

REASON_LENGTH: Final = 500

logger = structlog.get_logger(__name__)


def scan_deployment(
    deployment: Deployment, *, reader: SupplyReader, actor: Actor, at: datetime
) -> SupplySnapshot:
    """Record every mint and burn up to the chain's final block, and the supply at its end.

    So is what was sent to the network's redemption addresses, also before they were declared as
    such. Only final blocks are read, so nothing recorded is ever taken back.

    The chain is read before the database is written; of two scans at once, one writes. What our
    intents explain becomes final with it. Scanning twice at a block records it once.

    Call it outside any transaction: when it fails, the network's trouble is recorded for others
    to see, and stays recorded until every deployment there has been read again.

    Raises:
        Reorganized: if the chain no longer has the block up to which it was read.
        ChainUnavailable: if the node cannot be trusted to have answered.
    """
    try:
        reading = _reading.read(deployment, reader)
    except ChainUnavailable as problem:
        log = logger.critical if isinstance(problem, Reorganized) else logger.warning
        log("chain.unreadable", deployment=str(deployment.pk), reason=problem.detail)
        note_trouble(deployment.network, reason=problem.detail, actor=actor, at=at)
        raise
    return _store(deployment, reading, actor=actor, at=at)


@transaction.atomic
def note_trouble(network: Network, *, reason: str, actor: Actor, at: datetime) -> NetworkTrouble:
    """Record that `network` cannot be read, or could again not be read."""
    defaults = {"reason": reason[:REASON_LENGTH], "since": at, "last_seen_at": at}
    troubles = NetworkTrouble.objects.select_for_update(of=("self",))
    trouble, new = troubles.get_or_create(network=network, ended_at=None, defaults=defaults)
    if new:
        audit.record("network.note_trouble", subject=trouble, actor=actor, at=at, reason=reason)
    elif trouble.last_seen_at < at:
        trouble.reason, trouble.last_seen_at = reason[:REASON_LENGTH], at
        trouble.save(update_fields=["reason", "last_seen_at"])
    return trouble


@transaction.atomic
def _store(
    deployment: Deployment, reading: Reading, *, actor: Actor, at: datetime
) -> SupplySnapshot:
    # The deployment is locked, since on the first scan there is no cursor yet to lock.
    Deployment.objects.select_for_update(of=("self",), no_key=True).get(pk=deployment.pk)
    stands_at = _reading.position_of(deployment)
    newest = selectors.newest_snapshot(deployment)
    if newest is not None and stands_at != reading.since:
        return newest  # another scan was faster
    final = reading.final
    _store_transfers(deployment, reading, at=at)
    if newest is not None and (newest.block_number, newest.block_hash) == (
        final.number,
        final.hash,
    ):
        snapshot = newest  # the final block has not moved
    else:
        _store_events(deployment, reading, actor=actor, at=at)
        snapshot = _store_snapshot(deployment, reading, at=at)
    ScanCursor.objects.update_or_create(
        deployment=deployment,
        defaults={
            "block_number": final.number,
            "block_hash": final.hash,
            "recipients": reading.recipients,
            "scanned_at": at,
        },
    )
    _end_trouble(deployment.network, actor=actor, at=at)
    return snapshot


def _store_transfers(deployment: Deployment, reading: Reading, *, at: datetime) -> None:
    IncomingTransfer.objects.bulk_create(
        IncomingTransfer(
            deployment=deployment,
            block_number=transfer.block.number,
            block_hash=transfer.block.hash,
            block_mined_at=transfer.block.mined_at,
            transaction_hash=transfer.transaction_hash,
            log_index=transfer.log_index,
            sender=transfer.sender,
            recipient=transfer.recipient,
            base_units=transfer.base_units,
            seen_at=at,
        )
        for transfer in reading.transfers
    )


def _store_events(deployment: Deployment, reading: Reading, *, actor: Actor, at: datetime) -> None:
    events = ChainEvent.objects.bulk_create(
        ChainEvent(
            deployment=deployment,
            kind=change.kind,
            block_number=change.block.number,
            block_hash=change.block.hash,
            block_mined_at=change.block.mined_at,
            transaction_hash=change.transaction_hash,
            log_index=change.log_index,
            address=change.address,
            base_units=change.base_units,
            request_id=change.request_id,
            sender=reading.senders.get(change.transaction_hash, ""),
            seen_at=at,
        )
        for change in reading.changes
    )
    for event in events:
        if event.request_id:
            _steps.finalize_by(event, actor=actor, at=at)


def _store_snapshot(deployment: Deployment, reading: Reading, *, at: datetime) -> SupplySnapshot:
    return SupplySnapshot.objects.create(
        deployment=deployment,
        block_number=reading.final.number,
        block_hash=reading.final.hash,
        block_mined_at=reading.final.mined_at,
        total_supply_base_units=reading.total_supply,
        ui_multiplier_base_units=reading.ui_multiplier,
        controlled_base_units=reading.controlled,
        minters=reading.role_holders[SignerPurpose.MINTER],
        role_holders={
            purpose.value: holders
            for purpose, holders in reading.role_holders.items()
            if purpose != SignerPurpose.MINTER
        },
        taken_at=at,
    )


def _end_trouble(network: Network, *, actor: Actor, at: datetime) -> None:
    """End the network's trouble once every deployment has been read after it was last met."""
    trouble = (
        NetworkTrouble.objects.select_for_update(of=("self",))
        .filter(network=network, ended_at=None)
        .first()
    )
    if trouble is None:
        return
    read = network.deployments.filter(scan_cursor__scanned_at__gt=trouble.last_seen_at)
    if read.count() == network.deployments.count():
        trouble.ended_at = at
        trouble.save(update_fields=["ended_at"])
        audit.record("network.end_trouble", subject=trouble, actor=actor, at=at)
