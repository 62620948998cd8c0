"""Whatever is tried with a request, in whatever order."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from issuer.chain.states import IntentState
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError
from issuer.instruments import chart
from issuer.ledger import selectors as books
from issuer.people.roles import Role
from issuer.primary_market import services
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.states import IssuanceState
from issuer.reserves import selectors as reserves
from issuer.reserves.models import ShareHold
from tests.histories import tried
from tests.make import chain, people, primary_market
from tests.make.primary_market import AT

Act = Callable[[IssuanceRequest, Actor], Any]

HELD = {IssuanceState.APPROVED, IssuanceState.MINTING}


def accept(request: IssuanceRequest, actor: Actor) -> None:
    services.accept(
        request.pk,
        delivering_party="Broker AG",
        trade_date=date(2026, 11, 19),
        actor=actor,
        at=AT,
    )


def deliver(request: IssuanceRequest, _: Actor) -> None:
    if request.instruction is not None and request.instruction.state == "INSTRUCTED":
        primary_market.deliver(request)


def on_chain(becomes: IntentState) -> Act:
    def act(request: IssuanceRequest, _: Actor) -> None:
        if request.mint_intent is not None and request.mint_intent.state == IntentState.SIGNED:
            if becomes == IntentState.FINAL:
                primary_market.finalize(request)
            else:
                primary_market.fail(request, becomes)

    act.__name__ = f"on_chain_{becomes.lower()}"
    return act


def of(service: Callable[..., Any], **arguments: Any) -> Act:
    def act(request: IssuanceRequest, actor: Actor) -> None:
        service(request.pk, actor=actor, at=AT, **arguments)

    act.__name__ = service.__name__
    return act


def confirm(request: IssuanceRequest, _: Actor) -> None:
    with suppress(AssertionError):  # nothing is proposed
        primary_market.confirm(request, actor=people.staff_actor(Role.APPROVER))


def sign(request: IssuanceRequest, _: Actor) -> None:
    primary_market.sign(request)


def cancel(request: IssuanceRequest, actor: Actor) -> None:
    services.cancel(request.pk, participant=request.participant, actor=actor, at=AT)


ACTS: list[Act] = [
    accept,
    deliver,
    of(services.confirm_funding),
    of(services.propose_approval),
    confirm,
    of(services.withdraw_approval, reason="Looked again."),
    sign,
    on_chain(IntentState.FINAL),
    on_chain(IntentState.REVERTED),
    of(services.record_failed_mint),
    of(services.complete),
    of(services.reject, reason="Not these."),
    cancel,
    of(services.freeze, reason="A hit."),
    of(services.unfreeze, reason="A namesake."),
]
#: The way to the end, so that the later steps are tried as often as the first.
WAY = [
    accept,
    deliver,
    of(services.confirm_funding),
    of(services.propose_approval),
    confirm,
    sign,
    on_chain(IntentState.FINAL),
    of(services.complete),
]


class TestIssuanceHistory(TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        chain.signer()  # its first use raises the recursion limit, which no example may do

    @tried(8)
    @given(
        st.integers(0, len(WAY)),
        st.lists(st.sampled_from(ACTS), max_size=8),
        st.sampled_from(["600", "0.000000001", "12345678.123456789012345678"]),
    )
    def test_is_an_unbroken_chain_and_the_books_agree_with_it(
        self, walked: int, acts: list[Act], quantity: str
    ) -> None:
        market = primary_market.market()
        request = primary_market.issuance(market, quantity=Decimal(quantity))
        officer = people.staff_actor(Role.OPERATIONS_OFFICER)

        for act in [*WAY[:walked], *acts]:
            request = IssuanceRequest.objects.get(pk=request.pk)
            with suppress(DomainError):
                act(request, officer)

        request = IssuanceRequest.objects.get(pk=request.pk)
        history = list(request.transitions.order_by("id"))
        assert [one.origin for one in history[:1]] in ([], ["REQUESTED"])
        assert all(one.destination == after.origin for one, after in pairwise(history))
        assert request.state == (history[-1].destination if history else "REQUESTED")

        held = ShareHold.objects.filter(request_id=request.pk, state="ACTIVE").exists()
        assert held == (request.state in HELD)
        minted = Decimal(quantity) if request.state == IssuanceState.COMPLETED else Decimal(0)
        assert books.balance(chart.tokens_outstanding(market.token)) == minted
        assert books.balance(chart.shares_owed_on_tokens(market.token)) == minted
        assert set(books.trial_balance().values()) <= {Decimal(0)}
        surplus = reserves.cover_of(market.token, at=AT).surplus
        assert surplus is not None
        assert surplus >= 0
