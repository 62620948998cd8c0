from typing import Final

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from issuer.foundation.errors import Malformed
from issuer.parties import errors, ownership_proofs

HOLDER: Final = Account.from_key("0x" + "11" * 32)
OTHER: Final = Account.from_key("0x" + "22" * 32)
MESSAGE: Final = "Prove that you control this address.\n\nNonce: 8f3a"
#: The order of secp256k1 (SEC 2).
ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141

proof = ownership_proofs.proof_for("eip155")


def signed(message: str = MESSAGE, *, by: str = HOLDER.key.hex()) -> str:
    signature = Account.sign_message(encode_defunct(text=message), private_key=by).signature
    return "0x" + bytes(signature).hex()


class TestNormalized:
    @pytest.mark.parametrize(
        "address",
        [  # the test cases of EIP-55
            "0x52908400098527886E0F7030069857D2E4169EE7",
            "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
            "0xde709f2102306220921060314715629080e2fb77",
            "0x27b1fdb04752bbc536007a920d24acb045561c26",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        ],
    )
    def test_takes_an_address_with_its_checksum(self, address: str) -> None:
        assert proof.normalized(address) == address

    @pytest.mark.parametrize(
        "address",
        [
            pytest.param("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", id="no checksum"),
            pytest.param("0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", id="wrong checksum"),
            pytest.param("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe", id="too short"),
            pytest.param("5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", id="no 0x"),
            pytest.param("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed\n", id="line feed"),
            pytest.param("", id="empty"),
        ],
    )
    def test_refuses_anything_else(self, address: str) -> None:
        with pytest.raises(Malformed):
            proof.normalized(address)


class TestCheck:
    def test_takes_the_signature_of_the_holder(self) -> None:
        proof.check(MESSAGE, address=HOLDER.address, signature=signed())

    def test_takes_one_whose_last_byte_lacks_the_27_as_hardware_wallets_write_it(self) -> None:
        signature = signed()
        lacking = signature[:-2] + f"{int(signature[-2:], 16) - 27:02x}"

        proof.check(MESSAGE, address=HOLDER.address, signature=lacking)

    def test_refuses_the_signature_of_somebody_else(self) -> None:
        with pytest.raises(errors.SignatureMismatch) as refusal:
            proof.check(MESSAGE, address=HOLDER.address, signature=signed(by=OTHER.key.hex()))

        assert refusal.value.facts == {"address": HOLDER.address}

    def test_refuses_a_signature_of_another_message(self) -> None:
        with pytest.raises(errors.SignatureMismatch):
            proof.check(MESSAGE, address=HOLDER.address, signature=signed(MESSAGE + " "))

    def test_refuses_the_other_form_of_the_same_signature(self) -> None:
        signature = signed()
        r, s, v = signature[2:66], int(signature[66:130], 16), int(signature[130:], 16)
        other = f"0x{r}{ORDER - s:064x}{55 - v:02x}"
        recovered = Account.recover_message(encode_defunct(text=MESSAGE), signature=other)
        assert recovered == HOLDER.address  # else this would prove nothing

        with pytest.raises(errors.SignatureMalformed, match="smaller"):
            proof.check(MESSAGE, address=HOLDER.address, signature=other)

    @pytest.mark.parametrize(
        "signature",
        [
            pytest.param("", id="empty"),
            pytest.param(signed()[2:], id="no 0x"),
            pytest.param(signed()[:-2], id="64 bytes"),
            pytest.param(signed() + "00", id="66 bytes"),
            pytest.param(signed()[:-2] + "zz", id="not hex"),
            pytest.param(signed()[:-2] + "1d", id="last byte 29"),
            pytest.param("0x" + "00" * 64 + "1b", id="zeros"),
            pytest.param("0x" + "ff" * 32 + "01" * 32 + "1b", id="r beyond the order"),
        ],
    )
    def test_refuses_what_is_no_signature(self, signature: str) -> None:
        with pytest.raises(errors.SignatureMalformed):
            proof.check(MESSAGE, address=HOLDER.address, signature=signature)


class TestProofFor:
    def test_refuses_a_namespace_that_nobody_can_check(self) -> None:
        with pytest.raises(errors.NamespaceUnsupported) as refusal:
            ownership_proofs.proof_for("solana")

        assert refusal.value.facts == {"namespace": "solana"}
