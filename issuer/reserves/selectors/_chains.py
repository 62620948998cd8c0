"""What chains say of a token's deployments."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import OuterRef, Subquery

from issuer.chain.models import NetworkTrouble, SupplySnapshot, TransactionIntent
from issuer.chain.states import LIVE_STATES, IntentKind, IntentState
from issuer.foundation import quantities
from issuer.instruments.models import (
    ControlledAddress,
    ControlledRole,
    Deployment,
    Multiplier,
    Token,
)
from issuer.reserves.figures import DeploymentFigures, Excluded, Unbooked

#: Tokens that came back for redemption are owed for until they are burned.
_STILL_OWED = ControlledRole.REDEMPTION
#: Whole tokens. No issuer has as many; below it, sums and products fit NUMERIC(38, 18).
_SUPPLY_MAX = Decimal(10) ** 16

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class _ChainRows:
    """What is known of the deployments of some tokens; a query for each kind of row."""

    snapshots: Mapping[UUID, SupplySnapshot]
    multipliers: Mapping[UUID, Sequence[Multiplier]]
    troubles: Mapping[UUID, datetime]
    controlled: Mapping[tuple[UUID, str], ControlledAddress]
    unbooked: Mapping[UUID, Sequence[TransactionIntent]]


def deployment_figures(
    tokens: Sequence[Token], at: datetime
) -> dict[UUID, list[DeploymentFigures]]:
    """Return the figures of the deployments of each token, by the token's id."""
    deployments = Deployment.objects.filter(token__in=tokens).select_related("token", "network")
    rows = _chain_rows(tokens, at)
    by_token: dict[UUID, list[DeploymentFigures]] = defaultdict(list)
    for deployment in deployments.order_by("token_id", "network__caip2"):
        by_token[deployment.token_id].append(_figures_of_deployment(deployment, rows, at))
    return by_token


def burning(token: Token) -> list[tuple[Deployment, Decimal]]:
    """Return the burns of `token` that are signed and not booked: where, and how many tokens."""
    intents = TransactionIntent.objects.filter(
        deployment__token=token,
        kind=IntentKind.BURN,
        state__in=LIVE_STATES | {IntentState.FINAL},
    ).select_related("deployment")
    return [
        (
            intent.deployment,
            quantities.to_quantity(intent.base_units, decimals=intent.deployment.decimals),
        )
        for intent in intents
        if intent.base_units is not None
    ]


def _chain_rows(tokens: Sequence[Token], at: datetime) -> _ChainRows:
    newest = (
        SupplySnapshot.objects.filter(deployment=OuterRef("pk"))
        .order_by("-block_number")
        .values("pk")[:1]
    )
    deployments = Deployment.objects.filter(token__in=tokens)
    snapshots = list(
        SupplySnapshot.objects.filter(
            pk__in=deployments.order_by().values_list(Subquery(newest), flat=True)
        )
    )
    times = [at, *(snapshot.block_mined_at for snapshot in snapshots)]
    multipliers = Multiplier.objects.filter(
        deployment__token__in=tokens,
        effective__overlap=DateTimeTZRange(min(times), max(times), "[]"),
    )
    troubles = NetworkTrouble.objects.filter(ended_at=None)
    intents = TransactionIntent.objects.filter(
        deployment__token__in=tokens,
        state=IntentState.FINAL,
        kind__in=[IntentKind.MINT, IntentKind.BURN],
    )
    return _ChainRows(
        snapshots={snapshot.deployment_id: snapshot for snapshot in snapshots},
        multipliers=_grouped(multipliers, lambda multiplier: multiplier.deployment_id),
        troubles=dict(troubles.order_by().values_list("network_id", "since")),
        controlled={
            (controlled.network_id, controlled.address): controlled
            for controlled in ControlledAddress.objects.exclude(role=_STILL_OWED)
        },
        unbooked=_grouped(
            intents.select_related("event").order_by("signed_at", "id"),
            lambda intent: intent.deployment_id,
        ),
    )


def _figures_of_deployment(
    deployment: Deployment, rows: _ChainRows, at: datetime
) -> DeploymentFigures:
    snapshot = rows.snapshots.get(deployment.pk)
    multipliers = rows.multipliers.get(deployment.pk, ())
    multiplier = _in_effect(multipliers, at)
    reason = _reason(deployment, snapshot, multipliers, rows.troubles, at)
    if snapshot is None or reason is not None:
        return DeploymentFigures(deployment, multiplier, snapshot, None, (), (), (), reason)
    intents = rows.unbooked.get(deployment.pk, ())
    return DeploymentFigures(
        deployment=deployment,
        multiplier=multiplier,
        snapshot=snapshot,
        supply=quantities.to_quantity(
            snapshot.total_supply_base_units, decimals=deployment.decimals
        ),
        excluded=tuple(_excluded(deployment, snapshot, rows)),
        unbooked=tuple(_unbooked(IntentKind.MINT, intents, deployment, snapshot)),
        unbooked_burns=tuple(_unbooked(IntentKind.BURN, intents, deployment, snapshot)),
        reason=None,
    )


def _in_effect(multipliers: Sequence[Multiplier], at: datetime) -> Decimal | None:
    return next((one.value for one in multipliers if at in one.effective), None)


def _reason(
    deployment: Deployment,
    snapshot: SupplySnapshot | None,
    multipliers: Sequence[Multiplier],
    troubles: Mapping[UUID, datetime],
    at: datetime,
) -> str | None:
    """Return why the supply of a deployment is not known, if so."""
    network = deployment.network
    if network.pk in troubles:
        # The public reads this, so what the node said stays with staff, in the trouble itself.
        since = f"{troubles[network.pk]:%Y-%m-%d %H:%M:%S}Z"
        return f"{network.name} has not been read with confidence since {since}."
    if snapshot is None:
        return f"{deployment} has not been read yet."
    age_max = timedelta(seconds=network.final_age_max_seconds)
    if at - snapshot.block_mined_at > age_max:
        mined_at = f"{snapshot.block_mined_at:%Y-%m-%d %H:%M:%S}Z"
        return f"The newest final block of {deployment} that was read is of {mined_at}."
    supply_max = quantities.to_base_units(_SUPPLY_MAX, decimals=deployment.decimals)
    if snapshot.total_supply_base_units > supply_max:
        return f"The supply of {deployment} is more than can be counted here."
    present = _in_effect(multipliers, at)
    if present is None:
        return f"The books know no multiplier of {deployment} for now."
    # The block may be of before a split that is effective now, and has to agree with its own time;
    # the first block that is read may be of before the books knew the deployment.
    expected = _in_effect(multipliers, snapshot.block_mined_at) or present
    on_chain = quantities.to_quantity(snapshot.ui_multiplier_base_units, decimals=quantities.SCALE)
    if on_chain != expected:
        shown, booked = quantities.to_text(on_chain), quantities.to_text(expected)
        return f"The multiplier of {deployment} is {shown} on chain and {booked} in the books."
    return None


def _excluded(
    deployment: Deployment, snapshot: SupplySnapshot, rows: _ChainRows
) -> Iterator[Excluded]:
    for address, base_units in sorted(snapshot.controlled_base_units.items()):
        controlled = rows.controlled.get((deployment.network_id, address))
        quantity = quantities.to_quantity(int(base_units), decimals=deployment.decimals)
        if controlled is not None and quantity:
            role = ControlledRole(controlled.role)
            yield Excluded(role, address, quantity, controlled.reason)


def _unbooked(
    kind: IntentKind,
    intents: Sequence[TransactionIntent],
    deployment: Deployment,
    snapshot: SupplySnapshot,
) -> Iterator[Unbooked]:
    """Return what is final and not booked, of one kind; a seizure is in no book, and never here."""
    for intent in intents:
        event = intent.event
        # One in a later block than the snapshot's is not part of its supply.
        if intent.kind == kind and event and event.block_number <= snapshot.block_number:
            yield Unbooked(
                request_id=intent.request_id,
                quantity=quantities.to_quantity(event.base_units, decimals=deployment.decimals),
                transaction_hash=event.transaction_hash,
                mined_at=event.block_mined_at,
            )


def _grouped(rows: Iterable[Row], key: Callable[[Row], UUID]) -> dict[UUID, list[Row]]:
    groups: dict[UUID, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups
