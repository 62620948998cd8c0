"""Corporate actions for tests: splits as far as two persons, chains and books have brought them."""

from datetime import datetime, timedelta
from decimal import Decimal

from issuer.chain import services as chain
from issuer.chain.models import ContractAct, SupplySnapshot
from issuer.chain.states import ActState, IntentKind
from issuer.corporate_actions import selectors, services
from issuer.corporate_actions.models import StockSplit
from issuer.corporate_actions.states import ActPurpose
from issuer.custody import selectors as custody_of
from issuer.custody.models import CustodyAccount, Statement
from issuer.foundation import actors
from issuer.foundation.actors import Actor
from issuer.instruments.models import Deployment, Token
from issuer.people.roles import Role
from tests.make import chain as chain_rows
from tests.make import custody, instruments, people


def stock_split(
    *,
    token_: Token | None = None,
    at: datetime,
    effective_at: datetime | None = None,
    shares_after: int = 4,
    shares_before: int = 1,
    window_seconds: int = 900,
) -> StockSplit:
    """Return a split that is announced at `at`, for an hour later unless a time is named."""
    return services.announce(
        token=token_ or instruments.deployment().token,
        shares_after=shares_after,
        shares_before=shares_before,
        effective_at=effective_at or at + timedelta(hours=1),
        window_seconds=window_seconds,
        source="The company's press release.",
        actor=actors.system("make"),
        at=at,
    )


def officer() -> Actor:
    """Return somebody who may announce and propose."""
    return people.staff_actor(Role.OPERATIONS_OFFICER)


def confirmed(stock_split_: StockSplit, *, at: datetime) -> StockSplit:
    """Have two persons agree on an announced split."""
    proposal = services.propose_confirmation(stock_split_.pk, actor=officer(), at=at)
    approver = people.staff_actor(Role.APPROVER)
    return services.confirm(
        stock_split_.pk, payload_hash=proposal.payload_hash, actor=approver, at=at
    )


def canceled(stock_split_: StockSplit, *, at: datetime) -> StockSplit:
    """Have two persons call a split off that was agreed on."""
    services.propose_cancellation(
        stock_split_.pk, reason="The company called it off.", actor=officer(), at=at
    )
    proposal = selectors.proposal_of(stock_split_)
    assert proposal is not None
    approver = people.staff_actor(Role.APPROVER)
    return services.confirm_cancellation(
        stock_split_.pk, payload_hash=proposal.payload_hash, actor=approver, at=at
    )


def told(stock_split_: StockSplit, purpose: ActPurpose = ActPurpose.SCHEDULE) -> None:
    """Mark what the contracts were told as final, which the chain room does."""
    selectors.acts(stock_split_, purpose).update(state=ActState.DONE)


def scheduled(stock_split_: StockSplit, *, at: datetime) -> StockSplit:
    """Have two persons agree on an announced split, and every chain told."""
    confirmed(stock_split_, at=at)
    told(stock_split_)
    return services.note_scheduled(stock_split_.pk, actor=actors.system("make"), at=at)


def effective(stock_split_: StockSplit, *, at: datetime) -> StockSplit:
    """Bring an announced split into the books, a second after its time."""
    scheduled(stock_split_, at=at)
    return services.book(
        stock_split_.pk,
        actor=actors.system("make"),
        at=stock_split_.effective_at + timedelta(seconds=1),
    )


def chain_act(
    deployment: Deployment,
    multiplier: Decimal,
    effective_at: datetime,
    *,
    actor: Actor,
    at: datetime,
) -> ContractAct:
    """Return an act of somebody's own that has scheduled a multiplier, and is final."""
    act = chain.propose_act(
        kind=IntentKind.SCHEDULE_MULTIPLIER,
        deployments=[deployment],
        multiplier=multiplier,
        effective_at=effective_at,
        reason="The first one was reverted.",
        actor=actor,
        at=at,
    )
    ContractAct.objects.filter(pk=act.pk).update(state=ActState.DONE)
    return act


def lagging(deployment: Deployment, *, at: datetime) -> SupplySnapshot:
    """Return a snapshot at `at` that still has one share per token."""
    return chain_rows.snapshot(deployment, taken_at=at)


def ahead(deployment: Deployment, *, tokens: int = 0, at: datetime) -> SupplySnapshot:
    """Return a snapshot at `at` of `tokens` whole tokens, at four shares each."""
    return chain_rows.snapshot(
        deployment,
        total_supply_base_units=tokens * chain_rows.ONE,
        ui_multiplier_base_units=4 * chain_rows.ONE,
        taken_at=at,
    )


def stated(account: CustodyAccount, settled: Decimal, *, at: datetime) -> Statement:
    """Return a statement of the day of `at`, superseding that day's, with `settled` shares."""
    current = custody_of.current_statement(account.custodian)
    same_day = current is not None and current.as_of_date == at.date()
    return custody.statement(
        account.custodian,
        [custody.line(account, settled)],
        at=at,
        supersedes=current.reference if current is not None and same_day else "",
    )
