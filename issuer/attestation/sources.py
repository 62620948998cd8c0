"""What a statement is made from, as of one instant: everything read at once, and nothing changed.

All of it is append-only or has a time of its own, so the same instant gives the same answer later.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Min, Q, Sum

from issuer.attestation.errors import NothingToAttest
from issuer.chain.models import SupplySnapshot
from issuer.custody.models import CustodyAccount, Position, Statement
from issuer.gate.models import Hold, ScopeKind
from issuer.instruments import chart
from issuer.instruments import selectors as instruments
from issuer.instruments.models import ControlledAddress, Deployment, Token
from issuer.ledger.models import Account, Entry, Side, Transfer
from issuer.parties.models import Criteria
from issuer.reconciliation.models import Break, Item, Run, TokenResult


@dataclass(frozen=True)
class Movements:
    """What came into and went out of some accounts together; not what moved among them."""

    opening: Decimal
    incoming: Decimal
    outgoing: Decimal
    closing: Decimal


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
    silent: Mapping[UUID, str]
    commitments: Mapping[str, str]
    balances: Mapping[str, Decimal]
    holds: list[Hold]
    breaks: list[Break]
    lowest: TokenResult | None
    tokens: Movements
    shares: Movements

    @property
    def token(self) -> Token:
        return self.result.token

    def balance(self, code: str) -> Decimal:
        """Return what the books say of the account `code`; an account without entries has 0."""
        return self.balances.get(code, Decimal(0))


@dataclass(frozen=True)
class Sources:
    """What a whole statement rests on."""

    run: Run
    criteria: Criteria
    since: datetime
    tokens: list[TokenSources]
    statements: list[Statement]
    holds: list[Hold]
    entries: int
    trial_balance: Decimal


def gather(run: Run, *, since: datetime | None) -> Sources:
    """Read all that a statement from `run` needs; `since` is the cut-off of the one before.

    Raises:
        NothingToAttest: if the program has published no criteria, or the run has no tokens.
    """
    as_of = run.as_of
    criteria = Criteria.objects.filter(program=run.program, published_at__lte=as_of).first()
    results = list(run.results.select_related("token__security").prefetch_related("lines__items"))
    if criteria is None or not results:
        raise NothingToAttest(f"{run.program} has no published criteria, or no tokens.")
    accounts = list(
        CustodyAccount.objects.filter(token__results__run=run, opened_at__lte=as_of)
        .select_related("custodian__entity", "token")
        .order_by("token__symbol", "reference")
    )
    statements = _statements(results)
    start = since or _beginning(results, as_of)
    holds = list(
        Hold.objects.filter(Q(released_at=None) | Q(released_at__gt=start), placed_at__lte=as_of)
        .select_related("scope")
        .order_by("placed_at", "id")
    )
    entries = Entry.objects.filter(booked_at__lte=as_of)
    sides = dict(entries.order_by().values_list("side").annotate(Sum("quantity")))
    return Sources(
        run=run,
        criteria=criteria,
        since=start,
        tokens=_tokens(results, accounts, statements, holds, since=since, start=start, as_of=as_of),
        statements=sorted(statements.values(), key=lambda statement: statement.reference),
        holds=holds,
        entries=entries.count(),
        trial_balance=sides.get(Side.DEBIT, Decimal(0)) - sides.get(Side.CREDIT, Decimal(0)),
    )


def salted_hash(salt: UUID, content: bytes) -> str:
    """Return the commitment to `content`; without the id, which is secret, it is not guessed."""
    return hashlib.sha256(salt.bytes + content).hexdigest()


def _tokens(
    results: list[TokenResult],
    accounts: list[CustodyAccount],
    statements: Mapping[str, Statement],
    holds: list[Hold],
    *,
    since: datetime | None,
    start: datetime,
    as_of: datetime,
) -> list[TokenSources]:
    token_ids = [result.token_id for result in results]
    deployments = list(
        Deployment.objects.filter(token__in=token_ids)
        .select_related("network", "token")
        .order_by("token__symbol", "network__caip2")
    )
    multipliers = instruments.multipliers_at(deployments, as_of)
    snapshots = _snapshots(results)
    controlled = defaultdict(list)
    for address in ControlledAddress.objects.order_by("address"):
        controlled[address.network_id].append(address)
    positions = _positions(results)
    commitments = {
        sha256: salted_hash(statement.pk, bytes(statement.raw))
        for sha256, statement in statements.items()
    }
    lowest = _lowest(results[0].run, token_ids, since)
    breaks = list(
        Break.objects.filter(token__in=token_ids, opened_at__lte=as_of)
        .filter(Q(ended_at=None) | Q(ended_at__gt=start))
        .select_related("token")
        .order_by("opened_at", "id")
    )
    parts = []
    for result in sorted(results, key=lambda one: one.token.symbol):
        token = result.token
        own_accounts = [account for account in accounts if account.token_id == token.pk]
        own_deployments = [one for one in deployments if one.token_id == token.pk]
        scopes = {(ScopeKind.PROGRAM, token.program_id), (ScopeKind.TOKEN, token.pk)}
        scopes |= {(ScopeKind.NETWORK, one.network_id) for one in own_deployments}
        scopes |= {(ScopeKind.CUSTODIAN, account.custodian_id) for account in own_accounts}
        shares = [chart.shares_settled(token, account.reference) for account in own_accounts]
        shares += [chart.shares_pending_receipt(token, one.reference) for one in own_accounts]
        parts.append(
            TokenSources(
                result=result,
                deployments=own_deployments,
                multipliers=multipliers,
                snapshots=snapshots,
                controlled=controlled,
                accounts=own_accounts,
                positions=positions,
                silent={UUID(key): why for key, why in result.evidence["silent"].items()},
                commitments=commitments,
                balances=_balances(f"{token.symbol}/", as_of),
                holds=[one for one in holds if (one.scope.kind, one.scope.subject_id) in scopes],
                breaks=[one for one in breaks if one.token_id == token.pk],
                lowest=lowest.get(token.pk),
                tokens=_movements([chart.tokens_outstanding(token)], since, as_of, Side.CREDIT),
                shares=_movements(shares, since, as_of, Side.DEBIT),
            )
        )
    return parts


def _lowest(run: Run, token_ids: list[UUID], since: datetime | None) -> dict[UUID, TokenResult]:
    """Return, by token, the result with the lowest cover of all runs in the period."""
    results = TokenResult.objects.filter(
        token__in=token_ids, run__as_of__lte=run.as_of, cover_bps__isnull=False
    )
    if since is not None:
        results = results.filter(run__as_of__gt=since)
    lowest = results.select_related("run").order_by("token_id", "cover_bps", "run__as_of")
    return {result.token_id: result for result in lowest.distinct("token_id")}


def _beginning(results: list[TokenResult], as_of: datetime) -> datetime:
    """Return when the first account of the tokens was opened: the period of the first statement."""
    ours = Q()
    for result in results:
        ours |= Q(code__startswith=f"{result.token.symbol}/")
    opened = Account.objects.filter(ours).aggregate(first=Min("opened_at"))["first"]
    return min(opened or as_of, as_of)


def _balances(prefix: str, as_of: datetime) -> dict[str, Decimal]:
    entries = (
        Entry.objects.filter(account__code__startswith=prefix, booked_at__lte=as_of)
        .order_by("account_id", "-version")
        .distinct("account_id")
    )
    return dict(entries.values_list("account__code", "balance"))


def _movements(codes: list[str], since: datetime | None, as_of: datetime, side: Side) -> Movements:
    """Return what moved into and out of accounts of one side from `since` until `as_of`."""
    grows, shrinks = ("debit_account__code__in", "credit_account__code__in")
    if side == Side.CREDIT:
        grows, shrinks = shrinks, grows
    incoming = Q(**{grows: codes}) & ~Q(**{shrinks: codes})
    outgoing = Q(**{shrinks: codes}) & ~Q(**{grows: codes})

    def moved(which: Q, until: datetime, start: datetime | None = None) -> Decimal:
        transfers = Transfer.objects.filter(which, booked_at__lte=until)
        if start is not None:
            transfers = transfers.filter(booked_at__gt=start)
        return transfers.aggregate(total=Sum("quantity"))["total"] or Decimal(0)

    opening = Decimal(0)
    if since is not None:
        opening = moved(incoming, since) - moved(outgoing, since)
    arrived, left = moved(incoming, as_of, since), moved(outgoing, as_of, since)
    return Movements(opening, arrived, left, opening + arrived - left)


def _statements(results: list[TokenResult]) -> dict[str, Statement]:
    """Return the custodians' statements that the run, or an item of it, rests on, by hash."""
    named = Item.objects.filter(line__result__in=results).exclude(evidence_sha256="")
    hashes = set(named.order_by().values_list("evidence_sha256", flat=True).distinct())
    for result in results:
        hashes |= {one["sha256"] for one in result.evidence["statements"]}
    statements = Statement.objects.filter(sha256__in=hashes).select_related("custodian__entity")
    return {statement.sha256: statement for statement in statements}


def _positions(results: list[TokenResult]) -> dict[UUID, Position]:
    """Return by account what the statements that the run read say."""
    read = {one["id"] for result in results for one in result.evidence["statements"]}
    positions = Position.objects.filter(statement__in=read).select_related("statement")
    return {position.account_id: position for position in positions}


def _snapshots(results: list[TokenResult]) -> dict[UUID, SupplySnapshot]:
    read = {one["snapshot"] for result in results for one in result.evidence["blocks"]}
    snapshots = SupplySnapshot.objects.filter(pk__in=read)
    return {snapshot.deployment_id: snapshot for snapshot in snapshots}
