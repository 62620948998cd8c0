"""602 shares for 600 tokens on two chains."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from issuer.custody.models import CustodyAccount
from issuer.instruments.models import Deployment, Token
from issuer.ledger import selectors as books
from tests.make import instruments, reserves


@dataclass(frozen=True)
class Backed:
    """A token on two chains, and where its shares are."""

    token: Token
    deployments: tuple[Deployment, Deployment]
    account: CustodyAccount

    def shares(self) -> dict[str, str]:
        """The share accounts of the books that hold something."""
        prefix = f"{self.token.symbol}/shares/"
        return {
            code.removeprefix(prefix).partition("/")[0]: f"{balance.normalize():f}"
            for code, balance in books.balances(prefix).items()
            if balance
        }

    def read_chains(self, *, at: datetime) -> None:
        """Read both chains at `at`: 500 and 100 tokens, at the multiplier of the books."""
        for deployment, tokens in zip(self.deployments, (500, 100), strict=True):
            reserves.supply(deployment, Decimal(tokens), at=at)


def backed_at(at: datetime) -> Backed:
    """Return such a token, read and stated at `at`."""
    token, first, account = reserves.backed_token(Decimal(602), at=at)
    second = instruments.deployment(token_=token)
    reserves.issue(token, Decimal(600), Decimal(600), at=at)
    found = Backed(token, (first, second), account)
    found.read_chains(at=at)
    return found
