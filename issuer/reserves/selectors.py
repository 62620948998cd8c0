"""Whether the shares are there."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from django.db.models import OuterRef, Subquery, Sum

from issuer.chain.models import NetworkTrouble, SupplySnapshot, TransactionIntent
from issuer.chain.states import IntentState
from issuer.custody import selectors as custody
from issuer.custody.models import CustodyAccount, Position, Statement
from issuer.foundation import quantities
from issuer.gate.models import ScopeKind
from issuer.gate.selectors import ScopeKey
from issuer.instruments import chart
from issuer.instruments.models import (
    ControlledAddress,
    ControlledRole,
    Deployment,
    Multiplier,
    Network,
    Token,
)
from issuer.ledger.models import Account
from issuer.reserves.cover import Cover
from issuer.reserves.figures import (
    AccountFigures,
    DeploymentFigures,
    Excluded,
    TokenFigures,
    UnbookedMint,
)
from issuer.reserves.models import ShareHold
from issuer.reserves.states import ShareHoldState

#: Tokens that came back for redemption are owed for until they are burned.
_STILL_OWED = ControlledRole.REDEMPTION
_NOTHING = Decimal(0)
#: Whole tokens. No issuer has as many; below it, sums and products fit NUMERIC(38, 18).
_SUPPLY_MAX = Decimal(10) ** 16

Row = TypeVar("Row")


def cover_of(token: Token, *, at: datetime) -> Cover:
    """Return the equation of `token` at `at`."""
    return covers_of([token], at=at)[token.pk]


def covers_of(tokens: Sequence[Token], *, at: datetime) -> dict[UUID, Cover]:
    """Return the equation of each token at `at`, by its id; as many queries for one as for all."""
    return {key: figures.cover for key, figures in figures_of(tokens, at=at).items()}


def figures_of(tokens: Sequence[Token], *, at: datetime) -> dict[UUID, TokenFigures]:
    """Return what the equation of each token is made of at `at`, by the token's id.

    Holds of shares are read first and the books last: a mint that is booked in between is then
    counted twice rather than not at all. Whoever needs it exact reads in one snapshot, or holds
    the locks of the tokens.
    """
    reserved = _reserved(tokens)
    chains = _deployment_figures(tokens, at)
    accounts = list(
        CustodyAccount.objects.filter(token__in=tokens)
        .select_related("token__security", "custodian__entity")
        .order_by("token_id", "reference")
    )
    statements = custody.current_statements({account.custodian_id for account in accounts})
    positions = custody.positions_in(statements.values(), accounts)
    receipts = _grouped(custody.open_instructions(accounts), lambda one: one.account.token_id)
    balances = _balances(tokens, accounts)

    by_token: dict[UUID, list[AccountFigures]] = defaultdict(list)
    for account in accounts:
        statement, position = statements.get(account.custodian_id), positions.get(account.pk)
        figures = _account_figures(account, statement, position, balances, at)
        by_token[account.token_id].append(figures)
    return {
        token.pk: TokenFigures(
            token=token,
            as_of=at,
            deployments=tuple(chains.get(token.pk, ())),
            accounts=tuple(by_token.get(token.pk, ())),
            receipts=tuple(receipts.get(token.pk, ())),
            outstanding=balances.get(chart.tokens_outstanding(token), _NOTHING),
            owed_on_tokens=balances.get(chart.shares_owed_on_tokens(token), _NOTHING),
            paid_not_minted=balances.get(chart.shares_paid_not_minted(token), _NOTHING),
            own=balances.get(chart.shares_own(token), _NOTHING),
            reserved=reserved.get(token.pk, _NOTHING),
        )
        for token in tokens
    }


def scopes_of(token: Token, network: Network) -> list[ScopeKey]:
    """Return the gates that all have to be open for a mint of `token` on `network`."""
    custodians = token.custody_accounts.order_by().values_list("custodian_id", flat=True)
    return [
        (ScopeKind.PROGRAM, token.program_id),
        (ScopeKind.TOKEN, token.pk),
        (ScopeKind.NETWORK, network.pk),
        *((ScopeKind.CUSTODIAN, custodian_id) for custodian_id in custodians.distinct()),
    ]


def active_hold(request_id: UUID) -> ShareHold | None:
    """Return the shares that are held for a request, if any are."""
    return ShareHold.objects.filter(request_id=request_id, state=ShareHoldState.ACTIVE).first()


def _reserved(tokens: Sequence[Token]) -> dict[UUID, Decimal]:
    holds = ShareHold.objects.filter(token__in=tokens, state=ShareHoldState.ACTIVE)
    sums = holds.order_by().values_list("token_id").annotate(held=Sum("quantity"))
    return dict(sums)


def _balances(tokens: Sequence[Token], accounts: Sequence[CustodyAccount]) -> Mapping[str, Decimal]:
    codes = [
        code(token)
        for token in tokens
        for code in (
            chart.tokens_outstanding,
            chart.shares_owed_on_tokens,
            chart.shares_paid_not_minted,
            chart.shares_own,
        )
    ]
    codes += [
        code(account.token, account.reference)
        for account in accounts
        for code in (chart.shares_settled, chart.shares_pending_receipt)
    ]
    return dict(Account.objects.filter(code__in=codes).values_list("code", "balance"))


def _account_figures(
    account: CustodyAccount,
    statement: Statement | None,
    position: Position | None,
    balances: Mapping[str, Decimal],
    at: datetime,
) -> AccountFigures:
    reason = custody.statement_overdue(account, statement, at=at)
    if (
        reason is None
        and statement is not None
        and position is None
        and account.opened_at.date() <= statement.as_of_date
    ):
        reason = f"{statement} leaves the account of {account.token} out"  # read by the public
    token, reference = account.token, account.reference
    return AccountFigures(
        account=account,
        statement=statement,
        position=position,
        booked=balances.get(chart.shares_settled(token, reference), _NOTHING),
        pending=balances.get(chart.shares_pending_receipt(token, reference), _NOTHING),
        reason=None if reason is None else f"{token.symbol}: {reason}.",
    )


@dataclass(frozen=True, slots=True)
class _ChainRows:
    """What is known of the deployments of some tokens; a query for each kind of row."""

    snapshots: Mapping[UUID, SupplySnapshot]
    multipliers: Mapping[UUID, Decimal]
    troubles: Mapping[UUID, str]
    controlled: Mapping[tuple[UUID, str], ControlledAddress]
    mints: Mapping[UUID, Sequence[TransactionIntent]]


def _deployment_figures(
    tokens: Sequence[Token], at: datetime
) -> dict[UUID, list[DeploymentFigures]]:
    deployments = Deployment.objects.filter(token__in=tokens).select_related("token", "network")
    rows = _chain_rows(tokens, at)
    by_token: dict[UUID, list[DeploymentFigures]] = defaultdict(list)
    for deployment in deployments.order_by("token_id", "network__caip2"):
        by_token[deployment.token_id].append(_figures_of_deployment(deployment, rows, at))
    return by_token


def _chain_rows(tokens: Sequence[Token], at: datetime) -> _ChainRows:
    newest = (
        SupplySnapshot.objects.filter(deployment=OuterRef("pk"))
        .order_by("-block_number")
        .values("pk")[:1]
    )
    deployments = Deployment.objects.filter(token__in=tokens)
    snapshots = SupplySnapshot.objects.filter(
        pk__in=deployments.order_by().values_list(Subquery(newest), flat=True)
    )
    multipliers = Multiplier.objects.filter(deployment__token__in=tokens, effective__contains=at)
    troubles = NetworkTrouble.objects.filter(ended_at=None)
    mints = TransactionIntent.objects.filter(deployment__token__in=tokens, state=IntentState.FINAL)
    return _ChainRows(
        snapshots={snapshot.deployment_id: snapshot for snapshot in snapshots},
        multipliers=dict(multipliers.order_by().values_list("deployment_id", "value")),
        troubles=dict(troubles.order_by().values_list("network_id", "reason")),
        controlled={
            (controlled.network_id, controlled.address): controlled
            for controlled in ControlledAddress.objects.exclude(role=_STILL_OWED)
        },
        mints=_grouped(
            mints.select_related("event").order_by("signed_at", "id"),
            lambda intent: intent.deployment_id,
        ),
    )


def _figures_of_deployment(
    deployment: Deployment, rows: _ChainRows, at: datetime
) -> DeploymentFigures:
    snapshot = rows.snapshots.get(deployment.pk)
    multiplier = rows.multipliers.get(deployment.pk)
    trouble = rows.troubles.get(deployment.network_id)
    reason = _reason(deployment, snapshot, multiplier, trouble, at)
    if snapshot is None or reason is not None:
        return DeploymentFigures(deployment, multiplier, snapshot, None, (), (), reason)
    decimals = deployment.decimals
    return DeploymentFigures(
        deployment=deployment,
        multiplier=multiplier,
        snapshot=snapshot,
        supply=quantities.to_quantity(snapshot.total_supply_base_units, decimals=decimals),
        excluded=tuple(_excluded(deployment, snapshot, rows)),
        unbooked=tuple(
            UnbookedMint(
                request_id=intent.request_id,
                quantity=quantities.to_quantity(intent.event.base_units, decimals=decimals),
                transaction_hash=intent.event.transaction_hash,
                mined_at=intent.event.block_mined_at,
            )
            for intent in rows.mints.get(deployment.pk, ())
            # One in a later block than the snapshot's is not part of its supply.
            if intent.event is not None and intent.event.block_number <= snapshot.block_number
        ),
        reason=None,
    )


def _reason(
    deployment: Deployment,
    snapshot: SupplySnapshot | None,
    multiplier: Decimal | None,
    trouble: str | None,
    at: datetime,
) -> str | None:
    """Return why the supply of a deployment is not known, if so."""
    network = deployment.network
    if trouble is not None:
        return f"{network.name} cannot be read: {trouble}"
    if snapshot is None:
        return f"{deployment} has not been read yet."
    age_max = timedelta(seconds=network.final_age_max_seconds)
    if at - snapshot.block_mined_at > age_max:
        mined_at = f"{snapshot.block_mined_at:%Y-%m-%d %H:%M:%S}Z"
        return f"The newest final block of {deployment} that was read is of {mined_at}."
    supply_max = quantities.to_base_units(_SUPPLY_MAX, decimals=deployment.decimals)
    if snapshot.total_supply_base_units > supply_max:
        return f"The supply of {deployment} is more than can be counted here."
    if multiplier is None:
        return f"The books know no multiplier of {deployment} for now."
    on_chain = quantities.to_quantity(snapshot.ui_multiplier_base_units, decimals=quantities.SCALE)
    if on_chain != multiplier:
        shown, booked = quantities.to_text(on_chain), quantities.to_text(multiplier)
        return f"The multiplier of {deployment} is {shown} on chain and {booked} in the books."
    return None


def _excluded(
    deployment: Deployment, snapshot: SupplySnapshot, rows: _ChainRows
) -> Iterable[Excluded]:
    for address, base_units in sorted(snapshot.controlled_base_units.items()):
        controlled = rows.controlled.get((deployment.network_id, address))
        quantity = quantities.to_quantity(int(base_units), decimals=deployment.decimals)
        if controlled is not None and quantity:
            role = ControlledRole(controlled.role)
            yield Excluded(role, address, quantity, controlled.reason)


def _grouped(rows: Iterable[Row], key: Callable[[Row], UUID]) -> dict[UUID, list[Row]]:
    groups: dict[UUID, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups
