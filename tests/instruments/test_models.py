"""What PostgreSQL refuses, past all Python."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import QuerySet

from issuer.instruments.models import (
    ControlledAddress,
    Deployment,
    Multiplier,
    Network,
    Security,
    Split,
    Token,
)
from tests.make import instruments as make
from tests.violations import refused_by

pytestmark = pytest.mark.django_db

EIGHT = datetime.fromisoformat("2026-11-20T08:00:00+00:00")
NINE = datetime.fromisoformat("2026-11-20T09:00:00+00:00")


def splitting() -> QuerySet[Split]:
    """A split that was scheduled at eight for nine."""
    split = make.split(make.token(), effective_at=NINE, at=EIGHT)
    return Split.objects.filter(pk=split.pk)


def redeem_from_nothing_on() -> None:
    Token.objects.filter(pk=make.token().pk).update(redemption_minimum=0)


def split_into_as_many() -> None:
    splitting().update(shares_after=1)


def split_into_none() -> None:
    splitting().update(shares_after=0)


def split_twice_at_once() -> None:
    splitting().update(token=make.split(make.token(), effective_at=NINE, at=EIGHT).token)


def schedule_the_past() -> None:
    splitting().update(scheduled_at=NINE)


def book_before_the_time() -> None:
    splitting().update(booked_at=EIGHT)


def book_what_was_called_off() -> None:
    splitting().update(booked_at=NINE, cancelled_at=EIGHT)


def call_off_what_has_happened() -> None:
    splitting().update(cancelled_at=NINE)


def misspell_the_isin_of_a_security() -> None:
    Security.objects.filter(pk=make.security().pk).update(isin="US-03783310")


def share_the_isin_of_a_security() -> None:
    Security.objects.filter(pk=make.security().pk).update(isin=make.security().isin)


def share_a_ticker_on_a_market() -> None:
    Security.objects.filter(pk=make.security().pk).update(ticker=make.security().ticker)


def misspell_the_isin_of_a_token() -> None:
    Token.objects.filter(pk=make.token().pk).update(isin="CH-00000000")


def share_the_isin_of_a_token() -> None:
    Token.objects.filter(pk=make.token().pk).update(isin=make.token().isin)


def share_a_symbol() -> None:
    Token.objects.filter(pk=make.token().pk).update(symbol=make.token().symbol)


def break_a_symbol() -> None:
    Token.objects.filter(pk=make.token().pk).update(symbol="AAPL/x")


def never_expect_a_statement() -> None:
    Token.objects.filter(pk=make.token().pk).update(statement_due_hours=0)


def invent_a_kind_of_network() -> None:
    Network.objects.filter(pk=make.network().pk).update(kind="MOVE")


def misspell_a_chain_id() -> None:
    Network.objects.filter(pk=make.network().pk).update(caip2="ethereum")


def share_a_chain_id() -> None:
    Network.objects.filter(pk=make.network().pk).update(caip2=make.network().caip2)


def never_accept_a_final_block() -> None:
    Network.objects.filter(pk=make.network().pk).update(final_age_max_seconds=0)


def share_a_contract() -> None:
    one, other = make.deployment(), make.deployment()
    Deployment.objects.filter(pk=one.pk).update(network=other.network, address=other.address)


def deploy_twice_on_a_network() -> None:
    one, other = make.deployment(), make.deployment()
    Deployment.objects.filter(pk=one.pk).update(network=other.network, token=other.token)


def count_too_finely() -> None:
    Deployment.objects.filter(pk=make.deployment().pk).update(decimals=19)


def misspell_an_address() -> None:
    Deployment.objects.filter(pk=make.deployment().pk).update(address="0xabc")


def back_a_token_by_nothing() -> None:
    Multiplier.objects.filter(deployment=make.deployment()).update(value=0)


def begin_never() -> None:
    Multiplier.objects.filter(deployment=make.deployment()).update(effective=(None, None))


def last_for_no_time() -> None:
    deployment = make.deployment()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE instruments_multiplier SET effective = 'empty' WHERE deployment_id = %s",
            [deployment.pk],
        )


def apply_two_multipliers_at_once() -> None:
    make.multiplier(make.deployment(), Decimal(2), start=datetime.fromisoformat("2027-01-01T00Z"))


def declare_an_address_twice() -> None:
    one, other = make.controlled_address(), make.controlled_address()
    ControlledAddress.objects.filter(pk=one.pk).update(network=other.network, address=other.address)


def invent_a_role() -> None:
    ControlledAddress.objects.filter(pk=make.controlled_address().pk).update(role="FRIEND")


def give_no_reason() -> None:
    ControlledAddress.objects.filter(pk=make.controlled_address().pk).update(reason="")


@pytest.mark.parametrize(
    ("violate", "constraint"),
    [
        (misspell_the_isin_of_a_security, "security_has_an_isin"),
        (share_the_isin_of_a_security, "instruments_security_isin_key"),
        (share_a_ticker_on_a_market, "security_ticker_once_per_market"),
        (misspell_the_isin_of_a_token, "token_has_an_isin"),
        (share_the_isin_of_a_token, "instruments_token_isin_key"),
        (share_a_symbol, "instruments_token_symbol_key"),
        (break_a_symbol, "token_symbol_is_plain"),
        (never_expect_a_statement, "token_statement_due_hours_positive"),
        (invent_a_kind_of_network, "network_kind_known"),
        (misspell_a_chain_id, "network_has_a_caip2"),
        (share_a_chain_id, "instruments_network_caip2_key"),
        (never_accept_a_final_block, "network_final_age_max_positive"),
        (share_a_contract, "deployment_address_once_per_network"),
        (deploy_twice_on_a_network, "deployment_once_per_token_and_network"),
        (count_too_finely, "deployment_decimals_fit_a_quantity"),
        (misspell_an_address, "deployment_address_is_evm"),
        (back_a_token_by_nothing, "multiplier_positive"),
        (begin_never, "multiplier_range_has_a_start"),
        (last_for_no_time, "multiplier_range_has_a_start"),
        (apply_two_multipliers_at_once, "multiplier_one_at_a_time_per_deployment"),
        (redeem_from_nothing_on, "token_redemption_minimum_positive"),
        (split_into_as_many, "split_changes_the_number_of_shares"),
        (split_into_none, "split_changes_the_number_of_shares"),
        (split_twice_at_once, "split_one_pending_per_token"),
        (schedule_the_past, "split_scheduled_ahead"),
        (book_before_the_time, "split_booked_once_effective_unless_cancelled"),
        (book_what_was_called_off, "split_booked_once_effective_unless_cancelled"),
        (call_off_what_has_happened, "split_cancelled_before_it_was_effective"),
        (declare_an_address_twice, "controlled_address_once_per_network"),
        (invent_a_role, "controlled_address_role_known"),
        (give_no_reason, "controlled_address_says_why"),
    ],
)
def test_postgresql_refuses_to(violate: Callable[[], None], constraint: str) -> None:
    with refused_by(constraint):
        violate()


class TestStr:
    def test_tells_people_what_a_row_is(self) -> None:
        deployment = make.deployment()
        token, network = deployment.token, deployment.network

        assert str(token.security) == f"{token.security.ticker} ({token.security.isin})"
        assert str(deployment) == f"{token.symbol} on {network.name}"
        assert str(deployment.multipliers.get()) == f"{deployment}: 1.000000000000000000"
