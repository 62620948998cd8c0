"""Whatever is done to an act, in whatever order: it ends as its calls did, and signs each once."""

from contextlib import suppress
from itertools import pairwise
from typing import Final

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from issuer.chain import services
from issuer.chain.models import TransactionIntent
from issuer.chain.states import FAILED_STATES, ActState, IntentKind, IntentState
from issuer.foundation.actors import system
from issuer.foundation.errors import DomainError
from issuer.people.roles import Role
from tests.histories import tried
from tests.make import chain, instruments, people
from tests.make import chain_acts as acts

ACTS: Final = ("confirm", "decline", "sign", "finalize", "revert", "complete", "fail", "refuse")
ACTOR: Final = system("tests")


class World:
    """One act on two contracts, and everything that can be done to it."""

    def __init__(self) -> None:
        first = instruments.deployment()
        both = [first, instruments.deployment(network_=first.network)]
        self.act = acts.act(both, kind=IntentKind.PAUSE)
        self.payload_hash = acts.hash_of(self.act)
        self.approver = people.staff_actor(Role.APPROVER)

    def confirm(self) -> None:
        services.confirm_act(
            self.act.pk, payload_hash=self.payload_hash, actor=self.approver, at=acts.AT
        )

    def decline(self) -> None:
        services.decline_act(self.act.pk, reason="No.", actor=self.approver, at=acts.AT)

    def sign(self) -> None:
        acts.sign(self.act)

    def finalize(self) -> None:
        live = TransactionIntent.objects.filter(state=IntentState.SIGNED).order_by("id")[:1]
        TransactionIntent.objects.filter(pk__in=list(live.values_list("pk", flat=True))).update(
            state=IntentState.FINAL
        )

    def revert(self) -> None:
        live = TransactionIntent.objects.filter(state=IntentState.SIGNED).order_by("id")[:1]
        TransactionIntent.objects.filter(pk__in=list(live.values_list("pk", flat=True))).update(
            state=IntentState.REVERTED, failure="Reverted."
        )

    def complete(self) -> None:
        services.complete_act(self.act.pk, actor=ACTOR, at=acts.AT)

    def fail(self) -> None:
        services.fail_act(self.act.pk, reason="It failed.", actor=ACTOR, at=acts.AT)

    def refuse(self) -> None:
        for call in self.act.calls.all():
            services.note_refusal(call.pk, reason="EnforcedPause", actor=ACTOR, at=acts.AT)


class TestActHistory(TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        chain.signer()  # its first use raises the recursion limit, which no example may do

    @tried(10)
    @given(st.lists(st.sampled_from(ACTS), max_size=14))
    def test_is_true_and_signs_each_call_once(self, names: list[str]) -> None:
        world = World()

        for name in names:
            with suppress(DomainError):
                getattr(world, name)()

        act = world.act
        act.refresh_from_db()
        history = list(act.transitions.order_by("id"))
        assert all(one.destination == after.origin for one, after in pairwise(history))
        assert act.state == (history[-1].destination if history else ActState.PROPOSED)
        states = [call.intent.state for call in act.calls.select_related("intent") if call.intent]
        assert TransactionIntent.objects.count() == len(states) <= 2
        match act.state:
            case ActState.PROPOSED | ActState.APPROVED | ActState.DECLINED:
                assert states == []
            case ActState.SENT:
                assert len(states) == 2
                assert IntentState.BOOKED not in states
            case ActState.DONE:
                assert states == [IntentState.BOOKED] * 2
            case ActState.FAILED:
                assert set(states) <= FAILED_STATES | {IntentState.BOOKED}
                assert states == [] or set(states) & FAILED_STATES
