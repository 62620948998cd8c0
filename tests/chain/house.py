"""Two tokens on a chain in memory, and one account that signs for both."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from issuer.chain import calls, selectors, services
from issuer.chain.models import TransactionIntent
from issuer.chain.readers import FeeQuote
from issuer.chain.states import IntentState
from issuer.foundation.actors import Actor
from issuer.foundation.identifiers import uuid7
from issuer.gate.models import ScopeKind
from issuer.instruments.models import Deployment
from tests.fakes.chain import FakeChain
from tests.make import chain as make
from tests.make import gate as make_gate
from tests.make import instruments

ONE = 10**18
SIGNER = make.signer()
ALICE = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
FEES = FeeQuote(2_000_000_000, 1_000_000_000, 21_000)


class House:
    """Two tokens of one network and one minter, on a chain in memory."""

    def __init__(self, actor: Actor, at: datetime) -> None:
        self.chain, self.actor, self.at = FakeChain(), actor, at
        self.apple = instruments.deployment(address=self.chain.deploy(), deployed_block=1)
        self.tesla = instruments.deployment(
            network_=self.apple.network, address=self.chain.deploy(), deployed_block=1
        )
        make.signer_account(self.apple.network)
        self.chain.finalize()

    def sign(
        self, deployment: Deployment | None = None, *, request_id: UUID | None = None
    ) -> TransactionIntent:
        deployment, request_id = deployment or self.apple, request_id or uuid7()
        serial = selectors.free_serial(deployment, request_id)
        call = calls.mint(
            recipient=ALICE, base_units=ONE, request_id=request_id, request_serial=serial
        )
        prepared = services.prepare(
            deployment=deployment, call=call, signer=SIGNER, reader=self.chain
        )
        with transaction.atomic():
            return services.sign(
                deployment=deployment,
                call=call,
                request_id=request_id,
                signer=SIGNER,
                prepared=prepared,
                actor=self.actor,
                at=self.at,
            )

    def halt(self, deployment: Deployment) -> None:
        make_gate.hold(ScopeKind.TOKEN, deployment.token_id)

    def broadcast(
        self, intent: TransactionIntent, guard: services.Guard | None = None
    ) -> IntentState:
        services.broadcast(intent.pk, sender=self.chain, guard=guard, actor=self.actor, at=self.at)
        return self.state(intent)

    def cancel(
        self, intent: TransactionIntent, *, fees: FeeQuote = FEES, reason: str = "Halted."
    ) -> IntentState:
        services.cancel(
            intent.pk, signer=SIGNER, fees=fees, reason=reason, actor=self.actor, at=self.at
        )
        return self.state(intent)

    def observe(self, intent: TransactionIntent) -> IntentState:
        services.observe(intent.pk, reader=self.chain, actor=self.actor, at=self.at)
        return self.state(intent)

    def scan(self, deployment: Deployment) -> None:
        services.scan_deployment(deployment, reader=self.chain, actor=self.actor, at=self.at)

    def state(self, intent: TransactionIntent) -> IntentState:
        intent.refresh_from_db()
        return IntentState(intent.state)

    def supply(self, deployment: Deployment) -> int:
        return self.chain.state.tokens[deployment.address].supply
