"""Signing with a key in this process."""

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from issuer.chain.readers import FeeQuote
from issuer.chain.signing import LocalKeySigner, UnsignedTransaction, hash_of
from tests.make.chain import MINTER_KEY

CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


class TestLocalKeySigner:
    def test_signs_exactly_what_it_is_given(self) -> None:
        signer = LocalKeySigner(MINTER_KEY)

        signed = signer.sign(
            UnsignedTransaction(
                chain_id=31337,
                nonce=7,
                contract=CONTRACT,
                calldata=b"mint",
                fees=FeeQuote(30, 20, 100_000),
            )
        )

        fields = TypedTransaction.from_bytes(HexBytes(signed.raw)).as_dict()
        assert (fields["chainId"], fields["nonce"], fields["value"]) == (31337, 7, 0)
        assert (fields["maxFeePerGas"], fields["maxPriorityFeePerGas"]) == (30, 20)
        assert (fields["gas"], bytes(fields["data"])) == (100_000, b"mint")
        assert bytes(fields["to"]).hex() == CONTRACT[2:].lower()
        assert Account.recover_transaction(signed.raw) == signer.address == ADDRESS
        assert signed.hash == hash_of(signed.raw)

    def test_signs_the_same_bytes_each_time(self) -> None:
        transaction = UnsignedTransaction(
            chain_id=1, nonce=0, contract=CONTRACT, calldata=b"", fees=FeeQuote(2, 1, 21_000)
        )

        one, other = (LocalKeySigner(MINTER_KEY).sign(transaction) for _ in range(2))

        assert one == other

    def test_never_shows_its_key(self) -> None:
        assert repr(LocalKeySigner(MINTER_KEY)) == f"LocalKeySigner({ADDRESS})"


class TestHashOf:
    def test_is_keccak_256(self) -> None:
        assert hash_of(b"") == (
            "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        )
