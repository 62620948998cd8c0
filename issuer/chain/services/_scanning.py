"""Reading what a chain says of a deployment, up to its final block."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from django.db import transaction

from issuer.audit import services as audit
from issuer.chain import selectors
from issuer.chain.errors import ChainUnavailable, Reorganized
from issuer.chain.models import (
    ChainEvent,
    NetworkTrouble,
    ScanCursor,
    SupplySnapshot,
)
from issuer.chain.readers import Block, SupplyChange, SupplyReader
from issuer.chain.services import _steps
from issuer.foundation.actors import Actor
from issuer.instruments.models import ControlledAddress, Deployment, Network

#: Providers refuse logs of longer ranges.
BLOCKS_PER_READ: Final = 2_000
REASON_LENGTH: Final = 500

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a chain said of a deployment: all of it as of the end of `final`."""

    since: tuple[int, str] | None  # number and hash of the block that the cursor stood at
    final: Block
    changes: list[SupplyChange]
    total_supply: int
    ui_multiplier: int
    controlled: dict[str, str]


def scan_deployment(
    deployment: Deployment, *, reader: SupplyReader, actor: Actor, at: datetime
) -> SupplySnapshot:
    """Record every mint and burn up to the chain's final block, and the supply at its end.

    The chain is read before the database is written; of two scans at once, one writes. Mints that
    our intents explain become final with it. Scanning twice at a block records it once.

    Call it outside any transaction: when it fails, the network's trouble is recorded for others
    to see, and stays recorded until every deployment there has been read again.

    Raises:
        Reorganized: if the chain no longer has the block up to which it was read.
        ChainUnavailable: if the node cannot be trusted to have answered.
    """
    try:
        reading = _read(deployment, reader)
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


def _read(deployment: Deployment, reader: SupplyReader) -> _Reading:
    cursor = ScanCursor.objects.filter(deployment=deployment).first()
    since = None if cursor is None else (cursor.block_number, cursor.block_hash)
    final = reader.final_block()
    if since is None:
        first = deployment.deployed_block
        if final.number < first:
            raise ChainUnavailable(f"Block {first}, which has the contract, is not final yet.")
    else:
        first = since[0] + 1
        _require_same_history(reader, since, final)
    holders = list(
        ControlledAddress.objects.filter(network=deployment.network)
        .order_by("address")
        .values_list("address", flat=True)
    )
    balances = reader.balances(deployment.address, holders, at=final)
    return _Reading(
        since=since,
        final=final,
        changes=_changes(deployment, reader, first=first, final=final),
        total_supply=reader.total_supply(deployment.address, at=final),
        ui_multiplier=reader.ui_multiplier(deployment.address, at=final),
        controlled={
            holder: str(balance) for holder, balance in zip(holders, balances, strict=True)
        },
    )


def _require_same_history(reader: SupplyReader, since: tuple[int, str], final: Block) -> None:
    number, block_hash = since
    if final.number < number:
        raise ChainUnavailable(f"The node is behind: block {number} was final before.")
    known = final if final.number == number else reader.block(number)
    if known.hash != block_hash:
        detail = f"Block {number} was final as {block_hash} and is {known.hash} now."
        raise Reorganized(detail, block_number=str(number))


def _changes(
    deployment: Deployment, reader: SupplyReader, *, first: int, final: Block
) -> list[SupplyChange]:
    changes: list[SupplyChange] = []
    for start in range(first, final.number + 1, BLOCKS_PER_READ):
        end = min(start + BLOCKS_PER_READ - 1, final.number)
        last = final if end == final.number else reader.block(end)
        changes += reader.supply_changes(deployment.address, first=start, last=last)
    return changes


@transaction.atomic
def _store(
    deployment: Deployment, reading: _Reading, *, actor: Actor, at: datetime
) -> SupplySnapshot:
    # The deployment is locked, since on the first scan there is no cursor yet to lock.
    Deployment.objects.select_for_update(of=("self",), no_key=True).get(pk=deployment.pk)
    cursor = ScanCursor.objects.filter(deployment=deployment).first()
    stands_at = None if cursor is None else (cursor.block_number, cursor.block_hash)
    newest = selectors.newest_snapshot(deployment)
    if newest is not None and stands_at != reading.since:
        return newest  # another scan was faster
    if newest is not None and stands_at == (reading.final.number, reading.final.hash):
        snapshot = newest  # the final block has not moved
    else:
        snapshot = _store_snapshot(deployment, reading, actor=actor, at=at)
    ScanCursor.objects.update_or_create(
        deployment=deployment,
        defaults={
            "block_number": snapshot.block_number,
            "block_hash": snapshot.block_hash,
            "scanned_at": at,
        },
    )
    _end_trouble(deployment.network, actor=actor, at=at)
    return snapshot


def _store_snapshot(
    deployment: Deployment, reading: _Reading, *, actor: Actor, at: datetime
) -> SupplySnapshot:
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
            seen_at=at,
        )
        for change in reading.changes
    )
    for event in events:
        if event.request_id:
            _steps.finalize_by(event, actor=actor, at=at)
    return SupplySnapshot.objects.create(
        deployment=deployment,
        block_number=reading.final.number,
        block_hash=reading.final.hash,
        block_mined_at=reading.final.mined_at,
        total_supply_base_units=reading.total_supply,
        ui_multiplier_base_units=reading.ui_multiplier,
        controlled_base_units=reading.controlled,
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
