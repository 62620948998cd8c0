"""What the equation of a token is made of: chains, custodians and books, each as it was found.

A source that cannot be relied on gives a reason instead of figures, and never a zero.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from issuer.chain.models import SupplySnapshot
from issuer.custody.models import (
    CustodyAccount,
    Position,
    Purpose,
    SettlementInstruction,
    Statement,
)
from issuer.custody.states import InstructionState
from issuer.foundation import quantities
from issuer.instruments.models import ControlledRole, Deployment, Split, Token
from issuer.reserves.cover import Cover

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Excluded:
    """Tokens at an address of the issuer's own, which are owed to nobody."""

    role: ControlledRole
    address: str
    quantity: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class Unbooked:
    """A mint or burn of ours, final on chain and not in the books yet; `quantity` whole tokens."""

    request_id: UUID
    quantity: Decimal
    transaction_hash: str
    mined_at: datetime


@dataclass(frozen=True, slots=True)
class DeploymentFigures:
    """One deployment at the newest final block that was read; all in whole tokens.

    `multiplier` is that of the time the figures are of, which may be later than the block.
    `unbooked` are mints that the supply has and the books have not, `unbooked_burns` burns.
    """

    deployment: Deployment
    multiplier: Decimal | None
    snapshot: SupplySnapshot | None
    supply: Decimal | None
    excluded: tuple[Excluded, ...]
    unbooked: tuple[Unbooked, ...]
    unbooked_burns: tuple[Unbooked, ...]
    reason: str | None

    @property
    def redeemable(self) -> Decimal | None:
        """The tokens that are owed for, as far as the books have come.

        A mint that is not booked is still paid and not minted, and a burn that is not booked
        still owed for; without the burns, tokens minted past the books could hide behind them.
        """
        if self.supply is None:
            return None
        return (
            self.supply
            - total(one.quantity for one in self.excluded)
            - total(one.quantity for one in self.unbooked)
            + total(one.quantity for one in self.unbooked_burns)
        )

    @property
    def owed_shares(self) -> Decimal | None:
        """The shares that the redeemable tokens stand for, not rounded."""
        if self.redeemable is None or self.multiplier is None:
            return None
        return self.redeemable * self.multiplier


@dataclass(frozen=True, slots=True)
class AccountFigures:
    """One custody account by its current statement and by the books; all in whole shares.

    Without a position and without a reason, the account is too young for a statement: it holds
    nothing. Shares are those of the time the figures are of: `stated_factor` of them were one
    share when the statement was made, and the books' figures are multiplied already. `deliveries`
    are our open instructions, and `delivering` is how many shares they are still to take away by
    the books: `departed` of these have left by the statement.
    """

    account: CustodyAccount
    statement: Statement | None
    position: Position | None
    stated_factor: Fraction
    booked: Decimal
    pending: Decimal
    pending_delivery: Decimal
    deliveries: tuple[SettlementInstruction, ...]
    delivering: Decimal
    departed: Decimal
    reason: str | None

    @property
    def settled(self) -> Decimal | None:
        """Settled shares as the custodian states them."""
        if self.reason is not None:
            return None
        if self.position is None:
            return _ZERO
        return quantities.scaled_rounded_down(self.position.settled, self.stated_factor)

    @property
    def awaited(self) -> Decimal | None:
        """Shares that the custodian states to be on their way in."""
        if self.reason is not None:
            return None
        if self.position is None:
            return _ZERO
        return quantities.scaled_rounded_down(self.position.pending_receipt, self.stated_factor)

    @property
    def entitled(self) -> Decimal | None:
        """Shares that splits since the statement added to those it states; negative if fewer."""
        if self.settled is None:
            return None
        return self.settled - (self.position.settled if self.position else _ZERO)

    @property
    def left_by_custodian(self) -> Decimal | None:
        """Settled shares less those on their way out.

        As the custodian states them, or as we told it to deliver: whatever it does not show to have
        left is still to leave, so that none that is missing passes for a share that was delivered.
        """
        stated = self._claimed(lambda position: position.pending_delivery)
        if self.settled is None or stated is None:
            return None
        return self.settled - max(stated, self.delivering - self.departed)

    @property
    def left_by_books(self) -> Decimal:
        """Settled shares in the books less those that we told the custodian to deliver."""
        return self.booked - self.delivering

    @property
    def leaving(self) -> Decimal | None:
        """Settled shares that are still to leave, of the smaller of custodian and books.

        What the custodian shows to have left is not settled with it any more, and may still be on
        its way out in the books: it is gone once, and not to leave again.
        """
        if self.settled is None or self.left_by_custodian is None:
            return None
        return min(self.settled, self.booked) - min(self.left_by_custodian, self.left_by_books)

    @property
    def lent(self) -> Decimal | None:
        """Settled shares that are lent."""
        return self._claimed(lambda position: position.lent)

    @property
    def blocked(self) -> Decimal | None:
        """Settled shares that are blocked by anyone but our security agent."""
        return self._claimed(lambda position: position.blocked)

    @property
    def encumbered(self) -> Decimal | None:
        """Settled shares that are lent, or blocked by anyone but our security agent."""
        return total_known([self.lent, self.blocked])

    @property
    def free(self) -> Decimal | None:
        """Shares that count for backing: the smaller of custodian and books, less others' claims.

        Each after its own deliveries, so that no share is taken off twice. Negative where the
        claims are larger than what there is.
        """
        if self.left_by_custodian is None or self.encumbered is None:
            return None
        return min(self.left_by_custodian, self.left_by_books) - self.encumbered

    def _claimed(self, stated: Callable[[Position], Decimal]) -> Decimal | None:
        """Return shares that the custodian states to be somebody else's, rounded up."""
        if self.reason is not None:
            return None
        if self.position is None:
            return _ZERO
        return quantities.scaled_rounded_up(stated(self.position), self.stated_factor)


@dataclass(frozen=True, slots=True)
class TokenFigures:
    """Everything that the equation of one token is made of, as of `as_of`.

    `outstanding` whole tokens in the register; the other quantities are whole shares in the
    books, of the kind that there is at `as_of`: `books_factor` of them are one share of those that
    the books count, which is 1 unless a split is effective and not booked. `splits` are those
    that are effective, the oldest first.
    """

    token: Token
    as_of: datetime
    deployments: tuple[DeploymentFigures, ...]
    accounts: tuple[AccountFigures, ...]
    receipts: tuple[SettlementInstruction, ...]
    outstanding: Decimal
    owed_on_tokens: Decimal
    paid_not_minted: Decimal
    burned_not_delivered: Decimal
    own: Decimal
    reserved: Decimal
    splits: tuple[Split, ...]
    books_factor: Fraction

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why a figure is missing, if one is; each reason once."""
        of_chains = [one.reason for one in self.deployments]
        of_custody = [one.reason for one in self.accounts]
        return tuple(dict.fromkeys(reason for reason in of_chains + of_custody if reason))

    @property
    def disclosed(self) -> tuple[SettlementInstruction, ...]:
        """The receipts that count as disclosed: those of own shares, inside their date.

        Shares on their way for an issuance are none of them, for nothing is owed for them yet.
        """
        if not self.token.admits_unsettled_receipts:
            return ()
        return tuple(
            receipt
            for receipt in self.receipts
            if receipt.purpose == Purpose.OWN_SHARES
            and receipt.state == InstructionState.INSTRUCTED
            and receipt.settlement_date >= self.as_of.date()
        )

    @property
    def cover(self) -> Cover:
        """The equation, by the larger of chains and books owed and the smaller of both held."""
        owed = total_known(one.owed_shares for one in self.deployments)
        held = total_known(one.free for one in self.accounts)
        multipliers = [one.multiplier for one in self.deployments if one.multiplier is not None]
        return Cover(
            owed_on_tokens=None
            if owed is None
            else quantities.owed_rounded_up(max(owed, self.owed_on_tokens)),
            paid_not_minted=self.paid_not_minted,
            burned_not_delivered=self.burned_not_delivered,
            held=None if held is None else quantities.held_rounded_down(held),
            disclosed=total(self.shares_of(receipt) for receipt in self.disclosed),
            reserved=self.reserved,
            # The dearest token and the coarsest contract, so that headroom is never overstated.
            multiplier=max(multipliers, default=Decimal(1)),
            decimals=min(
                (one.deployment.decimals for one in self.deployments), default=quantities.SCALE
            ),
            reasons=self.reasons,
        )

    def shares_of(self, instruction: SettlementInstruction) -> Decimal:
        """Return how many shares, of the kind that there is at `as_of`, are still to move by it."""
        return quantities.scaled_rounded_down(instruction.remaining, self.books_factor)


def total(figures: Iterable[Decimal]) -> Decimal:
    """Return the sum of figures, which is 0 of none."""
    return sum(figures, _ZERO)


def total_known(figures: Iterable[Decimal | None]) -> Decimal | None:
    """Return the sum of figures, or None if one of them is not known."""
    found = _ZERO
    for figure in figures:
        if figure is None:
            return None
        found += figure
    return found
