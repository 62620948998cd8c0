"""Questions about what companies do to their shares."""

from datetime import datetime

from django.db.models import OuterRef, Q, QuerySet, Subquery

from issuer.approvals import selectors as approvals_of
from issuer.approvals.models import Proposal
from issuer.chain.models import ContractAct, SupplySnapshot
from issuer.chain.states import ActState
from issuer.corporate_actions.models import StockSplit
from issuer.corporate_actions.payload import CANCEL_SPLIT, CONFIRM_SPLIT
from issuer.corporate_actions.states import AGREED_STATES, ActPurpose, SplitState
from issuer.custody import selectors as custody
from issuer.foundation import quantities
from issuer.gate.models import Cause, Hold
from issuer.instruments import chart
from issuer.instruments import selectors as instruments
from issuer.instruments.models import Token
from issuer.ledger import selectors as books


def splits_under_way() -> QuerySet[StockSplit]:
    """Return the splits that somebody has to look after, the next one first.

    Those agreed on until they are closed, or called off and every contract has been told; and
    whatever still holds a gate shut.
    """
    held = Hold.objects.filter(cause=Cause.WINDOW, released_at=None).values("reference")
    under_way = [*AGREED_STATES, SplitState.EFFECTIVE, SplitState.CANCELLING]
    return StockSplit.objects.filter(Q(state__in=under_way) | Q(pk__in=held)).order_by(
        "effective_at", "id"
    )


def stock_splits_of(token: Token) -> QuerySet[StockSplit]:
    """Return the splits of `token`, the latest first."""
    return StockSplit.objects.filter(token=token).order_by("-effective_at", "-id")


def proposal_of(stock_split: StockSplit) -> Proposal | None:
    """Return what waits for a second person: that the split goes ahead, or is called off."""
    return approvals_of.open_proposal(stock_split, CONFIRM_SPLIT) or approvals_of.open_proposal(
        stock_split, CANCEL_SPLIT
    )


def acts(stock_split: StockSplit, purpose: ActPurpose | None = None) -> QuerySet[ContractAct]:
    """Return what contracts were told for a split, for one purpose if it is named."""
    found = ContractAct.objects.filter(stock_split_act__stock_split=stock_split)
    if purpose is not None:
        found = found.filter(stock_split_act__purpose=purpose)
    return found.select_related("network").order_by("pk")


def told_everywhere(stock_split: StockSplit, purpose: ActPurpose) -> bool:
    """Say whether each contract of the token was told: by our acts, or by another of these terms.

    An act that failed may be repeated by hand; then the repetition counts.
    """
    terms = acts(stock_split, purpose).values("calls__deployment", "multiplier", "effective_at")
    wanted = {term["calls__deployment"]: term["multiplier"] for term in terms}
    done = ContractAct.objects.filter(
        calls__deployment__in=wanted,
        effective_at=stock_split.effective_at,
        state=ActState.DONE,
    ).order_by("pk")
    last = dict(done.values_list("calls__deployment", "multiplier"))
    return all(last.get(deployment) == value for deployment, value in wanted.items())


def chains_agree(stock_split: StockSplit) -> bool:
    """Say whether each chain, read since the split, has the multiplier that the books have."""
    newest = (
        SupplySnapshot.objects.filter(deployment=OuterRef("deployment"))
        .order_by("-block_number")
        .values("pk")[:1]
    )
    deployments = list(stock_split.token.deployments.select_related("token", "network"))
    found = {
        snapshot.deployment_id: snapshot
        for snapshot in SupplySnapshot.objects.filter(
            pk=Subquery(newest), deployment__in=deployments
        )
    }
    for deployment in deployments:
        snapshot = found.get(deployment.pk)
        if snapshot is None or snapshot.block_mined_at < stock_split.effective_at:
            return False
        on_chain = quantities.to_quantity(
            snapshot.ui_multiplier_base_units, decimals=quantities.SCALE
        )
        if on_chain != instruments.multiplier_at(deployment, snapshot.block_mined_at):
            return False
    return True


def called_off_everywhere(stock_split: StockSplit) -> bool:
    """Say whether no chain will move its multiplier for a split that was called off.

    Each was told in time; or its time has passed, and each has the multiplier of the books.
    """
    return told_everywhere(stock_split, ActPurpose.WITHDRAW) or chains_agree(stock_split)


def window_open(stock_split: StockSplit, *, at: datetime) -> bool:
    """Say whether minting and burning of the token have to halt for a split at `at`.

    From its window on, until the books and all chains have followed, or until all chains know that
    it was called off.
    """
    match SplitState(stock_split.state):
        case SplitState.CONFIRMED | SplitState.SCHEDULED:
            return at >= stock_split.window_opens_at
        case SplitState.EFFECTIVE | SplitState.CLOSED:
            return not chains_agree(stock_split)
        case SplitState.CANCELLING:
            return at >= stock_split.window_opens_at
        case _:
            return False


def stated_by_custodians(stock_split: StockSplit) -> bool:
    """Say whether every custodian's current statement shows the new shares, as booked."""
    split = stock_split.split
    assert split is not None, "it is agreed on"
    accounts = list(stock_split.token.custody_accounts.select_related("token", "custodian"))
    statements = custody.current_statements({account.custodian_id for account in accounts})
    positions = custody.positions_in(statements.values(), accounts)
    for account in accounts:
        statement, position = statements.get(account.custodian_id), positions.get(account.pk)
        if statement is None or custody.counts_old_shares(statement, split):
            return False
        booked = books.balance(chart.shares_settled(account.token, account.reference))
        stated = position.settled if position else None
        if stated != booked and (stated is not None or booked):
            return False
    return True
