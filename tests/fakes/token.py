"""The token contract in memory: what each call of it changes, and what it refuses."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from eth_abi.abi import decode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from issuer.chain import token_contract

ONE: Final = 10**18
NOBODY: Final = "0x" + "00" * 20
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Reverted(Exception):
    """The contract refused a call, by the name of its error."""


@dataclass(frozen=True)
class Moved:
    """A Transfer, from or to `NOBODY` if it changes the supply, and the request beside it."""

    sender: str
    recipient: str
    base_units: int
    request_id: str = ""


@dataclass
class Token:
    """What a contract remembers. Roles have their holders in the order in which they came."""

    supply: int = 0
    balances: dict[str, int] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    roles: dict[bytes, list[str]] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)
    paused: bool = False
    multiplier: int = ONE
    next_multiplier: int = ONE
    effective_at: datetime = EPOCH

    def move(self, moved: Moved) -> None:
        """Let it happen, whatever the contract would say."""
        for holder, sign in ((moved.sender, -1), (moved.recipient, 1)):
            if holder == NOBODY:
                self.supply -= sign * moved.base_units
            else:
                self.balances[holder] = self.balances.get(holder, 0) + sign * moved.base_units
        if moved.request_id:
            self.used.add(moved.request_id)

    def multiplier_at(self, moment: datetime) -> int:
        """Return the shares per token × 10^18."""
        return self.multiplier if moment < self.effective_at else self.next_multiplier

    def call(self, data: bytes, *, sender: str, at: datetime) -> list[Moved]:
        """Carry a call out as the contract would in a block of `at`, and return what moved.

        Raises:
            Reverted: if the contract would revert; nothing is changed then.
        """
        name, types = _functions()[data[:4]]
        arguments = [
            to_checksum_address(argument) if kind == "address" else argument
            for kind, argument in zip(types, decode(types, data[4:]), strict=True)
        ]
        moves = self._moves(name, arguments, sender)
        if moves is None:
            self._set(name, arguments, sender, at)
            return []
        for moved in moves:
            self.move(moved)
        return moves

    def _moves(self, name: str, arguments: Sequence[Any], sender: str) -> list[Moved] | None:
        match name, arguments:
            case "mint", [to, base_units, request]:
                self._require_role("MINTER_ROLE", sender)
                moved = Moved(NOBODY, to, base_units, self._usable(request, base_units))
            case "burn", [base_units, request]:
                self._require_role("BURNER_ROLE", sender)
                moved = Moved(sender, NOBODY, base_units, self._usable(request, base_units))
            case "seize", [holder, base_units, request]:
                self._require_role("SEIZER_ROLE", sender)
                _require(holder in self.blocked, "AddressIsNotBlocked")
                moved = Moved(holder, NOBODY, base_units, self._usable(request, base_units))
                self._require_balance(moved)
                return [moved]
            case "transfer", [to, base_units]:
                moved = Moved(sender, to, base_units)
            case _:
                return None
        _require(not self.paused, "EnforcedPause")
        _require(not self.blocked & {moved.sender, moved.recipient, sender}, "AddressIsBlocked")
        self._require_balance(moved)
        return [moved]

    def _set(self, name: str, arguments: Sequence[Any], sender: str, at: datetime) -> None:
        match name, arguments:
            case "grantRole", [role, account]:
                self._require_role("DEFAULT_ADMIN_ROLE", sender)
                if account not in self.roles.setdefault(role, []):
                    self.roles[role].append(account)
            case "revokeRole", [role, account]:
                self._require_role("DEFAULT_ADMIN_ROLE", sender)
                if account in self.roles.get(role, []):
                    self.roles[role].remove(account)
            case "blockAddress", [account]:
                self._require_role("PAUSER_ROLE", sender)
                _require(account not in self.blocked, "AddressIsBlocked")
                self.blocked.add(account)
            case "unblockAddress", [account]:
                self._require_role("PAUSER_ROLE", sender)
                _require(account in self.blocked, "AddressIsNotBlocked")
                self.blocked.remove(account)
            case (("pause" | "unpause"), []):
                self._require_role("PAUSER_ROLE", sender)
                _require(self.paused == (name == "unpause"), "EnforcedPause")
                self.paused = name == "pause"
            case "setUIMultiplier", [multiplier, seconds]:
                self._require_role("MULTIPLIER_ROLE", sender)
                effective_at = datetime.fromtimestamp(seconds, UTC)
                _require(multiplier > 0, "MultiplierIsZero")
                _require(effective_at > at, "EffectiveAtNotInFuture")
                self.multiplier = self.multiplier_at(at)
                self.next_multiplier, self.effective_at = multiplier, effective_at
            case _:
                raise AssertionError(f"no part of the story: {name}")

    def _usable(self, request: bytes, base_units: int) -> str:
        request_id = f"0x{request.hex()}"
        _require(base_units > 0, "AmountIsZero")
        _require(any(request), "RequestIdIsZero")
        _require(request_id not in self.used, "RequestIdAlreadyUsed")
        return request_id

    def _require_role(self, name: str, account: str) -> None:
        role = getattr(token_contract, name)
        _require(account in self.roles.get(role, []), "AccessControlUnauthorizedAccount")

    def _require_balance(self, moved: Moved) -> None:
        enough = moved.sender == NOBODY or self.balances.get(moved.sender, 0) >= moved.base_units
        _require(enough, "ERC20InsufficientBalance")


def _require(condition: bool, error: str) -> None:
    if not condition:
        raise Reverted(error)


@cache
def _functions() -> dict[bytes, tuple[str, list[str]]]:
    """Every function of the contract by its selector: its name, and the types of its arguments."""
    functions = {}
    for entry in token_contract.artifact()["abi"]:
        if entry["type"] == "function":
            types = [argument["type"] for argument in entry["inputs"]]
            selector = keccak(text=f"{entry['name']}({','.join(types)})")[:4]
            functions[selector] = entry["name"], types
    return functions
