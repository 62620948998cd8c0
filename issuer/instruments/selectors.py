"""Questions about tokens and their deployments."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import QuerySet

from issuer.foundation import canonical
from issuer.foundation.transactions import require_transaction
from issuer.instruments import errors
from issuer.instruments.models import Deployment, Multiplier, Token
from issuer.parties.models import Program


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
