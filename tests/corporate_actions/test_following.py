"""What follows an agreement: the gate, the books, the end; with the numbers of a 4:1 split."""

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from issuer.approvals.states import ProposalState
from issuer.chain.selectors import open_proposal
from issuer.chain.states import ActState, IntentKind
from issuer.corporate_actions import booking, errors, selectors, services, tasks
from issuer.corporate_actions.models import StockSplit
from issuer.corporate_actions.states import ActPurpose, SplitState
from issuer.custody import services as custody_services
from issuer.custody.models import InstructionTransition
from issuer.events.models import Event
from issuer.foundation.actors import Actor
from issuer.foundation.errors import IllegalTransition
from issuer.gate import services as gate
from issuer.gate.models import Cause, GateState, Hold, ScopeKind
from issuer.gate.selectors import state_of
from issuer.instruments.errors import SplitInexact, SplitNotEffective
from issuer.ledger import selectors as books
from issuer.ledger.models import Account, Side, Transfer
from issuer.reserves import selectors as reserves_of
from tests.corporate_actions.backed import Backed
from tests.make import corporate_actions as make
from tests.make import custody

pytestmark = pytest.mark.django_db

#: The split is at 16:00 on a Friday; its statement comes at the end of the day.
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
EVENING = timedelta(hours=7)


@pytest.fixture
def stock_split(backed: Backed, at: datetime) -> StockSplit:
    return make.stock_split(token_=backed.token, at=at)


class TestNoteScheduled:
    def test_waits_for_every_chain(
        self, stock_split: StockSplit, system: Actor, at: datetime
    ) -> None:
        make.confirmed(stock_split, at=at)
        first = selectors.acts(stock_split).first()
        assert first is not None
        selectors.acts(stock_split).filter(pk=first.pk).update(state=ActState.DONE)

        with pytest.raises(errors.StockSplitNotScheduled):
            services.note_scheduled(stock_split.pk, actor=system, at=at)

        stock_split.refresh_from_db()
        assert stock_split.state == SplitState.CONFIRMED
        make.told(stock_split)
        noted = services.note_scheduled(stock_split.pk, actor=system, at=at)
        assert noted.state == SplitState.SCHEDULED

    def test_counts_a_repetition_of_what_failed(
        self, stock_split: StockSplit, backed: Backed, staff: Actor, system: Actor, at: datetime
    ) -> None:
        make.confirmed(stock_split, at=at)
        make.told(stock_split)
        failed = selectors.acts(stock_split).get(network=backed.deployments[1].network)
        selectors.acts(stock_split).filter(pk=failed.pk).update(
            state=ActState.FAILED, stopped_reason="Reverted."
        )
        assert not selectors.told_everywhere(stock_split, ActPurpose.SCHEDULE)
        again = make.chain_act(backed.deployments[1], Decimal(4), at + HOUR, actor=staff, at=at)
        assert again.kind == IntentKind.SCHEDULE_MULTIPLIER

        noted = services.note_scheduled(stock_split.pk, actor=system, at=at)

        assert noted.state == SplitState.SCHEDULED


class TestKeepWindow:
    def test_halts_from_the_window_on_until_books_and_chains_agree(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime
    ) -> None:
        make.scheduled(stock_split, at=at)
        opens = stock_split.window_opens_at

        assert not services.keep_window(stock_split.pk, actor=system, at=opens - SECOND)
        assert self.state(backed) == GateState.OPEN
        assert services.keep_window(stock_split.pk, actor=system, at=opens)
        assert self.state(backed) == GateState.HALTED
        hold = Hold.objects.get()
        assert (hold.cause, hold.reference) == (Cause.WINDOW, stock_split.pk)
        assert services.keep_window(stock_split.pk, actor=system, at=opens + SECOND)
        assert Hold.objects.count() == 1

        services.book(stock_split.pk, actor=system, at=at + HOUR)
        assert services.keep_window(stock_split.pk, actor=system, at=at + HOUR)
        backed.read_chains(at=at + HOUR)
        assert not services.keep_window(stock_split.pk, actor=system, at=at + HOUR + SECOND)
        assert self.state(backed) == GateState.OPEN

    def test_stays_shut_while_one_chain_lags(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime
    ) -> None:
        make.scheduled(stock_split, at=at)
        services.keep_window(stock_split.pk, actor=system, at=at + HOUR)
        services.book(stock_split.pk, actor=system, at=at + HOUR)
        backed.read_chains(at=at + HOUR)
        make.lagging(backed.deployments[1], at=at + HOUR + SECOND)

        assert services.keep_window(stock_split.pk, actor=system, at=at + 2 * HOUR)

        assert self.state(backed) == GateState.HALTED

    def test_lifts_nobody_elses_hold(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime
    ) -> None:
        make.scheduled(stock_split, at=at)
        services.keep_window(stock_split.pk, actor=system, at=at + HOUR)
        gate.place_hold(
            kind=ScopeKind.TOKEN,
            subject_id=backed.token.pk,
            effect=GateState.REDEEM_ONLY,
            cause=Cause.PERSON,
            reason="Something is strange.",
            actor=system,
            at=at,
        )
        services.book(stock_split.pk, actor=system, at=at + HOUR)
        backed.read_chains(at=at + HOUR)

        services.keep_window(stock_split.pk, actor=system, at=at + HOUR)

        assert self.state(backed) == GateState.REDEEM_ONLY

    def test_of_a_split_called_off_ends_once_every_chain_was_told(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime
    ) -> None:
        make.scheduled(stock_split, at=at)
        in_window = stock_split.window_opens_at + SECOND
        services.keep_window(stock_split.pk, actor=system, at=in_window)
        make.canceled(stock_split, at=in_window)

        assert services.keep_window(stock_split.pk, actor=system, at=in_window)
        assert selectors.splits_under_way().get() == stock_split
        make.told(stock_split, ActPurpose.WITHDRAW)
        services.end_cancellation(stock_split.pk, actor=system, at=in_window)
        assert not services.keep_window(stock_split.pk, actor=system, at=in_window)

        assert self.state(backed) == GateState.OPEN
        assert not selectors.splits_under_way().exists()

    def state(self, backed: Backed) -> GateState:
        return state_of([(ScopeKind.TOKEN, backed.token.pk)])


class TestEndCancellation:
    def test_waits_for_every_chain(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime
    ) -> None:
        make.scheduled(stock_split, at=at)
        make.canceled(stock_split, at=at)
        first = selectors.acts(stock_split, ActPurpose.WITHDRAW).first()
        assert first is not None
        selectors.acts(stock_split).filter(pk=first.pk).update(state=ActState.DONE)

        with pytest.raises(errors.StockSplitNotCancelled):
            services.end_cancellation(stock_split.pk, actor=system, at=at)
        with pytest.raises(errors.StockSplitAnnounced):
            make.stock_split(token_=backed.token, at=at)
        stock_split.refresh_from_db()
        assert stock_split.state == SplitState.CANCELLING

        make.told(stock_split, ActPurpose.WITHDRAW)
        ended = services.end_cancellation(stock_split.pk, actor=system, at=at)

        assert ended.state == SplitState.CANCELLED
        assert list(ended.transitions.values_list("step", flat=True)) == [
            *("CONFIRM", "SCHEDULE", "CANCEL", "END_CANCELLATION")
        ]

    def test_of_a_chain_that_split_all_the_same_takes_the_multiplier_of_the_books(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime
    ) -> None:
        make.scheduled(stock_split, at=at)
        make.canceled(stock_split, at=at)
        selectors.acts(stock_split, ActPurpose.WITHDRAW).update(
            state=ActState.FAILED, stopped_reason="Too late."
        )
        backed.read_chains(at=at + HOUR)
        make.ahead(backed.deployments[1], at=at + HOUR + SECOND)

        tasks._advance(stock_split.pk, actor=system, at=at + 2 * HOUR)

        stock_split.refresh_from_db()
        assert stock_split.state == SplitState.CANCELLING
        assert Hold.objects.get().released_at is None
        assert backed.shares()["settled"] == "602"
        make.lagging(backed.deployments[1], at=at + 2 * HOUR)  # two persons set it back

        tasks._advance(stock_split.pk, actor=system, at=at + 3 * HOUR)

        stock_split.refresh_from_db()
        assert stock_split.state == SplitState.CANCELLED
        assert Hold.objects.get().released_at == at + 3 * HOUR

    def test_refuses_what_was_not_called_off(
        self, stock_split: StockSplit, system: Actor, at: datetime
    ) -> None:
        make.scheduled(stock_split, at=at)

        with pytest.raises(IllegalTransition):
            services.end_cancellation(stock_split.pk, actor=system, at=at)


class TestBook:
    def test_multiplies_what_there_is_and_whose_it_is_in_one_posting(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime
    ) -> None:
        before = reserves_of.cover_of(backed.token, at=at)
        assert backed.shares() == {"settled": "602", "owed-on-tokens": "600", "own": "2"}
        make.scheduled(stock_split, at=at)

        booked = services.book(stock_split.pk, actor=system, at=at + HOUR)

        assert booked.state == SplitState.EFFECTIVE
        assert backed.shares() == {"settled": "2408", "owed-on-tokens": "2400", "own": "8"}
        transfers = Transfer.objects.filter(reference=f"split/{booked.split_id}")
        assert {one.effective_at for one in transfers} == {at + HOUR}
        assert sum(one.quantity for one in transfers) == 1806
        assert set(books.trial_balance().values()) == {Decimal(0)}
        backed.read_chains(at=at + HOUR)
        after = reserves_of.cover_of(backed.token, at=at + HOUR + SECOND)
        assert (before.owed, before.held) == (Decimal(600), Decimal(602))
        assert (after.owed, after.held) == (Decimal(2400), Decimal(2408))
        assert after.ratio_bps == before.ratio_bps

    def test_multiplies_what_is_on_its_way(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime
    ) -> None:
        coming = custody.instruction(backed.account, Decimal(10), at=at)
        late = custody.instruction(backed.account, Decimal("2.5"), at=at)
        custody_services.fail_instruction(late.pk, reason="It did not come.", actor=system, at=at)
        make.scheduled(stock_split, at=at)

        services.book(stock_split.pk, actor=system, at=at + HOUR)

        for row in (coming, late):
            row.refresh_from_db()
        assert (coming.quantity, coming.state) == (40, "INSTRUCTED")
        assert (late.quantity, late.state) == (10, "FAILED")
        assert (backed.shares()["pending-receipt"], backed.shares()["awaited"]) == ("50", "50")
        steps = InstructionTransition.objects.filter(step__startswith="ADJUST")
        assert sorted(step.step for step in steps) == ["ADJUST", "ADJUST_FAILED"]

    def test_voids_a_cancellation_that_nobody_confirmed(
        self, stock_split: StockSplit, staff: Actor, system: Actor, at: datetime
    ) -> None:
        make.scheduled(stock_split, at=at)
        proposal = services.propose_cancellation(
            stock_split.pk, reason="A rumor.", actor=staff, at=at
        )
        told = list(selectors.acts(stock_split, ActPurpose.WITHDRAW))
        waiting = [open_proposal(act) for act in told]

        services.book(stock_split.pk, actor=system, at=at + HOUR)

        why = f"{stock_split} is in the books, and cannot be called off any more."
        assert selectors.proposal_of(stock_split) is None
        for voided in (proposal, *waiting):
            assert voided is not None
            voided.refresh_from_db()
            assert (voided.state, voided.reason) == (ProposalState.VOIDED, why)
        assert len(told) == 2
        for act in told:
            act.refresh_from_db()
            assert (act.state, act.stopped_reason) == (ActState.DECLINED, why)

    def test_refuses_before_its_time(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime
    ) -> None:
        make.scheduled(stock_split, at=at)

        with pytest.raises(SplitNotEffective):
            services.book(stock_split.pk, actor=system, at=at + HOUR - SECOND)

        assert backed.shares()["settled"] == "602"

    def test_refuses_what_was_not_agreed_on_and_what_is_booked(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime
    ) -> None:
        with pytest.raises(IllegalTransition):
            services.book(stock_split.pk, actor=system, at=at + HOUR)
        make.effective(stock_split, at=at)
        with pytest.raises(IllegalTransition):
            services.book(stock_split.pk, actor=system, at=at + HOUR)

        assert backed.shares()["settled"] == "2408"

    def test_refuses_a_fraction_on_its_way_and_writes_nothing(
        self, backed: Backed, system: Actor, at: datetime
    ) -> None:
        day = timedelta(days=1)
        reverse = make.stock_split(
            token_=backed.token, at=at, effective_at=at + day, shares_after=1, shares_before=2
        )
        make.scheduled(reverse, at=at)
        instruction = custody.instruction(backed.account, Decimal("0.000000001"), at=at)
        before = backed.shares()

        with pytest.raises(SplitInexact):
            services.book(reverse.pk, actor=system, at=at + day)

        instruction.refresh_from_db()
        reverse.refresh_from_db()
        assert instruction.quantity == Decimal("0.000000001")
        assert backed.shares() == before
        assert reverse.state == SplitState.SCHEDULED

    def test_of_a_reverse_split_divides(self, backed: Backed, system: Actor, at: datetime) -> None:
        reverse = make.stock_split(token_=backed.token, at=at, shares_after=1, shares_before=20)
        make.scheduled(reverse, at=at)

        services.book(reverse.pk, actor=system, at=at + HOUR)

        assert backed.shares() == {"settled": "30.1", "owed-on-tokens": "30", "own": "0.1"}
        assert set(books.trial_balance().values()) == {Decimal(0)}

    def test_goes_ahead_where_a_chain_was_not_told(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime
    ) -> None:
        make.confirmed(stock_split, at=at)

        booked = services.book(stock_split.pk, actor=system, at=at + HOUR)

        assert booked.state == SplitState.EFFECTIVE
        assert services.keep_window(stock_split.pk, actor=system, at=at + HOUR)

    def test_of_a_token_without_shares_posts_nothing(self, system: Actor, at: datetime) -> None:
        stock_split = make.stock_split(at=at)
        make.scheduled(stock_split, at=at)

        services.book(stock_split.pk, actor=system, at=at + HOUR)

        assert not Transfer.objects.exists()


class TestClose:
    def test_takes_a_statement_of_the_day_that_shows_the_new_shares(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime
    ) -> None:
        make.effective(stock_split, at=at)
        backed.read_chains(at=at + HOUR)

        with pytest.raises(errors.StockSplitNotShown):
            services.close(stock_split.pk, actor=system, at=at + EVENING)
        make.stated(backed.account, Decimal(602), at=at + EVENING)
        with pytest.raises(errors.StockSplitNotShown):
            services.close(stock_split.pk, actor=system, at=at + EVENING)
        make.stated(backed.account, Decimal(2408), at=at + EVENING)
        closed = services.close(stock_split.pk, actor=system, at=at + EVENING)

        assert closed.state == SplitState.CLOSED
        steps = list(closed.transitions.values_list("step", flat=True))
        assert steps == ["CONFIRM", "SCHEDULE", "BOOK", "CLOSE"]

    def test_waits_for_the_chains(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime
    ) -> None:
        make.effective(stock_split, at=at)
        make.stated(backed.account, Decimal(2408), at=at + EVENING)

        with pytest.raises(errors.StockSplitNotShown):
            services.close(stock_split.pk, actor=system, at=at + EVENING)

        stock_split.refresh_from_db()
        assert stock_split.state == SplitState.EFFECTIVE


class TestAdvanceSplits:
    def test_takes_a_split_from_its_agreement_to_its_books(
        self, stock_split: StockSplit, backed: Backed, market_clock: datetime, at: datetime
    ) -> None:
        make.confirmed(stock_split, at=at)
        make.told(stock_split)

        tasks.advance_splits()

        stock_split.refresh_from_db()
        assert stock_split.state == SplitState.SCHEDULED
        assert not Hold.objects.exists()

    def test_says_why_it_cannot_book_and_keeps_the_gate_shut(
        self, backed: Backed, system: Actor, at: datetime
    ) -> None:
        day = timedelta(days=1)
        reverse = make.stock_split(
            token_=backed.token, at=at, effective_at=at + day, shares_after=1, shares_before=2
        )
        make.scheduled(reverse, at=at)
        late = custody.instruction(backed.account, Decimal("0.000000001"), at=at)

        tasks._advance(reverse.pk, actor=system, at=at + day)
        tasks._advance(reverse.pk, actor=system, at=at + day)

        reverse.refresh_from_db()
        assert late.settlement_date < reverse.effective_at.date()
        assert reverse.state == SplitState.SCHEDULED
        assert "0.000000001 shares on their way" in reverse.trouble
        assert Hold.objects.get().released_at is None
        told = Event.objects.get(type="stock_split.trouble")
        assert told.data == {"token": backed.token.symbol, "reason": reverse.trouble}

    def test_books_closes_and_opens_the_gate(
        self, stock_split: StockSplit, backed: Backed, system: Actor, at: datetime
    ) -> None:
        make.scheduled(stock_split, at=at)
        tasks._advance(stock_split.pk, actor=system, at=at + HOUR - SECOND)
        tasks._advance(stock_split.pk, actor=system, at=at + HOUR)
        backed.read_chains(at=at + HOUR)
        make.stated(backed.account, Decimal(2408), at=at + EVENING)

        tasks._advance(stock_split.pk, actor=system, at=at + EVENING)

        stock_split.refresh_from_db()
        assert stock_split.state == SplitState.CLOSED
        assert Hold.objects.get().released_at == at + EVENING
        assert not selectors.splits_under_way().exists()


class TestPaired:
    @examples(max_examples=200, deadline=None)
    @given(
        debits=st.lists(st.integers(0, 10**12), min_size=1, max_size=5),
        cut=st.lists(st.integers(0, 10**12), max_size=5),
        after=st.integers(1, 60),
        before=st.integers(1, 60),
    )
    def test_multiplies_every_account_exactly_or_refuses(
        self, debits: list[int], cut: list[int], after: int, before: int
    ) -> None:
        total = sum(debits)
        claims: list[int] = []
        for wanted in cut:
            claims.append(min(wanted, total - sum(claims)))
        claims.append(total - sum(claims))
        accounts = [
            Account(code=f"{side}/{n}", side=side, balance=Decimal(balance))
            for side, balances in ((Side.DEBIT, debits), (Side.CREDIT, claims))
            for n, balance in enumerate(balances)
        ]
        factor = Fraction(after, before)

        try:
            lines = booking.paired(accounts, factor)
        except SplitInexact:
            assert factor.denominator not in {1, 2, 4, 5, 8, 10}
            return

        moved = {account.code: account.balance for account in accounts}
        for line in lines:
            sign = 1 if line.debit.startswith("DEBIT") else -1
            moved[line.debit] += sign * line.quantity
            moved[line.credit] += sign * line.quantity
        for account in accounts:
            assert Fraction(moved[account.code]) == Fraction(account.balance) * factor
