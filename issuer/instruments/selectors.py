"""Questions about tokens and their deployments."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final
from uuid import UUID

from django.db.models import F, Q, QuerySet

from issuer.foundation import canonical, quantities
from issuer.foundation.transactions import require_transaction
from issuer.instruments import errors
from issuer.instruments.models import Deployment, Multiplier, Split, Token
from issuer.parties.models import Program

#: The least step of time that the database knows.
INSTANT: Final = timedelta(microseconds=1)


def multiplier_at(deployment: Deployment, at: datetime) -> Decimal:
    """Return how many shares a token of `deployment` stands for at `at`.

    Raises:
        MultiplierUnknown: if none is in effect then.
    """
    return multipliers_at([deployment], at)[deployment.pk]


def multipliers_at(deployments: Sequence[Deployment], at: datetime) -> dict[UUID, Decimal]:
    """Return the multiplier at `at` of each of `deployments`, by its id; one query for all.

    Raises:
        MultiplierUnknown: if one of them has none in effect then.
    """
    multipliers = dict(
        Multiplier.objects.filter(
            deployment__in=[deployment.pk for deployment in deployments], effective__contains=at
        ).values_list("deployment_id", "value")
    )
    for deployment in deployments:
        if deployment.pk not in multipliers:
            detail = f"{deployment} has no multiplier at {canonical.timestamp(at)}."
            raise errors.MultiplierUnknown(detail, deployment=str(deployment.pk))
    return multipliers


def booked_multiplier(deployment: Deployment, at: datetime) -> Decimal:
    """Return the multiplier that the books went by at `at`; see `booked_multipliers`.

    Raises:
        MultiplierUnknown: if none is in effect then.
    """
    return booked_multipliers([deployment], at)[deployment.pk]


def booked_multipliers(deployments: Sequence[Deployment], at: datetime) -> dict[UUID, Decimal]:
    """Return the multiplier that the books went by at `at` of each of `deployments`, by its id.

    A split that was effective at `at` and not booked yet had not reached the books: for them a
    token still stood for the shares before it.

    Raises:
        MultiplierUnknown: if one of them has none in effect then.
    """
    unbooked = Split.objects.filter(
        Q(booked_at=None) | Q(booked_at__gt=at),
        token__in={deployment.token_id for deployment in deployments},
        effective_at__lte=at,
        cancelled_at=None,
    )
    until_the_split = Multiplier.objects.filter(
        deployment__in=[deployment.pk for deployment in deployments],
        deployment__token__splits__in=unbooked,
        effective__endswith=F("deployment__token__splits__effective_at"),
    )
    return multipliers_at(deployments, at) | dict(
        until_the_split.values_list("deployment_id", "value")
    )


def splits_of(tokens: Iterable[Token]) -> dict[UUID, list[Split]]:
    """Return the splits of each token that were not called off, oldest first, by its id."""
    splits: dict[UUID, list[Split]] = defaultdict(list)
    found = Split.objects.filter(token__in=[token.pk for token in tokens], cancelled_at=None)
    for split in found.order_by("effective_at", "id"):
        splits[split.token_id].append(split)
    return dict(splits)


def split_factor(splits: Iterable[Split], *, after: date, until: datetime) -> Fraction:
    """Return how many shares a share of the close of the day `after` had become by `until`.

    A statement as of the day of a split, or of a later one, shows the new shares already.
    """
    factor = Fraction(1)
    for split in splits:
        if after < split.effective_at.date() and split.effective_at <= until:
            factor *= split.factor
    return factor


def unbooked_split_factor(splits: Iterable[Split], *, at: datetime) -> Fraction:
    """Return how many shares a share in the books was at `at`: 1 unless a split is to be booked."""
    factor = Fraction(1)
    for split in splits:
        if split.unbooked_at(at):
            factor *= split.factor
    return factor


def pending_split(token: Token) -> Split | None:
    """Return the split of `token` that is scheduled, or effective and not in the books yet."""
    return Split.objects.filter(token=token, booked_at=None, cancelled_at=None).first()


def last_booking(token: Token, at: datetime) -> datetime:
    """Return `at`, or when the last split of a locked token was booked if that is later.

    Who waited for the lock looked at the clock before: the books may have moved on since.
    """
    booked = Split.objects.filter(token=token, booked_at__gt=at).order_by("booked_at").last()
    return at if booked is None or booked.booked_at is None else booked.booked_at


def require_counted_as_booked(token: Token, *, at: datetime) -> None:
    """Refuse where shares of a locked token at `at` are others than those that the books count.

    Whoever adds shares to the books, or to what a split multiplies with them, asks this first.

    Raises:
        SharesCountedOtherwise: if a split is effective and not booked, or was booked meanwhile.
    """
    effective, booked = Q(effective_at__lte=at), Q(booked_at__isnull=False)
    apart = Split.objects.filter(effective & ~booked | ~effective & booked, token=token)
    split = apart.filter(cancelled_at=None).first()
    if split is None:
        return
    when = canonical.timestamp(split.effective_at)
    detail = f"The split {split} holds since {when}, and is not in the books yet."
    if split.booked_at is not None:
        detail = f"The split {split} of {when} was booked in the meantime; count the shares again."
    raise errors.SharesCountedOtherwise(detail, split=str(split.pk))


def split_multipliers(split: Split) -> dict[Deployment, Decimal]:
    """Return what `split` makes of the multiplier of each deployment of its token.

    Raises:
        MultiplierUnknown: if a deployment has none just before the split.
        SplitInexact: if a new one cannot be written down exactly.
    """
    deployments = list(split.token.deployments.select_related("token", "network"))
    present = multipliers_at(deployments, split.effective_at - INSTANT)
    found = {}
    for deployment in deployments:
        value = quantities.scaled(present[deployment.pk], split.factor)
        if value is None:
            text = quantities.to_text(present[deployment.pk])
            detail = f"{text} shares per token cannot be split {split.shares_after}:"
            detail += f"{split.shares_before} to the last of 18 decimal places."
            raise errors.SplitInexact(detail, multiplier=text)
        found[deployment] = value
    return found


def tokens_of(program: Program) -> QuerySet[Token]:
    """Return the tokens of `program` with their securities, by symbol."""
    return program.tokens.select_related("security").order_by("symbol")


def lock_token(token_id: UUID) -> Token:
    """Return a token, locked until the transaction ends: the lock of its equation.

    Whoever uses up shares of the token takes it first, so that no two use the same ones.

    Raises:
        Token.DoesNotExist: if there is none of this id.
    """
    require_transaction()
    return (
        Token.objects.select_for_update(of=("self",))
        .select_related("program", "security")
        .get(pk=token_id)
    )
