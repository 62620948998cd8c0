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
from issuer.reserves.cover import CoverStatus
from issuer.reserves.figures import total_known

NOT_REDEEMABLE: Final = (ControlledRole.TREASURY, ControlledRole.TEST, ControlledRole.BRIDGE_ESCROW)


class TokenPart:
    """Writes the part of one token; `as_document` is all that others need."""

    def __init__(self, sources: TokenSources) -> None:
        self.sources = sources
        self.result = sources.result
        self.lines = {line.code: line for line in sources.result.lines.all()}

    def as_document(self) -> dict[str, Any]:
        """Return the part as the schema wants it."""
        token, result = self.sources.token, self.result
        owed = total_known([self._quantity("C2"), self._quantity("C3")])
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
        token, balance = self.sources.token, self.sources.balance
        return {
            "outstanding": to_text(balance(chart.tokens_outstanding(token))),
            "owedShares": to_text(balance(chart.shares_owed_on_tokens(token))),
            "paidNotMinted": to_text(balance(chart.shares_paid_not_minted(token))),
            "burnedNotPaid": "0",
        }

    def _custody(self, account: CustodyAccount) -> dict[str, Any]:
        pending = chart.shares_pending_receipt(account.token, account.reference)
        reason = self.sources.silent.get(account.pk)
        position = self.sources.positions.get(account.pk) if reason is None else None
        # Without a statement and without a reason, the account is too young to hold anything.
        nothing = "0" if reason is None else None
        figures: dict[str, Any] = dict.fromkeys(
            ("settled", "buys", "sells", "inTransit", "entitlements", "encumbered"), nothing
        )
        if reason is None:  # what is on its way in is known by our own instructions
            figures["buys"] = to_text(self.sources.balance(pending))
        source: dict[str, Any] = dict.fromkeys(("retrieved", "statementDate", "commitment"))
        if position is not None:
            statement = position.statement
            figures |= {
                "settled": to_text(position.settled),
                "sells": to_text(position.pending_delivery),
                "encumbered": to_text(position.lent + position.blocked),
            }
            source = {
                "retrieved": second_of(statement.received_at),
                "statementDate": statement.as_of_date.isoformat(),
                "commitment": self.sources.commitments[statement.sha256],
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
            "reason": reason,
        }

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
        quantity = self._quantity("C6")
        if not quantity:
            return []
        return [{"class": "UNSETTLED_BUY", "qty": to_text(quantity), "admitted": True}]

    def _period_low(self) -> dict[str, Any] | None:
        lowest = self.sources.lowest
        if lowest is None:
            return None
        at = second_of(lowest.run.as_of)
        return {"coverageBp": lowest.cover_bps, "at": at, "ledgerEntry": None}

    def _mint(self) -> dict[str, Any]:
        as_of = self.result.run.as_of
        holds = [
            one for one in self.sources.holds if one.released_at is None or one.released_at > as_of
        ]
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


def _text(quantity: Decimal | None) -> str | None:
    return None if quantity is None else to_text(quantity)


def _ratio(held: Decimal | None, owed: Decimal | None) -> int | None:
    if held is None or not owed:
        return None
    return quantities.ratio_bps_rounded_down(held, owed)
