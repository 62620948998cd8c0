"""What a statement says of one token."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from issuer.attestation.sources import TokenSources, salted_hash
from issuer.chain.models import SupplySnapshot
from issuer.custody.models import CustodyAccount
from issuer.foundation import quantities
from issuer.foundation.quantities import to_text
from issuer.gate.models import GateState
from issuer.gate.selectors import tightest
from issuer.instruments import chart
from issuer.instruments.models import ControlledAddress, ControlledRole, Deployment
from issuer.reconciliation.models import Item, Line
from issuer.reconciliation.states import BreakCode, BreakState
from issuer.reserves.cover import CoverStatus

#: The lines of a reconciliation in order, with unit and name where the run has none.
LINES: Final = {
    "A1": ("tokens", "Total supply at final blocks"),
    "A2": ("tokens", "Less: bridge escrow"),
    "A3": ("tokens", "Add: burned on source, not yet minted on destination"),
    "A4": ("tokens", "Add: mints booked, not final"),
    "A5": ("tokens", "Add: burns final, not booked"),
    "A6": ("tokens", "Less: mints final, not booked"),
    "A7": ("tokens", "Less: burns booked, not final"),
    "A8": ("tokens", "Adjusted supply"),
    "A9": ("tokens", "Register"),
    "A10": ("tokens", "Unexplained"),
    "B1": ("shares", "Settled at custodians"),
    "B2": ("shares", "Add: unsettled receipts"),
    "B3": ("shares", "Less: unsettled deliveries"),
    "B4": ("shares", "Transfers between custodians"),
    "B5": ("shares", "Corporate-action entitlements"),
    "B6": ("shares", "Rounding of fractions at brokers"),
    "B7": ("shares", "Less: lent, or blocked by others"),
    "B9": ("shares", "Adjusted custody"),
    "B10": ("shares", "Ledger"),
    "B11": ("shares", "Unexplained"),
    "C1": ("tokens", "Redeemable tokens"),
    "C2": ("shares", "Shares owed for them, rounded up"),
    "C3": ("shares", "Paid, not minted"),
    "C4": ("tokens", "Burned, not paid"),
    "C5": ("shares", "Settled shares free of others' claims"),
    "C6": ("shares", "Disclosed classes that the policy admits"),
    "C8": ("shares", "Surplus"),
}
TOTALS: Final = frozenset({"A8", "A10", "B9", "B11", "C8"})
#: What is not known while a chain, or a custodian, is silent.
OF_CHAINS: Final = frozenset({*(f"A{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 10)), "C1", "C2", "C8"})
OF_CUSTODY: Final = frozenset({*(f"B{n}" for n in (1, 2, 3, 4, 5, 6, 7, 9, 11)), "C5", "C6", "C8"})
NOT_REDEEMABLE: Final = (ControlledRole.TREASURY, ControlledRole.TEST, ControlledRole.BRIDGE_ESCROW)


class TokenPart:
    """Writes the part of one token; `as_document` is all that others need."""

    def __init__(self, sources: TokenSources) -> None:
        self.sources = sources
        self.result = sources.result
        self.lines = {line.code: line for line in sources.result.lines.all()}
        unknown = self.result.status == CoverStatus.UNKNOWN
        open_codes = {one.code for one in sources.breaks if one.state == BreakState.OPEN}
        silent_chain = self._missing("A1") or BreakCode.CHN_SRC in open_codes
        silent_custody = self._missing("B1") or BreakCode.SRC_STALE in open_codes
        #: If it is not known which source is silent, neither side counts.
        self.chain_unknown = unknown and (silent_chain or not silent_custody)
        self.custody_unknown = unknown and (silent_custody or not silent_chain)
        self.reason = "; ".join(self.result.reasons) or "Not known"

    def as_document(self) -> dict[str, Any]:
        """Return the part as the schema wants it."""
        token, result = self.sources.token, self.result
        quantity = {line["code"]: line["qty"] for line in self._lines()}
        owed = None if quantity["C2"] is None else Decimal(quantity["C2"]) + Decimal(quantity["C3"])
        held = None if quantity["C5"] is None else Decimal(quantity["C5"])
        admitted = None if held is None else held + Decimal(quantity["C6"])
        return {
            "symbol": token.symbol,
            "isin": token.isin,
            "securityIsin": token.security.isin,
            "name": token.name,
            "status": result.status,
            "supply": [self._supply(one) for one in self.sources.deployments],
            "register": self._register(),
            "custody": [self._custody(one) for one in self.sources.accounts],
            "reconciliation": self._lines(),
            "rollForward": self._roll_forward(),
            "owedShares": _text(owed),
            "settledShares": quantity["C5"],
            "disclosed": self._disclosed(),
            "coverageBp": _ratio(held, owed),
            "inTransitCoverageBp": _ratio(admitted, owed),
            "periodLow": self._period_low(),
            "mint": self._mint(),
        }

    def blocks(self) -> Iterable[tuple[Deployment, SupplySnapshot | None]]:
        """Yield each deployment with the snapshot that its figures are from, if they are known."""
        for deployment in self.sources.deployments:
            snapshot = self.sources.snapshots.get(deployment.pk)
            yield deployment, None if self.chain_unknown else snapshot

    def _missing(self, code: str) -> bool:
        return code not in self.lines or self.lines[code].quantity is None

    def _supply(self, deployment: Deployment) -> dict[str, Any]:
        snapshot = None if self.chain_unknown else self.sources.snapshots.get(deployment.pk)
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
            "reason": None if snapshot is not None else self.reason,
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
        token, balance = self.sources.token, self.sources.balance
        return {
            "outstanding": to_text(balance(chart.tokens_outstanding(token))),
            "owedShares": to_text(balance(chart.shares_owed_on_tokens(token))),
            "paidNotMinted": to_text(balance(chart.shares_paid_not_minted(token))),
            "burnedNotPaid": "0",
        }

    def _custody(self, account: CustodyAccount) -> dict[str, Any]:
        position = self.sources.positions.get(account.pk)
        if self.custody_unknown:
            position = None
        figures: dict[str, Any] = dict.fromkeys(
            ("settled", "buys", "sells", "inTransit", "entitlements", "encumbered")
        )
        source: dict[str, Any] = dict.fromkeys(("retrieved", "statementDate", "commitment"))
        if position is not None:
            statement = position.statement
            figures = {
                "settled": to_text(position.settled),
                "buys": to_text(position.pending_receipt),
                "sells": to_text(position.pending_delivery),
                "inTransit": "0",
                "entitlements": "0",
                "encumbered": to_text(position.lent + position.blocked),
            }
            source = {
                "retrieved": second_of(statement.received_at),
                "statementDate": statement.as_of_date.isoformat(),
                "commitment": salted_hash(statement.pk, bytes(statement.raw)),
            }
        booked = self.sources.balance(chart.shares_settled(account.token, account.reference))
        reference = salted_hash(account.pk, account.reference.encode())
        return {
            "custodian": account.custodian.entity.lei,
            "accountRef": f"a-{reference[:16]}",
            "accountClass": "Own account of the token, pledged to the security agent",
            **figures,
            "booked": to_text(booked),
            "source": {"method": "STATEMENT_FILE", **source},
            "reason": None if position is not None else self.reason,
        }

    def _lines(self) -> list[dict[str, Any]]:
        return [
            self._line(code, self.lines.get(code), unit=unit, label=label)
            for code, (unit, label) in LINES.items()
        ]

    def _line(self, code: str, line: Line | None, *, unit: str, label: str) -> dict[str, Any]:
        silent = (self.chain_unknown and code in OF_CHAINS) or (
            self.custody_unknown and code in OF_CUSTODY
        )
        quantity = Decimal(0) if line is None else line.quantity
        return {
            "code": code,
            "label": label if line is None else line.label,
            "unit": unit,
            "qty": None if silent else _text(quantity),
            "total": code in TOTALS,
            "items": [] if silent or line is None else [_item(one) for one in line.items.all()],
        }

    def _roll_forward(self) -> dict[str, Any]:
        tokens, shares = self.sources.tokens, self.sources.shares
        return {
            "tokens": {
                "opening": to_text(tokens.opening),
                "minted": to_text(tokens.incoming),
                "burned": to_text(tokens.outgoing),
                "closing": to_text(tokens.closing),
            },
            "shares": {
                "opening": to_text(shares.opening),
                "received": to_text(shares.incoming),
                "delivered": to_text(shares.outgoing),
                "corporateActions": "0",
                "closing": to_text(shares.closing),
            },
        }

    def _disclosed(self) -> list[dict[str, Any]]:
        admitted = self.lines.get("C6")
        if self.custody_unknown or admitted is None or not admitted.quantity:
            return []
        return [{"class": "UNSETTLED_BUY", "qty": to_text(admitted.quantity), "admitted": True}]

    def _period_low(self) -> dict[str, Any] | None:
        lowest = self.sources.lowest
        if lowest is None:
            return None
        at = second_of(lowest.run.as_of)
        return {"coverageBp": lowest.cover_bps, "at": at, "ledgerEntry": None}

    def _mint(self) -> dict[str, Any]:
        holds = [one for one in self.sources.holds if one.released_at is None]
        state = tightest(GateState(one.effect) for one in holds)
        open_ = state == GateState.OPEN and self.result.status == CoverStatus.COVERED
        headroom = self.result.headroom if open_ and self.result.headroom else Decimal(0)
        # The headrooms of all chains together are the token's; each chain gets an equal part.
        count = max(len(self.sources.deployments), 1)
        return {
            "state": state,
            "headroom": [
                {
                    "chain": one.network.caip2,
                    "tokens": to_text(
                        quantities.headroom_rounded_down(
                            headroom, multiplier=Decimal(count), decimals=one.decimals
                        )
                    ),
                }
                for one in self.sources.deployments
            ],
            "reasons": [one.reason for one in holds],
        }


def second_of(at: datetime) -> str:
    """Return `at` as a document writes it: in UTC, the second it falls into."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _item(item: Item) -> dict[str, Any]:
    return {
        "ref": item.reference,
        "kind": item.kind,
        "qty": to_text(item.quantity),
        "since": None if item.since is None else second_of(item.since),
        "dueBy": None if item.due_by is None else second_of(item.due_by),
        "chain": item.network or None,
        "tx": item.transaction_hash or None,
        "evidenceSha256": item.evidence_sha256 or None,
    }


def _text(quantity: Decimal | None) -> str | None:
    return None if quantity is None else to_text(quantity)


def _ratio(held: Decimal | None, owed: Decimal | None) -> int | None:
    if held is None or not owed:
        return None
    return quantities.ratio_bps_rounded_down(held, owed)
