"""The words of the token contract: what its calls, events and errors look like in bytes.

The constants follow from `contracts/TokenizedStock.json`; a test compares the two.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from issuer.chain.states import SignerPurpose

ARTIFACT: Final = Path(__file__).parent / "contracts" / "TokenizedStock.json"

TOTAL_SUPPLY: Final = "0x18160ddd"
UI_MULTIPLIER: Final = "0xa60bf13d"

TRANSFER: Final = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
MINTED: Final = "0x1a49076e0e8c733171c5360d78c9ae8e19fef5a0720b926e72f78b7cc37618cd"
BURNED: Final = "0x9f1313b4894881e9a29e96c2486be61cb14362df74e9993a2fe7c81c0ca30511"
SEIZED: Final = "0xe8ec165e9cea81b9c78faa3dc4ca1fd0c82299a0f7b6b52d49a7af000c740ad1"

DEFAULT_ADMIN_ROLE: Final = bytes(32)
MINTER_ROLE: Final = keccak(text="MINTER_ROLE")
BURNER_ROLE: Final = keccak(text="BURNER_ROLE")
PAUSER_ROLE: Final = keccak(text="PAUSER_ROLE")
MULTIPLIER_ROLE: Final = keccak(text="MULTIPLIER_ROLE")
SEIZER_ROLE: Final = keccak(text="SEIZER_ROLE")

#: Which role the account that signs for a purpose holds.
ROLES: Final[Mapping[SignerPurpose, bytes]] = {
    SignerPurpose.MINTER: MINTER_ROLE,
    SignerPurpose.BURNER: BURNER_ROLE,
    SignerPurpose.ADMIN: DEFAULT_ADMIN_ROLE,
    SignerPurpose.PAUSER: PAUSER_ROLE,
    SignerPurpose.SEIZER: SEIZER_ROLE,
    SignerPurpose.MULTIPLIER: MULTIPLIER_ROLE,
}


@cache
def artifact() -> Mapping[str, Any]:
    """Return the compiler's output: `abi`, `bytecode`, and what they were compiled from."""
    return json.loads(ARTIFACT.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def calldata(function: str, *arguments: Any) -> bytes:
    """Return the bytes that call `function` (its name in the ABI) with `arguments`."""
    types = _types("function", function)
    return _selector(function, types) + encode(types, arguments)


def creation_code(*, name: str, symbol: str, admin: str) -> bytes:
    """Return the bytes that deploy a token whose roles `admin` grants."""
    bytecode: str = artifact()["bytecode"]
    arguments = encode(["string", "string", "address"], [name, symbol, admin])
    return bytes.fromhex(bytecode.removeprefix("0x")) + arguments


def name_of_error(data: str) -> str:
    """Return the contract's name for the error whose `data` (hex) a node sent; empty if unknown."""
    for entry in artifact()["abi"]:
        if entry["type"] == "error":
            name: str = entry["name"]
            if data.startswith(f"0x{_selector(name, _types('error', name)).hex()}"):
                return name
    return ""


def _types(kind: str, name: str) -> list[str]:
    [entry] = [
        entry for entry in artifact()["abi"] if entry["type"] == kind and entry["name"] == name
    ]
    return [argument["type"] for argument in entry["inputs"]]


def _selector(name: str, types: list[str]) -> bytes:
    return keccak(text=f"{name}({','.join(types)})")[:4]
