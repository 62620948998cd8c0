"""What we have token contracts do: each call by its name, whom it concerns and its bytes."""

from calendar import timegm
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from eth_utils.address import to_checksum_address

from issuer.chain import token_contract
from issuer.chain.models import ContractCall
from issuer.chain.request_ids import request_id_bytes32
from issuer.chain.states import PURPOSES, IntentKind, SignerPurpose
from issuer.chain.token_contract import ROLES
from issuer.foundation import quantities


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a token contract.

    `account` (EIP-55) is whom it concerns, empty if nobody; `base_units` is what it moves, if it
    moves tokens. `request_serial` is that of the id which it uses up, if it does.
    """

    kind: IntentKind
    account: str
    base_units: int | None
    calldata: bytes
    request_serial: int = 0

    @property
    def purpose(self) -> SignerPurpose:
        """Whose account signs it."""
        return PURPOSES[self.kind]


def mint(*, recipient: str, base_units: int, request_id: UUID, request_serial: int = 0) -> Call:
    """Create `base_units` for `recipient`, and use `request_id` of `request_serial` up."""
    return _call(
        IntentKind.MINT,
        "mint",
        recipient,
        base_units,
        _on_chain(request_id, request_serial),
        account=recipient,
        base_units=base_units,
        request_serial=request_serial,
    )


def burn(*, holder: str, base_units: int, request_id: UUID, request_serial: int = 0) -> Call:
    """Destroy `base_units` of `holder`, who is the one that signs, and use `request_id` up."""
    return _call(
        IntentKind.BURN,
        "burn",
        base_units,
        _on_chain(request_id, request_serial),
        account=holder,
        base_units=base_units,
        request_serial=request_serial,
    )


def seize(*, holder: str, base_units: int, request_id: UUID) -> Call:
    """Destroy `base_units` of `holder`, whom the contract blocks, and use `request_id` up."""
    arguments = (holder, base_units, _on_chain(request_id))
    return _call(IntentKind.SEIZE, "seize", *arguments, account=holder, base_units=base_units)


def give_back(*, recipient: str, base_units: int) -> Call:
    """Transfer `base_units` of the signer's own to `recipient`."""
    arguments = (recipient, base_units)
    return _call(
        IntentKind.RETURN, "transfer", *arguments, account=recipient, base_units=base_units
    )


def block(address: str) -> Call:
    """Keep `address` from sending, receiving and spending for others."""
    return _call(IntentKind.BLOCK_ADDRESS, "blockAddress", address, account=address)


def unblock(address: str) -> Call:
    """Let `address` go on."""
    return _call(IntentKind.UNBLOCK_ADDRESS, "unblockAddress", address, account=address)


def grant(role: SignerPurpose, account: str) -> Call:
    """Let `account` act in `role`; one that may already changes nothing."""
    return _call(IntentKind.GRANT_ROLE, "grantRole", ROLES[role], account, account=account)


def revoke(role: SignerPurpose, account: str) -> Call:
    """Keep `account` from acting in `role`; one that may not changes nothing."""
    return _call(IntentKind.REVOKE_ROLE, "revokeRole", ROLES[role], account, account=account)


def schedule_multiplier(*, value_base_units: int, effective_at: datetime) -> Call:
    """Have one token stand for `value_base_units` / 10^18 shares from `effective_at` on.

    `effective_at` is a whole second, which is all that contracts count.
    """
    assert effective_at.microsecond == 0, "contracts count whole seconds"
    seconds = timegm(effective_at.utctimetuple())
    return _call(IntentKind.SCHEDULE_MULTIPLIER, "setUIMultiplier", value_base_units, seconds)


def pause() -> Call:
    """Stop transfers, mints and burns."""
    return _call(IntentKind.PAUSE, "pause")


def unpause() -> Call:
    """Allow transfers, mints and burns again."""
    return _call(IntentKind.UNPAUSE, "unpause")


def of_act(call: ContractCall) -> Call:
    """Return what an act has one contract do; where it takes a request id, it is the call's."""
    act = call.act
    match act.kind:
        case IntentKind.BLOCK_ADDRESS:
            return block(act.account)
        case IntentKind.UNBLOCK_ADDRESS:
            return unblock(act.account)
        case IntentKind.SEIZE:
            assert act.base_units is not None
            return seize(holder=act.account, base_units=act.base_units, request_id=call.pk)
        case IntentKind.GRANT_ROLE:
            return grant(SignerPurpose(act.role), act.account)
        case IntentKind.REVOKE_ROLE:
            return revoke(SignerPurpose(act.role), act.account)
        case IntentKind.SCHEDULE_MULTIPLIER:
            assert act.multiplier is not None
            assert act.effective_at is not None
            value = quantities.to_base_units(act.multiplier, decimals=quantities.SCALE)
            return schedule_multiplier(value_base_units=value, effective_at=act.effective_at)
        case IntentKind.PAUSE:
            return pause()
        case IntentKind.UNPAUSE:
            return unpause()
        case _:
            raise AssertionError(f"{act.kind} is no kind of acts")


def _call(
    kind: IntentKind,
    function: str,
    *arguments: object,
    account: str = "",
    base_units: int | None = None,
    request_serial: int = 0,
) -> Call:
    return Call(
        kind=kind,
        account=to_checksum_address(account) if account else "",
        base_units=base_units,
        calldata=token_contract.calldata(function, *arguments),
        request_serial=request_serial,
    )


def _on_chain(request_id: UUID, serial: int = 0) -> bytes:
    return bytes.fromhex(request_id_bytes32(request_id, serial)[2:])
