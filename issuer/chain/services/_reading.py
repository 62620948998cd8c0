"""Asking a chain what it says of a deployment, up to its final block; writes nothing."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from issuer.chain.errors import ChainUnavailable, Reorganized
from issuer.chain.models import ScanCursor, TransactionAttempt
from issuer.chain.readers import Block, SupplyChange, SupplyReader, TokenTransfer, TransactionReader
from issuer.chain.states import EventKind, SignerPurpose
from issuer.instruments.models import ControlledAddress, ControlledRole, Deployment

#: Providers refuse logs of longer ranges.
BLOCKS_PER_READ: Final = 2_000
#: How much of a redemption address's past one scan reads: mints must not wait for the rest.
PAST_BLOCKS_PER_SCAN: Final = 100_000


@dataclass(frozen=True, slots=True)
class Position:
    """Where a deployment's cursor stands."""

    block_number: int
    block_hash: str
    recipients: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a chain said of a deployment: all of it as of the end of `final`.

    `transfers` are those to redemption addresses, up to the block that `recipients` has for each.
    """

    since: Position | None
    final: Block
    changes: list[SupplyChange]
    senders: Mapping[str, str]
    transfers: list[TokenTransfer]
    recipients: dict[str, int]
    total_supply: int
    ui_multiplier: int
    role_holders: Mapping[SignerPurpose, list[str]]
    controlled: dict[str, str]


def position_of(deployment: Deployment) -> Position | None:
    """Return where the cursor of `deployment` stands, if it was ever read."""
    cursor = ScanCursor.objects.filter(deployment=deployment).first()
    if cursor is None:
        return None
    return Position(cursor.block_number, cursor.block_hash, cursor.recipients)


def read(deployment: Deployment, reader: SupplyReader) -> Reading:
    """Return everything that happened after the cursor, and what holds at the final block.

    Raises:
        Reorganized: if the chain no longer has the block up to which it was read.
        ChainUnavailable: if the node cannot be trusted to have answered.
    """
    since = position_of(deployment)
    final = reader.final_block()
    if since is None:
        first = deployment.deployed_block
        if final.number < first:
            raise ChainUnavailable(f"Block {first}, which has the contract, is not final yet.")
    else:
        first = since.block_number + 1
        _require_same_history(reader, since, final)
    contract = deployment.address
    holders = list(
        ControlledAddress.objects.filter(network=deployment.network)
        .order_by("address")
        .values_list("address", flat=True)
    )
    balances = reader.balances(contract, holders, at=final)
    changes = [
        change
        for start, last in pieces(reader, first=first, last=final.number, final=final)
        for change in reader.supply_changes(contract, first=start, last=last)
    ]
    transfers, recipients = _incoming(deployment, reader, since=since, final=final)
    return Reading(
        since=since,
        final=final,
        changes=changes,
        senders=_senders_of_foreign(changes, reader),
        transfers=transfers,
        recipients=recipients,
        total_supply=reader.total_supply(contract, at=final),
        ui_multiplier=reader.ui_multiplier(contract, at=final),
        role_holders=reader.role_holders(contract, at=final),
        controlled={
            holder: str(balance) for holder, balance in zip(holders, balances, strict=True)
        },
    )


def _require_same_history(reader: SupplyReader, since: Position, final: Block) -> None:
    number = since.block_number
    if final.number < number:
        raise ChainUnavailable(f"The node is behind: block {number} was final before.")
    known = final if final.number == number else reader.block(number)
    if known.hash != since.block_hash:
        detail = f"Block {number} was final as {since.block_hash} and is {known.hash} now."
        raise Reorganized(detail, block_number=str(number))


def pieces(
    reader: SupplyReader | TransactionReader, *, first: int, last: int, final: Block
) -> Iterator[tuple[int, Block]]:
    """Yield number and block at the ends of each piece of a range that is read at once."""
    for start in range(first, last + 1, BLOCKS_PER_READ):
        end = min(start + BLOCKS_PER_READ - 1, last)
        yield start, final if end == final.number else reader.block(end)


def _incoming(
    deployment: Deployment, reader: SupplyReader, *, since: Position | None, final: Block
) -> tuple[list[TokenTransfer], dict[str, int]]:
    """Return what was sent to redemption addresses, and up to where that has been read of each.

    Each goes on from where it stands itself: one declared when the cursor was past the contract's
    first block begins there, so what was sent to it before is not missed, and nothing is read
    twice.
    """
    reached = dict(since.recipients) if since is not None else {}
    addresses = ControlledAddress.objects.filter(
        network=deployment.network, role=ControlledRole.REDEMPTION
    )
    beginning_at = defaultdict(list)
    for address in addresses.order_by("address").values_list("address", flat=True):
        before = reached.get(address, deployment.deployed_block - 1)
        beginning_at[before + 1].append(address)
    transfers: list[TokenTransfer] = []
    for first, recipients in beginning_at.items():
        end = min(first + PAST_BLOCKS_PER_SCAN - 1, final.number)
        for start, last in pieces(reader, first=first, last=end, final=final):
            transfers += reader.transfers_to(deployment.address, recipients, first=start, last=last)
        reached |= dict.fromkeys(recipients, end)
    return transfers, reached


def _senders_of_foreign(changes: list[SupplyChange], reader: SupplyReader) -> dict[str, str]:
    """Return who signed each mint that is not ours, by its transaction."""
    mints = {change.transaction_hash for change in changes if change.kind is EventKind.MINT}
    ours = TransactionAttempt.objects.filter(transaction_hash__in=mints)
    foreign = sorted(mints - set(ours.values_list("transaction_hash", flat=True)))
    return dict(zip(foreign, reader.senders_of(foreign), strict=True))
