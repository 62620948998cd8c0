"""Which holds shut the minting of a token during a period, for many tokens at once."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Q

from issuer.custody.models import CustodyAccount
from issuer.gate.models import GateState, Hold, ScopeKind
from issuer.gate.selectors import ScopeKey, tightest
from issuer.instruments.models import Deployment, Token

#: From open to shut.
TIGHTNESS: Final = (GateState.OPEN, GateState.REDEEM_ONLY, GateState.HALTED)


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


def gates(holds: Iterable[Hold], deployments: Iterable[Deployment]) -> dict[str, GateState]:
    """Return how far a token may be minted on each of its chains, by CAIP-2; `holds` are its own.

    A hold on a network shuts that one, and any other all of them.
    """
    holds = list(holds)
    return {
        one.network.caip2: tightest(
            GateState(hold.effect)
            for hold in holds
            if hold.scope.kind != ScopeKind.NETWORK or hold.scope.subject_id == one.network_id
        )
        for one in deployments
    }
