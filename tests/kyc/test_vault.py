import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from issuer.foundation.identifiers import uuid7
from issuer.kyc import errors, vault

ENTITY = uuid7()
ROW = uuid7()


class TestDataCipher:
    def test_gives_back_what_was_encrypted_for_the_row(self) -> None:
        cipher = vault.unwrapped(vault.new_wrapped_key(entity=ENTITY), entity=ENTITY)

        ciphertext = cipher.encrypt(b"passport", row=ROW)

        assert b"passport" not in ciphertext
        assert len(ciphertext) == 12 + len(b"passport") + 16
        assert cipher.decrypt(ciphertext, row=ROW) == b"passport"

    def test_never_encrypts_twice_alike(self) -> None:
        cipher = vault.unwrapped(vault.new_wrapped_key(entity=ENTITY), entity=ENTITY)

        assert cipher.encrypt(b"passport", row=ROW) != cipher.encrypt(b"passport", row=ROW)

    def test_does_not_decrypt_for_another_row(self) -> None:
        cipher = vault.unwrapped(vault.new_wrapped_key(entity=ENTITY), entity=ENTITY)
        ciphertext = cipher.encrypt(b"passport", row=ROW)

        with pytest.raises(errors.EvidenceUnreadable):
            cipher.decrypt(ciphertext, row=uuid7())

    def test_does_not_decrypt_what_was_changed(self) -> None:
        cipher = vault.unwrapped(vault.new_wrapped_key(entity=ENTITY), entity=ENTITY)
        ciphertext = bytearray(cipher.encrypt(b"passport", row=ROW))
        ciphertext[-1] ^= 1

        with pytest.raises(errors.EvidenceUnreadable):
            cipher.decrypt(bytes(ciphertext), row=ROW)


class TestUnwrapped:
    def test_refuses_the_key_of_another_entity(self) -> None:
        wrapped = vault.new_wrapped_key(entity=ENTITY)

        with pytest.raises(errors.EvidenceUnreadable):
            vault.unwrapped(wrapped, entity=uuid7())

    def test_refuses_under_another_master_key(self, settings: Settings) -> None:
        wrapped = vault.new_wrapped_key(entity=ENTITY)
        settings.KYC_MASTER_KEY = "ab" * 32

        with pytest.raises(errors.EvidenceUnreadable):
            vault.unwrapped(wrapped, entity=ENTITY)


class TestCheckMasterSecret:
    def test_takes_32_bytes_in_hex(self, settings: Settings) -> None:
        settings.KYC_MASTER_KEY = "ab" * 32

        vault.check_master_secret()

    def test_refuses_a_short_one(self, settings: Settings) -> None:
        settings.KYC_MASTER_KEY = "a" * 42

        with pytest.raises(ImproperlyConfigured, match="43 characters"):
            vault.check_master_secret()
