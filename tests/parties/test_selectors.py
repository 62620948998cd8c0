from datetime import datetime

import pytest

from issuer.foundation.actors import system
from issuer.foundation.errors import Malformed
from issuer.parties import errors, selectors, services
from tests.make import parties as make

pytestmark = pytest.mark.django_db


class TestBoundWallet:
    def test_is_the_wallet_at_the_address(self) -> None:
        wallet = make.wallet()

        found = selectors.bound_wallet(wallet.participant, "eip155", wallet.address)

        assert found == wallet

    def test_refuses_one_that_was_revoked(self, at: datetime) -> None:
        wallet = make.wallet()
        services.revoke_wallet(wallet, reason="Lost.", actor=system("tests"), at=at)

        with pytest.raises(errors.WalletNotBound) as refusal:
            selectors.bound_wallet(wallet.participant, "eip155", wallet.address)

        assert refusal.value.facts == {"namespace": "eip155", "address": wallet.address}

    def test_refuses_the_wallet_of_another_participant(self) -> None:
        wallet = make.wallet()

        with pytest.raises(errors.WalletNotBound):
            selectors.bound_wallet(make.participant(), "eip155", wallet.address)

    def test_refuses_an_address_without_its_checksum(self) -> None:
        wallet = make.wallet()

        with pytest.raises(Malformed):
            selectors.bound_wallet(wallet.participant, "eip155", wallet.address.lower())


class TestCriteriaInForce:
    def test_are_the_newest(self, at: datetime) -> None:
        old = make.criteria(version="1.0")
        new = services.publish_criteria(
            program=old.program,
            name=old.name,
            version="1.1",
            text="Shares first.",
            actor=system("tests"),
            at=at,
        )

        assert selectors.criteria_in_force(old.program) == new

    def test_are_none_if_none_were_published(self) -> None:
        assert selectors.criteria_in_force(make.program()) is None
