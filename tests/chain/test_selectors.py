"""Questions about what chains said, and about our mints."""

import pytest

from issuer.chain import selectors
from issuer.chain.states import EventKind, IntentState
from tests.make import chain as make
from tests.make import instruments

pytestmark = pytest.mark.django_db


class TestNewestSnapshot:
    def test_is_of_the_highest_block(self) -> None:
        deployment = instruments.deployment()
        assert selectors.newest_snapshot(deployment) is None
        newest = make.snapshot(deployment, block_number=9)
        make.snapshot(deployment, block_number=8)
        make.snapshot()

        assert selectors.newest_snapshot(deployment) == newest


class TestSnapshotsOf:
    def test_are_the_newest_of_each_deployment(self) -> None:
        token = instruments.token()
        one, other = (instruments.deployment(token_=token) for _ in range(2))
        instruments.deployment(token_=token)
        expected = set()
        for deployment in (one, other):
            make.snapshot(deployment, block_number=1)
            expected.add(make.snapshot(deployment, block_number=2))
        make.snapshot()

        assert set(selectors.snapshots_of(token)) == expected


class TestOpenTrouble:
    def test_is_the_one_that_has_not_ended(self) -> None:
        network = instruments.network()
        make.trouble(network, ended_at=make.BEFORE)
        assert selectors.open_trouble(network) is None
        trouble = make.trouble(network)

        assert selectors.open_trouble(network) == trouble


class TestLiveIntents:
    def test_come_in_the_order_of_their_nonces(self) -> None:
        deployment = instruments.deployment()
        intents = {state: make.intent(deployment, state=state) for state in IntentState}

        assert list(selectors.live_intents()) == [
            intents[IntentState.SIGNED],
            intents[IntentState.BROADCAST],
            intents[IntentState.MINED],
            intents[IntentState.CANCELLING],
            intents[IntentState.CANCEL_SENT],
        ]


class TestFinalUnbooked:
    def test_are_final_and_of_the_token(self) -> None:
        deployment = instruments.deployment()
        for state in IntentState:
            make.intent(deployment, state=state)
        make.intent(state=IntentState.FINAL)

        [intent] = selectors.final_unbooked(deployment.token)

        assert intent.deployment == deployment
        assert intent.state == IntentState.FINAL


class TestUnmatchedMints:
    def test_are_mints_that_no_intent_explains(self) -> None:
        deployment = instruments.deployment()
        make.intent(deployment, state=IntentState.FINAL)
        make.event(deployment, kind=EventKind.BURN)
        make.event()
        stray = make.event(deployment)

        assert list(selectors.unmatched_mints(deployment.token)) == [stray]
