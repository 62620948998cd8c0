"""What must hold for a request to go on, asked again at each decision."""

from datetime import datetime
from decimal import Decimal
from typing import Final, TypeAlias
from uuid import UUID

from issuer.approvals import selectors as approvals
from issuer.chain import selectors as chain
from issuer.chain.states import SignerPurpose
from issuer.custody.models import CustodyAccount
from issuer.foundation import canonical, quantities
from issuer.gate import services as gate
from issuer.instruments import selectors as instruments
from issuer.instruments.models import ControlledRole, Deployment, Network, Token
from issuer.kyc import selectors as kyc
from issuer.kyc.errors import KycNotCleared
from issuer.kyc.states import CaseState
from issuer.parties import selectors as parties
from issuer.parties.errors import WalletNotBound
from issuer.parties.models import AuthorizedParticipant, Wallet
from issuer.primary_market import errors
from issuer.primary_market.models import Deposit, IssuanceRequest, RedemptionRequest
from issuer.primary_market.payload import (
    APPROVE_ISSUANCE,
    APPROVE_REDEMPTION,
    approval_payload,
    redemption_payload,
)
from issuer.reserves import selectors as reserves

#: A request of either kind: what it asks of its participant is the same.
AnyRequest: TypeAlias = IssuanceRequest | RedemptionRequest

#: A party in one of these is given nothing, not even what is its own.
UNLAWFUL_STATES: Final = frozenset({CaseState.SUSPENDED, CaseState.REJECTED_FINAL})
#: NUMERIC(38, 18) has so many digits before the point.
SHARES_MAX: Final = Decimal(10) ** (quantities.DIGITS - quantities.SCALE)


def require_issuance_open(token: Token) -> None:
    """Refuse if issuance of `token` is suspended.

    Raises:
        IssuanceClosed: if it is.
    """
    if not token.issuance_open:
        raise errors.IssuanceClosed(f"{token} is not issued now.", token=token.symbol)


def require_open(deployment: Deployment) -> None:
    """Refuse to go towards a mint unless every gate of it is open, and keep them so.

    The locks of the gates last until the caller's transaction ends: a halt waits for it.

    Raises:
        GateClosed: if a gate of program, token, network or a custodian is not open.
    """
    gate.require_open(scopes=reserves.scopes_of(deployment.token, deployment.network))


def require_not_halted(deployment: Deployment) -> None:
    """Refuse to let tokens or shares go if a gate of them is halted, and keep it from being so.

    Locks as `require_open`; a gate that is open for redemption only lets them through.

    Raises:
        GateClosed: if a gate of program, token, network or a custodian is halted.
    """
    gate.require_redeemable(scopes=reserves.scopes_of(deployment.token, deployment.network))


def require_cleared(request: AnyRequest, *, at: datetime) -> None:
    """Refuse unless the participant may be dealt with at `at`.

    Raises:
        KycNotCleared: if the participant's KYC does not cover `at`.
    """
    kyc.require_cleared(request.participant.entity, at=at)


def require_wallet(request: AnyRequest) -> None:
    """Refuse unless the participant still holds the wallet that the tokens go to, or come from.

    Raises:
        WalletNotBound: if they do not.
    """
    parties.bound_wallet(request.participant, request.wallet.namespace, request.wallet.address)


def require_entitled(request: AnyRequest, *, at: datetime) -> None:
    """Refuse unless the participant may still be dealt with, at the wallet they named.

    Raises:
        KycNotCleared, WalletNotBound: if not.
    """
    require_cleared(request, at=at)
    require_wallet(request)


def require_no_lapse(request: AnyRequest, *, at: datetime) -> None:
    """Refuse unless the participant may still be dealt with, in what is left of the request.

    What is owed for tokens that are burned is shares, whatever became of the wallet.

    Raises:
        KycNotCleared, WalletNotBound: if not.
    """
    require_cleared(request, at=at)
    if isinstance(request, IssuanceRequest) or request.burn_intent_id is None:
        require_wallet(request)


def lapse_of(request: AnyRequest, *, at: datetime) -> str:
    """Return why the participant may no longer be dealt with, nothing if they may."""
    try:
        require_no_lapse(request, at=at)
    except (KycNotCleared, WalletNotBound) as refusal:
        return refusal.detail
    return ""


def require_same_multiplier(request: AnyRequest, *, at: datetime) -> None:
    """Refuse if a token stands for another number of shares than the request says.

    Raises:
        MultiplierChanged: if it does.
    """
    _require_multiplier(request, instruments.multiplier_at(request.deployment, at))


def require_booked_multiplier(request: AnyRequest, *, at: datetime) -> None:
    """Refuse to book a request whose terms are not those that the books go by.

    The token is locked, so that no split reaches the books before the request does; one that did
    while we waited for the lock counts, however early `at` is.

    Raises:
        MultiplierChanged: if a split is in the books, and the request not quoted again yet.
    """
    token = instruments.lock_token(request.token_id)
    books_at = instruments.last_booking(token, at)
    _require_multiplier(request, instruments.booked_multiplier(request.deployment, books_at))


def require_unchanged_terms(request: IssuanceRequest, *, at: datetime) -> None:
    """Refuse if the token is not issued now, or not on the terms of the request.

    Raises:
        IssuanceClosed: if issuance is suspended.
        MultiplierChanged: if a token stands for another number of shares by now.
    """
    require_issuance_open(request.token)
    require_same_multiplier(request, at=at)


def is_as_approved(request: AnyRequest) -> bool:
    """Say whether a request is, to the byte, what two persons approved last."""
    approved, found = _approved_and_found(request)
    return approved == found


def require_as_approved(request: AnyRequest) -> None:
    """Refuse to sign for a request that is not what two persons approved last.

    Raises:
        NotAsApproved: if it is not, to the byte.
    """
    approved, found = _approved_and_found(request)
    if approved != found:
        detail = f"{request} is not what was approved; it has to be approved again."
        raise errors.NotAsApproved(detail, approved=approved, found=found)


def require_all_received(request: RedemptionRequest) -> None:
    """Refuse unless all the tokens of the request have come, to the last base unit.

    Raises:
        TokensNotReceived: if not.
    """
    if request.missing:
        missing = quantities.to_text(request.missing)
        raise errors.TokensNotReceived(f"{missing} tokens have not come.", missing=missing)


def require_lawful_return(deposit: Deposit) -> None:
    """Refuse to give tokens back to whoever holds the sender's wallet, or held it last, if so.

    Raises:
        ReturnUnlawful: if that party is suspended, or was refused for good.
    """
    transfer = deposit.transfer
    wallet = (
        Wallet.objects.select_related("participant__entity")
        .filter(namespace=transfer.deployment.network.namespace, address=transfer.sender)
        .order_by("-bound_at")
        .first()
    )
    case = None if wallet is None else kyc.case_of(wallet.participant.entity)
    if case is not None and case.state in UNLAWFUL_STATES:
        label = CaseState(case.state).label
        raise errors.ReturnUnlawful(f"The sender's KYC case is: {label}.", state=case.state)


def cleared_wallet(
    participant: AuthorizedParticipant, network: Network, address: str, *, at: datetime
) -> Wallet:
    """Return the wallet at `address` of a participant who may be dealt with at `at`.

    Raises:
        KycNotCleared: if the participant's KYC does not cover `at`.
        WalletNotBound: if the participant has not bound the wallet.
    """
    kyc.require_cleared(participant.entity, at=at)
    return parties.bound_wallet(participant, network.namespace, address)


def require_carriable(quantity: Decimal, deployment: Deployment) -> None:
    """Refuse a quantity of whole tokens that a contract cannot move.

    Raises:
        QuantityMalformed: if it is not positive.
        QuantityTooFine: if the contract cannot carry it exactly.
    """
    if quantity <= 0:
        raise quantities.QuantityMalformed("The quantity must be more than 0.")
    quantities.to_base_units(quantity, decimals=deployment.decimals)


def deployment_of(participant: AuthorizedParticipant, token: Token, network: str) -> Deployment:
    """Return the contract of `token` on the CAIP-2 `network`, for a participant of its program.

    Raises:
        TokenOfAnotherProgram: if the participant is not authorized under the token's program.
        TokenNotOnNetwork: if the token has no contract there.
    """
    if token.program_id != participant.program_id:
        detail = f"{participant} is not authorized under the program of {token}."
        raise errors.TokenOfAnotherProgram(detail, token=token.symbol)
    deployment = (
        token.deployments.select_related("network", "token").filter(network__caip2=network).first()
    )
    if deployment is None:
        detail = f"{token} has no contract on {network[:64]!r}."
        raise errors.TokenNotOnNetwork(detail, token=token.symbol, network=network[:64])
    return deployment


def custody_account(token: Token, account_id: UUID | None) -> CustodyAccount:
    """Return the one custody account of `token`, or the one of `account_id`.

    Raises:
        CustodyAccountUndetermined: if there is none, or several of which none was named.
    """
    accounts = token.custody_accounts.select_related("custodian", "token")
    if account_id is not None:
        accounts = accounts.filter(pk=account_id)
    found = list(accounts.order_by("pk")[:2])
    if len(found) != 1:
        detail = f"{token} has {len(found) or 'no'} such custody accounts; name the one."
        raise errors.CustodyAccountUndetermined(detail, token=token.symbol)
    return found[0]


def deposit_address(network: Network) -> str:
    """Return the address on `network` to which tokens are returned: its own key burns them.

    Raises:
        RedemptionClosed: if the burner in use has no address that is declared as one.
    """
    burner = chain.signer_in_use(network, SignerPurpose.BURNER)
    declared = network.controlled_addresses.filter(role=ControlledRole.REDEMPTION)
    if burner is None or not declared.filter(address=burner.address).exists():
        detail = f"No address on {network} takes tokens back now."
        raise errors.RedemptionClosed(detail, network=network.caip2)
    return burner.address


def shares_for(quantity: Decimal, multiplier: Decimal) -> Decimal:
    """Return the shares to deliver for `quantity` tokens, up to the custodian's nine places.

    Raises:
        QuantityMalformed: if they are more than the books can count.
    """
    return _countable(
        quantities.delivery_rounded_up(quantities.EXACT.multiply(quantity, multiplier)), quantity
    )


def shares_out(quantity: Decimal, multiplier: Decimal) -> Decimal:
    """Return the shares that are delivered for `quantity` tokens, down to nine places.

    Raises:
        QuantityMalformed: if they are more than the books can count.
    """
    return _countable(
        quantities.delivery_rounded_down(quantities.EXACT.multiply(quantity, multiplier)), quantity
    )


def require_minimum(token: Token, quantity: Decimal, *, shares: Decimal) -> None:
    """Refuse to redeem fewer tokens than is done at once, or too few for `shares` to move.

    Raises:
        BelowMinimum: if they are.
    """
    if quantity < token.redemption_minimum or not shares:
        minimum = quantities.to_text(token.redemption_minimum)
        detail = f"{quantities.to_text(quantity)} {token} are too few; {minimum} are the least."
        raise errors.BelowMinimum(detail, minimum=minimum)


def _approved_and_found(request: AnyRequest) -> tuple[str, str]:
    """Return the hash of what was approved last, empty if nothing was, and that of what is."""
    if isinstance(request, IssuanceRequest):
        action, payload = APPROVE_ISSUANCE, approval_payload(request)
    else:
        action, payload = APPROVE_REDEMPTION, redemption_payload(request)
    approval = approvals.newest_approval(request, action)
    return "" if approval is None else approval.payload_hash, canonical.sha256(payload)


def _countable(shares: Decimal, quantity: Decimal) -> Decimal:
    if shares >= SHARES_MAX:
        shown = quantities.to_text(quantity)
        detail = f"{shown} tokens stand for more shares than can be counted here."
        raise quantities.QuantityMalformed(detail)
    return shares


def _require_multiplier(request: AnyRequest, multiplier: Decimal) -> None:
    if multiplier != request.multiplier:
        then, now = quantities.to_text(request.multiplier), quantities.to_text(multiplier)
        detail = f"A token stood for {then} shares when the request was made, and for {now} now."
        raise errors.MultiplierChanged(detail, requested=then, current=now)
