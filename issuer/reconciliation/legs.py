"""The three legs of a token, as an accountant writes them: chain, custody and backing.

Computed from figures that were fetched before; nothing here asks the database. The lines have the
form of a bank reconciliation: an outside figure, what explains its difference from the books, the
books, and what is left unexplained, for which there is no tolerance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from fractions import Fraction
from typing import Final

from issuer.chain.models import ChainEvent
from issuer.custody.models import SettlementInstruction
from issuer.foundation.quantities import scaled_rounded_down
from issuer.instruments.models import ControlledRole
from issuer.primary_market.models import IssuanceRequest, RedemptionRequest
from issuer.reserves.cover import Cover
from issuer.reserves.figures import AccountFigures, TokenFigures, Unbooked, total, total_known

TOKENS: Final = "tokens"
SHARES: Final = "shares"

#: Unit and label of every line, in the order in which they are written.
LINES: Final[Mapping[str, tuple[str, str]]] = {
    "A1": (TOKENS, "Total supply at final blocks"),
    "A2": (TOKENS, "Less: bridge escrow"),
    "A3": (TOKENS, "Add: burned on source, not yet minted on destination"),
    "A4": (TOKENS, "Add: mints booked, not final"),
    "A5": (TOKENS, "Add: burns final, not booked"),
    "A6": (TOKENS, "Less: mints final, not booked"),
    "A7": (TOKENS, "Less: burns booked, not final"),
    "A8": (TOKENS, "Adjusted supply"),
    "A9": (TOKENS, "Register"),
    "A10": (TOKENS, "Unexplained"),
    "B1": (SHARES, "Settled at custodians"),
    "B2": (SHARES, "Add: unsettled receipts"),
    "B3": (SHARES, "Less: unsettled deliveries"),
    "B4": (SHARES, "Transfers between custodians"),
    "B5": (SHARES, "Corporate-action entitlements"),
    "B6": (SHARES, "Rounding of fractions at brokers"),
    "B7": (SHARES, "Less: lent, or blocked by others"),
    "B9": (SHARES, "Adjusted custody"),
    "B10": (SHARES, "Ledger"),
    "B11": (SHARES, "Unexplained"),
    "C1": (TOKENS, "Redeemable tokens"),
    "C2": (SHARES, "Shares owed for them, rounded up"),
    "C3": (SHARES, "Paid, not minted"),
    "C4": (SHARES, "Burned, not delivered"),
    "C5": (SHARES, "Settled shares free of others' claims"),
    "C6": (SHARES, "Disclosed classes that the policy admits"),
    "C8": (SHARES, "Surplus"),
}
#: Lines that are sums of lines above them.
TOTALS: Final = frozenset({"A8", "A10", "B9", "B11", "C8"})
_A_PARTS: Final = ("A1", "A2", "A3", "A4", "A5", "A6", "A7")
_B_PARTS: Final = ("B1", "B2", "B3", "B4", "B5", "B6", "B7")
#: Lines that are not known while a chain, or a custodian, is silent.
_OF_CHAINS: Final = frozenset({*_A_PARTS, "A8", "A10", "C1", "C2", "C8"})
_OF_CUSTODY: Final = frozenset({*_B_PARTS, "B9", "B11", "C5", "C6", "C8"})
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class FoundItem:
    """One thing that a line is made of; `reference` leads to it and names nobody."""

    reference: str
    kind: str
    quantity: Decimal
    since: datetime | None = None
    due_by: datetime | None = None
    network: str = ""
    transaction_hash: str = ""
    evidence_sha256: str = ""


@dataclass(frozen=True, slots=True)
class FoundLine:
    """One line; its items, if it lists any, add up to its quantity. None is not known."""

    code: str
    quantity: Decimal | None
    items: tuple[FoundItem, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundToken:
    """What a run finds for one token."""

    figures: TokenFigures
    cover: Cover
    lines: Mapping[str, FoundLine]
    unmatched: tuple[ChainEvent, ...]

    def quantity(self, code: str) -> Decimal | None:
        """Return the quantity of a line."""
        return self.lines[code].quantity


def reconcile_token(
    figures: TokenFigures,
    *,
    paid: Sequence[IssuanceRequest] = (),
    undelivered: Sequence[RedemptionRequest] = (),
    unmatched: Sequence[ChainEvent] = (),
) -> FoundToken:
    """Write the three legs of a token.

    `paid` are the requests whose shares have settled and whose tokens are not booked,
    `undelivered` those whose tokens are burned and whose shares nobody is told to deliver yet,
    `unmatched` the final mints that no request explains.
    """
    cover = figures.cover
    items = {
        **_chain_items(figures),
        **_custody_items(figures),
        **_backing_items(figures, paid, undelivered),
    }
    quantities = {code: total(item.quantity for item in listed) for code, listed in items.items()}
    quantities |= {
        "A8": total(quantities.get(code, _ZERO) for code in _A_PARTS),
        "A9": figures.outstanding,
        "B9": total(quantities.get(code, _ZERO) for code in _B_PARTS),
        "B10": total(one.booked + one.pending - one.pending_delivery for one in figures.accounts),
        "C3": figures.paid_not_minted,
        "C4": figures.burned_not_delivered,
    }
    quantities["A10"] = quantities["A8"] - quantities["A9"]
    quantities["B11"] = quantities["B9"] - quantities["B10"]
    quantities["C1"] = max(quantities["A8"], quantities["A9"]) - _held_by_issuer(figures)
    quantities["C2"] = cover.owed_on_tokens or _ZERO
    quantities["C5"] = cover.held or _ZERO
    quantities["C8"] = quantities["C5"] - total(quantities[code] for code in ("C2", "C3", "C4"))
    unknown = _unknown(figures)
    return FoundToken(
        figures=figures,
        cover=cover,
        lines={
            code: FoundLine(code, None)
            if code in unknown
            else FoundLine(code, quantities.get(code, _ZERO), tuple(items.get(code, ())))
            for code in LINES
        },
        unmatched=tuple(unmatched),
    )


def _unknown(figures: TokenFigures) -> frozenset[str]:
    unknown: frozenset[str] = frozenset()
    if total_known(one.supply for one in figures.deployments) is None:
        unknown |= _OF_CHAINS
    if total_known(one.settled for one in figures.accounts) is None:
        unknown |= _OF_CUSTODY
    return unknown


def _held_by_issuer(figures: TokenFigures) -> Decimal:
    """Return the tokens at the issuer's own addresses; those in escrow are off the supply."""
    return total(
        excluded.quantity
        for one in figures.deployments
        for excluded in one.excluded
        if excluded.role != ControlledRole.BRIDGE_ESCROW
    )


def _chain_items(figures: TokenFigures) -> dict[str, list[FoundItem]]:
    supplies, escrow, burns, mints = [], [], [], []
    for one in figures.deployments:
        network = one.deployment.network.caip2
        if one.supply is None or one.snapshot is None:
            continue
        mined_at = one.snapshot.block_mined_at
        block = f"block {one.snapshot.block_number}"
        supplies.append(FoundItem(block, "SUPPLY", one.supply, since=mined_at, network=network))
        escrow += [
            FoundItem(excluded.address, "ESCROW", -excluded.quantity, network=network)
            for excluded in one.excluded
            if excluded.role == ControlledRole.BRIDGE_ESCROW
        ]
        burns += [
            _unbooked_item(burn, "BURN", burn.quantity, network) for burn in one.unbooked_burns
        ]
        mints += [_unbooked_item(mint, "MINT", -mint.quantity, network) for mint in one.unbooked]
    return {"A1": supplies, "A2": escrow, "A5": burns, "A6": mints}


def _unbooked_item(one: Unbooked, kind: str, quantity: Decimal, network: str) -> FoundItem:
    return FoundItem(
        str(one.request_id),
        kind,
        quantity,
        since=one.mined_at,
        network=network,
        transaction_hash=one.transaction_hash,
    )


def _custody_items(figures: TokenFigures) -> dict[str, list[FoundItem]]:
    """Return the items of the custody leg; accounts are named by custodian, never by number.

    What a custodian states as on its way out and what we told it to deliver are the same shares;
    those that it states beyond ours are an item of their own, and so are those of ours that have
    left before their delivery is settled in the books.
    """
    settled: list[FoundItem] = []
    leaving: list[FoundItem] = []
    entitled: list[FoundItem] = []
    encumbered: list[FoundItem] = []
    for one in figures.accounts:
        stated = (one.settled or _ZERO) - (one.entitled or _ZERO)
        settled.append(_account_item(one, "POSITION", stated))
        leaving += [
            _instruction_item(delivery, "DELIVERY", -figures.shares_of(delivery))
            for delivery in one.deliveries
        ]
        still = one.delivering if one.leaving is None else one.leaving
        gone = one.delivering - still
        for kind, listed, quantity in (
            ("DELIVERED" if gone > 0 else "DELIVERY", leaving, gone),
            ("SPLIT", entitled, one.entitled),
            ("LENT", encumbered, -(one.lent or _ZERO)),
            ("BLOCKED", encumbered, -(one.blocked or _ZERO)),
        ):
            if quantity:
                listed.append(_account_item(one, kind, quantity))
    return {
        "B1": settled,
        "B2": [_receipt_item(figures, receipt) for receipt in figures.receipts],
        "B3": leaving,
        "B5": entitled,
        "B7": encumbered,
    }


def _backing_items(
    figures: TokenFigures,
    paid: Sequence[IssuanceRequest],
    undelivered: Sequence[RedemptionRequest],
) -> dict[str, list[FoundItem]]:
    issuances = [
        FoundItem(
            str(request.pk),
            "ISSUANCE",
            _shares_now(figures, request),
            since=request.instruction.settled_at,
            network=request.deployment.network.caip2,
            evidence_sha256=request.instruction.evidence.sha256,
        )
        for request in paid
        if request.instruction is not None and request.instruction.evidence is not None
    ]
    redemptions = [
        FoundItem(
            str(request.pk),
            "REDEMPTION",
            _shares_now(figures, request),
            since=request.burn_intent.event.block_mined_at,
            network=request.deployment.network.caip2,
            transaction_hash=request.burn_intent.event.transaction_hash,
        )
        for request in undelivered
        if request.burn_intent is not None and request.burn_intent.event is not None
    ]
    return {
        "C3": _with_the_rest(issuances, figures.paid_not_minted),
        "C4": _with_the_rest(redemptions, figures.burned_not_delivered),
        "C6": [_receipt_item(figures, receipt) for receipt in figures.disclosed],
    }


def _shares_now(figures: TokenFigures, request: IssuanceRequest | RedemptionRequest) -> Decimal:
    """Return the shares of a request, of the kind that there is now.

    After a split, a request keeps the terms of before it until it is given those of after it:
    then the splits since it was made are what its multiplier lacks of the one that there is now.
    """
    factor = Fraction(1)
    for split in figures.splits:
        if split.effective_at > request.requested_at:
            factor *= split.factor
    multipliers = {one.deployment.pk: one.multiplier for one in figures.deployments}
    now = multipliers.get(request.deployment_id)
    old = now is not None and Fraction(request.multiplier) * factor == Fraction(now)
    return scaled_rounded_down(request.shares, factor if old else Fraction(1))


def _with_the_rest(items: list[FoundItem], booked: Decimal) -> list[FoundItem]:
    """Return the items, and one more for what the books have beyond them."""
    rest = booked - total(item.quantity for item in items)
    return [*items, FoundItem("books", "UNIDENTIFIED", rest)] if rest else items


def _account_item(one: AccountFigures, kind: str, quantity: Decimal) -> FoundItem:
    statement = one.statement
    return FoundItem(
        one.account.custodian.code,
        kind,
        quantity,
        since=None if statement is None else statement.received_at,
        evidence_sha256="" if statement is None else statement.sha256,
    )


def _receipt_item(figures: TokenFigures, receipt: SettlementInstruction) -> FoundItem:
    return _instruction_item(receipt, "RECEIPT", figures.shares_of(receipt))


def _instruction_item(one: SettlementInstruction, kind: str, quantity: Decimal) -> FoundItem:
    return FoundItem(
        str(one.pk),
        kind,
        quantity,
        since=one.instructed_at,
        due_by=datetime.combine(one.settlement_date, time(23, 59, 59), tzinfo=UTC),
    )
