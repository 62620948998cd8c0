"""A role is granted to a successor once the chain shows that no suspect holds it any more."""

from datetime import datetime

import pytest
from pytest_django import Settings

from issuer.chain import registry, selectors, services, tasks
from issuer.chain.errors import ActMustWait
from issuer.chain.models import ContractAct, TransactionIntent
from issuer.chain.services import Prepared
from issuer.chain.states import ActState, IntentKind, SignerPurpose
from issuer.foundation.actors import Actor
from issuer.instruments.models import Deployment
from issuer.reconciliation.guards import require_no_suspect
from tests.fakes.chain import FakeChain
from tests.make import chain, chain_acts, instruments, parties

pytestmark = pytest.mark.django_db

THIEF = parties.evm_address()


@pytest.fixture
def deployment() -> Deployment:
    """A contract of which the newest block shows a thief, who has minted, as a minter."""
    found = instruments.deployment()
    chain.snapshot(found, minters=[THIEF], block_number=10)
    chain.event(found, sender=THIEF, block_number=11)
    chain.snapshot(found, minters=[THIEF], block_number=12)
    return found


def grant(deployment: Deployment, role: SignerPurpose = SignerPurpose.MINTER) -> ContractAct:
    return chain_acts.act(
        [deployment], kind=IntentKind.GRANT_ROLE, state=ActState.APPROVED, role=role
    )


class TestRequireNoSuspect:
    def test_refuses_while_a_contract_of_the_network_shows_one(
        self, deployment: Deployment
    ) -> None:
        beside = instruments.deployment(network_=deployment.network)

        with pytest.raises(ActMustWait) as refused:
            require_no_suspect(grant(beside))

        assert refused.value.facts == {"address": THIEF}
        assert f"{THIEF} may have minted past the books" in refused.value.detail

    def test_lets_go_once_the_newest_block_shows_none(self, deployment: Deployment) -> None:
        chain.snapshot(deployment, minters=[parties.evm_address()], block_number=13)

        require_no_suspect(grant(deployment))

    def test_does_not_mind_other_roles_and_other_networks(self, deployment: Deployment) -> None:
        require_no_suspect(grant(deployment, SignerPurpose.PAUSER))
        require_no_suspect(grant(instruments.deployment()))

    def test_keeps_a_grant_that_is_approved_from_being_signed(
        self, deployment: Deployment, system: Actor, at: datetime
    ) -> None:
        act = grant(deployment)
        chain.signer_account(deployment.network, SignerPurpose.ADMIN)
        guard = registry.signature_guard_of(IntentKind.GRANT_ROLE)
        assert guard is require_no_suspect
        [call] = selectors.unsigned_calls(act)

        with pytest.raises(ActMustWait):
            services.sign_call(
                call.pk,
                signer=chain.signer(chain.ADMIN_KEY),
                prepared=Prepared(fees=chain.FEES, chain_nonce=0),
                guard=guard,
                actor=system,
                at=at,
            )

        act.refresh_from_db()
        assert act.state == ActState.APPROVED
        assert not TransactionIntent.objects.exists()

    def test_is_said_by_the_act_until_the_chain_shows_it_and_then_signed(
        self,
        deployment: Deployment,
        settings: Settings,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        network = deployment.network
        settings.NETWORKS = {network.caip2: {"rpc_urls": ["http://127.0.0.1:1"]}}
        settings.SIGNER_KEYS = {network.caip2: chain.SIGNER_KEYS}
        node = FakeChain()
        node.deploy(deployment.address)
        monkeypatch.setattr(registry, "_chain", lambda *_: node)
        chain.signer_account(network, SignerPurpose.ADMIN)
        act = grant(deployment)
        [call] = selectors.unsigned_calls(act)

        tasks.sign_call(call_id=str(call.pk))

        call.refresh_from_db()
        assert call.refusal.startswith(f"{THIEF} may have minted past the books")
        chain.snapshot(deployment, block_number=13)
        tasks.sign_call(call_id=str(call.pk))
        call.refresh_from_db()
        act.refresh_from_db()
        assert (call.refusal, act.state) == ("", ActState.SENT)
