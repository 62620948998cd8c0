"""Two chains, a custodian, a partner and a staff, driven by the tasks of the beat alone."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, auto
from itertools import count
from pathlib import Path
from typing import Any, Final

from issuer.approvals import selectors as approvals
from issuer.chain import selectors as chain_selectors
from issuer.chain import services as chain_services
from issuer.chain import tasks as chain_tasks
from issuer.chain import token_contract
from issuer.chain.errors import ChainUnavailable
from issuer.chain.models import ChainEvent, ContractAct, TransactionAttempt
from issuer.chain.readers import FeeQuote, SupplyChange
from issuer.chain.signing import UnsignedTransaction, hash_of
from issuer.chain.states import ActState, EventKind, IntentKind, SignerPurpose
from issuer.corporate_actions import services as corporate_actions
from issuer.corporate_actions import tasks as corporate_action_tasks
from issuer.corporate_actions.models import StockSplit
from issuer.corporate_actions.states import SplitState
from issuer.custody.models import Direction, SettlementInstruction
from issuer.custody.selectors import current_statement
from issuer.custody.states import InstructionState
from issuer.foundation import calendars, clock
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
from issuer.reconciliation.trust import newest_snapshots, trust_now
from issuer.reserves import selectors as reserves
from tests.fakes.chain import BLOCKS_TO_FINALITY, FakeChain
from tests.make import chain as make_chain
from tests.make import custody, instruments, parties, people, primary_market
from tests.make.primary_market import Market

ONE: Final = 10**18
UNSETTLED: Final = (InstructionState.INSTRUCTED, InstructionState.FAILED)
BEGINNING: Final = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
#: Less than a block takes on these chains would let them run ahead of the clock.
ROUND: Final = timedelta(minutes=1)
#: When the custodian states a day's shares; a split holds from before that.
EVENING: Final = time(15, 0, tzinfo=UTC)
SPLIT_AT: Final = time(13, 0, tzinfo=UTC)
#: The minters' keys, in the order in which they succeed each other.
MINTER_KEYS: Final = (make_chain.MINTER_KEY, *(f"0x{key:064x}" for key in range(1000, 1050)))
MINTERS: Final = {make_chain.signer(key).address: make_chain.signer(key) for key in MINTER_KEYS}
#: What a thief pays, to be mined in the place of others.
GREEDY: Final = FeeQuote(2_000_000_000_000, 1_000_000_000_000, 120_000)
THIEF: Final = parties.evm_address()
STRANGER: Final = parties.evm_address()


class Killed(BaseException):
    """A worker is gone, in the middle of what it did; nothing of ours can catch it."""


class Death(Enum):
    """When a worker dies: as it is about to hand a transaction to a node, or once it has."""

    BEFORE = auto()
    AFTER = auto()


class DeadlyChain(FakeChain):
    """A chain at which the next worker that sends something dies."""

    deadly: Death | None = None

    def broadcast(self, raw_transaction: bytes) -> None:
        """Take it or not, and kill who sent it, once."""
        death, self.deadly = self.deadly, None
        if death is Death.BEFORE:
            raise Killed
        super().broadcast(raw_transaction)
        if death is Death.AFTER:
            raise Killed


@dataclass(frozen=True)
class Place:
    """A chain, and the token's contract there."""

    chain: DeadlyChain
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
            if (where, change.kind, change.address) == (self.contract, EventKind.MINT, THIEF)
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
        chains = [DeadlyChain(name) for name in ("first", "second")]
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
            corporate_action_tasks.advance_splits,
            market_tasks.advance_requests,
            market_tasks.advance_redemptions,
            chain_tasks.advance_acts,
            chain_tasks.advance_intents,
            reconciliation_tasks.reconcile_programs,
        ):
            with suppress(Killed):
                task()
        self.at = clock.now()

    def next_day(self, *, asleep: bool) -> None:
        """Let the night pass, with blocks on each chain, until the custodian's next statement.

        Unless the beat is `asleep`, it finds at noon what has changed by then.
        """
        day = calendars.next_settlement_day(self.at.date())
        if not asleep:
            self._pass_until(datetime.combine(day, SPLIT_AT))
            self.beat()
        self._pass_until(datetime.combine(day, EVENING))
        self.state_shares()

    def _pass_until(self, moment: datetime) -> None:
        self.at = moment
        self._tell_time()
        for place in self.places:
            for blocks in range(BLOCKS_TO_FINALITY, -1, -1):
                place.chain.follow(self.at - blocks * ROUND)

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

    def split(self, shares_after: int) -> None:
        """Have two persons agree that a share becomes several on the next settlement day."""
        day = calendars.next_settlement_day(self.at.date())
        with suppress(DomainError):
            stock_split = corporate_actions.announce(
                token=self.market.token,
                shares_after=shares_after,
                shares_before=1,
                effective_at=datetime.combine(day, SPLIT_AT),
                window_seconds=900,
                source="The company's press release.",
                actor=self.officer,
                at=self.at,
            )
            proposal = corporate_actions.propose_confirmation(
                stock_split.pk, actor=self.officer, at=self.at
            )
            corporate_actions.confirm(
                stock_split.pk,
                payload_hash=proposal.payload_hash,
                actor=self.approver,
                at=self.at,
            )

    def state_shares(self, *, missing: int = 0) -> None:
        """Have the custodian state what was delivered to it and by it, less what is `missing`."""
        account, due, ratio = self.market.account, self.open_instructions(), self.unbooked_ratio()
        settled = custody.booked(account)
        for instruction in due:
            inward = instruction.direction == Direction.RECEIPT
            settled += instruction.remaining if inward else -instruction.remaining
        current = current_statement(account.custodian)
        same_day = current is not None and current.as_of_date == self.at.date()
        custody.statement(
            account.custodian,
            [custody.line(account, settled * ratio - missing)],
            instructions=[custody.instruction_line(one, one.quantity * ratio) for one in due],
            at=self.at,
            supersedes=current.reference if current is not None and same_day else "",
        )
        self.missing = missing

    @property
    def is_delivering(self) -> bool:
        """Whether shares are to leave, which may hide that others are missing."""
        deliveries = self.market.account.instructions.filter(direction=Direction.DELIVERY)
        return deliveries.filter(state__in=UNSETTLED).exists()

    def open_instructions(self) -> list[SettlementInstruction]:
        """Return what the custodian has still to settle by today."""
        instructions = self.market.account.instructions.filter(state__in=UNSETTLED)
        return list(instructions.filter(settlement_date__lte=self.at.date()))

    def unbooked_ratio(self) -> int:
        """Return what a share of the books has become at the custodian by today."""
        ratio = 1
        for stock_split in StockSplit.objects.filter(
            state__in=[SplitState.CONFIRMED, SplitState.SCHEDULED],
            effective_at__lte=self.at,
        ):
            ratio *= stock_split.shares_after // stock_split.shares_before
        return ratio

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

    def steal(self, place: Place, quantity: int, *, relayed: bool) -> None:
        """Have the thief mint with the key in use there.

        Through a relay, the transaction says nothing of whose key it was. Else it pays for taking
        the place of what waits with the same nonce.
        """
        network = place.deployment.network
        account = chain_selectors.signer_in_use(network, SignerPurpose.MINTER)
        if relayed or account is None:
            place.chain.change(
                place.contract, EventKind.MINT, THIEF, quantity * ONE, sender=STRANGER
            )
            return
        request_id = hashlib.sha256(f"theft {next(self._serial)}".encode()).digest()
        theft = UnsignedTransaction(
            chain_id=int(network.caip2.partition(":")[2]),
            nonce=place.chain.state.nonces.get(account.address, 0),
            contract=place.contract,
            calldata=token_contract.calldata("mint", THIEF, quantity * ONE, request_id),
            fees=GREEDY,
        )
        with suppress(ChainUnavailable):
            FakeChain.broadcast(place.chain, MINTERS[account.address].sign(theft).raw)

    def remedy(self, place: Place) -> None:
        """Have two persons undo what a thief did, and take its role from every key it may have."""
        self._seize(place)
        network = place.deployment.network
        trust = trust_now()
        for snapshot in newest_snapshots().filter(deployment=place.deployment):
            for one in trust.untrusted(snapshot, network):
                assert one.purpose == SignerPurpose.MINTER, "nobody else came in"
                self._change_role(place, IntentKind.REVOKE_ROLE, one.address)
        if chain_selectors.signer_in_use(network, SignerPurpose.MINTER) is None:
            served = set(chain_selectors.signers_of(network).values_list("address", flat=True))
            successor = next(address for address in MINTERS if address not in served)
            self._change_role(place, IntentKind.GRANT_ROLE, successor)

    def _change_role(self, place: Place, kind: IntentKind, account: str) -> None:
        with suppress(DomainError):
            self._act(place, kind, account=account, role=SignerPurpose.MINTER.value)

    def _seize(self, place: Place) -> None:
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
        mints = TransactionAttempt.objects.filter(intent__kind=IntentKind.MINT, cancels=False)
        hashes = set(mints.values_list("transaction_hash", flat=True))
        return len(hashes) + sum(
            hash_of(raw) in hashes for place in self.places for raw in place.chain.received
        )
