"""The token contract on a real EVM."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from issuer.chain import token_contract
from issuer.chain.errors import NodeRefused
from tests.chain.stock import ONE, ROLES, Stock, request_id

CONTRACTS = token_contract.ARTIFACT.parent
FIRST, SECOND = request_id(1), request_id(2)


@contextmanager
def refused(error: str) -> Iterator[None]:
    """Expect the contract's custom error of that name."""
    with pytest.raises(NodeRefused) as caught:
        yield
    assert token_contract.name_of_error(caught.value.data) == error


def topics(receipt: dict[str, Any]) -> list[str]:
    return [log["topics"][0] for log in receipt["logs"]]


class TestArtifact:
    @pytest.mark.slow
    def test_is_what_the_source_compiles_to(self, tmp_path: Path) -> None:
        compiled = tmp_path / "TokenizedStock.json"

        subprocess.run(["node", "compile.mjs", str(compiled)], cwd=CONTRACTS, check=True)

        assert compiled.read_bytes() == token_contract.ARTIFACT.read_bytes()

    def test_lock_file_names_no_registry(self) -> None:
        lock = (CONTRACTS / "package-lock.json").read_text()

        assert "resolved" not in lock
        assert "registry" not in lock

    def test_runs_what_the_artifact_says(self, stock: Stock) -> None:
        code = stock.anvil.rpc.call("eth_getCode", [stock.address, "latest"], result=str)

        assert code == token_contract.artifact()["deployedBytecode"]


class TestWords:
    @pytest.mark.parametrize("name", ["Transfer", "Minted", "Burned", "Seized"])
    def test_of_events_follow_from_the_abi(self, name: str) -> None:
        [event] = [
            entry
            for entry in token_contract.artifact()["abi"]
            if entry["type"] == "event" and entry["name"] == name
        ]
        signature = f"{name}({','.join(argument['type'] for argument in event['inputs'])})"

        assert getattr(token_contract, name.upper()) == f"0x{keccak(text=signature).hex()}"

    @pytest.mark.parametrize(
        ("constant", "function"),
        [("TOTAL_SUPPLY", "totalSupply"), ("UI_MULTIPLIER", "uiMultiplier")],
    )
    def test_of_views_follow_from_the_abi(self, constant: str, function: str) -> None:
        call = token_contract.calldata(function)

        assert getattr(token_contract, constant) == f"0x{call.hex()}"

    def test_of_roles_are_those_of_the_contract(self, stock: Stock) -> None:
        for name, role in ROLES.items():
            assert stock.ask(f"{name.upper()}_ROLE") == int.from_bytes(role, "big")

    def test_of_an_error_unknown_to_the_contract_are_empty(self) -> None:
        assert token_contract.name_of_error("0x12345678") == ""


class TestDeployment:
    def test_makes_a_token_of_18_decimals_without_supply(self, stock: Stock) -> None:
        assert stock.ask("decimals") == 18
        assert stock.ask("totalSupply") == 0
        assert stock.ask("uiMultiplier") == ONE
        assert stock.ask("newUIMultiplier") == ONE
        assert stock.ask("effectiveAt") == 0

    @pytest.mark.parametrize(
        ("interface", "supported"),
        [
            pytest.param("a60bf13d", True, id="ERC-8056"),
            pytest.param("4bd27648", True, id="ERC-8056, pending multiplier"),
            pytest.param("7965db0b", True, id="access control"),
            pytest.param("5a05180f", True, id="access control, enumerable"),
            pytest.param("01ffc9a7", True, id="ERC-165"),
            pytest.param("ffffffff", False, id="the id that nothing has"),
        ],
    )
    def test_tells_its_interfaces(self, stock: Stock, interface: str, supported: bool) -> None:
        answer = stock.ask("supportsInterface", bytes.fromhex(interface))

        assert answer == int(supported)

    def test_computes_the_ids_of_erc_8056_from_its_functions(self) -> None:
        pending, effective, current = (
            int.from_bytes(token_contract.calldata(name), "big")
            for name in ("newUIMultiplier", "effectiveAt", "uiMultiplier")
        )

        assert f"{current:08x}" == "a60bf13d"
        assert f"{pending ^ effective:08x}" == "4bd27648"


class TestRoles:
    @pytest.mark.parametrize(
        ("holder", "function", "arguments"),
        [
            ("minter", "mint", ("alice", ONE, FIRST)),
            ("burner", "burn", (ONE, FIRST)),
            ("seizer", "seize", ("alice", ONE, FIRST)),
            ("pauser", "pause", ()),
            ("pauser", "unpause", ()),
            ("pauser", "blockAddress", ("alice",)),
            ("pauser", "unblockAddress", ("alice",)),
            ("multiplier", "setUIMultiplier", (2 * ONE, 2**40)),
            ("admin", "grantRole", (token_contract.MINTER_ROLE, "alice")),
            ("admin", "revokeRole", (token_contract.MINTER_ROLE, "alice")),
        ],
    )
    def test_one_alone_may_do_it(
        self, stock: Stock, holder: str, function: str, arguments: tuple[Any, ...]
    ) -> None:
        values = [stock.account.get(each, each) for each in arguments]

        for other in stock.account.keys() - {holder}:
            with refused("AccessControlUnauthorizedAccount"):
                stock.do(other, function, *values)


class TestMint:
    def test_creates_tokens_and_names_the_request(self, stock: Stock) -> None:
        receipt = stock.do("minter", "mint", stock.account["alice"], 600 * ONE, FIRST)

        assert stock.balance("alice") == stock.ask("totalSupply") == 600 * ONE
        assert topics(receipt) == [token_contract.TRANSFER, token_contract.MINTED]
        minted = receipt["logs"][1]
        assert minted["topics"][1] == f"0x{FIRST.hex()}"
        assert minted["topics"][2].endswith(stock.account["alice"][2:].lower())
        assert int(minted["data"], 16) == 600 * ONE

    def test_refuses_a_request_twice(self, stock: Stock) -> None:
        stock.do("minter", "mint", stock.account["alice"], ONE, FIRST)

        with refused("RequestIdAlreadyUsed"):
            stock.do("minter", "mint", stock.account["bob"], 2 * ONE, FIRST)

        assert stock.ask("totalSupply") == ONE

    @pytest.mark.parametrize(
        ("amount", "request_", "error"),
        [
            pytest.param(0, FIRST, "AmountIsZero", id="nothing"),
            pytest.param(ONE, bytes(32), "RequestIdIsZero", id="no request"),
        ],
    )
    def test_refuses_what_books_could_not_post(
        self, stock: Stock, amount: int, request_: bytes, error: str
    ) -> None:
        with refused(error):
            stock.do("minter", "mint", stock.account["alice"], amount, request_)

    def test_refuses_a_blocked_recipient_and_leaves_the_request_unused(self, stock: Stock) -> None:
        stock.do("pauser", "blockAddress", stock.account["alice"])

        with refused("AddressIsBlocked"):
            stock.do("minter", "mint", stock.account["alice"], ONE, FIRST)

        assert stock.ask("isRequestIdUsed", FIRST) == 0

    def test_refuses_to_overflow_the_supply(self, stock: Stock) -> None:
        stock.do("minter", "mint", stock.account["alice"], 2**256 - 1, FIRST)

        with pytest.raises(NodeRefused):
            stock.do("minter", "mint", stock.account["alice"], 1, SECOND)


class TestBurn:
    def test_destroys_the_callers_own_and_names_the_request(self, stock: Stock) -> None:
        stock.do("minter", "mint", stock.account["burner"], 3 * ONE, FIRST)

        receipt = stock.do("burner", "burn", ONE, SECOND)

        assert stock.balance("burner") == stock.ask("totalSupply") == 2 * ONE
        assert topics(receipt) == [token_contract.TRANSFER, token_contract.BURNED]
        assert receipt["logs"][1]["topics"][1] == f"0x{SECOND.hex()}"

    def test_refuses_more_than_the_caller_has(self, stock: Stock) -> None:
        stock.do("minter", "mint", stock.account["alice"], 3 * ONE, FIRST)

        with refused("ERC20InsufficientBalance"):
            stock.do("burner", "burn", ONE, SECOND)

    def test_refuses_a_request_that_a_mint_used(self, stock: Stock) -> None:
        stock.do("minter", "mint", stock.account["burner"], ONE, FIRST)

        with refused("RequestIdAlreadyUsed"):
            stock.do("burner", "burn", ONE, FIRST)


class TestSeize:
    def test_destroys_a_blocked_addresss_tokens_and_names_the_request(self, stock: Stock) -> None:
        stock.do("minter", "mint", stock.account["alice"], 3 * ONE, FIRST)
        stock.do("pauser", "blockAddress", stock.account["alice"])

        receipt = stock.do("seizer", "seize", stock.account["alice"], 2 * ONE, SECOND)

        assert stock.balance("alice") == stock.ask("totalSupply") == ONE
        assert topics(receipt) == [token_contract.TRANSFER, token_contract.SEIZED]

    def test_refuses_an_address_that_is_not_blocked(self, stock: Stock) -> None:
        stock.do("minter", "mint", stock.account["alice"], ONE, FIRST)

        with refused("AddressIsNotBlocked"):
            stock.do("seizer", "seize", stock.account["alice"], ONE, SECOND)

    def test_refuses_a_request_that_a_mint_or_a_burn_used(self, stock: Stock) -> None:
        stock.do("minter", "mint", stock.account["burner"], 3 * ONE, FIRST)
        stock.do("burner", "burn", ONE, SECOND)
        stock.do("pauser", "blockAddress", stock.account["burner"])

        for used in (FIRST, SECOND):
            with refused("RequestIdAlreadyUsed"):
                stock.do("seizer", "seize", stock.account["burner"], ONE, used)

    def test_uses_its_request_up_for_mints_and_burns(self, stock: Stock) -> None:
        stock.do("minter", "mint", stock.account["alice"], ONE, FIRST)
        stock.do("pauser", "blockAddress", stock.account["alice"])
        stock.do("seizer", "seize", stock.account["alice"], ONE, SECOND)

        with refused("RequestIdAlreadyUsed"):
            stock.do("minter", "mint", stock.account["bob"], ONE, SECOND)

    def test_works_while_paused(self, stock: Stock) -> None:
        stock.do("minter", "mint", stock.account["alice"], ONE, FIRST)
        stock.do("pauser", "blockAddress", stock.account["alice"])
        stock.do("pauser", "pause")

        stock.do("seizer", "seize", stock.account["alice"], ONE, SECOND)

        assert stock.ask("totalSupply") == 0

    def test_refuses_more_than_there_is(self, stock: Stock) -> None:
        stock.do("pauser", "blockAddress", stock.account["alice"])

        with refused("ERC20InsufficientBalance"):
            stock.do("seizer", "seize", stock.account["alice"], ONE, FIRST)


class TestBlocklist:
    @pytest.fixture(autouse=True)
    def funded(self, stock: Stock) -> None:
        stock.do("minter", "mint", stock.account["alice"], ONE, FIRST)
        stock.do("alice", "approve", stock.account["bob"], ONE)

    def test_stops_sending(self, stock: Stock) -> None:
        stock.do("pauser", "blockAddress", stock.account["alice"])

        with refused("AddressIsBlocked"):
            stock.do("alice", "transfer", stock.account["bob"], ONE)

    def test_stops_receiving(self, stock: Stock) -> None:
        stock.do("pauser", "blockAddress", stock.account["bob"])

        with refused("AddressIsBlocked"):
            stock.do("alice", "transfer", stock.account["bob"], ONE)

    def test_stops_spending_for_others(self, stock: Stock) -> None:
        stock.do("pauser", "blockAddress", stock.account["bob"])

        with refused("AddressIsBlocked"):
            stock.do("bob", "transferFrom", stock.account["alice"], stock.account["admin"], ONE)

    def test_lets_go_again(self, stock: Stock) -> None:
        stock.do("pauser", "blockAddress", stock.account["alice"])
        stock.do("pauser", "unblockAddress", stock.account["alice"])

        stock.do("alice", "transfer", stock.account["bob"], ONE)

        assert stock.balance("bob") == ONE

    def test_refuses_to_block_twice_or_to_unblock_the_free(self, stock: Stock) -> None:
        with refused("AddressIsNotBlocked"):
            stock.do("pauser", "unblockAddress", stock.account["alice"])
        stock.do("pauser", "blockAddress", stock.account["alice"])
        with refused("AddressIsBlocked"):
            stock.do("pauser", "blockAddress", stock.account["alice"])


class TestPause:
    def test_stops_transfers_mints_and_burns(self, stock: Stock) -> None:
        stock.do("minter", "mint", stock.account["burner"], ONE, FIRST)
        stock.do("pauser", "pause")

        with refused("EnforcedPause"):
            stock.do("burner", "transfer", stock.account["alice"], ONE)
        with refused("EnforcedPause"):
            stock.do("minter", "mint", stock.account["alice"], ONE, SECOND)
        with refused("EnforcedPause"):
            stock.do("burner", "burn", ONE, SECOND)

        assert stock.ask("isRequestIdUsed", SECOND) == 0

    def test_ends(self, stock: Stock) -> None:
        stock.do("pauser", "pause")
        stock.do("pauser", "unpause")

        stock.do("minter", "mint", stock.account["alice"], ONE, FIRST)

        assert stock.balance("alice") == ONE


class TestMultiplier:
    def later(self, stock: Stock) -> datetime:
        block = stock.anvil.rpc.call("eth_getBlockByNumber", ["latest", False], result=dict)
        return datetime.fromtimestamp(int(block["timestamp"], 16), UTC) + timedelta(days=1)

    def test_holds_from_its_time_on_and_not_before(self, stock: Stock) -> None:
        stock.do("minter", "mint", stock.account["alice"], ONE, FIRST)
        effective_at = self.later(stock)
        seconds = int(effective_at.timestamp())

        receipt = stock.do("multiplier", "setUIMultiplier", 2 * ONE, seconds)

        assert topics(receipt) == [
            f"0x{keccak(text='UIMultiplierUpdated(uint256,uint256,uint256)').hex()}"
        ]
        words = [int(receipt["logs"][0]["data"][2:][i : i + 64], 16) for i in (0, 64, 128)]
        assert words == [ONE, 2 * ONE, seconds]
        stock.anvil.follow(effective_at - timedelta(seconds=1))
        assert stock.ask("uiMultiplier") == ONE
        assert (stock.ask("newUIMultiplier"), stock.ask("effectiveAt")) == (2 * ONE, seconds)
        stock.anvil.follow(effective_at)
        assert stock.ask("uiMultiplier") == 2 * ONE
        assert stock.balance("alice") == stock.ask("totalSupply") == ONE

    def test_replaces_a_change_that_is_pending(self, stock: Stock) -> None:
        effective_at = self.later(stock)
        seconds = int(effective_at.timestamp())
        stock.do("multiplier", "setUIMultiplier", 2 * ONE, seconds)

        stock.do("multiplier", "setUIMultiplier", ONE, seconds)

        stock.anvil.follow(effective_at)
        assert stock.ask("uiMultiplier") == ONE

    def test_keeps_one_that_holds_while_the_next_is_pending(self, stock: Stock) -> None:
        effective_at = self.later(stock)
        stock.do("multiplier", "setUIMultiplier", 2 * ONE, int(effective_at.timestamp()))
        stock.anvil.follow(effective_at)

        stock.do("multiplier", "setUIMultiplier", 3 * ONE, int(self.later(stock).timestamp()))

        assert stock.ask("uiMultiplier") == 2 * ONE

    def test_refuses_zero(self, stock: Stock) -> None:
        with refused("MultiplierIsZero"):
            stock.do("multiplier", "setUIMultiplier", 0, 2**40)

    def test_refuses_a_time_that_has_come(self, stock: Stock) -> None:
        block = stock.anvil.rpc.call("eth_getBlockByNumber", ["latest", False], result=dict)

        with refused("EffectiveAtNotInFuture"):
            stock.do("multiplier", "setUIMultiplier", 2 * ONE, int(block["timestamp"], 16))
