"""What chains said, and what we said to them, for tests."""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from issuer.chain import token_contract
from issuer.chain.models import (
    ChainEvent,
    NetworkTrouble,
    ScanCursor,
    SignerAccount,
    SupplySnapshot,
    TransactionAttempt,
    TransactionIntent,
)
from issuer.chain.readers import FeeQuote
from issuer.chain.request_ids import request_id_bytes32
from issuer.chain.signing import LocalKeySigner, hash_of
from issuer.chain.states import EventKind, IntentState
from issuer.foundation.identifiers import uuid7
from issuer.instruments.models import Deployment, Network
from tests.make import instruments, parties

_serial = itertools.count(1)
BEFORE: Final = datetime(2026, 11, 1, tzinfo=UTC)
ONE: Final = 10**18
FEES: Final = FeeQuote(
    max_fee_per_gas=2_000_000_000, max_priority_fee_per_gas=1_000_000_000, gas_limit=120_000
)

#: Keys that anvil funds and publishes; they guard nothing.
ADMIN_KEY: Final = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
MINTER_KEY: Final = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"


def hash_32() -> str:
    """Return 32 bytes in hex that no other call returns."""
    return "0x" + hashlib.sha256(f"hash {next(_serial)}".encode()).hexdigest()


def signer(key: str = MINTER_KEY) -> LocalKeySigner:
    return LocalKeySigner(key)


def signer_account(network_: Network | None = None) -> SignerAccount:
    """Return the account that mints on a network, whose key is `MINTER_KEY`."""
    account, _ = SignerAccount.objects.get_or_create(
        network=network_ or instruments.network(), defaults={"address": signer().address}
    )
    return account


def snapshot(
    deployment_: Deployment | None = None,
    *,
    total_supply_base_units: int = 0,
    ui_multiplier_base_units: int = ONE,
    controlled: Mapping[str, int] | None = None,
    block_number: int | None = None,
    taken_at: datetime = BEFORE,
    block_mined_at: datetime | None = None,
) -> SupplySnapshot:
    """Return a snapshot, by default of a block mined when it was taken."""
    return SupplySnapshot.objects.create(
        deployment=deployment_ or instruments.deployment(),
        block_number=next(_serial) if block_number is None else block_number,
        block_hash=hash_32(),
        block_mined_at=block_mined_at or taken_at,
        total_supply_base_units=total_supply_base_units,
        ui_multiplier_base_units=ui_multiplier_base_units,
        controlled_base_units={holder: str(units) for holder, units in (controlled or {}).items()},
        taken_at=taken_at,
    )


def event(
    deployment_: Deployment | None = None,
    *,
    kind: EventKind = EventKind.MINT,
    base_units: int = ONE,
    address: str | None = None,
    request_id: UUID | None = None,
    transaction_hash: str | None = None,
    block_number: int | None = None,
    seen_at: datetime = BEFORE,
) -> ChainEvent:
    return ChainEvent.objects.create(
        deployment=deployment_ or instruments.deployment(),
        kind=kind,
        block_number=next(_serial) if block_number is None else block_number,
        block_hash=hash_32(),
        block_mined_at=seen_at,
        transaction_hash=transaction_hash or hash_32(),
        log_index=0,
        address=address or parties.evm_address(),
        base_units=base_units,
        request_id=request_id_bytes32(request_id) if request_id else "",
        seen_at=seen_at,
    )


def cursor(deployment_: Deployment | None = None, *, block_number: int = 1) -> ScanCursor:
    return ScanCursor.objects.create(
        deployment=deployment_ or instruments.deployment(),
        block_number=block_number,
        block_hash=hash_32(),
        scanned_at=BEFORE,
    )


def trouble(
    network_: Network | None = None,
    *,
    reason: str = "The node did not answer.",
    since: datetime = BEFORE,
    ended_at: datetime | None = None,
) -> NetworkTrouble:
    return NetworkTrouble.objects.create(
        network=network_ or instruments.network(),
        reason=reason,
        since=since,
        last_seen_at=since,
        ended_at=ended_at,
    )


def intent(
    deployment_: Deployment | None = None,
    *,
    state: IntentState = IntentState.SIGNED,
    request_id: UUID | None = None,
    recipient: str | None = None,
    base_units: int = ONE,
    gate_scopes: Sequence[Sequence[str]] = (),
    signed_at: datetime = BEFORE,
) -> TransactionIntent:
    """Return an intent with one attempt; with its event, if it is final or booked."""
    deployment_ = deployment_ or instruments.deployment()
    account = signer_account(deployment_.network)
    request_id = request_id or uuid7()
    recipient = recipient or parties.evm_address()
    calldata = token_contract.mint_calldata(
        recipient=recipient, base_units=base_units, request_id=request_id
    )
    row = TransactionIntent.objects.create(
        deployment=deployment_,
        signer_account=account,
        request_id=request_id,
        recipient=recipient,
        base_units=base_units,
        nonce=account.next_nonce,
        calldata_hash=hash_of(calldata),
        gas_limit=FEES.gas_limit,
        gate_scopes=[list(scope) for scope in gate_scopes],
        signed_at=signed_at,
    )
    account.next_nonce += 1
    account.save()
    tried = attempt(row)
    row.state = state
    if state in {IntentState.FINAL, IntentState.BOOKED}:
        row.event = event(
            deployment_,
            base_units=base_units,
            address=recipient,
            request_id=request_id,
            transaction_hash=tried.transaction_hash,
        )
    if state in {IntentState.REVERTED, IntentState.DROPPED}:
        row.failure = "The chain did not carry it out."
    row.save()
    return row


def attempt(intent_: TransactionIntent, *, fees: FeeQuote = FEES) -> TransactionAttempt:
    """Return another attempt at an intent; its bytes are no transaction."""
    return TransactionAttempt.objects.create(
        intent=intent_,
        transaction_hash=hash_32(),
        raw_transaction=b"\x02 not for any chain",
        calldata_hash=intent_.calldata_hash,
        max_fee_per_gas=fees.max_fee_per_gas,
        max_priority_fee_per_gas=fees.max_priority_fee_per_gas,
        signed_at=intent_.signed_at,
    )
