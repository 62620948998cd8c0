"""Redemption requests, deposits and returns for tests, walked to any state by the services."""

import itertools
from datetime import datetime, timedelta
from decimal import Decimal

from issuer.approvals import selectors as approvals
from issuer.chain.models import IncomingTransfer, ScanCursor, TransactionIntent
from issuer.chain.services import Prepared
from issuer.chain.states import EventKind, IntentState, SignerPurpose
from issuer.custody.selectors import current_statement
from issuer.foundation import quantities
from issuer.foundation.actors import Actor, system
from issuer.instruments.models import ControlledRole, Deployment
from issuer.kyc.models import Case
from issuer.people.roles import Role
from issuer.primary_market import services
from issuer.primary_market.models import Deposit, DepositReturn, RedemptionRequest
from issuer.primary_market.payload import APPROVE_REDEMPTION, RETURN_TOKENS
from issuer.primary_market.states import IssuanceState, RedemptionState, ReturnState
from tests.make import chain, custody, instruments, parties, people, primary_market
from tests.make.primary_market import AT, PARTNER, Market

_serial = itertools.count(1)
_S = RedemptionState
SYSTEM = system("make")
BURNER = chain.signer(chain.KEYS[SignerPurpose.BURNER])

#: The way that a request takes; the rest branch off.
_WAY = (
    _S.REQUESTED,
    _S.AWAITING_TOKENS,
    _S.RECEIVED,
    _S.APPROVED,
    _S.BURNING,
    _S.BURNED,
    _S.DELIVERING,
    _S.COMPLETED,
)


def market(
    *,
    outstanding: Decimal = Decimal(600),
    decimals: int = 18,
    multiplier: Decimal = Decimal(1),
    at: datetime = AT,
) -> Market:
    """Return a market in which a participant holds `outstanding` tokens, and can return them."""
    market_ = primary_market.market(decimals=decimals, multiplier=multiplier, at=at)
    if outstanding:
        primary_market.issuance(market_, state=IssuanceState.COMPLETED, quantity=outstanding, at=at)
    redeemable(market_.deployment)
    return market_


def redeemable(deployment: Deployment) -> None:
    """Have the network of a deployment take tokens back, at the address of its burner."""
    network = deployment.network
    account = chain.signer_account(network, SignerPurpose.BURNER)
    if not network.controlled_addresses.filter(address=account.address).exists():
        instruments.controlled_address(
            network_=network, address=account.address, role=ControlledRole.REDEMPTION
        )


def read_until(deployment: Deployment, mined_at: datetime) -> None:
    """Have everything read that the chain holds final, up to a block mined at `mined_at`."""
    newest = deployment.supply_snapshots.order_by("-block_number").first()
    assert newest is not None
    final = chain.snapshot(
        deployment,
        total_supply_base_units=newest.total_supply_base_units,
        ui_multiplier_base_units=newest.ui_multiplier_base_units,
        block_number=newest.block_number + 1_000,
        taken_at=mined_at,
    )
    ScanCursor.objects.update_or_create(
        deployment=deployment,
        defaults={
            "block_number": final.block_number,
            "block_hash": final.block_hash,
            "recipients": {BURNER.address: final.block_number},
            "scanned_at": mined_at,
        },
    )


def redemption(
    market_: Market | None = None,
    *,
    state: RedemptionState = _S.REQUESTED,
    quantity: Decimal = Decimal(100),
    client_reference: str | None = None,
    at: datetime = AT,
) -> RedemptionRequest:
    """Return a request in `state`, with all that has led there."""
    market_ = market_ or market(at=at)
    request = services.request_redemption(
        participant=market_.participant,
        token=market_.token,
        network=market_.deployment.network.caip2,
        wallet_address=market_.wallet.address,
        quantity=quantity,
        client_reference=client_reference or f"return-{next(_serial)}",
        actor=PARTNER,
        at=at,
    )
    if state in _WAY:
        _walk(request, _WAY[1 : _WAY.index(state) + 1], at=at)
    else:
        _end(request, state, at=at)
    request.refresh_from_db()
    return request


def accept(request: RedemptionRequest, *, at: datetime = AT) -> RedemptionRequest:
    """Accept a request, as an officer."""
    return services.accept_redemption(
        request.pk,
        receiving_party="A broker",
        actor=people.staff_actor(Role.OPERATIONS_OFFICER),
        at=at,
    )


def transfer(
    market_: Market,
    quantity: Decimal,
    *,
    sender: str | None = None,
    at: datetime = AT,
) -> IncomingTransfer:
    """Have tokens come to the deposit address, by default from the market's wallet."""
    return chain.incoming_transfer(
        market_.deployment,
        base_units=quantities.to_base_units(quantity, decimals=market_.deployment.decimals),
        sender=sender or market_.wallet.address,
        seen_at=at,
    )


def deposit(
    market_: Market,
    quantity: Decimal,
    *,
    sender: str | None = None,
    at: datetime = AT,
) -> Deposit:
    """Have tokens come, and be matched if they can be."""
    came = transfer(market_, quantity, sender=sender, at=at)
    return services.match_deposit(came.pk, actor=SYSTEM, at=at)


def receive(request: RedemptionRequest, *, at: datetime = AT) -> Deposit:
    """Have all the tokens come that a request lacks."""
    came = chain.incoming_transfer(
        request.deployment,
        base_units=quantities.to_base_units(request.missing, decimals=request.deployment.decimals),
        sender=request.wallet.address,
        seen_at=at,
    )
    return services.match_deposit(came.pk, actor=SYSTEM, at=at)


def propose(request: RedemptionRequest, *, at: datetime = AT) -> None:
    """Propose a request for approval, as an officer."""
    officer = people.staff_actor(Role.OPERATIONS_OFFICER)
    services.propose_redemption(request.pk, actor=officer, at=at)


def confirm(
    request: RedemptionRequest, *, actor: Actor | None = None, at: datetime = AT
) -> RedemptionRequest:
    """Confirm what is proposed for a request."""
    proposal = approvals.open_proposal(request, APPROVE_REDEMPTION)
    assert proposal is not None
    return services.confirm_redemption(
        request.pk,
        payload_hash=proposal.payload_hash,
        actor=actor or people.staff_actor(Role.APPROVER),
        at=at,
    )


def sign(request: RedemptionRequest, *, at: datetime = AT) -> RedemptionRequest:
    """Sign the burn of an approved request, as a chain without any news would have it."""
    return services.sign_burn(
        request.pk,
        signer=BURNER,
        prepared=Prepared(fees=chain.FEES, chain_nonce=0),
        actor=SYSTEM,
        at=at,
    )


def finalize(request: RedemptionRequest, *, at: datetime = AT) -> None:
    """Let the chain carry the burn of a request out, in a block that is final."""
    intent = request.burn_intent
    assert intent is not None
    assert intent.base_units is not None
    event = chain.event(
        request.deployment,
        kind=EventKind.BURN,
        base_units=intent.base_units,
        address=request.deposit_address,
        request_id=request.pk,
        transaction_hash=intent.attempts.get().transaction_hash,
        seen_at=at,
    )
    TransactionIntent.objects.filter(pk=intent.pk).update(state=IntentState.FINAL, event=event)
    newest = request.deployment.supply_snapshots.order_by("-block_number").first()
    assert newest is not None
    chain.snapshot(
        request.deployment,
        total_supply_base_units=newest.total_supply_base_units - intent.base_units,
        ui_multiplier_base_units=newest.ui_multiplier_base_units,
        block_number=newest.block_number + 1_000,
        taken_at=at,
    )


def fail(intent: TransactionIntent | None, state: IntentState) -> None:
    """Let the chain revert or drop a transaction, or us cancel it; there has to be one."""
    assert intent is not None
    TransactionIntent.objects.filter(pk=intent.pk).update(
        state=state,
        cancel_reason="A gate was shut." if state == IntentState.CANCELLED else "",
        failure="The chain did not carry it out.",
    )


def deliver(request: RedemptionRequest, *, at: datetime = AT) -> datetime:
    """Have the custodian state the shares of a request as gone; return when it said so."""
    instruction = request.instruction
    assert instruction is not None
    account = instruction.account
    day = max(instruction.settlement_date, at.date())
    later = at + (day - at.date())
    current = current_statement(account.custodian)
    same_day = current is not None and current.as_of_date == day
    custody.statement(
        account.custodian,
        [custody.line(account, custody.booked(account) - request.shares)],
        at=later,
        supersedes=current.reference if current is not None and same_day else "",
    )
    return later


def lapse() -> None:
    """Have every KYC be over."""
    Case.objects.update(valid_until=AT.date() - timedelta(days=1))


def renew() -> None:
    """Have every KYC be good for another year."""
    Case.objects.update(valid_until=AT.date() + timedelta(days=365))


def a_return(
    deposit_: Deposit, *, state: ReturnState = ReturnState.PROPOSED, at: datetime = AT
) -> DepositReturn:
    """Return the return of all that can be of a deposit, in `state`."""
    officer = people.staff_actor(Role.OPERATIONS_OFFICER)
    found = services.propose_return(deposit_.pk, reason="Not asked for.", actor=officer, at=at)
    if state == ReturnState.DECLINED:
        return services.decline_return(found.pk, reason="Look again.", actor=officer, at=at)
    if state != ReturnState.PROPOSED:
        found = confirm_return(found, at=at)
    if state in {ReturnState.SIGNED, ReturnState.RETURNED}:
        found = sign_return(found, at=at)
    if state == ReturnState.RETURNED:
        finalize_return(found)
        found = services.complete_return(found.pk, actor=SYSTEM, at=at)
    found.refresh_from_db()
    return found


def confirm_return(
    found: DepositReturn, *, actor: Actor | None = None, at: datetime = AT
) -> DepositReturn:
    """Confirm a proposed return."""
    proposal = approvals.open_proposal(found, RETURN_TOKENS)
    assert proposal is not None
    return services.confirm_return(
        found.pk,
        payload_hash=proposal.payload_hash,
        actor=actor or people.staff_actor(Role.APPROVER),
        at=at,
    )


def sign_return(found: DepositReturn, *, at: datetime = AT) -> DepositReturn:
    """Sign the transfer of an approved return."""
    return services.sign_return(
        found.pk,
        signer=BURNER,
        prepared=Prepared(fees=chain.FEES, chain_nonce=0),
        actor=SYSTEM,
        at=at,
    )


def finalize_return(found: DepositReturn) -> None:
    """Let the chain carry a return out, in a block that is final."""
    TransactionIntent.objects.filter(pk=found.intent_id).update(state=IntentState.FINAL)


def _walk(request: RedemptionRequest, way: tuple[RedemptionState, ...], *, at: datetime) -> None:
    for state in way:
        match state:
            case _S.AWAITING_TOKENS:
                accept(request, at=at)
            case _S.RECEIVED:
                receive(request, at=at)
            case _S.APPROVED:
                propose(request, at=at)
                confirm(request, at=at)
            case _S.BURNING:
                sign(request, at=at)
            case _S.BURNED:
                finalize(request, at=at)
                services.complete_burn(request.pk, actor=SYSTEM, at=at)
            case _S.DELIVERING:
                services.instruct_delivery(request.pk, actor=SYSTEM, at=at)
            case _S.COMPLETED:
                later = deliver(request, at=at)
                services.complete_redemption(request.pk, actor=SYSTEM, at=later)
        request.refresh_from_db()


def _end(request: RedemptionRequest, state: RedemptionState, *, at: datetime) -> None:
    officer = people.staff_actor(Role.OPERATIONS_OFFICER)
    compliance = people.staff_actor(Role.COMPLIANCE_OFFICER)
    match state:
        case _S.REJECTED:
            services.reject_redemption(request.pk, reason="Not these.", actor=officer, at=at)
        case _S.CANCELLED:
            services.cancel_redemption(
                request.pk, participant=request.participant, actor=PARTNER, at=at
            )
        case _S.EXPIRED:
            later = request.expires_at + timedelta(seconds=1)
            read_until(request.deployment, later)
            services.expire_redemption(request.pk, actor=SYSTEM, at=later)
        case _S.FROZEN:
            services.freeze_redemption(request.pk, reason="A hit.", actor=compliance, at=at)
        case _S.QUARANTINED | _S.RETURNED:
            _walk(request, _WAY[1:3], at=at)
            services.freeze_redemption(request.pk, reason="A hit.", actor=compliance, at=at)
            if state == _S.RETURNED:
                a_return(request.deposits.get(), state=ReturnState.RETURNED, at=at)


def stranger() -> str:
    """Return an address that nobody has bound."""
    return parties.evm_address()
