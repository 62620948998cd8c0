"""The exact bytes of each try at an intent, and of what cancels it."""

from datetime import datetime
from typing import Final

from issuer.chain import errors
from issuer.chain.models import TransactionAttempt, TransactionIntent
from issuer.chain.readers import FeeQuote
from issuer.chain.signing import Signer, UnsignedTransaction, hash_of

#: Above this we rather wait than pay; a chain in its right mind asks for a hundredth.
MAX_FEE_PER_GAS_WEI: Final = 2_000 * 10**9
#: Nodes take a replacement only if both of its fees are at least 10 % up (geth), 12.5 % (others).
BUMP_NUMERATOR: Final = 9
BUMP_DENOMINATOR: Final = 8


def sign_attempt(
    intent: TransactionIntent, *, signer: Signer, fees: FeeQuote, at: datetime
) -> TransactionAttempt:
    """Sign what a locked intent does, at its nonce."""
    return _sign(
        intent,
        contract=intent.deployment.address,
        calldata=bytes(intent.calldata),
        cancels=False,
        signer=signer,
        fees=fees,
        at=at,
    )


def sign_cancellation(
    intent: TransactionIntent, *, signer: Signer, fees: FeeQuote, at: datetime
) -> TransactionAttempt:
    """Sign that the account of a locked intent sends itself nothing, at its nonce.

    Of one nonce the chain takes one, so what is signed once in a final block excludes the other.
    """
    return _sign(
        intent, contract=signer.address, calldata=b"", cancels=True, signer=signer, fees=fees, at=at
    )


def outbidding(last: TransactionAttempt, quoted: FeeQuote, *, gas_limit: int) -> FeeQuote:
    """Return what replaces `last` at every node: its fees and an eighth, or what the chain asks."""
    return FeeQuote(
        max_fee_per_gas=max(quoted.max_fee_per_gas, _bumped(last.max_fee_per_gas)),
        max_priority_fee_per_gas=max(
            quoted.max_priority_fee_per_gas, _bumped(last.max_priority_fee_per_gas)
        ),
        gas_limit=gas_limit,
    )


def within_limit(quoted: FeeQuote) -> FeeQuote:
    """Return `quoted`, its fees no higher than our limit."""
    return FeeQuote(
        max_fee_per_gas=min(quoted.max_fee_per_gas, MAX_FEE_PER_GAS_WEI),
        max_priority_fee_per_gas=min(quoted.max_priority_fee_per_gas, MAX_FEE_PER_GAS_WEI),
        gas_limit=quoted.gas_limit,
    )


def require_payable(fees: FeeQuote) -> None:
    """Refuse to offer more than our limit.

    Raises:
        FeesTooHigh: if `fees` do.
    """
    if fees.max_fee_per_gas > MAX_FEE_PER_GAS_WEI:
        detail = f"The chain asks for {fees.max_fee_per_gas} wei per gas."
        raise errors.FeesTooHigh(detail, limit=str(MAX_FEE_PER_GAS_WEI))


def require_signer(intent: TransactionIntent, signer: Signer) -> None:
    """Refuse a signer that does not hold the key of the intent's account.

    Raises:
        SignerMismatch: if so.
    """
    if signer.address != intent.signer_account.address:
        raise errors.SignerMismatch(f"{signer.address} did not sign {intent}.")


def _sign(
    intent: TransactionIntent,
    *,
    contract: str,
    calldata: bytes,
    cancels: bool,
    signer: Signer,
    fees: FeeQuote,
    at: datetime,
) -> TransactionAttempt:
    signed = signer.sign(
        UnsignedTransaction(
            chain_id=int(intent.deployment.network.caip2.partition(":")[2]),
            nonce=intent.nonce,
            contract=contract,
            calldata=calldata,
            fees=fees,
        )
    )
    return TransactionAttempt.objects.create(
        intent=intent,
        serial=intent.attempts.count() + 1,  # the row is locked, and none is ever deleted
        transaction_hash=signed.hash,
        raw_transaction=signed.raw,
        calldata_hash=hash_of(calldata),
        cancels=cancels,
        max_fee_per_gas=fees.max_fee_per_gas,
        max_priority_fee_per_gas=fees.max_priority_fee_per_gas,
        signed_at=at,
    )


def _bumped(fee: int) -> int:
    """Return `fee` and an eighth, rounded up."""
    return -(-fee * BUMP_NUMERATOR // BUMP_DENOMINATOR)
