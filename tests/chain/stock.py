"""A token contract on anvil, with a holder for every role."""

from typing import Any

from issuer.chain import token_contract
from issuer.sandbox.anvil import Anvil

ONE = 10**18
#: In the order of the accounts that the sandbox has for them, after the admin's.
ROLES = {
    "minter": token_contract.MINTER_ROLE,
    "pauser": token_contract.PAUSER_ROLE,
    "seizer": token_contract.SEIZER_ROLE,
    "burner": token_contract.BURNER_ROLE,
    "multiplier": token_contract.MULTIPLIER_ROLE,
}


def request_id(number: int) -> bytes:
    return number.to_bytes(32, "big")


class Stock:
    """The contract, called by the names of those who call it.

    They are `admin`, a role, `successor` (who has none yet), `alice` and `bob`.
    """

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        names = ["admin", *ROLES, "successor", "alice", "bob"]
        self.account = dict(zip(names, anvil.accounts, strict=False))
        self.address = anvil.deploy_token(
            name="Apple xStock", symbol="AAPLx", admin=self.account["admin"]
        )
        for name, role in ROLES.items():
            self.do("admin", "grantRole", role, self.account[name])

    def do(self, who: str, function: str, *arguments: Any) -> dict[str, Any]:
        """Send a call and return its receipt; a call that the contract refuses raises."""
        data = token_contract.calldata(function, *arguments)
        return self.anvil.send(data, sender=self.account[who], to=self.address)

    def ask(self, function: str, *arguments: Any) -> int:
        """Return the one word that a view answers, as a number."""
        call = {
            "to": self.address,
            "data": "0x" + token_contract.calldata(function, *arguments).hex(),
        }
        return int(self.anvil.rpc.call("eth_call", [call, "latest"], result=str), 16)

    def balance(self, who: str) -> int:
        return self.ask("balanceOf", self.account[who])
