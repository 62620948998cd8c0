"""What becomes of requests by itself."""

from datetime import timedelta

import pytest
from django.db import connection
from pytest_django import Settings

from issuer.chain import registry
from issuer.chain.models import TransactionIntent
from issuer.chain.states import IntentState
from issuer.foundation import clock
from issuer.foundation.actors import Actor
from issuer.gate.models import ScopeKind
from issuer.kyc.models import Case
from issuer.parties import services as parties
from issuer.primary_market import selectors, services, tasks
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.states import IssuanceState
from tests.fakes.chain import FakeChain
from tests.make import chain, gate, primary_market
from tests.make import parties as make_parties
from tests.make.chain import SIGNER_KEYS, signer_account
from tests.make.primary_market import Market
from tests.primary_market.assertions import holds_of

pytestmark = pytest.mark.django_db

_S = IssuanceState


@pytest.fixture(autouse=True)
def at_once(settings: Settings) -> None:
    """Every task that is asked for is carried out there and then, each on its own."""
    settings.CELERY_TASK_ALWAYS_EAGER = True


@pytest.fixture
def market() -> Market:
    """A market as of now, for tasks ask the clock."""
    return primary_market.market(at=clock.now())


@pytest.fixture
def node(market: Market, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> FakeChain:
    """The network of the market, in memory."""
    node = FakeChain()
    node.deploy(market.deployment.address)
    settings.NETWORKS = {market.deployment.network.caip2: {"rpc_urls": ["http://127.0.0.1:1"]}}
    settings.SIGNER_KEYS = {market.deployment.network.caip2: SIGNER_KEYS}
    signer_account(market.deployment.network)
    monkeypatch.setattr(registry, "_chain", lambda *_: node)
    return node


def issuance(market: Market, state: IssuanceState) -> IssuanceRequest:
    return primary_market.issuance(market, state=state, at=clock.now())


def state_of(request: IssuanceRequest) -> IssuanceState:
    request.refresh_from_db()
    return IssuanceState(request.state)


class TestAdvanceRequests:
    def test_funds_what_has_settled(self, market: Market) -> None:
        request = issuance(market, _S.ACCEPTED)
        primary_market.deliver(request, at=clock.now())

        tasks.advance_requests()

        assert state_of(request) == _S.FUNDED

    def test_leaves_what_is_on_its_way(self, market: Market) -> None:
        request = issuance(market, _S.ACCEPTED)

        tasks.advance_requests()

        assert state_of(request) == _S.ACCEPTED

    def test_expires_what_has_not_come_in_time(self, market: Market) -> None:
        then = clock.now() - timedelta(days=11)
        request = primary_market.issuance(market, at=then)

        tasks.advance_requests()

        assert state_of(request) == _S.EXPIRED

    def test_does_not_expire_what_has_settled_at_the_last_moment(self, market: Market) -> None:
        now = clock.now()
        request = primary_market.issuance(market, state=_S.ACCEPTED, at=now - timedelta(days=11))
        primary_market.deliver(request, at=now)

        tasks.advance_requests()

        assert state_of(request) == _S.FUNDED

    def test_freezes_what_lost_its_kyc(self, market: Market) -> None:
        requests = [issuance(market, state) for state in (_S.REQUESTED, _S.APPROVED)]
        minting = issuance(market, _S.MINTING)
        Case.objects.update(valid_until=clock.now().date() - timedelta(days=1))

        tasks.advance_requests()

        assert [state_of(request) for request in requests] == [_S.FROZEN, _S.FROZEN]
        assert requests[0].reason.startswith(f"The KYC of {market.participant} is")
        assert holds_of(requests[1]) == ["RELEASED"]
        assert state_of(minting) == _S.MINTING

    def test_freezes_what_lost_its_wallet(self, market: Market, staff: Actor) -> None:
        request = issuance(market, _S.FUNDED)
        parties.revoke_wallet(market.wallet, reason="Key lost.", actor=staff, at=clock.now())

        tasks.advance_requests()

        assert state_of(request) == _S.FROZEN
        assert request.reason == f"{market.wallet} is not a wallet of {market.participant}."

    def test_does_not_freeze_again_once_the_wallet_is_bound_again(
        self, market: Market, staff: Actor
    ) -> None:
        request = issuance(market, _S.REQUESTED)
        parties.revoke_wallet(market.wallet, reason="Key lost.", actor=staff, at=clock.now())
        tasks.advance_requests()
        make_parties.wallet(market.participant, address=market.wallet.address)
        services.unfreeze(request.pk, reason="Bound again.", actor=staff, at=clock.now())

        tasks.advance_requests()

        assert state_of(request) == _S.REQUESTED

    def test_takes_back_a_failed_mint_and_signs_it_again(
        self, market: Market, node: FakeChain
    ) -> None:
        request = issuance(market, _S.MINTING)
        primary_market.fail(request, IntentState.DROPPED)

        tasks.advance_requests()

        assert state_of(request) == _S.MINTING
        states = TransactionIntent.objects.order_by("nonce").values_list("state", flat=True)
        assert list(states) == ["DROPPED", "SIGNED"]

    def test_books_a_final_mint(self, market: Market) -> None:
        request = issuance(market, _S.MINTING)
        primary_market.finalize(request, at=clock.now())

        tasks.advance_requests()

        assert state_of(request) == _S.COMPLETED

    def test_one_refusal_leaves_the_others_their_turn(
        self, market: Market, node: FakeChain
    ) -> None:
        first = issuance(market, _S.APPROVED)
        second = primary_market.market(
            participant_=market.participant,
            network_=market.deployment.network,
            at=clock.now(),
        )
        node.deploy(second.deployment.address)
        later = issuance(second, _S.APPROVED)
        gate.hold(ScopeKind.TOKEN, market.token.pk)

        tasks.advance_requests()

        assert (state_of(first), state_of(later)) == (_S.APPROVED, _S.MINTING)


class TestSignMints:
    def test_signs_and_sends_nothing(self, market: Market, node: FakeChain) -> None:
        request = issuance(market, _S.APPROVED)

        tasks.advance_requests()

        assert state_of(request) == _S.MINTING
        assert request.mint_intent is not None
        assert request.mint_intent.state == IntentState.SIGNED
        assert node.received == []

    def test_keeps_a_request_approved_while_the_node_is_silent(
        self, market: Market, node: FakeChain
    ) -> None:
        request = issuance(market, _S.APPROVED)
        node.silent = True

        tasks.advance_requests()

        assert state_of(request) == _S.APPROVED
        assert holds_of(request) == ["ACTIVE"]

    def test_keeps_a_request_approved_that_the_contract_would_refuse(
        self, market: Market, node: FakeChain
    ) -> None:
        request = issuance(market, _S.APPROVED)
        node.refuses_to_quote = True

        tasks.advance_requests()

        assert state_of(request) == _S.APPROVED
        assert not TransactionIntent.objects.exists()

    @pytest.mark.parametrize("what", ["gate", "cover"])
    def test_keeps_a_request_approved_while_it_may_not_mint_and_says_why(
        self, market: Market, node: FakeChain, what: str
    ) -> None:
        request = issuance(market, _S.APPROVED)
        if what == "gate":
            gate.hold(ScopeKind.CUSTODIAN, market.account.custodian_id)
        else:
            chain.trouble(market.deployment.network)

        tasks.advance_requests()

        assert state_of(request) == _S.APPROVED
        assert holds_of(request) == ["ACTIVE"]
        codes = [one.code for one in selectors.requirements(request, at=clock.now())]
        assert codes == ["mint", "open-gate" if what == "gate" else "known-cover"]

    def test_asks_the_node_outside_any_transaction(
        self, market: Market, node: FakeChain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        request = issuance(market, _S.APPROVED)
        depths = []
        quote = node.quote
        savepoints = connection.savepoint_ids

        def watched(**arguments: object) -> object:
            depths.append(len(savepoints))
            return quote(**arguments)  # type: ignore[arg-type]  # passed on as they come

        monkeypatch.setattr(node, "quote", watched)

        tasks.advance_requests()

        assert depths == [len(connection.savepoint_ids)]
        assert state_of(request) == _S.MINTING
