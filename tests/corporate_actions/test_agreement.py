"""Announcing splits, and agreeing on them: two persons, the same for books and chains."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from issuer.approvals.errors import PersonRequired, ProposalChanged, ProposalOpen, SamePerson
from issuer.approvals.models import Proposal
from issuer.audit.models import AuditEvent
from issuer.chain import services as chain
from issuer.chain.errors import ActPartOfAnother
from issuer.chain.models import ContractAct
from issuer.chain.states import ActState
from issuer.corporate_actions import errors, selectors, services
from issuer.corporate_actions.models import StockSplit
from issuer.corporate_actions.states import ActPurpose, SplitState
from issuer.events.models import Event
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError, IllegalTransition, Malformed
from issuer.foundation.identifiers import uuid7
from issuer.instruments import selectors as instruments
from issuer.instruments.errors import SplitInexact, SplitNotAhead, SplitRatioMeaningless
from issuer.instruments.models import Multiplier, Split
from issuer.people.roles import Role
from tests.corporate_actions.backed import Backed
from tests.make import chain_acts, people, reserves
from tests.make import corporate_actions as make

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def approver() -> Actor:
    return people.staff_actor(Role.APPROVER)


def announced(backed: Backed, at: datetime, **changes: Any) -> StockSplit:
    terms: dict[str, Any] = {
        "token": backed.token,
        "shares_after": 4,
        "shares_before": 1,
        "effective_at": at + HOUR,
        "window_seconds": 900,
        "source": "Press release.",
    }
    return services.announce(
        **terms | changes, actor=people.staff_actor(Role.OPERATIONS_OFFICER), at=at
    )


class TestAnnounce:
    def test_records_it_and_moves_nothing(self, backed: Backed, at: datetime) -> None:
        stock_split = announced(backed, at)

        stock_split.refresh_from_db()
        assert (stock_split.state, stock_split.ratio) == (SplitState.ANNOUNCED, "4:1")
        assert stock_split.window_opens_at == at + timedelta(minutes=45)
        assert not Split.objects.exists()
        event = AuditEvent.objects.get(action="stock_split.announce")
        assert (event.facts["token"], event.facts["ratio"]) == (backed.token.symbol, "4:1")
        assert Event.objects.filter(type="stock_split.announced").count() == 1

    @pytest.mark.parametrize(
        ("changes", "refusal"),
        [
            ({"shares_after": 1}, SplitRatioMeaningless),
            ({"shares_after": 0}, SplitRatioMeaningless),
            ({"shares_before": -1}, SplitRatioMeaningless),
            ({"window_seconds": 0}, errors.SplitWindowMalformed),
            ({"window_seconds": 86_401}, errors.SplitWindowMalformed),
            ({"shares_after": 1, "shares_before": 7}, SplitInexact),
        ],
    )
    def test_refuses_terms_that_cannot_be(
        self, changes: dict[str, Any], refusal: type[DomainError], backed: Backed, at: datetime
    ) -> None:
        with pytest.raises(refusal):
            announced(backed, at, **changes)

        assert not StockSplit.objects.exists()

    def test_refuses_a_time_that_has_come_or_that_chains_cannot_count(
        self, backed: Backed, at: datetime
    ) -> None:
        with pytest.raises(SplitNotAhead):
            announced(backed, at, effective_at=at)
        with pytest.raises(Malformed):
            announced(backed, at, effective_at=at + timedelta(milliseconds=1500))

        assert not StockSplit.objects.exists()

    def test_refuses_a_balance_that_the_ratio_does_not_divide(
        self, backed: Backed, at: datetime
    ) -> None:
        reserves.issue(backed.token, Decimal(1), Decimal("0." + "0" * 17 + "1"), at=at)

        with pytest.raises(SplitInexact) as refusal:
            announced(backed, at, shares_after=1, shares_before=2)

        assert refusal.value.facts["account"].startswith(backed.token.symbol)
        assert not StockSplit.objects.exists()

    def test_refuses_two_at_once(self, backed: Backed, at: datetime) -> None:
        announced(backed, at)

        with pytest.raises(errors.StockSplitAnnounced):
            announced(backed, at, effective_at=at + 2 * HOUR)

        assert StockSplit.objects.count() == 1


class TestConfirm:
    def test_moves_every_multiplier_and_has_every_chain_told_by_the_same_two(
        self, backed: Backed, staff: Actor, approver: Actor, at: datetime
    ) -> None:
        stock_split = announced(backed, at)
        proposal = services.propose_confirmation(stock_split.pk, actor=staff, at=at)

        confirmed = services.confirm(
            stock_split.pk, payload_hash=proposal.payload_hash, actor=approver, at=at
        )

        assert (confirmed.state, confirmed.trouble) == (SplitState.CONFIRMED, "")
        for deployment in backed.deployments:
            assert instruments.multiplier_at(deployment, at + HOUR - instruments.INSTANT) == 1
            assert instruments.multiplier_at(deployment, at + HOUR) == 4
        acts = list(ContractAct.objects.all())
        assert {(act.network_id, act.multiplier, act.effective_at) for act in acts} == {
            (deployment.network_id, Decimal(4), at + HOUR) for deployment in backed.deployments
        }
        assert {act.state for act in acts} == {ActState.APPROVED}
        signed = Proposal.objects.filter(subject_type="chain.contractact")
        assert {one.proposer_id for one in signed} == {staff.person}
        assert {one.approval.approver_id for one in signed} == {approver.person}
        step = confirmed.transitions.get()
        assert (step.step, step.destination, step.actor) == ("CONFIRM", "CONFIRMED", str(approver))

    def test_refuses_the_one_who_proposed_it(
        self, backed: Backed, staff: Actor, at: datetime
    ) -> None:
        stock_split = announced(backed, at)
        proposal = services.propose_confirmation(stock_split.pk, actor=staff, at=at)

        with pytest.raises(SamePerson):
            services.confirm(stock_split.pk, payload_hash=proposal.payload_hash, actor=staff, at=at)

        self.assert_unmoved(stock_split)

    def test_refuses_another_hash_than_the_one_proposed(
        self, backed: Backed, staff: Actor, approver: Actor, at: datetime
    ) -> None:
        stock_split = announced(backed, at)
        services.propose_confirmation(stock_split.pk, actor=staff, at=at)

        with pytest.raises(ProposalChanged):
            services.confirm(stock_split.pk, payload_hash="0" * 64, actor=approver, at=at)

        self.assert_unmoved(stock_split)

    def test_refuses_after_its_time(
        self, backed: Backed, staff: Actor, approver: Actor, at: datetime
    ) -> None:
        stock_split = announced(backed, at)
        proposal = services.propose_confirmation(stock_split.pk, actor=staff, at=at)

        with pytest.raises(SplitNotAhead):
            services.confirm(
                stock_split.pk,
                payload_hash=proposal.payload_hash,
                actor=approver,
                at=at + HOUR,
            )

        self.assert_unmoved(stock_split)

    def test_refuses_what_nobody_proposed_and_who_is_nobody(
        self, backed: Backed, staff: Actor, approver: Actor, system: Actor, at: datetime
    ) -> None:
        stock_split = announced(backed, at)

        with pytest.raises(errors.StockSplitNotProposed):
            services.confirm(stock_split.pk, payload_hash="0" * 64, actor=approver, at=at)
        with pytest.raises(PersonRequired):
            services.propose_confirmation(stock_split.pk, actor=system, at=at)
        services.propose_confirmation(stock_split.pk, actor=staff, at=at)
        with pytest.raises(ProposalOpen):
            services.propose_confirmation(stock_split.pk, actor=staff, at=at)

        self.assert_unmoved(stock_split)
        assert ContractAct.objects.count() == 2

    def test_happens_once(self, backed: Backed, approver: Actor, at: datetime) -> None:
        stock_split = make.confirmed(announced(backed, at), at=at)

        with pytest.raises(IllegalTransition):
            services.confirm(stock_split.pk, payload_hash="0" * 64, actor=approver, at=at)

        assert Split.objects.count() == 1

    def test_knows_no_other(self, approver: Actor, at: datetime) -> None:
        with pytest.raises(errors.StockSplitMissing):
            services.confirm(uuid7(), payload_hash="0" * 64, actor=approver, at=at)

    def assert_unmoved(self, stock_split: StockSplit) -> None:
        stock_split.refresh_from_db()
        assert (stock_split.state, stock_split.split) == (SplitState.ANNOUNCED, None)
        assert not Split.objects.exists()
        assert Multiplier.objects.filter(value=4).count() == 0
        assert not stock_split.transitions.exists()


class TestActsOfASplit:
    """What contracts are told of a split is decided on with the split, and never by itself."""

    def test_are_not_confirmed_before_it(
        self, backed: Backed, staff: Actor, approver: Actor, at: datetime
    ) -> None:
        stock_split = announced(backed, at)
        services.propose_confirmation(stock_split.pk, actor=staff, at=at)

        for act in selectors.acts(stock_split):
            with pytest.raises(ActPartOfAnother) as refusal:
                chain.confirm_act(
                    act.pk, payload_hash=chain_acts.hash_of(act), actor=approver, at=at
                )
            assert refusal.value.facts["part_of_id"] == str(stock_split.pk)

        assert {act.state for act in selectors.acts(stock_split)} == {ActState.PROPOSED}

    def test_are_not_declined_beside_it(
        self, backed: Backed, staff: Actor, approver: Actor, at: datetime
    ) -> None:
        stock_split = announced(backed, at)
        services.propose_confirmation(stock_split.pk, actor=staff, at=at)

        for act in selectors.acts(stock_split):
            with pytest.raises(ActPartOfAnother):
                chain.decline_act(act.pk, reason="No.", actor=approver, at=at)

        assert {act.state for act in selectors.acts(stock_split)} == {ActState.PROPOSED}

    @pytest.mark.parametrize("told", [ActState.APPROVED, ActState.SENT, ActState.DONE])
    def test_that_a_contract_was_told_keep_it_from_being_dropped(
        self, backed: Backed, staff: Actor, approver: Actor, at: datetime, told: ActState
    ) -> None:
        stock_split = announced(backed, at)
        services.propose_confirmation(stock_split.pk, actor=staff, at=at)
        first = selectors.acts(stock_split).first()
        assert first is not None
        ContractAct.objects.filter(pk=first.pk).update(state=told)

        with pytest.raises(errors.StockSplitTold):
            services.withdraw(stock_split.pk, reason="A rumor.", actor=staff, at=at)
        with pytest.raises(errors.StockSplitTold):
            services.decline(stock_split.pk, reason="A rumor.", actor=approver, at=at)

        stock_split.refresh_from_db()
        assert stock_split.state == SplitState.ANNOUNCED
        assert selectors.proposal_of(stock_split) is not None
        # The way out: both go ahead together, and are called off together.
        proposal = selectors.proposal_of(stock_split)
        assert proposal is not None
        confirmed = services.confirm(
            stock_split.pk, payload_hash=proposal.payload_hash, actor=approver, at=at
        )
        assert confirmed.state == SplitState.CONFIRMED
        assert make.canceled(stock_split, at=at).state == SplitState.CANCELLING


class TestDecline:
    def test_gives_up_what_is_proposed_and_lets_it_be_proposed_again(
        self, backed: Backed, staff: Actor, approver: Actor, at: datetime
    ) -> None:
        stock_split = announced(backed, at)
        services.propose_confirmation(stock_split.pk, actor=staff, at=at)

        services.decline(stock_split.pk, reason="Wrong day.", actor=approver, at=at)

        assert selectors.proposal_of(stock_split) is None
        assert {act.state for act in selectors.acts(stock_split)} == {ActState.DECLINED}
        confirmed = make.confirmed(stock_split, at=at)
        assert confirmed.state == SplitState.CONFIRMED
        assert sorted(act.state for act in selectors.acts(stock_split)) == [
            *("APPROVED", "APPROVED", "DECLINED", "DECLINED")
        ]

    def test_refuses_where_nothing_is_proposed(
        self, backed: Backed, approver: Actor, at: datetime
    ) -> None:
        with pytest.raises(errors.StockSplitNotProposed):
            services.decline(announced(backed, at).pk, reason="No.", actor=approver, at=at)


class TestWithdraw:
    def test_takes_back_what_nobody_confirmed(
        self, backed: Backed, staff: Actor, at: datetime
    ) -> None:
        stock_split = announced(backed, at)
        services.propose_confirmation(stock_split.pk, actor=staff, at=at)

        withdrawn = services.withdraw(stock_split.pk, reason="A rumor.", actor=staff, at=at)

        assert (withdrawn.state, withdrawn.split) == (SplitState.CANCELLED, None)
        assert {act.state for act in selectors.acts(stock_split)} == {ActState.DECLINED}
        assert not selectors.splits_under_way().exists()
        assert announced(backed, at).state == SplitState.ANNOUNCED

    def test_refuses_what_two_persons_agreed_on(
        self, backed: Backed, staff: Actor, at: datetime
    ) -> None:
        stock_split = make.confirmed(announced(backed, at), at=at)

        with pytest.raises(IllegalTransition):
            services.withdraw(stock_split.pk, reason="No.", actor=staff, at=at)

        stock_split.refresh_from_db()
        assert stock_split.state == SplitState.CONFIRMED


class TestConfirmCancellation:
    def test_leaves_every_multiplier_and_has_every_chain_told(
        self, backed: Backed, at: datetime
    ) -> None:
        stock_split = make.scheduled(announced(backed, at), at=at)

        canceled = make.canceled(stock_split, at=at + HOUR / 2)

        assert canceled.state == SplitState.CANCELLING
        assert canceled.split is not None
        canceled.split.refresh_from_db()
        assert canceled.split.cancelled_at == at + HOUR / 2
        for deployment in backed.deployments:
            assert instruments.multiplier_at(deployment, at + HOUR) == 1
            assert deployment.multipliers.count() == 1
        told = selectors.acts(stock_split, ActPurpose.WITHDRAW)
        assert {(act.multiplier, act.effective_at, act.state) for act in told} == {
            (Decimal(1), at + HOUR, ActState.APPROVED)
        }

    def test_gives_up_what_was_not_signed_before(self, backed: Backed, at: datetime) -> None:
        stock_split = make.confirmed(announced(backed, at), at=at)

        make.canceled(stock_split, at=at)

        scheduling = selectors.acts(stock_split, ActPurpose.SCHEDULE)
        assert {act.state for act in scheduling} == {ActState.FAILED}

    def test_refuses_at_its_time(self, backed: Backed, staff: Actor, at: datetime) -> None:
        stock_split = make.scheduled(announced(backed, at), at=at)

        with pytest.raises(SplitNotAhead):
            services.propose_cancellation(
                stock_split.pk, reason="Too late.", actor=staff, at=at + HOUR
            )

        assert instruments.multiplier_at(backed.deployments[0], at + HOUR) == 4

    def test_refuses_the_one_who_proposed_it(
        self, backed: Backed, staff: Actor, at: datetime
    ) -> None:
        stock_split = make.scheduled(announced(backed, at), at=at)
        proposal = services.propose_cancellation(
            stock_split.pk, reason="Called off.", actor=staff, at=at
        )

        with pytest.raises(SamePerson):
            services.confirm_cancellation(
                stock_split.pk, payload_hash=proposal.payload_hash, actor=staff, at=at
            )

        stock_split.refresh_from_db()
        assert stock_split.state == SplitState.SCHEDULED
        assert instruments.multiplier_at(backed.deployments[0], at + HOUR) == 4

    def test_refuses_what_is_announced_only(
        self, backed: Backed, staff: Actor, at: datetime
    ) -> None:
        with pytest.raises(IllegalTransition):
            services.propose_cancellation(
                announced(backed, at).pk, reason="No.", actor=staff, at=at
            )
