"""The keys that sign on the demo world's chains, by purpose; read by the settings.

They are those that every anvil prints at its start, so they guard nothing.
"""

from typing import Final

_BY_PURPOSE: Final[dict[str, list[str]]] = {
    "ADMIN": ["0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"],
    "MINTER": ["0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"],
    "PAUSER": ["0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"],
    "SEIZER": ["0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"],
    "BURNER": ["0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a"],
    "MULTIPLIER": ["0x8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba"],
}
#: The second chain has a minter of its own, and its successor, for the story in which a thief
#: has the first.
_SECOND_MINTERS: Final = [
    "0x4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356",
    "0xdbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97",
]

SIGNER_KEYS: Final[dict[str, dict[str, list[str]]]] = {
    "eip155:31337": _BY_PURPOSE,
    "eip155:31338": _BY_PURPOSE | {"MINTER": _SECOND_MINTERS},
}
