"""Tokens that go back: proposed by one, confirmed by another, sent once."""

from decimal import Decimal

import pytest

from issuer.approvals.errors import PersonRequired, ProposalChanged, SamePerson
from issuer.chain.models import TransactionIntent
from issuer.chain.states import IntentKind, IntentState
from issuer.foundation.actors import Actor
from issuer.foundation.errors import IllegalTransition
from issuer.kyc.models import Case
from issuer.kyc.states import CaseState
from issuer.ledger.models import Transfer
from issuer.people.roles import Role
from issuer.primary_market import errors, selectors, services
from issuer.primary_market.models import Deposit, DepositReturn
from issuer.primary_market.states import DepositState, RedemptionState, ReturnState
from tests.make import people, primary_market, redemptions
from tests.make.primary_market import AT, Market
from tests.make.redemptions import deposit, redemption

pytestmark = pytest.mark.django_db

_T = ReturnState


@pytest.fixture
def market() -> Market:
    """A participant who holds 600 tokens and can return them."""
    return redemptions.market()


@pytest.fixture
def waiting(market: Market) -> Deposit:
    """7.7 tokens that nobody asked for."""
    return deposit(market, Decimal("7.7"), sender=redemptions.stranger())


def suspend(state: CaseState) -> None:
    Case.objects.update(state=state, reason="A hit on a list.")


def states(found: DepositReturn) -> tuple[str, str, Decimal]:
    """Return where a return and its deposit stand, and what of it is gone."""
    found.refresh_from_db()
    found.deposit.refresh_from_db()
    return found.state, found.deposit.state, found.deposit.returned


class TestReturn:
    def test_goes_from_proposal_to_the_end_and_books_nothing(self, waiting: Deposit) -> None:
        posted = Transfer.objects.count()
        found = redemptions.a_return(waiting)
        assert states(found) == (_T.PROPOSED, DepositState.UNMATCHED, Decimal(0))
        assert (found.quantity, found.recipient) == (
            Decimal("7.7"),
            waiting.transfer.sender,
        )

        redemptions.confirm_return(found)
        assert states(found) == (_T.APPROVED, DepositState.RETURNING, Decimal("7.7"))
        redemptions.sign_return(found)
        assert states(found) == (_T.SIGNED, DepositState.RETURNING, Decimal("7.7"))
        intent = TransactionIntent.objects.get(request_id=found.pk)
        assert (intent.kind, intent.base_units) == (IntentKind.RETURN, 77 * 10**17)
        redemptions.finalize_return(found)
        found.refresh_from_db()
        services.complete_return(found.pk, actor=redemptions.SYSTEM, at=AT)

        assert states(found) == (_T.RETURNED, DepositState.RETURNED, Decimal("7.7"))
        intent.refresh_from_db()
        assert intent.state == IntentState.BOOKED
        assert Transfer.objects.count() == posted
        assert not selectors.waiting_deposits().exists()

    def test_takes_two_persons(self, waiting: Deposit, staff: Actor) -> None:
        found = services.propose_return(waiting.pk, reason="Unknown.", actor=staff, at=AT)

        with pytest.raises(SamePerson):
            redemptions.confirm_return(found, actor=staff)
        with pytest.raises(PersonRequired):
            redemptions.confirm_return(found, actor=primary_market.PARTNER)

        assert states(found) == (_T.PROPOSED, DepositState.UNMATCHED, Decimal(0))

    def test_is_bound_to_what_the_person_saw(self, waiting: Deposit, approver: Actor) -> None:
        found = redemptions.a_return(waiting)

        with pytest.raises(ProposalChanged):
            services.confirm_return(found.pk, payload_hash="0" * 64, actor=approver, at=AT)

        assert states(found) == (_T.PROPOSED, DepositState.UNMATCHED, Decimal(0))

    def test_is_proposed_once(self, waiting: Deposit, staff: Actor) -> None:
        redemptions.a_return(waiting)

        with pytest.raises(errors.DepositReturning):
            services.propose_return(waiting.pk, reason="Again.", actor=staff, at=AT)

        assert DepositReturn.objects.count() == 1

    def test_that_was_declined_can_be_proposed_again(self, waiting: Deposit) -> None:
        first = redemptions.a_return(waiting, state=_T.DECLINED)
        assert states(first) == (_T.DECLINED, DepositState.UNMATCHED, Decimal(0))

        again = redemptions.a_return(waiting, state=_T.RETURNED)

        assert states(again)[0] == _T.RETURNED

    def test_refuses_what_is_matched(self, market: Market, staff: Actor) -> None:
        request = redemption(market, state=RedemptionState.RECEIVED)

        with pytest.raises(IllegalTransition):
            services.propose_return(
                request.deposits.get().pk, reason="Why not.", actor=staff, at=AT
            )

        assert not DepositReturn.objects.exists()

    @pytest.mark.parametrize("state", [CaseState.SUSPENDED, CaseState.REJECTED_FINAL])
    def test_refuses_a_sender_who_may_be_given_nothing(
        self, market: Market, staff: Actor, state: CaseState
    ) -> None:
        suspend(state)
        found = deposit(market, Decimal(100))
        assert found.state == DepositState.QUARANTINED

        with pytest.raises(errors.ReturnUnlawful):
            services.propose_return(found.pk, reason="Why not.", actor=staff, at=AT)

        assert not DepositReturn.objects.exists()

    def test_refuses_a_sender_who_was_suspended_since(self, market: Market) -> None:
        found = redemptions.a_return(deposit(market, Decimal(100)))
        suspend(CaseState.SUSPENDED)

        with pytest.raises(errors.ReturnUnlawful):
            redemptions.confirm_return(found)

        assert states(found) == (_T.PROPOSED, DepositState.UNMATCHED, Decimal(0))

    def test_is_not_signed_for_a_sender_who_was_suspended_since(self, market: Market) -> None:
        found = redemptions.a_return(deposit(market, Decimal(100)), state=_T.APPROVED)
        suspend(CaseState.SUSPENDED)

        with pytest.raises(errors.ReturnUnlawful):
            redemptions.sign_return(found)

        assert states(found)[0] == _T.APPROVED

    def test_gives_back_what_a_lapsed_sender_sent(self, market: Market) -> None:
        redemptions.lapse()
        found = deposit(market, Decimal(100))
        assert found.state == DepositState.QUARANTINED

        back = redemptions.a_return(found, state=_T.RETURNED)

        assert states(back) == (_T.RETURNED, DepositState.RETURNED, Decimal(100))

    def test_fails_and_is_signed_again(self, waiting: Deposit, system: Actor) -> None:
        found = redemptions.a_return(waiting, state=_T.SIGNED)
        with pytest.raises(errors.ReturnNotFailed):
            services.record_failed_return(found.pk, actor=system, at=AT)
        with pytest.raises(errors.ReturnNotFinal):
            services.complete_return(found.pk, actor=system, at=AT)
        redemptions.fail(found.intent, IntentState.REVERTED)

        services.record_failed_return(found.pk, actor=system, at=AT)

        assert states(found) == (_T.APPROVED, DepositState.RETURNING, Decimal("7.7"))
        assert found.failure == "The chain did not carry it out."
        redemptions.sign_return(found)
        kinds = TransactionIntent.objects.filter(request_id=found.pk).order_by("id")
        assert [intent.state for intent in kinds] == [IntentState.REVERTED, IntentState.SIGNED]

    def test_that_is_not_there_is_missing(self, waiting: Deposit, staff: Actor) -> None:
        with pytest.raises(errors.ReturnMissing):
            services.decline_return(waiting.pk, reason="No.", actor=staff, at=AT)
        with pytest.raises(errors.DepositMissing):
            services.propose_return(waiting.transfer.pk, reason="No.", actor=staff, at=AT)


class TestReturnView:
    def test_says_what_is_signed_and_why_not(self, waiting: Deposit, staff: Actor) -> None:
        before = selectors.return_view(waiting, actor=staff)
        assert (before.open_return, before.payload, before.not_to_propose) == (None, {}, ())
        assert [one.code for one in before.not_to_confirm] == ["approval-not-proposed"]

        found = services.propose_return(waiting.pk, reason="Unknown.", actor=staff, at=AT)
        seen = selectors.return_view(waiting, actor=staff)

        assert seen.open_return == found
        assert seen.payload["quantity"] == "7.7"
        assert [one.code for one in seen.not_to_propose] == ["proposal-open"]
        assert [one.code for one in seen.not_to_confirm] == ["same-person"]
        other = people.staff_actor(Role.APPROVER)
        assert selectors.return_view(waiting, actor=other).not_to_confirm == ()
