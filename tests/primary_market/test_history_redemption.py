"""Whatever comes, from whomever, and whatever is tried with it, in whatever order."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, ClassVar

from django.db.models import QuerySet, Sum
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from issuer.chain.models import IncomingTransfer, TransactionIntent
from issuer.chain.states import FAILED_STATES, IntentKind, IntentState
from issuer.foundation import quantities
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError
from issuer.instruments import chart
from issuer.ledger import selectors as books
from issuer.people.roles import Role
from issuer.primary_market import services
from issuer.primary_market.models import Deposit, DepositReturn, RedemptionRequest
from issuer.primary_market.states import (
    GIVEN_UP_STATES,
    DepositState,
    RedemptionState,
    ReturnState,
)
from tests.histories import tried
from tests.make import people, redemptions
from tests.make.primary_market import AT, PARTNER, Market
from tests.make.redemptions import SYSTEM

_S = RedemptionState

OUTSTANDING = Decimal(600)
CARRIED_OUT = [IntentState.FINAL, IntentState.BOOKED]
#: The tokens of a request in one of these are gone; in FROZEN, if its burn is known.
BURNED = {_S.BURNED, _S.DELIVERING, _S.COMPLETED}


@dataclass(frozen=True)
class Hand:
    """What one act is done with: which request, deposit or return, and how many tokens."""

    market: Market
    officer: Actor
    approver: Actor
    pick: int
    quantity: Decimal

    def one_of(self, rows: QuerySet[Any]) -> Any:
        """Return one of `rows`; there is nothing to do without any."""
        found = list(rows.order_by("pk"))
        if not found:
            raise Nothing
        return found[self.pick % len(found)]

    @property
    def request(self) -> RedemptionRequest:
        found: RedemptionRequest = self.one_of(RedemptionRequest.objects.all())
        return found

    @property
    def deposit(self) -> Deposit:
        found: Deposit = self.one_of(Deposit.objects.all())
        return found

    @property
    def a_return(self) -> DepositReturn:
        found: DepositReturn = self.one_of(DepositReturn.objects.all())
        return found


class Nothing(Exception):
    """There is nothing that could be done."""


Act = Callable[[Hand], object]


def ask(hand: Hand) -> None:
    redemptions.redemption(hand.market, quantity=hand.quantity)


def accept(hand: Hand) -> None:
    services.accept_redemption(
        hand.request.pk, receiving_party="A broker", actor=hand.officer, at=AT
    )


def send(hand: Hand) -> None:
    redemptions.deposit(hand.market, hand.quantity)


def send_all(hand: Hand) -> None:
    if hand.request.missing:
        redemptions.receive(hand.request)


def send_as_a_stranger(hand: Hand) -> None:
    redemptions.deposit(hand.market, hand.quantity, sender=redemptions.stranger())


def cancel(hand: Hand) -> None:
    services.cancel_redemption(
        hand.request.pk, participant=hand.market.participant, actor=PARTNER, at=AT
    )


def expire(hand: Hand) -> None:
    request = hand.request
    redemptions.read_until(request.deployment, request.expires_at + timedelta(seconds=1))
    services.expire_redemption(request.pk, actor=SYSTEM, at=request.expires_at)


def confirm(hand: Hand) -> None:
    with suppress(AssertionError):  # nothing is proposed
        redemptions.confirm(hand.request, actor=hand.approver)


def sign(hand: Hand) -> None:
    redemptions.sign(hand.request)


def burn(hand: Hand) -> None:
    request = hand.request
    if request.burn_intent is not None and request.burn_intent.state == IntentState.SIGNED:
        redemptions.finalize(request)


def revert(hand: Hand) -> None:
    request = hand.request
    if request.burn_intent is not None and request.burn_intent.state == IntentState.SIGNED:
        redemptions.fail(request.burn_intent, IntentState.REVERTED)


def deliver(hand: Hand) -> None:
    request = hand.request
    if request.instruction is not None and request.instruction.state == "INSTRUCTED":
        redemptions.deliver(request)


def assign(hand: Hand) -> None:
    services.assign_deposit(hand.deposit.pk, request_id=hand.request.pk, actor=hand.officer, at=AT)


def clear(hand: Hand) -> None:
    services.clear_deposit(hand.deposit.pk, reason="Known.", actor=hand.officer, at=AT)


def propose_return(hand: Hand) -> None:
    services.propose_return(hand.deposit.pk, reason="Unknown.", actor=hand.officer, at=AT)


def confirm_return(hand: Hand) -> None:
    with suppress(AssertionError):  # nothing is proposed
        redemptions.confirm_return(hand.a_return, actor=hand.approver)


def sign_return(hand: Hand) -> None:
    redemptions.sign_return(hand.a_return)


def carry_back(hand: Hand) -> None:
    found = hand.a_return
    if found.intent is not None and found.intent.state == IntentState.SIGNED:
        redemptions.finalize_return(found)


def lose_return(hand: Hand) -> None:
    found = hand.a_return
    if found.intent is not None and found.intent.state == IntentState.SIGNED:
        redemptions.fail(found.intent, IntentState.REVERTED)


def of_request(service: Callable[..., Any], **arguments: Any) -> Act:
    def act(hand: Hand) -> None:
        service(hand.request.pk, actor=hand.officer, at=AT, **arguments)

    act.__name__ = service.__name__
    return act


def of_return(service: Callable[..., Any], **arguments: Any) -> Act:
    def act(hand: Hand) -> None:
        service(hand.a_return.pk, actor=hand.officer, at=AT, **arguments)

    act.__name__ = service.__name__
    return act


#: The way of a redemption to its end, so that the later steps are tried as often as the first.
WAY: list[Act] = [
    ask,
    accept,
    send_all,
    of_request(services.propose_redemption),
    confirm,
    sign,
    burn,
    of_request(services.complete_burn),
    of_request(services.instruct_delivery),
    deliver,
    of_request(services.complete_redemption),
]
#: The way back, of what a stranger has sent.
WAY_BACK: list[Act] = [
    send_as_a_stranger,
    propose_return,
    confirm_return,
    sign_return,
    carry_back,
    of_return(services.complete_return),
]
ACTS: list[Act] = [
    *WAY,
    *WAY_BACK,
    send,
    send,
    cancel,
    expire,
    revert,
    assign,
    clear,
    lose_return,
    of_request(services.record_failed_burn),
    of_request(services.reject_redemption, reason="Not these."),
    of_request(services.decline_redemption, reason="Not now."),
    of_request(services.withdraw_redemption, reason="Looked again."),
    of_request(services.freeze_redemption, reason="A hit."),
    of_request(services.unfreeze_redemption, reason="A namesake."),
    of_return(services.decline_return, reason="Look again."),
    of_return(services.record_failed_return),
]
QUANTITIES = ["1", "10", "40", "60", "100", "99.999999999999999994"]


def summed(rows: QuerySet[Any], column: str) -> Decimal:
    return Decimal(rows.aggregate(total=Sum(column))["total"] or 0)


def at_the_address() -> Decimal:
    """Return the tokens that lie at the deposit address, as the chain has carried things out."""
    gone = TransactionIntent.objects.filter(
        kind__in=[IntentKind.BURN, IntentKind.RETURN], state__in=CARRIED_OUT
    )
    came = summed(IncomingTransfer.objects.all(), "base_units")
    return quantities.to_quantity(int(came - summed(gone, "base_units")), decimals=18)


def is_burned(request: RedemptionRequest) -> bool:
    """Say whether the books have the tokens of a request as burned."""
    return request.state in BURNED or (
        request.state == _S.FROZEN and request.burn_intent is not None
    )


def accounted_for() -> Decimal:
    """Return what the house says of the tokens at the address: matched, waiting or going back."""
    burnt_on_chain = {
        request.pk
        for request in RedemptionRequest.objects.exclude(burn_intent=None)
        if request.burn_intent is not None and request.burn_intent.state in CARRIED_OUT
    }
    returned = DepositReturn.objects.filter(intent__state__in=CARRIED_OUT)
    total = -summed(returned, "quantity")
    for deposit in Deposit.objects.select_related("redemption"):
        matched = deposit.matched
        alive = deposit.redemption is not None and deposit.redemption.state not in GIVEN_UP_STATES
        spoken_for = matched if alive else Decimal(0)
        assert deposit.to_return >= 0, "nothing is promised twice"
        assert deposit.quantity == spoken_for + deposit.returned + deposit.to_return
        total += deposit.quantity
        if deposit.redemption_id in burnt_on_chain:
            total -= matched
    return total


def assert_tied(market: Market) -> None:
    """Fail unless what came, what was burned, what went back and what was delivered tie."""
    assert at_the_address() == accounted_for()
    burned = Decimal(0)
    owed = Decimal(0)
    for request in RedemptionRequest.objects.select_related("burn_intent"):
        assert request.received == summed(request.deposits.all(), "matched")
        burns = TransactionIntent.objects.filter(request_id=request.pk, kind=IntentKind.BURN)
        assert burns.exclude(state__in=sorted(FAILED_STATES)).count() <= 1
        if burns.exists():
            assert request.received == request.quantity
        if is_burned(request):
            burned += request.quantity
            owed += request.shares
        assert_unbroken(request)
    token = market.token
    delivered = summed(RedemptionRequest.objects.filter(instruction__state="SETTLED"), "shares")
    pending = books.balance(chart.shares_pending_delivery(token, market.account.reference))
    waiting = books.balance(chart.shares_burned_not_delivered(token))
    assert books.balance(chart.tokens_outstanding(token)) == OUTSTANDING - burned
    assert waiting + pending + delivered == owed
    settled = books.balance(chart.shares_settled(token, market.account.reference))
    assert OUTSTANDING - settled == delivered <= burned
    assert set(books.trial_balance().values()) <= {Decimal(0)}
    for found in DepositReturn.objects.filter(state=ReturnState.RETURNED):
        assert found.intent is not None
        assert found.intent.state == IntentState.BOOKED
    matched = Deposit.objects.filter(state=DepositState.MATCHED)
    assert not matched.filter(redemption__state__in=sorted(GIVEN_UP_STATES)).exists()


def assert_unbroken(request: RedemptionRequest) -> None:
    history = list(request.transitions.order_by("id"))
    assert [one.origin for one in history[:1]] in ([], ["REQUESTED"])
    assert all(one.destination == after.origin for one, after in pairwise(history))
    assert request.state == (history[-1].destination if history else "REQUESTED")


class TestRedemptionHistory(TestCase):
    market: ClassVar[Market]
    officer: ClassVar[Actor]
    approver: ClassVar[Actor]

    @classmethod
    def setUpTestData(cls) -> None:
        cls.market = redemptions.market(outstanding=OUTSTANDING)
        cls.officer = people.staff_actor(Role.OPERATIONS_OFFICER)
        cls.approver = people.staff_actor(Role.APPROVER)

    @tried(10)
    @given(
        st.integers(0, len(WAY)),
        st.integers(0, len(WAY_BACK)),
        st.lists(
            st.tuples(st.sampled_from(ACTS), st.integers(0, 3), st.sampled_from(QUANTITIES)),
            max_size=12,
        ),
    )
    def test_ties_after_every_act(
        self, forth: int, back: int, acts: Iterable[tuple[Act, int, str]]
    ) -> None:
        begun = [(act, 0, "60") for act in [*WAY[:forth], *WAY_BACK[:back]]]

        for act, pick, quantity in [*begun, *acts]:
            hand = Hand(self.market, self.officer, self.approver, pick, Decimal(quantity))
            with suppress(DomainError, Nothing):
                act(hand)
            assert_tied(self.market)
