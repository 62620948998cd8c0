"""One signer, two tokens, halts and a restless chain: each nonce is used once, by what it says."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final
from uuid import UUID

import pytest
from django.db import transaction
from django.test import override_settings
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from issuer.chain import calls, registry, selectors, services, tasks
from issuer.chain.models import ChainEvent, TransactionAttempt, TransactionIntent
from issuer.chain.states import FAILED_STATES, IntentState
from issuer.foundation.actors import system
from issuer.foundation.errors import DomainError
from issuer.foundation.identifiers import uuid7
from issuer.gate import services as gate
from issuer.gate.models import Cause, Hold, ScopeKind
from issuer.instruments.models import Deployment
from tests.fakes.chain import FakeChain, _sender_of, _transaction_of
from tests.histories import tried
from tests.make import chain as make
from tests.make import gate as make_gate
from tests.make import instruments

ONE: Final = 10**18
START: Final = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
ACTOR: Final = system("tests")
ALICE: Final = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
SIGNER: Final = make.signer()

ACTS: Final = (
    "sign_apple",
    "sign_tesla",
    "sign_again",
    "advance",
    "advance",
    "advance_last",
    "send_last",
    "stop",
    "halt_apple",
    "halt_tesla",
    "resume",
    "mine",
    "finalize",
    "scan",
    "reorganize",
    "lose",
    "forget",
    "silence",
)


class Watched(FakeChain):
    """A chain that must be told nothing of a halted token, and no nonce out of its turn.

    What cancels does nothing, and may come before its turn.
    """

    def __init__(self) -> None:
        super().__init__()
        self.halted: set[str] = set()
        self.nonces: set[int] = set()

    def broadcast(self, raw_transaction: bytes) -> None:
        transaction_ = _transaction_of(raw_transaction)
        assert f"0x{bytes(transaction_['to']).hex()}" not in self.halted
        _, nonce = _sender_of(raw_transaction)
        assert not transaction_["data"] or set(range(nonce)) <= self.nonces
        super().broadcast(raw_transaction)
        self.nonces.add(nonce)


class World:
    """A minter that signs for two tokens, and everything that can come between."""

    def __init__(self, chain: Watched) -> None:
        self.chain = chain
        self.apple = instruments.deployment(address=chain.deploy(), deployed_block=1)
        network = self.apple.network
        self.tesla = instruments.deployment(
            network_=network, address=chain.deploy(), deployed_block=1
        )
        make.signer_account(network)
        chain.finalize()
        self.seconds = count()

    @property
    def at(self) -> datetime:
        return START + timedelta(seconds=next(self.seconds))

    def sign(self, deployment: Deployment, request_id: UUID | None = None) -> None:
        asked = request_id or uuid7()
        call = calls.mint(recipient=ALICE, base_units=ONE, request_id=asked)
        prepared = services.prepare(
            deployment=deployment, call=call, signer=SIGNER, reader=self.chain
        )
        with transaction.atomic():
            services.sign(
                deployment=deployment,
                call=call,
                request_id=asked,
                signer=SIGNER,
                prepared=prepared,
                actor=ACTOR,
                at=self.at,
            )

    def sign_apple(self) -> None:
        self.sign(self.apple)

    def sign_tesla(self) -> None:
        self.sign(self.tesla)

    def sign_again(self) -> None:
        failed = TransactionIntent.objects.filter(state__in=sorted(FAILED_STATES)).last()
        if failed is not None:
            self.sign(failed.deployment, failed.request_id)

    def advance(self) -> None:
        for intent in selectors.live_intents():
            tasks.advance_intent(intent_id=str(intent.pk))

    def advance_last(self) -> None:
        for intent in selectors.live_intents().reverse()[:1]:
            tasks.advance_intent(intent_id=str(intent.pk))

    def send_last(self) -> None:
        """Send, and die before anything becomes of it."""
        for intent in selectors.live_intents().reverse()[:1]:
            services.broadcast(intent.pk, sender=self.chain, actor=ACTOR, at=self.at)

    def stop(self) -> None:
        tasks.stop_intents()

    def halt(self, deployment: Deployment) -> None:
        make_gate.hold(ScopeKind.TOKEN, deployment.token_id, cause=Cause.STALE_SOURCE)
        self.chain.halted.add(deployment.address.lower())

    def halt_apple(self) -> None:
        self.halt(self.apple)

    def halt_tesla(self) -> None:
        self.halt(self.tesla)

    def resume(self) -> None:
        self.chain.halted.clear()
        for hold in Hold.objects.filter(released_at=None):
            gate.release_hold(hold.pk, actor=ACTOR, at=self.at)

    def mine(self) -> None:
        self.chain.mine()

    def finalize(self) -> None:
        self.chain.finalize()

    def scan(self) -> None:
        for deployment in (self.apple, self.tesla):
            services.scan_deployment(deployment, reader=self.chain, actor=ACTOR, at=self.at)

    def reorganize(self) -> None:
        self.chain.reorganize(1)

    def lose(self) -> None:
        self.chain.reorganize(1, losing=True)

    def forget(self) -> None:
        self.chain.pool.clear()

    def silence(self) -> None:
        self.chain.silent = not self.chain.silent

    def calm_down(self) -> None:
        """Let the chain behave, and the background work until nothing moves any more."""
        self.chain.silent = False
        for _ in range(4):
            self.advance()
            self.finalize()
            self.scan()


def history_of(names: list[str]) -> World:
    chain = Watched()
    world = World(chain)
    network = world.apple.network.caip2
    with (
        override_settings(
            NETWORKS={network: {"rpc_urls": ["http://127.0.0.1:9"]}},
            SIGNER_KEYS={network: make.SIGNER_KEYS},
            CELERY_TASK_ALWAYS_EAGER=True,
        ),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(registry, "_chain", lambda *_: chain)
        for name in names:
            with suppress(DomainError):
                getattr(world, name)()
        world.calm_down()
    return world


class TestNonceHistory(TestCase):
    @tried(8)
    @given(st.lists(st.sampled_from(ACTS), max_size=25))
    @example(["sign_apple", "sign_tesla", "halt_apple", "advance", "mine", "resume", "sign_again"])
    @example(["sign_apple", "advance", "halt_apple", "stop", "forget", "lose", "sign_tesla"])
    @example(["sign_apple", "advance", "mine", "advance", "halt_apple", "lose", "advance"])
    def test_uses_each_nonce_once_and_tells_the_truth_of_it(self, names: list[str]) -> None:
        world = history_of(names)

        mined = [raw for block in world.chain.mined for raw in block.raws]
        intents = list(TransactionIntent.objects.order_by("nonce"))
        assert sorted(_sender_of(raw) for raw in mined) == [
            (SIGNER.address, nonce) for nonce in range(len(intents))
        ]
        taken = {
            attempt.intent_id: attempt
            for attempt in TransactionAttempt.objects.all()
            if bytes(attempt.raw_transaction) in mined
        }
        for intent in intents:
            expected = IntentState.CANCELLED if taken[intent.pk].cancels else IntentState.FINAL
            assert intent.state == expected
            steps = set(intent.transitions.values_list("step", flat=True))
            assert not {"SEE_CANCELLED", "FINALIZE"} <= steps
        done = [intent for intent in intents if intent.state == IntentState.FINAL]
        assert len({intent.request_id for intent in done}) == len(done)
        supplies = [
            world.chain.state.tokens[deployment.address].supply
            for deployment in (world.apple, world.tesla)
        ]
        assert sum(supplies) == ONE * len(done)
        assert ChainEvent.objects.count() == len(done)
