"""What changed the cover of tokens in a period: each kind of change by one query for all tokens."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

from django.db.models import Case, F, Min, OuterRef, Q, Subquery, Sum, Value, When, Window
from django.db.models.functions import Coalesce, Lag
from django.db.models.lookups import LessThanOrEqual

from issuer.attestation.period_low import (
    Cause,
    Change,
    Codes,
    Low,
    State,
    Stated,
    lowest,
    lowest_found_late,
)
from issuer.chain.models import ChainEvent, IntentTransition, SupplySnapshot
from issuer.chain.states import EventKind, IntentKind, IntentStep
from issuer.custody.models import CustodyAccount, Position, Statement
from issuer.instruments import chart
from issuer.instruments.models import (
    ControlledAddress,
    ControlledRole,
    Deployment,
    Multiplier,
    Split,
    Token,
)
from issuer.ledger.models import Entry
from issuer.reconciliation.models import TokenResult

#: Mints and burns of ours count from when they are in the books.
_BOOKED_LATER: Final = (IntentKind.MINT, IntentKind.BURN)

Changes: TypeAlias = Iterator[tuple[UUID, Change]]
#: What a reconciliation read of each deployment, by the deployment's id.
Snapshots: TypeAlias = Mapping[UUID, SupplySnapshot]


@dataclass(frozen=True)
class _Period:
    """What the cover of tokens is made of, and the time that is looked at.

    Of a deployment, blocks are looked at up to that of its snapshot in `read`. Those above that in
    `known` are late: the statement before had not read them. None of one that is not named.
    """

    tokens: Sequence[Token]
    deployments: Sequence[Deployment]
    accounts: Sequence[CustodyAccount]
    splits: Mapping[UUID, Sequence[Split]]
    start: datetime
    until: datetime
    read: Snapshots
    known: Snapshots | None

    def of(self, token_ids: Collection[UUID], start: datetime, until: datetime) -> "_Period":
        """Return another time of some of the tokens."""
        return replace(
            self,
            tokens=[one for one in self.tokens if one.pk in token_ids],
            deployments=[one for one in self.deployments if one.token_id in token_ids],
            accounts=[one for one in self.accounts if one.token_id in token_ids],
            start=start,
            until=until,
        )

    def late(self, deployment_id: UUID, block_number: int) -> bool:
        """Say whether the statement before had not read a block."""
        if self.known is None:
            return False
        last = self.known.get(deployment_id)
        return last is None or block_number > last.block_number


def lows_between(
    results: Sequence[TokenResult],
    deployments: Sequence[Deployment],
    accounts: Sequence[CustodyAccount],
    splits: Mapping[UUID, Sequence[Split]],
    *,
    start: datetime,
    read: Snapshots,
    known: Snapshots | None = None,
) -> dict[UUID, Low]:
    """Return the lowest cover from `start` until the cut-off of `results`, by token.

    A reconciliation of the period that found less than the changes tell counts, too. So does what
    chains did before `start` in blocks that the statement before could not know: above those of
    `known`, on which it rests. Blocks above those of `read`, on which `results` rest, are left to
    the next statement, so none is ever told twice or by nobody, whenever it was recorded.
    """
    tokens = [result.token for result in results]
    until = results[0].run.as_of
    period = _Period(tokens, deployments, accounts, splits, start, until, read, known)
    found = _lows_of_runs(tokens, start, until)
    states, changes = _read(period)
    for token_id, state in states.items():
        low = lowest(state, changes[token_id], start=start, until=until)
        run = found.get(token_id)
        if low is not None and (run is None or low.cover_bps <= run.cover_bps):
            found[token_id] = low
    for token_id, late in _found_late(period).items():
        if token_id not in found or late.cover_bps <= found[token_id].cover_bps:
            found[token_id] = late
    return found


def _found_late(period: _Period) -> dict[UUID, Low]:
    """Return, by token, the lowest cover before the period that its statement could not know."""
    began = _late_since(period)
    if not began:
        return {}
    # One instant before the first of them, nothing was late.
    before = period.of(began, min(began.values()) - timedelta(microseconds=1), period.start)
    states, changes = _read(before)
    lows = {
        token_id: lowest_found_late(state, changes[token_id]) for token_id, state in states.items()
    }
    return {token_id: low for token_id, low in lows.items() if low is not None}


def _late_since(period: _Period) -> dict[UUID, datetime]:
    """Return, by token, from which block on the statement before did not know what chains did."""
    if period.known is None:
        return {}
    late = Q(deployment__in=period.deployments, block_mined_at__lte=period.start)
    late &= _up_to(period.read) & ~_up_to(period.known)
    events = ChainEvent.objects.filter(late).exclude(intent__kind__in=_BOOKED_LATER)
    snapshots = SupplySnapshot.objects.filter(late)
    began: dict[UUID, datetime] = {}
    for found in (events, snapshots):
        first = found.order_by().values_list("deployment__token_id")
        for token_id, at in first.annotate(first=Min("block_mined_at")):
            began[token_id] = min(at, began.get(token_id, at))
    return began


def _up_to(snapshots: Snapshots) -> Q:
    """Return what is in a block of a deployment up to that of its snapshot."""
    of_deployment = SupplySnapshot.objects.filter(
        pk__in=[one.pk for one in snapshots.values()], deployment=OuterRef("deployment")
    )
    # One that is not named has no block so low.
    last = Coalesce(Subquery(of_deployment.values("block_number")[:1]), Value(-1))
    return Q(LessThanOrEqual(F("block_number"), last))


def _read(period: _Period) -> tuple[dict[UUID, State], dict[UUID, list[Change]]]:
    """Return, by token, the state at the start of the period, and what changed in it."""
    start, until = period.start, period.until
    states = {
        token.pk: State(
            codes=_codes(token, [one for one in period.accounts if one.token_id == token.pk]),
            decimals={
                one.pk: one.decimals for one in period.deployments if one.token_id == token.pk
            },
            splits=period.splits.get(token.pk, ()),
        )
        for token in period.tokens
    }
    changes: dict[UUID, list[Change]] = defaultdict(list)
    for token_id, change in (
        *_of_books(states, start, until),
        *_of_statements(period.accounts, start, until),
        *_of_chains(period),
        *_of_own_addresses(period),
        *_of_multipliers(period.deployments, until),
    ):
        if change.at <= start:
            states[token_id].apply(change)
        else:
            changes[token_id].append(change)
    return states, changes


def _codes(token: Token, accounts: Sequence[CustodyAccount]) -> Codes:
    return Codes(
        owed=chart.shares_owed_on_tokens(token),
        paid=chart.shares_paid_not_minted(token),
        burned=chart.shares_burned_not_delivered(token),
        settled={one.pk: chart.shares_settled(token, one.reference) for one in accounts},
        leaving={one.pk: chart.shares_pending_delivery(token, one.reference) for one in accounts},
    )


def _of_books(states: Mapping[UUID, State], start: datetime, until: datetime) -> Changes:
    token_of = {code: token_id for token_id, one in states.items() for code in one.codes.all()}
    entries = Entry.objects.filter(account__code__in=token_of)
    columns = ("account__code", "booked_at", "balance", "transfer__reference")
    opening = entries.filter(booked_at__lte=start).order_by("account_id", "-version")
    since = entries.filter(booked_at__gt=start, booked_at__lte=until).order_by("version")
    for found in (opening.distinct("account_id"), since):
        for code, at, balance, reference in found.values_list(*columns):
            yield token_of[code], Change(at, Cause.BOOKS, reference, code, balance)


def _of_statements(accounts: Sequence[CustodyAccount], start: datetime, until: datetime) -> Changes:
    statements = Statement.objects.filter(
        custodian__in={account.custodian_id for account in accounts}
    )
    opening = statements.filter(received_at__lte=start).order_by(
        "custodian_id", "-as_of_date", "-received_at"
    )
    read = [*opening.distinct("custodian_id").values_list("pk", flat=True)]
    read += statements.filter(received_at__gt=start, received_at__lte=until).values_list(
        "pk", flat=True
    )
    token_of = {account.pk: account.token_id for account in accounts}
    positions = Position.objects.filter(statement__in=read, account__in=token_of)
    for one in positions.select_related("statement").defer("statement__raw"):
        statement = one.statement
        stated = Stated(
            as_of_date=statement.as_of_date,
            received_at=statement.received_at,
            settled=one.settled,
            pending_delivery=one.pending_delivery,
            lent=one.lent,
            blocked=one.blocked,
        )
        yield (
            token_of[one.account_id],
            Change(
                statement.received_at,
                Cause.STATEMENT,
                statement.reference,
                one.account_id,
                stated,
            ),
        )


def _of_chains(period: _Period) -> Changes:
    start, until = period.start, period.until
    booked = IntentTransition.objects.filter(
        intent__event=OuterRef("pk"), step=IntentStep.BOOK.name
    ).values("occurred_at")[:1]
    events = ChainEvent.objects.filter(
        _up_to(period.read) | Q(intent__kind__in=_BOOKED_LATER),
        deployment__in=period.deployments,
        block_mined_at__lte=until,
    )
    counted = events.annotate(
        counted_at=Case(
            When(intent__kind__in=_BOOKED_LATER, then=Subquery(booked)),
            default=F("block_mined_at"),
        ),
    )
    token_of = {deployment.pk: deployment.token_id for deployment in period.deployments}
    before = counted.filter(counted_at__lte=start).order_by().values_list("deployment_id", "kind")
    for deployment_id, kind, moved in before.annotate(Sum("base_units")):
        change = Change(start, Cause.CHAIN, "", deployment_id, _signed(kind, moved))
        yield token_of[deployment_id], change
    since = counted.filter(counted_at__gt=start, counted_at__lte=until)
    columns = (
        "deployment_id",
        "intent__kind",
        "counted_at",
        "transaction_hash",
        "kind",
        "base_units",
        "block_number",
    )
    for deployment_id, ours, at, transaction, kind, moved, block in since.values_list(*columns):
        cause = Cause.BOOKS if ours in _BOOKED_LATER else Cause.CHAIN
        late = cause == Cause.CHAIN and period.late(deployment_id, block)
        change = Change(at, cause, transaction, deployment_id, _signed(kind, moved), late)
        yield token_of[deployment_id], change


def _signed(kind: str, base_units: int) -> int:
    """Return what an event adds to the supply."""
    return base_units if kind == EventKind.MINT else -base_units


def _of_own_addresses(period: _Period) -> Changes:
    """Yield what is at the issuer's own addresses, each time that a snapshot shows it to differ."""
    start, until = period.start, period.until
    ours = defaultdict(set)
    addresses = ControlledAddress.objects.exclude(role=ControlledRole.REDEMPTION).order_by()
    for network_id, address in addresses.values_list("network_id", "address"):
        ours[network_id].add(address)
    by_id = {deployment.pk: deployment for deployment in period.deployments}
    snapshots = SupplySnapshot.objects.filter(_up_to(period.read), deployment__in=by_id)
    columns = ("deployment_id", "block_mined_at", "controlled_base_units", "block_number")
    opening = snapshots.filter(block_mined_at__lte=start).order_by("deployment_id", "-block_number")
    since = (
        snapshots.filter(block_mined_at__gt=start, block_mined_at__lte=until)
        .annotate(
            before=Window(
                Lag("controlled_base_units"),
                partition_by=F("deployment_id"),
                order_by=F("block_number").asc(),
            )
        )
        .filter(Q(before__isnull=True) | ~Q(before=F("controlled_base_units")))
        .order_by("block_number")
    )
    for found in (opening.distinct("deployment_id"), since):
        for deployment_id, at, held, block in found.values_list(*columns):
            deployment = by_id[deployment_id]
            own = sum(int(held.get(address, 0)) for address in ours[deployment.network_id])
            late = period.late(deployment_id, block)
            caip2 = deployment.network.caip2
            change = Change(at, Cause.OWN_ADDRESS, caip2, deployment_id, own, late)
            yield deployment.token_id, change


def _of_multipliers(deployments: Sequence[Deployment], until: datetime) -> Changes:
    by_id = {deployment.pk: deployment for deployment in deployments}
    multipliers = Multiplier.objects.filter(
        deployment__in=by_id, effective__startswith__lte=until
    ).order_by("effective")
    for one in multipliers:
        deployment = by_id[one.deployment_id]
        at = one.effective.lower
        yield (
            deployment.token_id,
            Change(at, Cause.SPLIT, deployment.network.caip2, deployment.pk, one.value),
        )


def _lows_of_runs(tokens: Iterable[Token], start: datetime, until: datetime) -> dict[UUID, Low]:
    """Return, by token, the lowest cover that a reconciliation of the period found."""
    results = TokenResult.objects.filter(
        token__in=tokens, run__as_of__gt=start, run__as_of__lte=until, cover_bps__isnull=False
    ).order_by("token_id", "cover_bps", "run__as_of")
    lows = {}
    columns = ("token_id", "cover_bps", "run__as_of", "run_id")
    for token_id, bps, at, run_id in results.distinct("token_id").values_list(*columns):
        lows[token_id] = Low(bps, at, Cause.RECONCILIATION, str(run_id))
    return lows
