"""Splits as instruments know them: multipliers move at one time, and the books follow later."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.db import transaction

from issuer.audit.models import AuditEvent
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError, Malformed
from issuer.foundation.identifiers import uuid7
from issuer.instruments import errors, selectors, services
from issuer.instruments.models import Deployment, Multiplier, Split
from tests.make import instruments as make
from tests.make import parties

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def deployments() -> tuple[Deployment, Deployment]:
    """One token on two chains, of one share each and of one and a half."""
    token = make.token()
    return (
        make.deployment(token_=token),
        make.deployment(token_=token, multiplier_=Decimal("1.5")),
    )


def multipliers(deployments: tuple[Deployment, ...], at: datetime) -> list[Decimal]:
    return [selectors.multiplier_at(deployment, at) for deployment in deployments]


class TestScheduleSplit:
    def test_moves_every_multiplier_at_its_time_without_a_gap(
        self, deployments: tuple[Deployment, Deployment], staff: Actor, at: datetime
    ) -> None:
        split = services.schedule_split(
            token=deployments[0].token,
            shares_after=4,
            shares_before=1,
            effective_at=at + HOUR,
            actor=staff,
            at=at,
        )

        assert (str(split), split.factor) == (f"{split.token} 4:1", Fraction(4))
        assert multipliers(deployments, at + HOUR - selectors.INSTANT) == [1, Decimal("1.5")]
        assert multipliers(deployments, at + HOUR) == [4, 6]
        event = AuditEvent.objects.get(action="split.schedule")
        assert (event.facts["ratio"], event.facts["token"]) == ("4:1", split.token.symbol)
        assert selectors.pending_split(split.token) == split

    @pytest.mark.parametrize(
        ("changes", "refusal"),
        [
            ({"shares_after": 1}, errors.SplitRatioMeaningless),
            ({"shares_after": 0}, errors.SplitRatioMeaningless),
            ({"shares_before": 7}, errors.SplitInexact),
            ({"effective_at": timedelta(0)}, errors.SplitNotAhead),
            ({"effective_at": timedelta(milliseconds=1)}, Malformed),
        ],
    )
    def test_refuses_and_moves_nothing(
        self,
        changes: dict[str, Any],
        refusal: type[DomainError],
        deployments: tuple[Deployment, Deployment],
        staff: Actor,
        at: datetime,
    ) -> None:
        terms: dict[str, Any] = {"shares_after": 4, "shares_before": 1, "effective_at": HOUR}
        terms |= changes
        terms["effective_at"] = at + terms["effective_at"]

        with pytest.raises(refusal):
            services.schedule_split(token=deployments[0].token, **terms, actor=staff, at=at)

        assert not Split.objects.exists()
        assert Multiplier.objects.count() == 2

    def test_refuses_another_one_and_a_contract_that_it_would_not_reach(
        self, deployments: tuple[Deployment, Deployment], staff: Actor, at: datetime
    ) -> None:
        token = deployments[0].token
        make.split(token, effective_at=at + HOUR, at=at)

        with pytest.raises(errors.SplitPending):
            make.split(token, effective_at=at + 2 * HOUR, at=at)
        with pytest.raises(errors.SplitPending):
            services.register_deployment(
                token=token,
                network=make.network(),
                address=parties.evm_address(),
                deployed_block=1,
                actor=staff,
                at=at,
            )

        assert Split.objects.count() == 1
        assert token.deployments.count() == 2


class TestCancelSplit:
    def test_leaves_multipliers_as_they_are(
        self, deployments: tuple[Deployment, Deployment], staff: Actor, at: datetime
    ) -> None:
        split = make.split(deployments[0].token, effective_at=at + HOUR, at=at)

        services.cancel_split(split.pk, reason="Called off.", actor=staff, at=at)

        assert multipliers(deployments, at + HOUR) == [1, Decimal("1.5")]
        assert Multiplier.objects.count() == 2
        assert selectors.splits_of([split.token]) == {}
        assert selectors.pending_split(split.token) is None

    def test_refuses_from_its_time_on_and_what_is_over(
        self, deployments: tuple[Deployment, Deployment], staff: Actor, at: datetime
    ) -> None:
        split = make.split(deployments[0].token, effective_at=at + HOUR, at=at)

        with pytest.raises(errors.SplitNotAhead):
            services.cancel_split(split.pk, reason="Late.", actor=staff, at=at + HOUR)
        assert multipliers(deployments, at + HOUR) == [4, 6]
        services.cancel_split(split.pk, reason="Called off.", actor=staff, at=at)
        with pytest.raises(errors.SplitOver):
            services.cancel_split(split.pk, reason="Again.", actor=staff, at=at)
        with pytest.raises(errors.SplitMissing):
            services.cancel_split(uuid7(), reason="No.", actor=staff, at=at)


class TestRecordSplitBooked:
    def test_lets_the_books_go_by_the_new_multiplier(
        self, deployments: tuple[Deployment, Deployment], system: Actor, at: datetime
    ) -> None:
        one = deployments[0]
        split = make.split(one.token, effective_at=at + HOUR, at=at)
        late = at + 3 * HOUR
        assert selectors.booked_multiplier(one, late) == 1
        assert selectors.unbooked_split_factor([split], at=late) == 4

        with transaction.atomic():
            split = services.record_split_booked(split.pk, actor=system, at=at + 2 * HOUR)

        assert selectors.booked_multipliers(deployments, late) == {
            deployments[0].pk: 4,
            deployments[1].pk: 6,
        }
        assert selectors.booked_multiplier(one, at + 2 * HOUR - selectors.INSTANT) == 1
        assert selectors.booked_multiplier(one, at) == 1
        assert selectors.unbooked_split_factor([split], at=late) == 1
        assert selectors.pending_split(split.token) is None

    def test_refuses_before_its_time_and_twice(
        self, deployments: tuple[Deployment, Deployment], system: Actor, at: datetime
    ) -> None:
        split = make.split(deployments[0].token, effective_at=at + HOUR, at=at)

        with pytest.raises(errors.SplitNotEffective), transaction.atomic():
            services.record_split_booked(split.pk, actor=system, at=at)
        services.record_split_booked(split.pk, actor=system, at=at + HOUR)
        with pytest.raises(errors.SplitOver), transaction.atomic():
            services.record_split_booked(split.pk, actor=system, at=at + HOUR)


class TestSplitFactor:
    @pytest.mark.parametrize(
        ("after", "hours", "factor"),
        [
            pytest.param(date(2026, 11, 19), 1, 4, id="of the evening before"),
            pytest.param(date(2026, 11, 19), 0, 1, id="before its time"),
            pytest.param(date(2026, 11, 20), 1, 1, id="of the day itself"),
        ],
    )
    def test_multiplies_statements_of_days_before(
        self, after: date, hours: int, factor: int, at: datetime
    ) -> None:
        split = make.split(make.token(), effective_at=at + HOUR, at=at)

        found = selectors.split_factor([split], after=after, until=at + hours * HOUR)

        assert found == Fraction(factor)


class TestRedemptionMinimum:
    def test_is_above_zero(self, at: datetime) -> None:
        assert make.token(redemption_minimum=Decimal(5)).redemption_minimum == 5
        with pytest.raises(errors.RedemptionMinimumNotPositive):
            make.token(redemption_minimum=Decimal(0))
