"""What we have contracts do, to the byte."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from eth_abi.abi import decode
from eth_utils.crypto import keccak

from issuer.chain import calls, token_contract
from issuer.chain.calls import Call
from issuer.chain.models import ContractAct, ContractCall
from issuer.chain.states import ACT_KINDS, IntentKind, SignerPurpose
from tests.make import chain as make

ALICE = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
REQUEST = UUID("0192f0c1-7a3e-7000-8000-00000000beef")
ON_CHAIN = bytes(16) + REQUEST.bytes
AT = datetime(2027, 1, 4, 9, 0, tzinfo=UTC)

CALLS: list[tuple[Callable[[], Call], str, list[str], tuple[object, ...], SignerPurpose]] = [
    (
        lambda: calls.mint(recipient=ALICE, base_units=7, request_id=REQUEST),
        "mint",
        ["address", "uint256", "bytes32"],
        (ALICE.lower(), 7, ON_CHAIN),
        SignerPurpose.MINTER,
    ),
    (
        lambda: calls.burn(holder=ALICE, base_units=7, request_id=REQUEST),
        "burn",
        ["uint256", "bytes32"],
        (7, ON_CHAIN),
        SignerPurpose.BURNER,
    ),
    (
        lambda: calls.seize(holder=ALICE, base_units=7, request_id=REQUEST),
        "seize",
        ["address", "uint256", "bytes32"],
        (ALICE.lower(), 7, ON_CHAIN),
        SignerPurpose.SEIZER,
    ),
    (
        lambda: calls.give_back(recipient=ALICE, base_units=7),
        "transfer",
        ["address", "uint256"],
        (ALICE.lower(), 7),
        SignerPurpose.BURNER,
    ),
    (
        lambda: calls.block(ALICE),
        "blockAddress",
        ["address"],
        (ALICE.lower(),),
        SignerPurpose.PAUSER,
    ),
    (
        lambda: calls.unblock(ALICE),
        "unblockAddress",
        ["address"],
        (ALICE.lower(),),
        SignerPurpose.PAUSER,
    ),
    (
        lambda: calls.grant(SignerPurpose.MINTER, ALICE),
        "grantRole",
        ["bytes32", "address"],
        (keccak(text="MINTER_ROLE"), ALICE.lower()),
        SignerPurpose.ADMIN,
    ),
    (
        lambda: calls.revoke(SignerPurpose.ADMIN, ALICE),
        "revokeRole",
        ["bytes32", "address"],
        (bytes(32), ALICE.lower()),
        SignerPurpose.ADMIN,
    ),
    (
        lambda: calls.schedule_multiplier(value_base_units=4 * 10**18, effective_at=AT),
        "setUIMultiplier",
        ["uint256", "uint256"],
        (4 * 10**18, 1_799_053_200),
        SignerPurpose.MULTIPLIER,
    ),
    (calls.pause, "pause", [], (), SignerPurpose.PAUSER),
    (calls.unpause, "unpause", [], (), SignerPurpose.PAUSER),
]


class TestCalls:
    @pytest.mark.parametrize(("make_call", "name", "types", "arguments", "purpose"), CALLS)
    def test_have_the_bytes_that_the_contract_reads(
        self,
        make_call: Callable[[], Call],
        name: str,
        types: list[str],
        arguments: tuple[object, ...],
        purpose: SignerPurpose,
    ) -> None:
        call = make_call()

        assert call.calldata[:4] == keccak(text=f"{name}({','.join(types)})")[:4]
        assert decode(types, call.calldata[4:]) == arguments
        assert call.purpose == purpose

    def test_name_whom_they_concern_by_the_checksum(self) -> None:
        assert calls.block(ALICE.lower()).account == ALICE
        assert calls.pause().account == ""

    def test_move_something_or_nothing(self) -> None:
        assert calls.give_back(recipient=ALICE, base_units=7).base_units == 7
        assert calls.block(ALICE).base_units is None

    def test_cover_every_kind(self) -> None:
        kinds = {make_call().kind for make_call, *_ in CALLS}

        assert kinds == set(IntentKind)

    def test_know_the_role_of_every_purpose(self) -> None:
        assert set(token_contract.ROLES) == set(SignerPurpose)
        assert token_contract.ROLES[SignerPurpose.SEIZER] == token_contract.SEIZER_ROLE


class TestOfAct:
    @pytest.mark.parametrize("kind", sorted(ACT_KINDS))
    def test_is_what_two_persons_agreed_on(self, kind: IntentKind) -> None:
        act = ContractAct(
            kind=kind,
            account=ALICE,
            role=SignerPurpose.MINTER,
            base_units=make.ONE,
            multiplier=Decimal("4"),
            effective_at=datetime(2027, 1, 4, 9, tzinfo=UTC),
        )
        call = ContractCall(act=act)

        made = calls.of_act(call)

        assert made == make.call_of(kind, account=ALICE, request_id=call.pk)

    def test_is_nothing_that_a_request_asks_for(self) -> None:
        with pytest.raises(AssertionError, match="no kind of acts"):
            calls.of_act(ContractCall(act=ContractAct(kind=IntentKind.MINT)))
