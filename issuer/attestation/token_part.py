"""What a statement says of one token."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from issuer.attestation.holds import gates
from issuer.attestation.period_low import Cause
from issuer.attestation.sources import TokenSources, salted_hash
from issuer.chain.models import SupplySnapshot
from issuer.custody.models import CustodyAccount, Position
from issuer.foundation import quantities
from issuer.foundation.quantities import to_text
from issuer.gate.models import GateState
from issuer.gate.selectors import tightest
from issuer.instruments import chart
from issuer.instruments.models import ControlledAddress, ControlledRole, Deployment
from issuer.reconciliation.models import Item, Line
from issuer.reserves import selectors as reserves
from issuer.reserves.cover import CoverStatus
from issuer.reserves.figures import total_known

NOT_REDEEMABLE: Final = (ControlledRole.TREASURY, ControlledRole.TEST, ControlledRole.BRIDGE_ESCROW)
#: Why a token is carried, and why a gate is said to be tighter than it is.
BETTER: Final = "It is better than last stated, which two persons have to say"
LESS_SHUT: Final = "Less shut than last stated, which two persons have to say"


class Room(NamedTuple):
    """How far minting on a chain is shut, and how many tokens it may still mint."""

    state: GateState
    tokens: Decimal


class TokenPart:
    """Writes the part of one token: anew, or carried from the last statement that stated it.

    `said` is what was last said of each chain, by CAIP-2, where nothing better may be said now; a
    chain that is not named may mint nothing.
    """

    def __init__(self, sources: TokenSources, said: Mapping[str, Room] | None = None) -> None:
        self.sources, self.said = sources, said
        self.result = sources.result
        self.lines = {line.code: line for line in sources.result.lines.all()}

    def as_document(self) -> dict[str, Any]:
        """Return the part as the schema wants it."""
        token, result = self.sources.token, self.result
        owed = total_known(self._quantity(code) for code in ("C2", "C3", "C4"))
        held = self._quantity("C5")
        admitted = total_known([held, self._quantity("C6")])
        return {
            "symbol": token.symbol,
            "isin": token.isin,
            "securityIsin": token.security.isin,
            "name": token.name,
            "status": result.status,
            "supply": [self._supply(*block) for block in self.blocks()],
            "register": self._register(),
            "custody": [self._custody(one) for one in self.sources.accounts],
            "reconciliation": [self._line(line) for line in self.lines.values()],
            "rollForward": self._roll_forward(),
            "owedShares": _text(owed),
            "settledShares": _text(held),
            "disclosed": self._disclosed(),
            "coverageBp": _ratio(held, owed),
            "inTransitCoverageBp": _ratio(admitted, owed),
            "periodLow": self._period_low(),
            "mint": self._mint(),
        }

    def as_carried(self, last: Mapping[str, Any], *, since: datetime) -> dict[str, Any]:
        """Return what is repeated of the token where it may not be stated anew.

        `last` is how it was last stated; only what got worse since is put beside it. `since` is
        when the period began, in which its cover was never better than that.
        """
        low, stated = self._period_low(), last["coverageBp"]
        if stated is not None and (low is None or low["coverageBp"] > stated):
            cause = Cause.OPENING.value
            low = {"coverageBp": stated, "at": second_of(since), "cause": cause, "ref": None}
        return {
            **last,
            "periodLow": low,
            "mint": self._mint(),
            "reason": BETTER,
        }

    def _quantity(self, code: str) -> Decimal | None:
        quantity: Decimal | None = self.lines[code].quantity
        return quantity

    def blocks(self) -> Iterable[tuple[Deployment, SupplySnapshot | None, str | None]]:
        """Yield each deployment with the snapshot of its figures, or why it has none."""
        for deployment in self.sources.deployments:
            reason = self.sources.silent.get(deployment.pk)
            snapshot = self.sources.snapshots.get(deployment.pk) if reason is None else None
            yield deployment, snapshot, reason

    def _supply(
        self, deployment: Deployment, snapshot: SupplySnapshot | None, reason: str | None
    ) -> dict[str, Any]:
        supply, held = None, []
        if snapshot is not None:
            base_units = snapshot.total_supply_base_units
            supply = quantities.to_quantity(base_units, decimals=deployment.decimals)
            held = [
                self._held(one, deployment, snapshot)
                for one in self.sources.controlled.get(deployment.network_id, [])
                if one.role in NOT_REDEEMABLE and one.address in snapshot.controlled_base_units
            ]
        return {
            "chain": deployment.network.caip2,
            "contract": deployment.address,
            "decimals": deployment.decimals,
            "multiplier": to_text(self.sources.multipliers[deployment.pk]),
            "block": None
            if snapshot is None
            else {"height": snapshot.block_number, "hash": snapshot.block_hash},
            "totalSupply": _text(supply),
            "nonRedeemable": [entry for entry in held if entry["qty"] != "0"],
            "reason": reason,
        }

    def _held(
        self, address: ControlledAddress, deployment: Deployment, snapshot: SupplySnapshot
    ) -> dict[str, Any]:
        base_units = int(snapshot.controlled_base_units[address.address])
        return {
            "class": address.role,
            "address": address.address,
            "qty": to_text(quantities.to_quantity(base_units, decimals=deployment.decimals)),
            "reason": address.reason,
        }

    def _register(self) -> dict[str, Any]:
        token, booked = self.sources.token, self.sources.shares_booked
        return {
            "outstanding": to_text(self.sources.balance(chart.tokens_outstanding(token))),
            "owedShares": to_text(booked(chart.shares_owed_on_tokens(token))),
            "paidNotMinted": to_text(booked(chart.shares_paid_not_minted(token))),
            "burnedNotDelivered": to_text(booked(chart.shares_burned_not_delivered(token))),
        }

    def _custody(self, account: CustodyAccount) -> dict[str, Any]:
        token, reason = account.token, self.sources.silent.get(account.pk)
        position = self.sources.positions.get(account.pk) if reason is None else None
        source: dict[str, Any] = dict.fromkeys(("retrieved", "statementDate", "commitment"))
        if position is not None:
            statement = position.statement
            source = {
                "retrieved": second_of(statement.received_at),
                "statementDate": statement.as_of_date.isoformat(),
                "commitment": self.sources.commitments[statement.sha256],
            }
        booked = self.sources.shares_booked(chart.shares_settled(token, account.reference))
        reference = salted_hash(account.pk, account.reference.encode())
        return {
            "custodian": account.custodian.entity.lei,
            "accountRef": f"a-{reference[:16]}",
            "accountClass": "Own account of the token, pledged to the security agent",
            **self._shares(account, position, silent=reason is not None),
            "booked": to_text(booked),
            "source": {"method": "STATEMENT_FILE", **source},
            "reason": reason,
        }

    def _shares(
        self, account: CustodyAccount, position: Position | None, *, silent: bool
    ) -> dict[str, str | None]:
        """Return the shares of an account, of the kind that there is at the cut-off.

        Only `settled` is as the custodian counted them: what splits have added since is in
        `entitlements`. What is on its way is known by our own instructions, and out of the
        account by what the run found still to leave of the smaller of books and custodian, which
        rests on the instructions as they were then. Without a position, and not silent, the account
        is too young to hold anything.
        """
        names = ("settled", "buys", "sells", "inTransit", "entitlements", "encumbered")
        if silent:
            return dict.fromkeys(names)
        token, reference = account.token, account.reference
        shares = dict.fromkeys(names, Decimal(0))
        shares["buys"] = self.sources.shares_booked(chart.shares_pending_receipt(token, reference))
        shares["sells"] = self.sources.shares_booked(
            chart.shares_pending_delivery(token, reference)
        )
        if position is not None:
            factor = self.sources.stated_factor(position.statement)
            leaving = self.result.evidence.get("leaving", {})
            stated = quantities.scaled_rounded_down(position.settled, factor)
            lent = quantities.scaled_rounded_up(position.lent, factor)
            blocked = quantities.scaled_rounded_up(position.blocked, factor)
            shares |= {
                "settled": position.settled,
                "sells": Decimal(leaving.get(str(account.pk), shares["sells"])),
                "entitlements": stated - position.settled,
                "encumbered": lent + blocked,
            }
        return {name: to_text(quantity) for name, quantity in shares.items()}

    def _line(self, line: Line) -> dict[str, Any]:
        return {
            "code": line.code,
            "label": line.label,
            "unit": line.unit,
            "qty": _text(line.quantity),
            "total": line.total,
            "items": [self._item(item) for item in line.items.all()],
        }

    def _item(self, item: Item) -> dict[str, Any]:
        commitment = self.sources.commitments.get(item.evidence_sha256)
        return {
            "ref": item.reference,
            "kind": item.kind,
            "qty": to_text(item.quantity),
            "since": None if item.since is None else second_of(item.since),
            "dueBy": None if item.due_by is None else second_of(item.due_by),
            "chain": item.network or None,
            "tx": item.transaction_hash or None,
            "evidenceSha256": commitment,
        }

    def _roll_forward(self) -> dict[str, Any]:
        tokens, shares = self.sources.tokens, self.sources.shares
        return {
            "tokens": {
                "opening": to_text(tokens.opening),
                "bookedLate": to_text(tokens.late),
                "minted": to_text(tokens.incoming),
                "burned": to_text(tokens.outgoing),
                "closing": to_text(tokens.closing),
            },
            "shares": {
                "opening": to_text(shares.opening),
                "bookedLate": to_text(shares.late),
                "received": to_text(shares.incoming),
                "delivered": to_text(shares.outgoing),
                "corporateActions": to_text(shares.split),
                "closing": to_text(shares.closing),
            },
        }

    def _disclosed(self) -> list[dict[str, Any]]:
        quantity = self._quantity("C6")
        if not quantity:
            return []
        return [{"class": "UNSETTLED_BUY", "qty": to_text(quantity), "admitted": True}]

    def _period_low(self) -> dict[str, Any] | None:
        lowest = self.sources.lowest
        if lowest is None:
            return None
        return {
            "coverageBp": lowest.cover_bps,
            "at": second_of(lowest.at),
            "cause": lowest.cause.value,
            "ref": lowest.reference or None,
        }

    def _mint(self) -> dict[str, Any]:
        as_of = self.sources.as_of
        holds = [
            one for one in self.sources.holds if one.released_at is None or one.released_at > as_of
        ]
        found = gates(holds, self.sources.deployments)
        chains = self._no_less_shut(found)
        room = self._headroom(chains)
        held = [] if chains == found else [LESS_SHUT]
        return {
            "state": tightest([*chains.values(), *(GateState(one.effect) for one in holds)]),
            "headroom": [
                {"chain": chain, "state": state, "tokens": to_text(room[chain])}
                for chain, state in chains.items()
            ],
            "reasons": [*(one.reason for one in holds), *held],
        }

    def _no_less_shut(self, found: Mapping[str, GateState]) -> dict[str, GateState]:
        """Return the gates to state: no chain is said to be less shut than was last said."""
        said = self.said or {}
        return {
            chain: tightest([state, said[chain].state]) if chain in said else state
            for chain, state in found.items()
        }

    def _headroom(self, chains: Mapping[str, GateState]) -> dict[str, Decimal]:
        """Return what may still be minted on each chain: all together, the headroom of the run."""
        multipliers = {one: self.sources.multipliers[one.pk] for one in self.sources.deployments}
        shut = {
            one.network_id for one in multipliers if chains[one.network.caip2] != GateState.OPEN
        }
        unclaimed = Decimal(0)
        if self.result.status == CoverStatus.COVERED and self.result.headroom and multipliers:
            dearest = max(multipliers.values())
            unclaimed = quantities.EXACT.multiply(self.result.headroom, dearest)
        shared = reserves.shared_out(unclaimed, multipliers, shut)
        found = {one.network.caip2: shared[one.pk] for one in multipliers}
        if self.said is None:
            return found
        nothing = Room(GateState.HALTED, Decimal(0))
        return {
            chain: min(room, self.said.get(chain, nothing).tokens) for chain, room in found.items()
        }


def second_of(at: datetime) -> str:
    """Return `at` as a document writes it: in UTC, the second it falls into."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(quantity: Decimal | None) -> str | None:
    return None if quantity is None else to_text(quantity)


def _ratio(held: Decimal | None, owed: Decimal | None) -> int | None:
    if held is None or not owed:
        return None
    return quantities.ratio_bps_rounded_down(held, owed)
