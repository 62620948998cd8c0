"""The background work of this room, on a real chain."""

from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.db import transaction
from pytest_django import Settings

from issuer.chain import calls, registry, selectors, services, tasks, token_contract
from issuer.chain.models import ChainEvent, ContractAct, SupplySnapshot, TransactionIntent
from issuer.chain.states import ActState, IntentKind, IntentState, SignerPurpose
from issuer.foundation import clock
from issuer.foundation.actors import Actor
from issuer.foundation.identifiers import uuid7
from issuer.gate.models import ScopeKind
from issuer.instruments.models import Deployment
from issuer.parties.errors import WalletNotBound
from issuer.sandbox.anvil import CAIP2
from tests.chain.stock import Stock
from tests.make import chain as make
from tests.make import chain_acts, instruments
from tests.make import gate as make_gate

pytestmark = pytest.mark.django_db(transaction=True)

ONE = 10**18
MINTER = SignerPurpose.MINTER


@pytest.fixture(autouse=True)
def configured(stock: Stock, settings: Settings) -> None:
    settings.NETWORKS = {CAIP2: {"rpc_urls": [stock.anvil.url]}}
    settings.SIGNER_KEYS = {CAIP2: make.SIGNER_KEYS}
    settings.CELERY_TASK_ALWAYS_EAGER = True


@pytest.fixture
def deployment(stock: Stock) -> Deployment:
    stock.anvil.finalize()
    return instruments.deployment(
        network_=instruments.network(caip2=CAIP2), address=stock.address, deployed_block=1
    )


def sign(deployment: Deployment, recipient: str, actor: Actor) -> TransactionIntent:
    network, request_id = deployment.network, uuid7()
    make.signer_account(network)
    signer, chain = registry.signer_for(network, MINTER), registry.sender_for(network)
    call = calls.mint(recipient=recipient, base_units=600 * ONE, request_id=request_id)
    prepared = services.prepare(deployment=deployment, call=call, signer=signer, reader=chain)
    with transaction.atomic():
        return services.sign(
            deployment=deployment,
            call=call,
            request_id=request_id,
            signer=signer,
            prepared=prepared,
            actor=actor,
            at=clock.now(),
        )


def advance(intent: TransactionIntent) -> IntentState:
    tasks.advance_intent(intent_id=str(intent.pk))
    intent.refresh_from_db()
    return IntentState(intent.state)


class TestScanDeployment:
    def test_reads_the_deployment(self, deployment: Deployment) -> None:
        tasks.scan_deployment(deployment_id=str(deployment.pk))

        assert SupplySnapshot.objects.get().deployment == deployment

    def test_leaves_trouble_rather_than_failing(
        self, deployment: Deployment, settings: Settings
    ) -> None:
        settings.NETWORKS = {CAIP2: {"rpc_urls": ["http://127.0.0.1:9/"]}}

        tasks.scan_deployment(deployment_id=str(deployment.pk))

        trouble = selectors.open_trouble(deployment.network)
        assert trouble is not None
        assert trouble.reason == "127.0.0.1 did not answer: ConnectError."

    def test_takes_a_network_without_a_node_for_unknown(
        self, deployment: Deployment, settings: Settings
    ) -> None:
        settings.NETWORKS = {}

        tasks.scan_deployment(deployment_id=str(deployment.pk))

        assert selectors.open_trouble(deployment.network) is not None


class TestAdvanceIntent:
    def test_leads_a_mint_to_its_final_block(
        self, stock: Stock, deployment: Deployment, system: Actor
    ) -> None:
        intent = sign(deployment, stock.account["alice"], system)

        assert advance(intent) == IntentState.BROADCAST
        stock.anvil.mine()
        assert advance(intent) == IntentState.MINED
        stock.anvil.finalize()
        assert advance(intent) == IntentState.MINED
        tasks.scan_deployment(deployment_id=str(deployment.pk))

        intent.refresh_from_db()
        assert intent.state == IntentState.FINAL
        assert intent.event == ChainEvent.objects.get()
        assert stock.balance("alice") == 600 * ONE

    def test_sends_again_what_a_node_forgot(
        self, stock: Stock, deployment: Deployment, system: Actor
    ) -> None:
        stock.anvil.rpc.call("evm_setAutomine", [False], result=object)
        intent = sign(deployment, stock.account["alice"], system)
        advance(intent)
        stock.anvil.rpc.call("anvil_dropAllTransactions", [], result=object)

        advance(intent)
        stock.anvil.mine()

        assert advance(intent) == IntentState.MINED

    def test_raises_the_fees_of_one_that_is_stuck(
        self,
        stock: Stock,
        deployment: Deployment,
        system: Actor,
        settings: Settings,
        tmp_path: Path,
    ) -> None:
        stock.anvil.rpc.call("evm_setAutomine", [False], result=object)
        intent = sign(deployment, stock.account["alice"], system)
        advance(intent)
        settings.CLOCK_OFFSET_FILE = tmp_path / "offset"
        microseconds = timedelta(minutes=4) // timedelta(microseconds=1)
        settings.CLOCK_OFFSET_FILE.write_text(str(microseconds))

        assert advance(intent) == IntentState.BROADCAST

        first, second = intent.attempts.all()
        stock.anvil.mine()
        chain = registry.reader_for(deployment.network)
        assert chain.receipt(first.transaction_hash) is None
        assert chain.receipt(second.transaction_hash) is not None
        assert advance(intent) == IntentState.MINED

    def test_cancels_what_a_gate_shuts_out_before_it_is_sent(
        self, stock: Stock, deployment: Deployment, system: Actor
    ) -> None:
        intent = sign(deployment, stock.account["alice"], system)
        make_gate.hold(ScopeKind.TOKEN, deployment.token_id)

        assert advance(intent) == IntentState.CANCEL_SENT
        stock.anvil.finalize()
        assert advance(intent) == IntentState.CANCELLED

        assert intent.failure.startswith("Token ")
        assert stock.balance("alice") == 0
        minter = stock.account["minter"]
        assert registry.reader_for(deployment.network).next_nonce(minter) == intent.nonce + 1

    def test_cancels_what_was_sent_and_no_block_has(
        self, stock: Stock, deployment: Deployment, system: Actor
    ) -> None:
        stock.anvil.rpc.call("evm_setAutomine", [False], result=object)
        intent = sign(deployment, stock.account["alice"], system)
        assert advance(intent) == IntentState.BROADCAST
        make_gate.hold(ScopeKind.TOKEN, deployment.token_id)

        tasks.stop_intents()
        stock.anvil.mine()
        stock.anvil.finalize()

        assert advance(intent) == IntentState.CANCELLED
        assert stock.balance("alice") == 0

    def test_raises_the_fees_of_a_cancellation_that_is_stuck(
        self,
        stock: Stock,
        deployment: Deployment,
        system: Actor,
        settings: Settings,
        tmp_path: Path,
    ) -> None:
        stock.anvil.rpc.call("evm_setAutomine", [False], result=object)
        intent = sign(deployment, stock.account["alice"], system)
        make_gate.hold(ScopeKind.TOKEN, deployment.token_id)
        advance(intent)
        settings.CLOCK_OFFSET_FILE = tmp_path / "offset"
        microseconds = timedelta(minutes=4) // timedelta(microseconds=1)
        settings.CLOCK_OFFSET_FILE.write_text(str(microseconds))

        assert advance(intent) == IntentState.CANCEL_SENT

        assert list(intent.attempts.values_list("cancels", flat=True)) == [False, True, True]
        stock.anvil.mine()
        stock.anvil.finalize()
        assert advance(intent) == IntentState.CANCELLED

    def test_cancels_what_those_who_asked_for_it_no_longer_want(
        self,
        stock: Stock,
        deployment: Deployment,
        system: Actor,
        settings: Settings,
    ) -> None:
        intent = sign(deployment, stock.account["alice"], system)
        settings.TRANSACTION_GUARDS = {"MINT": f"{__name__}.refuse"}

        assert advance(intent) == IntentState.CANCEL_SENT

        assert intent.cancel_reason == "Not bound."

    def test_leaves_a_shut_out_one_to_a_later_round_without_a_key(
        self,
        stock: Stock,
        deployment: Deployment,
        system: Actor,
        settings: Settings,
    ) -> None:
        intent = sign(deployment, stock.account["alice"], system)
        make_gate.hold(ScopeKind.TOKEN, deployment.token_id)
        settings.SIGNER_KEYS = {}

        assert advance(intent) == IntentState.SIGNED

        assert intent.attempts.count() == 1


def refuse(_intent: TransactionIntent, _at: datetime) -> None:
    raise WalletNotBound("Not bound.")


class Told:
    """Stands where a task is, and remembers what it is told; the broker is the outside."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def apply_async(self, *, kwargs: dict[str, str], expires: int) -> None:
        assert expires == tasks.EXPIRES_SECONDS
        self.ids += kwargs.values()


class TestFanningOut:
    def test_scans_every_deployment(
        self, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told = Told()
        monkeypatch.setattr(tasks, "scan_deployment", told)
        other = instruments.deployment()

        tasks.scan_networks()

        assert set(map(UUID, told.ids)) == {deployment.pk, other.pk}

    def test_advances_every_live_intent(
        self,
        stock: Stock,
        deployment: Deployment,
        system: Actor,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        told = Told()
        monkeypatch.setattr(tasks, "advance_intent", told)
        intents = [sign(deployment, stock.account["alice"], system) for _ in range(2)]

        tasks.advance_intents()

        assert list(map(UUID, told.ids)) == [intent.pk for intent in intents]


class TestAdvanceAct:
    @pytest.fixture
    def act(self, deployment: Deployment, stock: Stock) -> ContractAct:
        return chain_acts.act(
            [deployment],
            kind=IntentKind.BLOCK_ADDRESS,
            state=ActState.APPROVED,
            account=stock.account["bob"],
            at=clock.now(),
        )

    def advance(self, act: ContractAct) -> ActState:
        tasks.advance_acts()
        act.refresh_from_db()
        return ActState(act.state)

    def test_leads_an_act_to_its_end(self, act: ContractAct, stock: Stock) -> None:
        make.signer_account(act.network, SignerPurpose.PAUSER)

        assert self.advance(act) == ActState.SENT
        intent = TransactionIntent.objects.get()
        assert advance(intent) == IntentState.BROADCAST
        assert self.advance(act) == ActState.SENT
        stock.anvil.finalize()
        assert advance(intent) == IntentState.FINAL
        assert self.advance(act) == ActState.DONE

        intent.refresh_from_db()
        assert (intent.state, intent.event) == (IntentState.BOOKED, None)
        assert stock.ask("isBlocked", stock.account["bob"]) == 1

    def test_waits_for_a_signer(self, act: ContractAct) -> None:
        assert self.advance(act) == ActState.APPROVED
        assert not TransactionIntent.objects.exists()

    def test_waits_for_a_contract_that_refuses_and_says_why(
        self, act: ContractAct, stock: Stock
    ) -> None:
        make.signer_account(act.network, SignerPurpose.PAUSER)
        stock.do("pauser", "blockAddress", stock.account["bob"])

        assert self.advance(act) == ActState.APPROVED

        assert "AddressIsBlocked" in act.calls.get().refusal

    def test_fails_what_the_contract_reverted(self, act: ContractAct, stock: Stock) -> None:
        make.signer_account(act.network, SignerPurpose.PAUSER)
        self.advance(act)
        stock.do("admin", "revokeRole", token_contract.PAUSER_ROLE, stock.account["pauser"])
        intent = TransactionIntent.objects.get()
        advance(intent)
        stock.anvil.finalize()
        assert advance(intent) == IntentState.REVERTED

        assert self.advance(act) == ActState.FAILED

        assert act.stopped_reason.startswith("The contract reverted 0x")


class TestRoles:
    def test_pass_from_a_stolen_key_to_its_successor(
        self, stock: Stock, deployment: Deployment, system: Actor
    ) -> None:
        network = deployment.network
        make.signer_account(network)
        make.signer_account(network, SignerPurpose.ADMIN)
        minter, successor = stock.account["minter"], stock.account["successor"]
        for kind, account in (
            (IntentKind.REVOKE_ROLE, minter),
            (IntentKind.GRANT_ROLE, successor),
        ):
            chain_acts.act(
                [deployment],
                kind=kind,
                state=ActState.APPROVED,
                role=MINTER,
                account=account,
                at=clock.now(),
            )

        for _ in range(3):
            tasks.advance_acts()
            tasks.advance_intents()
            stock.anvil.finalize()

        assert set(ContractAct.objects.values_list("state", flat=True)) == {ActState.DONE}
        assert registry.signer_for(network, MINTER).address == successor
        chain = registry.reader_for(network)
        holders = chain.role_holders(stock.address, at=chain.final_block())
        assert holders[MINTER] == [successor]
