"""What a statement is made from, as of one instant: everything read at once, and nothing changed.

All of it is append-only or has a time of its own, so the same instant gives the same answer later.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from math import prod
from typing import Any
from uuid import UUID

from django.db.models import Min, Q, Sum

from issuer.attestation.changes import lows_between
from issuer.attestation.errors import NothingToAttest
from issuer.attestation.models import Attestation
from issuer.attestation.movements import Movements, balances, credited, debited
from issuer.attestation.package.verify_offline import last_stated
from issuer.attestation.period_low import Low
from issuer.attestation.states import AttestationState
from issuer.chain.models import SupplySnapshot
from issuer.custody import selectors as custody
from issuer.custody.models import CustodyAccount, Position, Statement
from issuer.foundation import quantities
from issuer.gate.models import Hold
from issuer.instruments import chart
from issuer.instruments import selectors as instruments
from issuer.instruments.models import ControlledAddress, Deployment, Split, Token
from issuer.ledger.models import Account, Entry, Side
from issuer.parties.models import Criteria
from issuer.reconciliation.models import Break, Item, Run, TokenResult
from issuer.reserves.gates import holds_between


@dataclass(frozen=True)
class TokenSources:
    """What a statement says of one token rests on this.

    `silent` says why a deployment or a custody account, by its id, has no figures; `commitments`
    are to custodians' statements, by their hash.
    """

    result: TokenResult
    deployments: list[Deployment]
    multipliers: Mapping[UUID, Decimal]
    snapshots: Mapping[UUID, SupplySnapshot]
    controlled: Mapping[UUID, list[ControlledAddress]]
    accounts: list[CustodyAccount]
    positions: Mapping[UUID, Position]
    splits: Sequence[Split]
    silent: Mapping[UUID, str]
    commitments: Mapping[str, str]
    balances: Mapping[str, Decimal]
    holds: list[Hold]
    breaks: list[Break]
    lowest: Low | None
    tokens: Movements
    shares: Movements

    @property
    def token(self) -> Token:
        return self.result.token

    @property
    def as_of(self) -> datetime:
        return self.result.run.as_of

    def balance(self, code: str) -> Decimal:
        """Return what the books say of the account `code`; an account without entries has 0."""
        return self.balances.get(code, Decimal(0))

    def shares_booked(self, code: str) -> Decimal:
        """Return the shares in the account `code`, of the kind that there is at the cut-off."""
        factor = instruments.unbooked_split_factor(self.splits, at=self.as_of)
        return quantities.scaled_rounded_down(self.balance(code), factor)

    def stated_factor(self, statement: Statement) -> Fraction:
        """Return how many shares at the cut-off are one of those that `statement` counts."""
        return prod(
            (
                split.factor
                for split in self.splits
                if split.effective_at <= self.as_of and custody.counts_old_shares(statement, split)
            ),
            start=Fraction(1),
        )


@dataclass(frozen=True)
class Closing:
    """What a token was last stated to close with, and the cut-off of the statement that did."""

    as_of: datetime
    tokens: Decimal
    shares: Decimal


@dataclass(frozen=True)
class Sources:
    """What a whole statement rests on."""

    run: Run
    criteria: Criteria
    since: datetime
    tokens: list[TokenSources]
    statements: list[Statement]
    entries: int
    trial_balance: Decimal


def gather(run: Run, *, previous: Attestation | None, only: Collection[str] = ()) -> Sources:
    """Read all that a statement from `run` needs; `previous` is the one that it follows.

    With `only`, tokens of other symbols are left out.

    Raises:
        NothingToAttest: if the program has published no criteria, or the run has no tokens.
    """
    as_of = run.as_of
    criteria = Criteria.objects.filter(program=run.program, published_at__lte=as_of).first()
    results = [
        result
        for result in run.results.select_related("run", "token__security").prefetch_related(
            "lines__items"
        )
        if not only or result.token.symbol in only
    ]
    if criteria is None or not results:
        raise NothingToAttest(f"{run.program} has no published criteria, or no tokens.")
    statements = _statements(results)
    since = None if previous is None else previous.as_of
    start = since or _beginning(results, as_of)
    entries = Entry.objects.filter(booked_at__lte=as_of)
    sides = dict(entries.order_by().values_list("side").annotate(Sum("quantity")))
    return Sources(
        run=run,
        criteria=criteria,
        since=start,
        tokens=_tokens(_Evidence(results, statements, start, previous), closings(previous)),
        statements=sorted(statements.values(), key=lambda statement: statement.reference),
        entries=entries.count(),
        trial_balance=sides.get(Side.DEBIT, Decimal(0)) - sides.get(Side.CREDIT, Decimal(0)),
    )


def closings(attestation: Attestation | None) -> dict[str, Closing]:
    """Return what each token was last stated anew to close with, by its symbol.

    That is in `attestation`, or in an earlier one that it carries the token from.
    """
    if attestation is None:
        return {}
    found = last_stated(_document_of(attestation))
    earlier = Attestation.objects.filter(
        program=attestation.program_id,
        sequence__in={entry["stated"]["sequence"] for entry in found.values()},
    ).exclude(state=AttestationState.DECLINED)
    cut_offs = dict(earlier.values_list("sequence", "as_of"))
    return {
        symbol: Closing(
            as_of=cut_offs[entry["stated"]["sequence"]],
            tokens=Decimal(entry["closing"]["tokens"]),
            shares=Decimal(entry["closing"]["shares"]),
        )
        for symbol, entry in found.items()
    }


def _document_of(attestation: Attestation) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(bytes(attestation.document or attestation.content))
    return document


def salted_hash(salt: UUID, content: bytes) -> str:
    """Return the commitment to `content`; without the id, which is secret, it is not guessed."""
    return hashlib.sha256(salt.bytes + content).hexdigest()


class _Evidence:
    """What chains, custodians, gates and breaks say of the tokens of a run; a query for each."""

    def __init__(
        self,
        results: Sequence[TokenResult],
        statements: Mapping[str, Statement],
        start: datetime,
        previous: Attestation | None,
    ) -> None:
        self.results = sorted(results, key=lambda result: result.token.symbol)
        tokens = [result.token for result in results]
        self.as_of, self.start = results[0].run.as_of, start
        self.deployments = list(
            Deployment.objects.filter(token__in=tokens)
            .select_related("network", "token")
            .order_by("token__symbol", "network__caip2")
        )
        self.multipliers = instruments.multipliers_at(self.deployments, self.as_of)
        self.snapshots = _snapshots(results)
        self.controlled = defaultdict(list)
        for address in ControlledAddress.objects.order_by("address"):
            self.controlled[address.network_id].append(address)
        self.accounts = list(
            CustodyAccount.objects.filter(token__in=tokens, opened_at__lte=self.as_of)
            .select_related("custodian__entity", "token")
            .order_by("token__symbol", "reference")
        )
        self.positions = _positions(results)
        self.splits = instruments.splits_of(tokens)
        self.commitments = {
            sha256: salted_hash(statement.pk, bytes(statement.raw))
            for sha256, statement in statements.items()
        }
        self.holds = holds_between(tokens, start, self.as_of)
        self.breaks = list(
            Break.objects.filter(token__in=tokens, opened_at__lte=self.as_of)
            .filter(Q(ended_at=None) | Q(ended_at__gt=start))
            .select_related("token")
            .order_by("opened_at", "id")
        )
        self.lowest = lows_between(
            self.results,
            self.deployments,
            self.accounts,
            self.splits,
            start=start,
            read=self.snapshots,
            known=None if previous is None else _snapshots(previous.run.results.all()),
        )
        if previous is not None:
            # What was found late is told as of the period before at the earliest: of no other did
            # the statement before speak, so nobody could check it against that.
            earliest = datetime.fromisoformat(_document_of(previous)["period"]["from"])
            self.lowest = {
                token_id: replace(low, at=max(low.at, earliest))
                for token_id, low in self.lowest.items()
            }


def _tokens(evidence: _Evidence, closed: Mapping[str, Closing]) -> list[TokenSources]:
    return [
        # What no statement has spoken of yet is rolled forward from its beginning.
        _token(evidence, result, closed.get(result.token.symbol))
        for result in evidence.results
    ]


def _token(evidence: _Evidence, result: TokenResult, last: Closing | None) -> TokenSources:
    token, as_of = result.token, evidence.as_of
    since = None if last is None else last.as_of
    accounts = [account for account in evidence.accounts if account.token_id == token.pk]
    splits = evidence.splits.get(token.pk, [])
    shares = [
        code(token, account.reference)
        for account in accounts
        for code in (
            chart.shares_settled,
            chart.shares_pending_receipt,
            chart.shares_pending_delivery,
        )
    ]
    return TokenSources(
        result=result,
        deployments=[one for one in evidence.deployments if one.token_id == token.pk],
        multipliers=evidence.multipliers,
        snapshots=evidence.snapshots,
        controlled=evidence.controlled,
        accounts=accounts,
        positions=evidence.positions,
        splits=splits,
        silent={UUID(key): why for key, why in result.evidence["silent"].items()},
        commitments=evidence.commitments,
        balances=balances(f"{token.symbol}/", as_of),
        holds=evidence.holds.get(token.pk, []),
        breaks=[one for one in evidence.breaks if one.token_id == token.pk],
        lowest=evidence.lowest.get(token.pk),
        tokens=credited(
            [chart.tokens_outstanding(token)],
            since,
            as_of,
            stated=None if last is None else last.tokens,
        ),
        shares=debited(
            shares,
            since,
            as_of,
            stated=None if last is None else last.shares,
            opening_factor=Fraction(1)
            if since is None
            else instruments.unbooked_split_factor(splits, at=since),
            closing_factor=instruments.unbooked_split_factor(splits, at=as_of),
        ),
    )


def _beginning(results: Sequence[TokenResult], as_of: datetime) -> datetime:
    """Return when the first account of the tokens was opened: the period of the first statement."""
    ours = Q()
    for result in results:
        ours |= Q(code__startswith=f"{result.token.symbol}/")
    opened = Account.objects.filter(ours).aggregate(first=Min("opened_at"))["first"]
    return min(opened or as_of, as_of)


def _statements(results: Sequence[TokenResult]) -> dict[str, Statement]:
    """Return the custodians' statements that the run, or an item of it, rests on, by hash."""
    named = Item.objects.filter(line__result__in=results).exclude(evidence_sha256="")
    hashes = set(named.order_by().values_list("evidence_sha256", flat=True).distinct())
    for result in results:
        hashes |= {one["sha256"] for one in result.evidence["statements"]}
    statements = Statement.objects.filter(sha256__in=hashes).select_related("custodian__entity")
    return {statement.sha256: statement for statement in statements}


def _positions(results: Sequence[TokenResult]) -> dict[UUID, Position]:
    """Return by account what the statements that the run read say."""
    read = {one["id"] for result in results for one in result.evidence["statements"]}
    positions = Position.objects.filter(statement__in=read).select_related("statement")
    return {position.account_id: position for position in positions}


def _snapshots(results: Iterable[TokenResult]) -> dict[UUID, SupplySnapshot]:
    """Return by deployment what the run of `results` read of it; also where that was too old."""
    read = {one["snapshot"] for result in results for one in result.evidence["blocks"]}
    snapshots = SupplySnapshot.objects.filter(pk__in=read)
    return {snapshot.deployment_id: snapshot for snapshot in snapshots}
