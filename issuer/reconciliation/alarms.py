"""What must not wait for the next run: a mint past the books, and whoever could make one."""

from collections.abc import Iterator
from uuid import UUID

from django.db.models import CharField, Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat

from issuer.chain.selectors import mints_past_the_books
from issuer.parties.models import Program
from issuer.reconciliation.models import Break
from issuer.reconciliation.states import BreakCode, BreakState
from issuer.reconciliation.trust import newest_snapshots, trust_now


def programs_alarmed() -> QuerySet[Program]:
    """Return the programs with something of a thief's that no run has found yet.

    That is a final mint that nobody approved, or somebody in a role whom we do not trust, who
    need not have used it.
    """
    subject = Concat("transaction_hash", Value("#"), Cast("log_index", CharField()))
    found = Break.objects.filter(
        token=OuterRef("deployment__token"), code=BreakCode.UNA_MINT, subject=OuterRef("named")
    )
    news = (
        mints_past_the_books()
        .filter(deployment__token__program=OuterRef("pk"))
        .annotate(named=subject)
        .order_by()
    )
    alarmed = Q(Exists(news.exclude(Exists(found)))) | Q(pk__in=set(_of_strangers()))
    return Program.objects.filter(alarmed).order_by("pk")


def _of_strangers() -> Iterator[UUID]:
    """Yield the programs on whose contracts the newest blocks show somebody new in a role."""
    trust = trust_now()
    found = Break.objects.filter(code=BreakCode.CHN_UNK, state=BreakState.OPEN)
    known = set(found.order_by().values_list("token_id", "subject"))
    for snapshot in newest_snapshots():
        token, network = snapshot.deployment.token, snapshot.deployment.network
        strangers = trust.untrusted(snapshot, network)
        if any((token.pk, one.subject) not in known for one in strangers):
            yield token.program_id
