"""Who signs our transactions, and what one looks like before and after."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from eth_utils.address import to_canonical_address
from eth_utils.crypto import keccak

from issuer.chain.readers import FeeQuote

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount


@dataclass(frozen=True, slots=True)
class UnsignedTransaction:
    """A call of a contract, or of the signer's own account, that moves no coins (EIP-1559)."""

    chain_id: int
    nonce: int
    contract: str
    calldata: bytes
    fees: FeeQuote


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """The exact bytes for the chain, and the hash that it will know them by."""

    raw: bytes
    hash: str


class Signer(Protocol):
    """Holds the key of one account. Raises `ChainUnavailable` if it cannot sign now."""

    @property
    def address(self) -> str:
        """The account, in EIP-55 form."""

    def sign(self, transaction: UnsignedTransaction) -> SignedTransaction:
        """Sign exactly this transaction."""


class LocalKeySigner:
    """A `Signer` whose key is in this process: for development, and for chains of small value."""

    def __init__(self, private_key: str) -> None:
        from eth_account import Account  # costs a second, which only those who sign should pay

        self._account: LocalAccount = Account.from_key(private_key)

    def __repr__(self) -> str:
        return f"LocalKeySigner({self.address})"

    @property
    def address(self) -> str:
        return str(self._account.address)

    def sign(self, transaction: UnsignedTransaction) -> SignedTransaction:
        signed = self._account.sign_transaction(
            {
                "type": 2,
                "chainId": transaction.chain_id,
                "nonce": transaction.nonce,
                "to": to_canonical_address(transaction.contract),
                "value": 0,
                "data": transaction.calldata,
                "gas": transaction.fees.gas_limit,
                "maxFeePerGas": transaction.fees.max_fee_per_gas,
                "maxPriorityFeePerGas": transaction.fees.max_priority_fee_per_gas,
            }
        )
        return SignedTransaction(
            raw=bytes(signed.raw_transaction), hash=hash_of(signed.raw_transaction)
        )


def hash_of(data: bytes) -> str:
    """Return the Keccak-256 of `data`, in hex."""
    return f"0x{keccak(data).hex()}"
