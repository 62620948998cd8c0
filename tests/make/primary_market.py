"""Issuance requests for tests, in any state, walked there by the services."""

import itertools
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from issuer.approvals import selectors as approvals
from issuer.chain.models import TransactionIntent
from issuer.chain.services import Prepared
from issuer.chain.states import IntentState
from issuer.custody.models import CustodyAccount
from issuer.custody.selectors import current_statement
from issuer.foundation import calendars, quantities
from issuer.foundation.actors import Actor, ActorKind, system
from issuer.instruments.models import Deployment, Network, Token
from issuer.parties.models import AuthorizedParticipant, Program, Wallet
from issuer.people.roles import Role
from issuer.primary_market import services
from issuer.primary_market.models import IssuanceRequest
from issuer.primary_market.payload import APPROVE_ISSUANCE
from issuer.primary_market.states import IssuanceState
from tests.make import chain, custody, instruments, kyc, parties, people

_serial = itertools.count(1)
#: The afternoon of a Friday with a session in New York.
AT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
PARTNER = Actor(ActorKind.PARTNER, "0197a1de-0000-7000-8000-00000000a11a")

#: The way that a request takes; the rest branch off.
_WAY = (
    IssuanceState.REQUESTED,
    IssuanceState.ACCEPTED,
    IssuanceState.FUNDED,
    IssuanceState.APPROVED,
    IssuanceState.MINTING,
    IssuanceState.COMPLETED,
)


@dataclass(frozen=True)
class Market:
    """Everything that one participant needs to be issued one token on one network."""

    participant: AuthorizedParticipant
    wallet: Wallet
    token: Token
    deployment: Deployment
    account: CustodyAccount


def market(
    *,
    program_: Program | None = None,
    participant_: AuthorizedParticipant | None = None,
    network_: Network | None = None,
    address: str | None = None,
    wallet_address: str | None = None,
    decimals: int = 18,
    multiplier: Decimal = Decimal(1),
    own_shares: Decimal = Decimal(0),
    at: datetime = AT,
) -> Market:
    """Return a market whose cover is known at `at`, with `own_shares` free shares of the SPV.

    With the `address` of a contract on a real chain, cover is known once that has been scanned.
    """
    program_ = program_ or (parties.program() if participant_ is None else participant_.program)
    participant_ = participant_ or cleared_participant(program_)
    token = instruments.token(program=program_)
    deployment = instruments.deployment(
        token_=token,
        network_=network_,
        address=address,
        deployed_block=0 if address is None else 1,
        decimals=decimals,
        multiplier_=multiplier,
    )
    account = custody.account(token_=token)
    state_holdings(account, own_shares, at=at)
    if address is None:
        units = quantities.to_base_units(multiplier, decimals=18)
        chain.snapshot(deployment, ui_multiplier_base_units=units, taken_at=at)
    wallet = parties.wallet(participant_, address=wallet_address)
    return Market(participant_, wallet, token, deployment, account)


def cleared_participant(program_: Program) -> AuthorizedParticipant:
    """Return a participant whose entity is cleared."""
    participant = parties.participant(program_=program_)
    kyc.cleared(participant.entity)
    return participant


def state_holdings(account: CustodyAccount, more: Decimal, *, at: datetime) -> None:
    """Have the custodian state what the books have, and `more` shares of our own."""
    if more:
        custody.settled_shares(account, more, at=at)
    else:
        custody.statement(account.custodian, [custody.line(account, Decimal(0))], at=at)


def issuance(
    market_: Market | None = None,
    *,
    state: IssuanceState = IssuanceState.REQUESTED,
    quantity: Decimal = Decimal(600),
    client_reference: str | None = None,
    at: datetime = AT,
) -> IssuanceRequest:
    """Return a request in `state`, with all that has led there."""
    market_ = market_ or market(at=at)
    request = services.request_issuance(
        participant=market_.participant,
        token=market_.token,
        network=market_.deployment.network.caip2,
        wallet_address=market_.wallet.address,
        quantity=quantity,
        client_reference=client_reference or f"reference-{next(_serial)}",
        actor=PARTNER,
        at=at,
    )
    if state in _WAY:
        _walk(request, _WAY[1 : _WAY.index(state) + 1], at=at)
    elif state == IssuanceState.EXPIRED:
        services.expire(request.pk, actor=system("make"), at=at + timedelta(days=30))
    else:
        _end(request, state, at=at)
    request.refresh_from_db()
    return request


def traded_to_settle_on(day: date) -> date:
    """Return the last session whose trades have settled by `day`."""
    traded = calendars.last_session(day)
    while calendars.settlement_date(traded) > day:
        traded = calendars.last_session(traded - timedelta(days=1))
    return traded


def deliver(request: IssuanceRequest, *, at: datetime = AT) -> None:
    """Have the custodian state the shares of an accepted request as settled."""
    assert request.instruction is not None
    account = request.instruction.account
    settled = custody.booked(account) + request.shares
    current = current_statement(account.custodian)
    same_day = current is not None and current.as_of_date == at.date()
    custody.statement(
        account.custodian,
        [custody.line(account, settled)],
        at=at,
        supersedes=current.reference if current is not None and same_day else "",
    )


def approve(request: IssuanceRequest, *, at: datetime = AT) -> IssuanceRequest:
    """Have two persons approve a funded request."""
    services.propose_approval(request.pk, actor=people.staff_actor(Role.OPERATIONS_OFFICER), at=at)
    return confirm(request, actor=people.staff_actor(Role.APPROVER), at=at)


def confirm(request: IssuanceRequest, *, actor: Actor, at: datetime = AT) -> IssuanceRequest:
    """Confirm what is proposed for a request."""
    proposal = approvals.open_proposal(request, APPROVE_ISSUANCE)
    assert proposal is not None
    return services.confirm_approval(
        request.pk, payload_hash=proposal.payload_hash, actor=actor, at=at
    )


def sign(request: IssuanceRequest, *, at: datetime = AT) -> IssuanceRequest:
    """Sign the mint of an approved request, as a chain without any news would have it."""
    chain.signer_account(request.deployment.network)
    return services.sign_mint(
        request.pk,
        signer=chain.signer(),
        prepared=Prepared(fees=chain.FEES, chain_nonce=0),
        actor=system("make"),
        at=at,
    )


def finalize(request: IssuanceRequest, *, at: datetime = AT) -> None:
    """Let the chain carry the mint of a request out, in a block that is final."""
    intent = request.mint_intent
    assert intent is not None
    event = chain.event(
        request.deployment,
        base_units=intent.base_units,
        address=intent.account,
        request_id=request.pk,
        transaction_hash=intent.attempts.get().transaction_hash,
        seen_at=at,
    )
    TransactionIntent.objects.filter(pk=intent.pk).update(state=IntentState.FINAL, event=event)
    newest = request.deployment.supply_snapshots.order_by("-block_number").first()
    assert newest is not None
    chain.snapshot(
        request.deployment,
        total_supply_base_units=newest.total_supply_base_units + intent.base_units,
        ui_multiplier_base_units=newest.ui_multiplier_base_units,
        block_number=newest.block_number + 1_000,
        taken_at=at,
    )


def fail(request: IssuanceRequest, state: IntentState) -> None:
    """Let the chain revert or drop the mint of a request, or us cancel it."""
    TransactionIntent.objects.filter(pk=request.mint_intent_id).update(
        state=state,
        cancel_reason="A gate was shut." if state == IntentState.CANCELLED else "",
        failure="The chain did not carry it out.",
    )


def _walk(request: IssuanceRequest, way: tuple[IssuanceState, ...], *, at: datetime) -> None:
    for state in way:
        match state:
            case IssuanceState.ACCEPTED:
                services.accept(
                    request.pk,
                    delivering_party="A broker",
                    trade_date=traded_to_settle_on(at.date()),
                    actor=people.staff_actor(Role.OPERATIONS_OFFICER),
                    at=at,
                )
            case IssuanceState.FUNDED:
                deliver(request, at=at)
                services.confirm_funding(request.pk, actor=system("make"), at=at)
            case IssuanceState.APPROVED:
                approve(request, at=at)
            case IssuanceState.MINTING:
                sign(request, at=at)
            case IssuanceState.COMPLETED:
                finalize(request, at=at)
                services.complete(request.pk, actor=system("make"), at=at)
        request.refresh_from_db()


def _end(request: IssuanceRequest, state: IssuanceState, *, at: datetime) -> None:
    if state == IssuanceState.REJECTED:
        staff = people.staff_actor(Role.OPERATIONS_OFFICER)
        services.reject(request.pk, reason="We cannot take these shares.", actor=staff, at=at)
    elif state == IssuanceState.CANCELLED:
        services.cancel(request.pk, participant=request.participant, actor=PARTNER, at=at)
    else:
        staff = people.staff_actor(Role.COMPLIANCE_OFFICER)
        services.freeze(request.pk, reason="Looked into.", actor=staff, at=at)
