"""Whoever may have minted past the books is trusted nowhere again, and nobody else suffers."""

from datetime import datetime, timedelta

import pytest

from issuer.chain import services as chain_services
from issuer.chain.models import SignerAccount, TransactionIntent
from issuer.chain.services import _steps
from issuer.chain.states import (
    ActState,
    EventKind,
    IntentKind,
    IntentState,
    IntentStep,
    SignerPurpose,
)
from issuer.foundation.actors import Actor
from issuer.instruments.models import Deployment, Network
from issuer.reconciliation.trust import newest_snapshots, trust_now
from tests.make import chain, instruments, parties
from tests.make import chain_acts as acts

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def deployment() -> Deployment:
    return instruments.deployment()


def appoint(network: Network, address: str, *, actor: Actor, at: datetime) -> SignerAccount:
    return chain_services.appoint_signer(
        network=network, purpose=SignerPurpose.MINTER, address=address, actor=actor, at=at
    )


class TestSuspects:
    def test_are_nobody_while_every_mint_is_in_the_books(self, deployment: Deployment) -> None:
        chain.snapshot(deployment, minters=[parties.evm_address()])
        chain.intent(deployment, state=IntentState.FINAL)
        chain.event(deployment, kind=EventKind.BURN, sender=parties.evm_address())

        assert trust_now().suspects == frozenset()

    def test_are_all_who_could_mint_up_to_the_block_whoever_sent_the_transaction(
        self, deployment: Deployment
    ) -> None:
        before, then, after, relay = (parties.evm_address() for _ in range(4))
        chain.snapshot(deployment, minters=[before], block_number=10)
        chain.snapshot(deployment, minters=[then], block_number=20)
        chain.event(deployment, sender=relay, block_number=20)
        chain.snapshot(deployment, minters=[after], block_number=21)
        chain.snapshot(minters=[parties.evm_address()], block_number=5)

        assert trust_now().suspects == {before, then, relay}

    def test_are_our_signers_whom_no_reading_knew(
        self, deployment: Deployment, system: Actor, at: datetime
    ) -> None:
        network, elsewhere = deployment.network, instruments.network()
        first, second, other = (parties.evm_address() for _ in range(3))
        appoint(network, first, actor=system, at=at)
        appoint(elsewhere, other, actor=system, at=at)
        chain.signer_account(network, SignerPurpose.PAUSER)
        chain.event(deployment, sender=first, seen_at=at + MINUTE)
        chain_services.retire_signer(
            network=network,
            purpose=SignerPurpose.MINTER,
            reason="Stolen.",
            actor=system,
            at=at + 2 * MINUTE,
        )
        appoint(network, second, actor=system, at=at + 2 * MINUTE)

        assert trust_now().suspects == {first}

    @pytest.mark.parametrize(
        ("granted_at", "is_suspected"), [(None, False), (31, False), (30, True), (29, True)]
    )
    def test_are_no_successors_whose_grant_was_mined_after_the_mint(
        self,
        deployment: Deployment,
        system: Actor,
        at: datetime,
        granted_at: int | None,
        is_suspected: bool,
    ) -> None:
        """The thief still mints while two persons appoint who follows the stolen key."""
        stolen, successor = parties.evm_address(), parties.evm_address()
        appoint(deployment.network, stolen, actor=system, at=at - MINUTE)
        chain_services.retire_signer(
            network=deployment.network,
            purpose=SignerPurpose.MINTER,
            reason="Stolen.",
            actor=system,
            at=at,
        )
        grant = acts.act(
            [deployment],
            kind=IntentKind.GRANT_ROLE,
            state=ActState.SENT,
            account=successor,
            at=at,
        )
        intent = TransactionIntent.objects.get(contract_call__act=grant)
        if granted_at is not None:
            for step in (IntentStep.SEE_MINED, IntentStep.FINALIZE):
                _steps.take(
                    step,
                    intent,
                    actor=system,
                    at=at,
                    block_number=granted_at,
                    block_hash=chain.hash_32(),
                )
        chain.event(deployment, sender=stolen, block_number=30, seen_at=at + MINUTE)

        assert (successor in trust_now().suspects) is is_suspected
        assert stolen in trust_now().suspects

    def test_are_successors_whose_grant_was_declined_or_was_on_another_contract(
        self, deployment: Deployment, system: Actor, at: datetime
    ) -> None:
        minter = parties.evm_address()
        appoint(deployment.network, minter, actor=system, at=at)
        elsewhere = instruments.deployment(network_=deployment.network)
        for one, state in ((deployment, ActState.DECLINED), (elsewhere, ActState.APPROVED)):
            acts.act([one], kind=IntentKind.GRANT_ROLE, state=state, account=minter, at=at)
        chain.event(deployment, sender=parties.evm_address(), seen_at=at + MINUTE)

        assert minter in trust_now().suspects

    def test_are_trusted_on_no_chain(
        self, deployment: Deployment, system: Actor, at: datetime
    ) -> None:
        """One key on two chains: the mint is on the first, by whoever."""
        key = parties.evm_address()
        other = instruments.deployment()
        for one in (deployment, other):
            appoint(one.network, key, actor=system, at=at)
        chain.snapshot(deployment, minters=[key])
        snapshot = chain.snapshot(other, minters=[key])
        assert list(trust_now().untrusted(snapshot, other.network)) == []
        chain.event(deployment, sender=parties.evm_address(), seen_at=at)

        [found] = trust_now().untrusted(snapshot, other.network)

        assert found.subject == f"{other.network.caip2}:MINTER:{key}"
        assert (found.suspected, found.served) == (True, True)


class TestNewestSnapshots:
    def test_are_one_of_each_deployment_that_was_read(self, deployment: Deployment) -> None:
        instruments.deployment()
        chain.snapshot(deployment, block_number=1)
        newest = [chain.snapshot(deployment, block_number=2), chain.snapshot()]

        assert list(newest_snapshots()) == newest
