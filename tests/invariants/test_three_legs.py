"""Whatever happens, in whatever order: the legs tie, every fault has its code, a halt holds."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pytest_django import Settings

from issuer.chain import registry
from issuer.chain.models import SupplySnapshot, TransactionIntent
from issuer.chain.states import LIVE_STATES, IntentKind, IntentState
from issuer.corporate_actions.models import StockSplit
from issuer.corporate_actions.states import SplitState
from issuer.foundation import quantities
from issuer.instruments import chart
from issuer.ledger import selectors as books
from issuer.primary_market.models import Deposit, IssuanceRequest, RedemptionRequest
from issuer.primary_market.states import DepositState, IssuanceState, RedemptionState
from issuer.reconciliation.models import Break, TokenResult
from issuer.reconciliation.states import BreakCode, BreakState
from tests.fakes.chain import BLOCKS_TO_FINALITY
from tests.histories import SOAKING
from tests.invariants.world import MINTER_KEYS, ONE, STRANGER, Death, Place, World
from tests.make import chain as make_chain

pytestmark = [pytest.mark.django_db, pytest.mark.history]

#: How often, and how far.
BRIEFLY: Final = settings(
    max_examples=4,
    stateful_step_count=14,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
LONG: Final = settings(
    BRIEFLY,
    max_examples=100,
    stateful_step_count=60,
    derandomize=False,
    phases=[Phase.generate, Phase.shrink],
    print_blob=True,
)

CHAINS = st.integers(0, 1)
TOKENS = st.integers(1, 60)
ZERO: Final = Decimal(0)


class Reserves(RuleBasedStateMachine):
    """A program that issues and redeems on two chains, and all that can befall it."""

    build: Callable[[], World]

    def __init__(self) -> None:
        super().__init__()
        self._transaction = transaction.atomic()
        self._transaction.__enter__()
        self.world = type(self).build()
        self.faults: set[BreakCode] = set()

    def teardown(self) -> None:
        """Leave the database to the next sequence as it was found."""
        transaction.set_rollback(True)
        self._transaction.__exit__(None, None, None)

    @initialize()
    def begin(self) -> None:
        """Issue on both chains, so that there is something to redeem and to steal beside."""
        for place, quantity in zip(self.world.places, (100, 40), strict=True):
            self.world.issue(place, quantity)
        self.holds()
        self.carry_through()
        completed = IssuanceRequest.objects.filter(state=IssuanceState.COMPLETED)
        assert sorted(one.quantity for one in completed) == [40, 100]

    # --- What is meant to happen

    @rule(number=CHAINS, quantity=TOKENS)
    def issue(self, number: int, quantity: int) -> None:
        self.world.issue(self.world.places[number], quantity)

    @rule()
    def approve(self) -> None:
        self.world.approve()

    @rule()
    def carry_through(self) -> None:
        """Approve what may be, and do nothing else until the chains and the custodian are done."""
        self.world.approve()
        for _ in range(1 + BLOCKS_TO_FINALITY + 1):
            self.holds()
        self.world.state_shares()

    @rule(number=CHAINS, quantity=TOKENS, sent=st.lists(TOKENS, max_size=2))
    def redeem(self, number: int, quantity: int, sent: list[int]) -> None:
        self.world.redeem(self.world.places[number], quantity, sent=sent or [quantity])

    @rule()
    def state(self) -> None:
        self.world.state_shares()

    @rule()
    def wait(self) -> None:
        """Nothing but the time passes."""

    @rule(asleep=st.booleans())
    def sleep(self, asleep: bool) -> None:
        """A day passes; the custodian does what is due."""
        self.world.next_day(asleep=asleep)
        self.holds()
        assert self.world.open_instructions() == [], "what the custodian did is not seen"

    @rule(shares_after=st.integers(2, 4))
    def split(self, shares_after: int) -> None:
        self.world.split(shares_after)

    # --- What is not

    @rule(number=CHAINS, quantity=TOKENS, relayed=st.booleans())
    def steal(self, number: int, quantity: int, relayed: bool) -> None:
        self.world.steal(self.world.places[number], quantity, relayed=relayed)
        self.faults |= {
            BreakCode.UNA_MINT,
            BreakCode.SUP_OVER,
            BreakCode.BAK_SHORT,
            BreakCode.CHN_UNK,
        }

    @rule(number=CHAINS, depth=st.integers(1, BLOCKS_TO_FINALITY), losing=st.booleans())
    def reorganize(self, number: int, depth: int, losing: bool) -> None:
        self.world.places[number].chain.reorganize(depth, losing=losing)

    @rule(number=CHAINS, death=st.sampled_from(Death))
    def kill(self, number: int, death: Death) -> None:
        """The next worker that sends something there dies of it."""
        self.world.places[number].chain.deadly = death

    @rule(number=CHAINS)
    def fall_silent(self, number: int) -> None:
        self.world.places[number].chain.silent = True
        self.faults.add(BreakCode.CHN_SRC)

    @rule()
    def speak_again(self) -> None:
        for place in self.world.places:
            place.chain.silent = False

    @precondition(lambda self: not (self.world.open_instructions() or self.world.is_delivering))
    @rule(missing=st.integers(1, 2))
    def misstate(self, missing: int) -> None:
        self.world.state_shares(missing=missing)
        self.faults |= {BreakCode.CUS_SHORT, BreakCode.BAK_SHORT}

    @rule(number=CHAINS, quantity=TOKENS)
    def stray(self, number: int, quantity: int) -> None:
        """Somebody whom nobody knows sends tokens back that are theirs."""
        place = self.world.places[number]
        wallet = place.market.wallet.address
        if place.balance(wallet) >= quantity * ONE:
            place.chain.transfer(place.contract, wallet, STRANGER, quantity * ONE)
            self.world.send(place, STRANGER, quantity)

    # --- What is done about it

    @rule()
    def halt(self) -> None:
        self.world.halt()

    @rule(number=CHAINS)
    def remedy(self, number: int) -> None:
        self.world.remedy(self.world.places[number])

    @rule()
    def close_and_resume(self) -> None:
        self.world.close_breaks()
        if self.world.resume():
            assert not self._at_large(), "resumed while stolen tokens are about"

    @rule()
    def recover(self) -> None:
        """Undo what there is, wait until it is final, and try to go on."""
        self.speak_again()
        self.world.state_shares()
        for place in self.world.places:
            self.world.remedy(place)
        for _ in range(2 * (1 + BLOCKS_TO_FINALITY + 1)):
            self.holds()
        live = TransactionIntent.objects.filter(kind=IntentKind.SEIZE, state__in=LIVE_STATES)
        assert not live.exists(), "a seizure that nothing hinders is not carried out"
        self.close_and_resume()

    # --- What holds after each of them

    @invariant()
    def holds(self) -> None:
        """Let a round of the beat pass, and look at everything."""
        was_shut, sent = self.world.is_shut, self.world.mints_sent()
        self.world.beat()
        if was_shut:
            assert self.world.mints_sent() == sent, "a mint was signed or sent while halted"
        result = TokenResult.objects.order_by("-run__as_of", "-id")[0]
        lines = {line.code: line.quantity for line in result.lines.all()}
        self._chains_tie(lines)
        self._custody_ties(lines)
        self._books_tie(lines)
        self._faults_have_their_codes()
        self._only_what_was_asked_for_is_burned()

    def _chains_tie(self, lines: dict[str, Decimal | None]) -> None:
        if any(place.chain.silent for place in self.world.places):
            assert lines["A10"] is None
            return
        for place in self.world.places:
            snapshot = _newest(place)
            final = place.chain.mined[snapshot.block_number]
            token = final.state.tokens[place.contract]
            assert (snapshot.block_hash, token.supply) == (
                final.block.hash,
                snapshot.total_supply_base_units,
            )
            assert len(place.chain.mined) - 1 - BLOCKS_TO_FINALITY == snapshot.block_number
        assert lines["A10"] == self._at_large()

    def _custody_ties(self, lines: dict[str, Decimal | None]) -> None:
        assert lines["B11"] == -self.world.missing

    def _books_tie(self, lines: dict[str, Decimal | None]) -> None:
        token = self.world.market.token
        assert set(books.trial_balance().values()) <= {ZERO}
        completed = IssuanceRequest.objects.filter(state=IssuanceState.COMPLETED)
        burned = RedemptionRequest.objects.filter(burn_intent__state=IntentState.BOOKED)
        register = sum((one.quantity for one in completed), ZERO) - sum(
            (one.quantity for one in burned), ZERO
        )
        assert lines["A9"] == register == books.balance(chart.tokens_issued(token))

    def _faults_have_their_codes(self) -> None:
        opened = {BreakCode(code) for code in Break.objects.values_list("code", flat=True)}
        assert opened <= self.faults, f"{opened - self.faults} of nothing that happened"
        still = {
            BreakCode(code)
            for code in Break.objects.filter(state=BreakState.OPEN).values_list("code", flat=True)
        }
        silent = any(place.chain.silent for place in self.world.places)
        if silent:
            assert BreakCode.CHN_SRC in still
        if self.world.missing:
            assert BreakCode.CUS_SHORT in still
        found = Break.objects.filter(code=BreakCode.UNA_MINT)
        stolen = {
            f"{change.transaction_hash}#{change.log_index}"
            for place in self.world.places
            for change in place.stolen()
            if change.block.number <= _newest(place).block_number
        }
        assert {one.subject for one in found} == stolen
        assert not found.filter(state=BreakState.CLEARED).exists()
        if self._at_large():
            assert self.world.is_shut
            assert silent or BreakCode.SUP_OVER in still

    def _only_what_was_asked_for_is_burned(self) -> None:
        burns = TransactionIntent.objects.filter(kind=IntentKind.BURN)
        for intent in burns:
            request = RedemptionRequest.objects.get(pk=intent.request_id)
            matched = Deposit.objects.filter(redemption=request).exclude(
                state=DepositState.QUARANTINED
            )
            whole = quantities.to_base_units(request.quantity, decimals=18)
            assert intent.base_units == whole
            assert sum((one.matched for one in matched), ZERO) == request.quantity

    def _at_large(self) -> Decimal:
        """Return the tokens that final mints of the thief made and no final seizure undid."""
        at_large = 0
        for place in self.world.places:
            last = _newest(place).block_number
            at_large += sum(
                change.base_units for change in place.stolen() if change.block.number <= last
            )
            seized = TransactionIntent.objects.filter(
                deployment=place.deployment, kind=IntentKind.SEIZE, event__block_number__lte=last
            )
            at_large -= sum(intent.base_units or 0 for intent in seized)
        return quantities.to_quantity(at_large, decimals=18)


def _newest(place: Place) -> SupplySnapshot:
    return place.deployment.supply_snapshots.order_by("-block_number")[0]


@pytest.fixture
def reserves(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A machine whose chains the tasks reach, and whose clock they ask."""
    settings.CELERY_TASK_ALWAYS_EAGER = True
    settings.CLOCK_OFFSET_FILE = tmp_path / "clock-offset"

    def build() -> World:
        world = World(settings.CLOCK_OFFSET_FILE)
        chains = world.by_chain_id()
        networks = [place.deployment.network.caip2 for place in world.places]
        settings.NETWORKS = {caip2: {"rpc_urls": ["http://127.0.0.1:1"]} for caip2 in networks}
        keys = make_chain.SIGNER_KEYS | {"MINTER": list(MINTER_KEYS)}
        settings.SIGNER_KEYS = dict.fromkeys(networks, keys)
        monkeypatch.setattr(registry, "_chain", lambda chain_id, _: chains[chain_id])
        return world

    return type("ReservesOfATest", (Reserves,), {"build": staticmethod(build)})


def test_the_way_there_and_back_and_through_a_theft(reserves: Any) -> None:
    """The longest way, which chance alone would seldom take."""
    machine = reserves()
    try:
        machine.begin()
        machine.redeem(number=0, quantity=30, sent=[20, 10])
        for _ in range(1 + BLOCKS_TO_FINALITY):
            machine.holds()
        machine.carry_through()
        machine.carry_through()
        machine.holds()
        redeemed = RedemptionRequest.objects.get()
        machine.steal(number=1, quantity=5, relayed=False)
        for _ in range(1 + BLOCKS_TO_FINALITY):
            machine.holds()
        machine.recover()
        assert not machine.world.is_shut
        machine.split(shares_after=4)
        machine.kill(number=0, death=Death.AFTER)
        machine.carry_through()
        assert redeemed.state == RedemptionState.DELIVERING
        machine.sleep(asleep=False)
        for _ in range(1 + BLOCKS_TO_FINALITY):
            machine.holds()
        redeemed.refresh_from_db()
        assert redeemed.state == RedemptionState.COMPLETED
        assert StockSplit.objects.get().state == SplitState.CLOSED
    finally:
        machine.teardown()


def test_the_legs_tie_whatever_happens(reserves: Any) -> None:
    profile = LONG if SOAKING else BRIEFLY
    run_state_machine_as_test(reserves, settings=profile)
