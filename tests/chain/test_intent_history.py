"""Whatever the chain does, and in whatever order we look: one mint at most, and a true history."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from typing import Final

from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from issuer.chain import calls, selectors, services
from issuer.chain.models import ChainEvent, TransactionIntent
from issuer.chain.states import FINAL_STATES, IntentState
from issuer.foundation.actors import system
from issuer.foundation.errors import DomainError
from issuer.foundation.identifiers import uuid7
from tests.fakes.chain import FakeChain
from tests.histories import tried
from tests.make import chain as make
from tests.make import instruments

ONE = 10**18
START = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
ACTOR = system("tests")
ALICE = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"


ACTS: Final = (
    "go_on",
    "go_on",
    "go_on",
    "sign",
    "broadcast",
    "observe",
    "scan",
    "bump",
    "book",
    "mine",
    "finalize",
    "reorganize",
    "lose",
    "forget",
    "revert",
    "silence",
    "use_nonce",
)

#: Where a mint comes to rest until the books, or another try, take it on.
SETTLED: Final = FINAL_STATES | {IntentState.FINAL}


class World:
    """One request to mint, one chain, and everything that can happen between them."""

    def __init__(self) -> None:
        self.chain = FakeChain()
        self.deployment = instruments.deployment(address=self.chain.deploy(), deployed_block=1)
        make.signer_account(self.deployment.network)
        self.chain.finalize()
        self.request_id = uuid7()
        self.seconds = count()

    @property
    def at(self) -> datetime:
        return START + timedelta(seconds=next(self.seconds))

    @property
    def intent(self) -> TransactionIntent:
        return TransactionIntent.objects.latest("id")

    def sign(self) -> None:
        call = calls.mint(recipient=ALICE, base_units=ONE, request_id=self.request_id)
        prepared = services.prepare(
            deployment=self.deployment, call=call, signer=make.signer(), reader=self.chain
        )
        with transaction.atomic():
            services.sign(
                deployment=self.deployment,
                call=call,
                request_id=self.request_id,
                signer=make.signer(),
                prepared=prepared,
                actor=ACTOR,
                at=self.at,
            )

    def broadcast(self) -> None:
        services.broadcast(self.intent.pk, sender=self.chain, actor=ACTOR, at=self.at)

    def observe(self) -> None:
        services.observe(self.intent.pk, reader=self.chain, actor=ACTOR, at=self.at)

    def scan(self) -> None:
        services.scan_deployment(self.deployment, reader=self.chain, actor=ACTOR, at=self.at)

    def bump(self) -> None:
        services.bump_fees(
            selectors.newest_attempt(self.intent).pk,
            signer=make.signer(),
            fees=make.FEES,
            actor=ACTOR,
            at=self.at,
        )

    def book(self) -> None:
        with transaction.atomic():
            services.record_booked(self.intent, actor=ACTOR, at=self.at)

    def go_on(self) -> None:
        """Do what the background does in a round, while the chain moves."""
        for act in (self.observe, self.broadcast, self.mine, self.observe, self.scan):
            with suppress(DomainError):
                act()

    def calm_down(self) -> None:
        """Let the chain behave, and the background work until nothing moves any more."""
        self.chain.silent = self.chain.reverting = False
        for _ in range(4):
            self.go_on()

    def mine(self) -> None:
        self.chain.mine()

    def finalize(self) -> None:
        self.chain.finalize()

    def reorganize(self) -> None:
        self.chain.reorganize(1)

    def lose(self) -> None:
        self.chain.reorganize(1, losing=True)

    def forget(self) -> None:
        self.chain.pool.clear()

    def revert(self) -> None:
        self.chain.reverting = not self.chain.reverting

    def silence(self) -> None:
        self.chain.silent = not self.chain.silent

    def use_nonce(self) -> None:
        self.chain.use_nonce(make.signer().address)


class TestIntentHistory(TestCase):
    @tried(10)
    @given(st.lists(st.sampled_from(ACTS), max_size=20))
    def test_is_true_and_mints_once(self, names: list[str]) -> None:
        world = World()
        with transaction.atomic():
            world.sign()

        for name in names:
            with suppress(DomainError):
                getattr(world, name)()

        world.calm_down()

        assert world.intent.state in SETTLED
        supply = world.chain.state.tokens[world.deployment.address].supply
        assert supply in (0, ONE)
        assert ChainEvent.objects.count() <= 1
        intents = list(TransactionIntent.objects.order_by("id"))
        done = [each for each in intents if each.state in (IntentState.FINAL, IntentState.BOOKED)]
        assert len(done) <= 1
        assert supply == ONE * len(done)
        for intent in intents[:-1]:
            assert intent.state in FINAL_STATES - {IntentState.BOOKED}
        for intent in intents:
            history = list(intent.transitions.order_by("id"))
            assert [step.origin for step in history[:1]] in ([], [IntentState.SIGNED])
            assert all(one.destination == after.origin for one, after in pairwise(history))
            assert intent.state == (history[-1].destination if history else IntentState.SIGNED)
            assert {attempt.calldata_hash for attempt in intent.attempts.all()} == {
                intent.calldata_hash
            }
