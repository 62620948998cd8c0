"""Which holds shut the minting of a token, for many tokens at once."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from issuer.custody.models import CustodyAccount
from issuer.gate.models import Hold, ScopeKind
from issuer.gate.selectors import ScopeKey
from issuer.instruments.models import Deployment, Token
from issuer.reserves.figures import TokenFigures


def holds_on(tokens: Iterable[Token]) -> dict[UUID, list[Hold]]:
    """Return the holds in force on each token, by the token's id, the oldest first.

    A token is shut by a hold on itself, on its program, on any network it is deployed to and on
    any custodian that holds its shares.
    """
    scopes: dict[UUID, set[ScopeKey]] = {
        token.pk: {(ScopeKind.PROGRAM, token.program_id), (ScopeKind.TOKEN, token.pk)}
        for token in tokens
    }
    networks = Deployment.objects.filter(token__in=scopes).values_list("token_id", "network_id")
    for token_id, network_id in networks:
        scopes[token_id].add((ScopeKind.NETWORK, network_id))
    accounts = CustodyAccount.objects.filter(token__in=scopes)
    for token_id, custodian_id in accounts.values_list("token_id", "custodian_id"):
        scopes[token_id].add((ScopeKind.CUSTODIAN, custodian_id))

    in_force: dict[ScopeKey, list[Hold]] = defaultdict(list)
    for hold in Hold.objects.filter(released_at=None).select_related("scope").order_by("id"):
        in_force[ScopeKind(hold.scope.kind), hold.scope.subject_id].append(hold)
    return {
        token_id: sorted(
            (hold for scope in shut_by for hold in in_force.get(scope, [])),
            key=lambda hold: hold.pk,
        )
        for token_id, shut_by in scopes.items()
    }


def holds_between(
    tokens: Iterable[Token], start: datetime, until: datetime
) -> dict[UUID, list[Hold]]:
    """Return by token the holds in force at any time after `start` until `until`, oldest first.

    With `start` and `until` the same, those in force at that instant. A token is shut by a hold on
    itself, its program, any of its networks and any of its custodians.
    """
    scopes: dict[UUID, set[ScopeKey]] = {
        token.pk: {(ScopeKind.PROGRAM, token.program_id), (ScopeKind.TOKEN, token.pk)}
        for token in tokens
    }
    networks = Deployment.objects.filter(token__in=scopes).order_by()
    for token_id, network_id in networks.values_list("token_id", "network_id"):
        scopes[token_id].add((ScopeKind.NETWORK, network_id))
    accounts = CustodyAccount.objects.filter(token__in=scopes, opened_at__lte=until).order_by()
    for token_id, custodian_id in accounts.values_list("token_id", "custodian_id"):
        scopes[token_id].add((ScopeKind.CUSTODIAN, custodian_id))
    held = Hold.objects.filter(Q(released_at=None) | Q(released_at__gt=start), placed_at__lte=until)
    found: dict[UUID, list[Hold]] = defaultdict(list)
    for hold in held.select_related("scope").order_by("placed_at", "id"):
        for token_id, shut_by in scopes.items():
            if (hold.scope.kind, hold.scope.subject_id) in shut_by:
                found[token_id].append(hold)
    return found


def shut_networks(figures: TokenFigures, holds: Iterable[Hold]) -> frozenset[UUID]:
    """Return the ids of the networks on which a token must not be minted.

    `holds` are those in force on it: one on a network shuts that one, any other all of them.
    """
    shut = set()
    for hold in holds:
        if hold.scope.kind != ScopeKind.NETWORK:
            return frozenset(one.deployment.network_id for one in figures.deployments)
        shut.add(hold.scope.subject_id)
    return frozenset(shut)
