"""Corporate actions for tests: splits as far as two persons, chains and books have brought them."""

from datetime import datetime, timedelta

from issuer.corporate_actions import selectors, services
from issuer.corporate_actions.models import StockSplit
from issuer.foundation import actors
from issuer.instruments.models import Token
from issuer.people.roles import Role
from tests.make import instruments, people


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


def confirmed(stock_split_: StockSplit, *, at: datetime) -> StockSplit:
    """Have two persons agree on an announced split."""
    officer = people.staff_actor(Role.OPERATIONS_OFFICER)
    proposal = services.propose_confirmation(stock_split_.pk, actor=officer, at=at)
    approver = people.staff_actor(Role.APPROVER)
    return services.confirm(
        stock_split_.pk, payload_hash=proposal.payload_hash, actor=approver, at=at
    )


def canceled(stock_split_: StockSplit, *, at: datetime) -> StockSplit:
    """Have two persons call a split off that was agreed on."""
    officer = people.staff_actor(Role.OPERATIONS_OFFICER)
    services.propose_cancellation(
        stock_split_.pk, reason="The company called it off.", actor=officer, at=at
    )
    proposal = selectors.proposal_of(stock_split_)
    assert proposal is not None
    approver = people.staff_actor(Role.APPROVER)
    return services.confirm_cancellation(
        stock_split_.pk, payload_hash=proposal.payload_hash, actor=approver, at=at
    )
