"""What chains said, and what we said to them, for tests."""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from issuer.chain import calls, services
from issuer.chain.models import (
    ChainEvent,
    IncomingTransfer,
    NetworkTrouble,
    ScanCursor,
    SignerAccount,
    SupplySnapshot,
    TransactionAttempt,
    TransactionIntent,
)
from issuer.chain.readers import FeeQuote
from issuer.chain.request_ids import request_id_bytes32
from issuer.chain.services._intents import GATES_NEEDED
from issuer.chain.signing import LocalKeySigner, hash_of
from issuer.chain.states import (
    CANCELLING_STATES,
    FAILED_STATES,
    MOVES_SUPPLY,
    PURPOSES,
    EventKind,
    IntentKind,
    IntentState,
    SignerPurpose,
)
from issuer.foundation.actors import system
from issuer.foundation.identifiers import uuid7
from issuer.instruments.models import ControlledAddress, ControlledRole, Deployment, Network
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
SUCCESSOR_KEY: Final = "0x92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e"
KEYS: Final = {
    SignerPurpose.ADMIN: ADMIN_KEY,
    SignerPurpose.MINTER: MINTER_KEY,
    SignerPurpose.PAUSER: "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    SignerPurpose.SEIZER: "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
    SignerPurpose.BURNER: "0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
    SignerPurpose.MULTIPLIER: "0x8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba",
}
#: What `SIGNER_KEYS` has of a network where all of them are configured, and a successor.
SIGNER_KEYS: Final = {purpose.value: [key] for purpose, key in KEYS.items()} | {
    "MINTER": [MINTER_KEY, SUCCESSOR_KEY]
}


def hash_32() -> str:
    """Return 32 bytes in hex that no other call returns."""
    return "0x" + hashlib.sha256(f"hash {next(_serial)}".encode()).hexdigest()


def signer(key: str = MINTER_KEY) -> LocalKeySigner:
    return LocalKeySigner(key)


def signer_account(
    network_: Network | None = None, purpose: SignerPurpose = SignerPurpose.MINTER
) -> SignerAccount:
    """Return the account in use for a purpose on a network; its key is that of `KEYS`."""
    return services.appoint_signer(
        network=network_ or instruments.network(),
        purpose=purpose,
        address=signer(KEYS[purpose]).address,
        actor=system("make"),
        at=BEFORE,
    )


def snapshot(
    deployment_: Deployment | None = None,
    *,
    total_supply_base_units: int = 0,
    ui_multiplier_base_units: int = ONE,
    controlled: Mapping[str, int] | None = None,
    block_number: int | None = None,
    minters: Sequence[str] = (),
    role_holders: Mapping[str, Sequence[str]] | None = None,
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
        minters=sorted(minters),
        role_holders={role: sorted(holders) for role, holders in (role_holders or {}).items()},
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
    sender: str = "",
    block_number: int | None = None,
    block_mined_at: datetime | None = None,
    seen_at: datetime = BEFORE,
) -> ChainEvent:
    """Return a change of supply, by default in a block mined when it was seen."""
    return ChainEvent.objects.create(
        deployment=deployment_ or instruments.deployment(),
        kind=kind,
        block_number=next(_serial) if block_number is None else block_number,
        block_hash=hash_32(),
        block_mined_at=block_mined_at or seen_at,
        transaction_hash=transaction_hash or hash_32(),
        log_index=0,
        address=address or parties.evm_address(),
        base_units=base_units,
        request_id=request_id_bytes32(request_id) if request_id else "",
        sender=sender,
        seen_at=seen_at,
    )


def incoming_transfer(
    deployment_: Deployment | None = None,
    *,
    base_units: int = ONE,
    sender: str | None = None,
    recipient: str | None = None,
    block_number: int | None = None,
    log_index: int = 0,
    seen_at: datetime = BEFORE,
) -> IncomingTransfer:
    """Return a transfer to `recipient`, by default the network's redemption address, declared."""
    deployment_ = deployment_ or instruments.deployment()
    return IncomingTransfer.objects.create(
        deployment=deployment_,
        block_number=next(_serial) if block_number is None else block_number,
        block_hash=hash_32(),
        block_mined_at=seen_at,
        transaction_hash=hash_32(),
        log_index=log_index,
        sender=sender or parties.evm_address(),
        recipient=recipient or redemption_address(deployment_.network).address,
        base_units=base_units,
        seen_at=seen_at,
    )


def redemption_address(network_: Network) -> ControlledAddress:
    """Return the address to which tokens are returned on a network."""
    known = network_.controlled_addresses.filter(role=ControlledRole.REDEMPTION).first()
    return known or instruments.controlled_address(
        network_=network_,
        address=signer(KEYS[SignerPurpose.BURNER]).address,
        role=ControlledRole.REDEMPTION,
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
    kind: IntentKind = IntentKind.MINT,
    state: IntentState = IntentState.SIGNED,
    request_id: UUID | None = None,
    account: str | None = None,
    base_units: int = ONE,
    gate_scopes: Sequence[Sequence[str]] = (),
    signed_at: datetime = BEFORE,
) -> TransactionIntent:
    """Return an intent with one attempt; with its event, if it is final and its kind leaves one."""
    deployment_ = deployment_ or instruments.deployment()
    signing = signer_account(deployment_.network, PURPOSES[kind])
    request_id = request_id or uuid7()
    call = call_of(
        kind, account=account, base_units=base_units, request_id=request_id, signer_=signing.address
    )
    row = TransactionIntent.objects.create(
        deployment=deployment_,
        signer_account=signing,
        kind=kind,
        request_id=request_id,
        account=call.account,
        base_units=call.base_units,
        nonce=signing.next_nonce,
        calldata=call.calldata,
        calldata_hash=hash_of(call.calldata),
        gas_limit=FEES.gas_limit,
        gate_needed=GATES_NEEDED.get(kind, ""),
        gate_scopes=[list(scope) for scope in gate_scopes],
        signed_at=signed_at,
    )
    signing.next_nonce += 1
    signing.save()
    tried = attempt(row)
    row.state = state
    if state in {IntentState.FINAL, IntentState.BOOKED} and kind in MOVES_SUPPLY:
        row.event = event(
            deployment_,
            kind=EventKind.MINT if kind == IntentKind.MINT else EventKind.BURN,
            base_units=base_units,
            address=call.account,
            request_id=request_id,
            transaction_hash=tried.transaction_hash,
        )
    if state in CANCELLING_STATES | {IntentState.CANCELLED}:
        row.cancel_reason = "A gate was shut."
    if state in FAILED_STATES:
        row.failure = "The chain did not carry it out."
    row.save()
    return row


def call_of(
    kind: IntentKind,
    *,
    account: str | None = None,
    base_units: int = ONE,
    request_id: UUID | None = None,
    signer_: str | None = None,
) -> calls.Call:
    """Return a call of a kind: of `account`, or somebody; burns are of the signer's own."""
    account = account or parties.evm_address()
    request_id = request_id or uuid7()
    match kind:
        case IntentKind.MINT:
            return calls.mint(recipient=account, base_units=base_units, request_id=request_id)
        case IntentKind.BURN:
            holder = signer_ or signer(KEYS[SignerPurpose.BURNER]).address
            return calls.burn(holder=holder, base_units=base_units, request_id=request_id)
        case IntentKind.SEIZE:
            return calls.seize(holder=account, base_units=base_units, request_id=request_id)
        case IntentKind.RETURN:
            return calls.give_back(recipient=account, base_units=base_units)
        case IntentKind.BLOCK_ADDRESS:
            return calls.block(account)
        case IntentKind.UNBLOCK_ADDRESS:
            return calls.unblock(account)
        case IntentKind.GRANT_ROLE:
            return calls.grant(SignerPurpose.MINTER, account)
        case IntentKind.REVOKE_ROLE:
            return calls.revoke(SignerPurpose.MINTER, account)
        case IntentKind.SCHEDULE_MULTIPLIER:
            effective_at = datetime(2027, 1, 4, 9, tzinfo=UTC)
            return calls.schedule_multiplier(value_base_units=4 * ONE, effective_at=effective_at)
        case IntentKind.PAUSE:
            return calls.pause()
        case IntentKind.UNPAUSE:
            return calls.unpause()


def attempt(intent_: TransactionIntent, *, fees: FeeQuote = FEES) -> TransactionAttempt:
    """Return another attempt at an intent; its bytes are no transaction."""
    return TransactionAttempt.objects.create(
        intent=intent_,
        serial=intent_.attempts.count() + 1,
        transaction_hash=hash_32(),
        raw_transaction=b"\x02 not for any chain",
        calldata_hash=intent_.calldata_hash,
        max_fee_per_gas=fees.max_fee_per_gas,
        max_priority_fee_per_gas=fees.max_priority_fee_per_gas,
        signed_at=intent_.signed_at,
    )
