"""Two chains, a custodian, a partner and a staff, driven by the tasks of the beat alone."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, Final

from issuer.approvals import selectors as approvals
from issuer.chain import selectors as chain_selectors
from issuer.chain import services as chain_services
from issuer.chain import tasks as chain_tasks
from issuer.chain.models import ChainEvent, ContractAct, TransactionAttempt
from issuer.chain.readers import SupplyChange
from issuer.chain.signing import hash_of
from issuer.chain.states import ActState, EventKind, IntentKind, SignerPurpose
from issuer.custody.models import Direction, SettlementInstruction
from issuer.custody.selectors import current_statement
from issuer.custody.states import InstructionState
from issuer.foundation import clock
from issuer.foundation.errors import DomainError
from issuer.gate import selectors as gates
from issuer.gate import services as gate_services
from issuer.gate.models import Cause, GateState, ScopeKind
from issuer.instruments.models import Deployment
from issuer.people.roles import Role
from issuer.primary_market import services as market_services
from issuer.primary_market import tasks as market_tasks
from issuer.primary_market.models import IssuanceRequest, RedemptionRequest
from issuer.primary_market.payload import APPROVE_ISSUANCE, APPROVE_REDEMPTION
from issuer.primary_market.states import IssuanceState, RedemptionState
from issuer.reconciliation import services as reconciliation
from issuer.reconciliation import tasks as reconciliation_tasks
from issuer.reconciliation.models import Break
from issuer.reconciliation.states import BreakState
from issuer.reserves import selectors as reserves
from tests.fakes.chain import FakeChain
from tests.make import chain as make_chain
from tests.make import custody, instruments, parties, people, primary_market
from tests.make.primary_market import Market

ONE: Final = 10**18
BEGINNING: Final = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
#: Less than a block takes on these chains would let them run ahead of the clock.
ROUND: Final = timedelta(minutes=1)
THIEF: Final = parties.evm_address()
STRANGER: Final = parties.evm_address()


@dataclass(frozen=True)
class Place:
    """A chain, and the token's contract there."""

    chain: FakeChain
    market: Market

    @property
    def deployment(self) -> Deployment:
        return self.market.deployment

    @property
    def contract(self) -> str:
        return self.deployment.address

    def balance(self, holder: str) -> int:
        """Return what `holder` has in the newest block, final or not."""
        return self.chain.state.tokens[self.contract].balances.get(holder, 0)

    def stolen(self) -> list[SupplyChange]:
        """Return the thief's mints, final or not."""
        return [
            change
            for mined in self.chain.mined
            for where, change in mined.changes
            if where == self.contract and mined.senders.get(change.transaction_hash) == THIEF
        ]


class World:
    """What is there, and what may be done to it; nothing that is refused is an error."""

    def __init__(self, clock_file: Path) -> None:
        self._clock_file = clock_file
        self._serial = count(1)
        self.at = BEGINNING
        self.officer = people.staff_actor(Role.OPERATIONS_OFFICER)
        self.approver = people.staff_actor(Role.APPROVER)
        self.places = self._places()
        self.missing = 0
        for place in self.places:
            place.chain.follow(self.at - ROUND)
            place.chain.finalize()

    def _places(self) -> list[Place]:
        chains = [FakeChain(name) for name in ("first", "second")]
        addresses = [chain.deploy() for chain in chains]
        market = primary_market.market(address=addresses[0], own_shares=Decimal(2), at=self.at)
        second = instruments.deployment(token_=market.token, address=addresses[1], deployed_block=1)
        places = [
            Place(chains[0], market),
            Place(chains[1], replace(market, deployment=second)),
        ]
        for place in places:
            network = place.deployment.network
            for purpose in SignerPurpose:
                make_chain.signer_account(network, purpose)
            make_chain.redemption_address(network)
        return places

    @property
    def market(self) -> Market:
        return self.places[0].market

    def by_chain_id(self) -> Mapping[int, FakeChain]:
        """Return each chain by the number in its CAIP-2 id."""
        return {
            int(place.deployment.network.caip2.partition(":")[2]): place.chain
            for place in self.places
        }

    # --- Time

    def beat(self) -> None:
        """Let a minute pass: a block on each chain, and a round of every task."""
        self.at += ROUND
        self._tell_time()
        for place in self.places:
            place.chain.follow(self.at)
        for task in (
            chain_tasks.scan_networks,
            market_tasks.advance_requests,
            market_tasks.advance_redemptions,
            chain_tasks.advance_acts,
            chain_tasks.advance_intents,
            reconciliation_tasks.reconcile_programs,
        ):
            task()
        self.at = clock.now()

    def _tell_time(self) -> None:
        ahead = self.at - datetime.now(UTC)
        self._clock_file.write_text(str(ahead // timedelta(microseconds=1)))

    # --- What the partner and the custodian do

    def issue(self, place: Place, quantity: int) -> None:
        """Ask for tokens, and deliver the shares for them."""
        with suppress(DomainError):
            request = market_services.request_issuance(
                participant=place.market.participant,
                token=place.market.token,
                network=place.deployment.network.caip2,
                wallet_address=place.market.wallet.address,
                quantity=Decimal(quantity),
                client_reference=f"issuance {next(self._serial)}",
                actor=primary_market.PARTNER,
                at=self.at,
            )
            market_services.accept(
                request.pk,
                delivering_party="A broker",
                trade_date=primary_market.traded_to_settle_on(self.at.date()),
                actor=self.officer,
                at=self.at,
            )
        self.state_shares()

    def redeem(self, place: Place, quantity: int, *, sent: list[int]) -> None:
        """Ask for shares, and send tokens back in parts of `sent`, as far as the wallet has any."""
        with suppress(DomainError):
            request = market_services.request_redemption(
                participant=place.market.participant,
                token=place.market.token,
                network=place.deployment.network.caip2,
                wallet_address=place.market.wallet.address,
                quantity=Decimal(quantity),
                client_reference=f"redemption {next(self._serial)}",
                actor=primary_market.PARTNER,
                at=self.at,
            )
            market_services.accept_redemption(
                request.pk, receiving_party="A broker", actor=self.officer, at=self.at
            )
        left = place.balance(place.market.wallet.address)
        for part in sent:
            if part * ONE <= left:
                left -= part * ONE
                self.send(place, place.market.wallet.address, part)

    def send(self, place: Place, sender: str, tokens: int) -> None:
        """Have `sender` send tokens to the redemption address, in the next block."""
        ours = make_chain.redemption_address(place.deployment.network).address
        place.chain.transfer(place.contract, sender, ours, tokens * ONE)

    def state_shares(self, *, missing: int = 0) -> None:
        """Have the custodian state what was delivered to it and by it, less what is `missing`."""
        account = self.market.account
        settled = custody.booked(account) - missing
        for instruction in self.open_instructions():
            inward = instruction.direction == Direction.RECEIPT
            settled += instruction.quantity if inward else -instruction.quantity
        current = current_statement(account.custodian)
        custody.statement(
            account.custodian,
            [custody.line(account, settled)],
            at=self.at,
            supersedes=current.reference if current is not None else "",
        )
        self.missing = missing

    def open_instructions(self) -> list[SettlementInstruction]:
        """Return what the custodian has still to settle by today."""
        unsettled = [InstructionState.INSTRUCTED, InstructionState.FAILED]
        instructions = self.market.account.instructions.filter(state__in=unsettled)
        return list(instructions.filter(settlement_date__lte=self.at.date()))

    # --- What staff do

    def approve(self) -> None:
        """Have two persons approve every issuance and redemption that may be."""
        for issuance in IssuanceRequest.objects.filter(state=IssuanceState.FUNDED):
            with suppress(DomainError):
                market_services.propose_approval(issuance.pk, actor=self.officer, at=self.at)
            if proposal := approvals.open_proposal(issuance, APPROVE_ISSUANCE):
                with suppress(DomainError):
                    market_services.confirm_approval(
                        issuance.pk,
                        payload_hash=proposal.payload_hash,
                        actor=self.approver,
                        at=self.at,
                    )
        for redemption in RedemptionRequest.objects.filter(state=RedemptionState.RECEIVED):
            with suppress(DomainError):
                market_services.propose_redemption(redemption.pk, actor=self.officer, at=self.at)
            if proposal := approvals.open_proposal(redemption, APPROVE_REDEMPTION):
                with suppress(DomainError):
                    market_services.confirm_redemption(
                        redemption.pk,
                        payload_hash=proposal.payload_hash,
                        actor=self.approver,
                        at=self.at,
                    )

    def halt(self) -> None:
        """Have an officer halt the program."""
        gate_services.place_hold(
            kind=ScopeKind.PROGRAM,
            subject_id=self.market.token.program_id,
            effect=GateState.HALTED,
            cause=Cause.PERSON,
            reason="Something looks wrong.",
            actor=self.officer,
            at=self.at,
        )

    def resume(self) -> bool:
        """Have two persons try to go on; return whether they did with the program's gate."""
        resumed = False
        token = self.market.token
        for kind, subject_id in (
            (ScopeKind.TOKEN, token.pk),
            (ScopeKind.PROGRAM, token.program_id),
        ):
            with suppress(DomainError):
                proposal = reconciliation.propose_resume(
                    kind=kind,
                    subject_id=subject_id,
                    explanation="It was looked into, and is over.",
                    actor=self.officer,
                    at=self.at,
                )
                reconciliation.confirm_resume(
                    proposal.pk,
                    payload_hash=proposal.payload_hash,
                    actor=self.approver,
                    at=self.at,
                )
                resumed = kind == ScopeKind.PROGRAM
        return resumed

    def close_breaks(self) -> None:
        """Have two persons close every break that may be closed."""
        for found in Break.objects.filter(state=BreakState.OPEN):
            with suppress(DomainError):
                proposal = reconciliation.propose_close_break(
                    found.pk, explanation="It was undone.", actor=self.officer, at=self.at
                )
                reconciliation.confirm_close_break(
                    found.pk, payload_hash=proposal.payload_hash, actor=self.approver, at=self.at
                )

    def remedy(self, place: Place) -> None:
        """Have two persons block the thief, then seize what each mint past the books made."""
        with suppress(DomainError):
            self._act(place, IntentKind.BLOCK_ADDRESS, account=THIEF)
        stolen = ChainEvent.objects.filter(deployment=place.deployment, address=THIEF)
        for event in stolen.filter(kind=EventKind.MINT):
            with suppress(DomainError):
                self._act(
                    place,
                    IntentKind.SEIZE,
                    account=THIEF,
                    base_units=event.base_units,
                    remedied_event=event,
                )

    def _act(self, place: Place, kind: IntentKind, **content: Any) -> None:
        known = ContractAct.objects.filter(network=place.deployment.network, kind=kind, **content)
        if known.exclude(state__in=[ActState.FAILED, ActState.DECLINED]).exists():
            return
        act = chain_services.propose_act(
            kind=kind,
            deployments=[place.deployment],
            reason="A key was stolen.",
            actor=self.officer,
            at=self.at,
            **content,
        )
        proposal = chain_selectors.open_proposal(act)
        assert proposal is not None
        chain_services.confirm_act(
            act.pk, payload_hash=proposal.payload_hash, actor=self.approver, at=self.at
        )

    # --- What is seen

    @property
    def is_shut(self) -> bool:
        """Whether no token may be minted anywhere."""
        return all(
            gates.state_of(reserves.scopes_of(self.market.token, place.deployment.network))
            != GateState.OPEN
            for place in self.places
        )

    def mints_sent(self) -> int:
        """Return how often a mint was signed, or handed to a chain."""
        mints = TransactionAttempt.objects.filter(intent__kind=IntentKind.MINT)
        hashes = set(mints.values_list("transaction_hash", flat=True))
        return len(hashes) + sum(
            hash_of(raw) in hashes for place in self.places for raw in place.chain.received
        )
