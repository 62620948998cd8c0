from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from issuer.foundation.identifiers import uuid7
from issuer.instruments import errors, selectors
from issuer.instruments.models import Token
from tests.make import instruments as make

pytestmark = pytest.mark.django_db


class TestMultiplierAt:
    def test_is_the_one_in_effect_from_its_start_to_just_before_its_end(self, at: datetime) -> None:
        deployment = make.deployment(multiplier_=None)
        make.multiplier(deployment, Decimal(1), end=at)
        make.multiplier(deployment, Decimal(10), start=at)

        instant = timedelta(microseconds=1)
        assert selectors.multiplier_at(deployment, make.BEFORE) == 1
        assert selectors.multiplier_at(deployment, at - instant) == 1
        assert selectors.multiplier_at(deployment, at) == 10

    def test_refuses_to_guess_one_where_there_is_none(self) -> None:
        deployment = make.deployment()

        with pytest.raises(errors.MultiplierUnknown) as refusal:
            selectors.multiplier_at(deployment, make.BEFORE - timedelta(days=1))

        assert refusal.value.facts == {"deployment": str(deployment.pk)}


class TestMultipliersAt:
    def test_asks_once_for_all(
        self, at: datetime, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        one, other = make.deployment(), make.deployment(multiplier_=Decimal("1.5"))

        with django_assert_num_queries(1):
            multipliers = selectors.multipliers_at([one, other], at)

        assert multipliers == {one.pk: Decimal(1), other.pk: Decimal("1.5")}


class TestTokensOf:
    def test_are_those_of_the_program_by_symbol(self) -> None:
        token = make.token(symbol="TSLAx")
        other = make.token(symbol="AAPLx", program=token.program)
        make.token(symbol="NVDAx")

        assert list(selectors.tokens_of(token.program)) == [other, token]


class TestLockToken:
    def test_returns_the_token(self) -> None:
        token = make.token()

        with transaction.atomic():
            assert selectors.lock_token(token.pk) == token

    def test_refuses_where_there_is_none(self) -> None:
        with pytest.raises(Token.DoesNotExist):
            selectors.lock_token(uuid7())


@pytest.mark.django_db(transaction=True)
class TestLockTokenOutsideATransaction:
    def test_is_a_mistake_of_the_programmer(self) -> None:
        with pytest.raises(RuntimeError):
            selectors.lock_token(uuid7())
