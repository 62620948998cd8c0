"""Whether reconciliations are clean and new enough to go on after, and if not, what is missing."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from issuer.chain.models import SupplySnapshot
from issuer.custody import selectors as custody
from issuer.custody.models import CustodyAccount
from issuer.foundation.canonical import timestamp
from issuer.gate.models import Scope
from issuer.instruments.models import Deployment, Token
from issuer.reconciliation.alarms import programs_alarmed
from issuer.reconciliation.models import Run, TokenResult
from issuer.reconciliation.selectors import open_breaks, tokens_under
from issuer.reconciliation.states import Severity
from issuer.reconciliation.trust import newest_snapshots, trust_now
from issuer.reserves.cover import CoverStatus

#: While a break of these is open, nothing goes on.
_GRAVE: Final = (Severity.CRITICAL, Severity.HIGH)
_ENOUGH: Final = (CoverStatus.COVERED, CoverStatus.IN_TRANSIT)


def what_is_unclean(scope: Scope, runs: Sequence[Run], *, since: datetime) -> list[str]:
    """Return why nothing may go on under a gate after the newest `runs` of its programs.

    Empty if each is as of after `since` and looked at blocks of after `since` and at the current
    statements, finds every token covered, if only with shares in transit, no break of the tokens
    is open that is critical or high, nothing of a thief's waits to be found, and whoever may have
    minted past the books holds no role any more, on whatever chain.
    """
    tokens = list(tokens_under(scope))
    late = [run for run in runs if run.as_of <= since]
    unclean = [f"{run.program} was not reconciled since {timestamp(since)}." for run in late]
    results = TokenResult.objects.filter(run__in=runs, token__in=tokens)
    by_token = {result.token_id: result for result in results.order_by()}
    for token in tokens:
        result = by_token.get(token.pk)
        status = CoverStatus.UNKNOWN if result is None else CoverStatus(result.status)
        if status not in _ENOUGH:
            unclean.append(f"{token.symbol} is {status.label.lower()}.")
    evidence = {token: by_token[token.pk].evidence for token in tokens if token.pk in by_token}
    unclean += _old_blocks(evidence, since)
    unclean += _old_statements(evidence)
    alarmed = programs_alarmed().filter(pk__in=[run.program_id for run in runs])
    unclean += [
        f"{program} has a mint that nobody approved, or somebody in a role whom we do not trust."
        for program in alarmed
    ]
    unclean += _keys_at_large()
    grave = open_breaks().filter(token__in=tokens, severity__in=_GRAVE)
    return unclean + [f"{found} is open." for found in grave]


def _old_blocks(evidence: Mapping[Token, Mapping[str, Any]], since: datetime) -> Iterator[str]:
    """Say which chains were not read as of after `since`: what they hold now, no run has seen."""
    used = [block["snapshot"] for each in evidence.values() for block in each["blocks"]]
    snapshots = SupplySnapshot.objects.filter(pk__in=used).order_by()
    mined_at = dict(snapshots.values_list("deployment_id", "block_mined_at"))
    deployments = Deployment.objects.filter(token__in=evidence).select_related("token", "network")
    for deployment in deployments.order_by("token__symbol", "network__caip2"):
        newest = mined_at.get(deployment.pk)
        if newest is None:
            yield f"{deployment} was not read."
        elif newest <= since:
            yield f"{deployment} was read up to {timestamp(newest)}, not since {timestamp(since)}."


def _old_statements(evidence: Mapping[Token, Mapping[str, Any]]) -> Iterator[str]:
    """Say which statements a run rests on although newer or corrected ones are there."""
    accounts = CustodyAccount.objects.filter(token__in=evidence).select_related("token")
    current = custody.current_statements(set(accounts.values_list("custodian_id", flat=True)))
    for account in accounts.order_by("token__symbol", "reference"):
        statement = current.get(account.custodian_id)
        used = {one["id"] for one in evidence[account.token]["statements"]}
        if statement is not None and str(statement.pk) not in used:
            yield f"{account.token.symbol} was not reconciled with {statement}."


def _keys_at_large() -> list[str]:
    """Say which keys may have minted past the books and could still do something, anywhere."""
    trust = trust_now()
    large = {
        f"{one.address} may have minted past the books, and is "
        f"{one.purpose.label.lower()} on {one.network}."
        for snapshot in newest_snapshots()
        for one in trust.untrusted(snapshot, snapshot.deployment.network)
        if one.suspected
    }
    return sorted(large)
