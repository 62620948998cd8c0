from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError
from issuer.foundation.quantities import QuantityMalformed, QuantityTooFine
from issuer.ledger import errors, selectors, services
from issuer.ledger.models import Account, Entry, Side, Transfer
from issuer.ledger.services import Line, PostingRequest
from tests.make.ledger import account

pytestmark = pytest.mark.django_db

APPLE = "US0378331005"


def written() -> tuple[int, int, dict[str, Decimal]]:
    """What stands in the books: transfers, entries, balances."""
    return Transfer.objects.count(), Entry.objects.count(), selectors.balances("")


class TestOpenAccount:
    def test_opens_an_empty_account(self, at: datetime) -> None:
        services.open_account(code="AAPLx/shares/own", unit=APPLE, side=Side.CREDIT, at=at)

        account = Account.objects.get()
        assert (account.code, account.unit, account.side) == ("AAPLx/shares/own", APPLE, "CREDIT")
        assert (account.balance, account.version, account.opened_at) == (Decimal(0), 0, at)

    def test_returns_the_account_that_is_open(self, at: datetime) -> None:
        first = account("AAPLx/shares/own", unit=APPLE, side=Side.CREDIT)

        again = services.open_account(
            code="AAPLx/shares/own", unit=APPLE, side=Side.CREDIT, at=at + timedelta(days=1)
        )

        assert again == first
        assert Account.objects.count() == 1

    @pytest.mark.parametrize(("unit", "side"), [("US88160R1014", Side.CREDIT), (APPLE, Side.DEBIT)])
    def test_refuses_another_unit_or_side(self, unit: str, side: Side, at: datetime) -> None:
        account("AAPLx/shares/own", unit=APPLE, side=Side.CREDIT)

        with pytest.raises(errors.AccountDiffers) as refusal:
            services.open_account(code="AAPLx/shares/own", unit=unit, side=side, at=at)

        assert refusal.value.facts == {
            "account": "AAPLx/shares/own",
            "unit": APPLE,
            "side": "CREDIT",
        }
        assert Account.objects.count() == 1


class TestPost:
    def test_debits_one_account_and_credits_another(self, system: Actor, at: datetime) -> None:
        held = account("held", side=Side.DEBIT)
        owed = account("owed", side=Side.CREDIT)

        posted = services.post(
            "issuance/1",
            [Line("held", "owed", Decimal("600.000000000000000001"))],
            effective_at=at - timedelta(days=1),
            actor=system,
            at=at,
        )

        transfer = Transfer.objects.get()
        assert (posted.reference, posted.booked_at) == ("issuance/1", at)
        assert posted.transfer_ids == (transfer.pk,)
        assert (transfer.reference, transfer.line, transfer.unit) == ("issuance/1", 1, APPLE)
        assert (transfer.debit_account, transfer.credit_account) == (held, owed)
        assert transfer.quantity == Decimal("600.000000000000000001")
        assert (transfer.effective_at, transfer.booked_at) == (at - timedelta(days=1), at)
        assert transfer.posted_by == "SYSTEM:tests"
        legs = Entry.objects.order_by("side").values_list(
            "account", "side", "quantity", "balance", "version", "booked_at"
        )
        quantity = Decimal("600.000000000000000001")
        assert list(legs) == [
            (owed.pk, "CREDIT", quantity, quantity, 1, at),
            (held.pk, "DEBIT", quantity, quantity, 1, at),
        ]
        assert selectors.balances("") == {"held": quantity, "owed": quantity}

    def test_takes_from_an_account_on_its_other_side(self, system: Actor, at: datetime) -> None:
        account("a", side=Side.DEBIT, balance="10")
        account("b", side=Side.DEBIT)

        services.post("move", [Line("b", "a", Decimal(4))], effective_at=at, actor=system, at=at)

        assert selectors.balance("a") == Decimal(6)
        assert selectors.balance("b") == Decimal(4)

    def test_posts_the_lines_of_one_event_in_their_order(self, system: Actor, at: datetime) -> None:
        account("pending")
        account("settled")
        account("awaited", side=Side.CREDIT)
        lines = [
            Line("pending", "awaited", Decimal(5)),
            Line("settled", "pending", Decimal(5)),  # only holds because of the line before
            Line("settled", "awaited", Decimal(2)),
        ]

        posted = services.post("receipt/1", lines, effective_at=at, actor=system, at=at)

        assert selectors.balances("") == {"pending": 0, "settled": 7, "awaited": 7}
        numbered = Transfer.objects.order_by("line").values_list("pk", "line")
        assert [(pk, n) for pk, n in numbered] == list(
            zip(posted.transfer_ids, [1, 2, 3], strict=True)
        )
        settled = Entry.objects.filter(account__code="settled").order_by("version")
        assert [(entry.version, entry.balance) for entry in settled] == [(1, 5), (2, 7)]

    def test_returns_the_first_posting_when_repeated(self, system: Actor, at: datetime) -> None:
        account("held")
        account("owed", side=Side.CREDIT)
        lines = [Line("held", "owed", Decimal(1)), Line("held", "owed", Decimal(2))]
        first = services.post("issuance/1", lines, effective_at=at, actor=system, at=at)
        before = written()

        again = services.post(
            "issuance/1", lines, effective_at=at, actor=system, at=at + timedelta(hours=1)
        )

        assert again == first
        assert written() == before

    @pytest.mark.parametrize(
        "lines",
        [
            pytest.param([Line("held", "owed", Decimal("1.1"))], id="another quantity"),
            pytest.param([Line("held", "own", Decimal(1))], id="another account"),
            pytest.param(
                [Line("held", "owed", Decimal(1)), Line("held", "owed", Decimal(1))],
                id="a line more",
            ),
        ],
    )
    def test_refuses_another_posting_under_the_same_reference(
        self, lines: list[Line], system: Actor, at: datetime
    ) -> None:
        account("held")
        account("owed", side=Side.CREDIT)
        account("own", side=Side.CREDIT)
        services.post(
            "issuance/1", [Line("held", "owed", Decimal(1))], effective_at=at, actor=system, at=at
        )
        before = written()

        with pytest.raises(errors.ReferenceReused) as refusal:
            services.post("issuance/1", lines, effective_at=at, actor=system, at=at)

        assert refusal.value.facts == {"reference": "issuance/1"}
        assert written() == before

    def test_refuses_fewer_lines_under_the_same_reference(
        self, system: Actor, at: datetime
    ) -> None:
        account("held")
        account("owed", side=Side.CREDIT)
        lines = [Line("held", "owed", Decimal(1)), Line("held", "owed", Decimal(2))]
        services.post("issuance/1", lines, effective_at=at, actor=system, at=at)
        before = written()

        with pytest.raises(errors.ReferenceReused):
            services.post("issuance/1", lines[:1], effective_at=at, actor=system, at=at)

        assert written() == before

    def test_refuses_another_time_under_the_same_reference(
        self, system: Actor, at: datetime
    ) -> None:
        account("held")
        account("owed", side=Side.CREDIT)
        lines = [Line("held", "owed", Decimal(1))]
        services.post("issuance/1", lines, effective_at=at, actor=system, at=at)
        before = written()

        with pytest.raises(errors.ReferenceReused):
            services.post(
                "issuance/1", lines, effective_at=at + timedelta(days=1), actor=system, at=at
            )

        assert written() == before

    @pytest.mark.parametrize(
        ("line", "refusal", "facts"),
        [
            pytest.param(
                Line("held", "nowhere", Decimal(1)),
                errors.AccountMissing,
                {"account": "nowhere"},
                id="no such account",
            ),
            pytest.param(
                Line("held", "held", Decimal(1)),
                errors.SameAccount,
                {"account": "held"},
                id="one account",
            ),
            pytest.param(
                Line("held", "tokens", Decimal(1)),
                errors.UnitsDiffer,
                {"debit": "held", "debit_unit": APPLE, "credit": "tokens", "credit_unit": "AAPLx"},
                id="two units",
            ),
            pytest.param(
                Line("held", "owed", Decimal(0)),
                errors.QuantityNotPositive,
                {"quantity": "0"},
                id="nothing",
            ),
            pytest.param(
                Line("held", "owed", Decimal("-0.5")),
                errors.QuantityNotPositive,
                {"quantity": "-0.5"},
                id="less than nothing",
            ),
            pytest.param(
                Line("held", "owed", Decimal("1E-19")),
                QuantityTooFine,
                {"quantity": "0.0000000000000000001", "decimals": "18"},
                id="too fine",
            ),
            pytest.param(
                Line("held", "owed", Decimal("1E+20")), QuantityMalformed, {}, id="too large"
            ),
            pytest.param(
                Line("held", "owed", Decimal("NaN")), QuantityMalformed, {}, id="no number"
            ),
            pytest.param(
                Line("other", "held", Decimal("10.1")),
                errors.Overdrawn,
                {"account": "held", "balance": "10", "quantity": "10.1"},
                id="more than it holds",
            ),
        ],
    )
    def test_refuses_and_writes_nothing(
        self,
        line: Line,
        refusal: type[DomainError],
        facts: dict[str, str],
        system: Actor,
        at: datetime,
    ) -> None:
        account("held", balance="10")
        account("other")
        account("another")
        account("owed", side=Side.CREDIT)
        account("tokens", unit="AAPLx", side=Side.CREDIT)
        before = written()

        with pytest.raises(refusal) as refused:
            services.post(
                "issuance/1",
                [Line("another", "owed", Decimal(1)), line],
                effective_at=at,
                actor=system,
                at=at,
            )

        assert refused.value.facts == facts
        assert written() == before

    def test_leaves_the_callers_transaction_usable_after_a_refusal(
        self, system: Actor, at: datetime
    ) -> None:
        account("held")
        account("other")

        with transaction.atomic():
            with pytest.raises(errors.Overdrawn):
                services.post(
                    "move",
                    [Line("other", "held", Decimal(1))],
                    effective_at=at,
                    actor=system,
                    at=at,
                )
            account("opened-afterwards")

        assert Account.objects.filter(code="opened-afterwards").exists()

    def test_never_books_before_what_was_booked_last(self, system: Actor, at: datetime) -> None:
        account("held")
        account("owed", side=Side.CREDIT)
        line = [Line("held", "owed", Decimal(1))]
        services.post("one", line, effective_at=at, actor=system, at=at)

        late = services.post(
            "two", line, effective_at=at, actor=system, at=at - timedelta(seconds=1)
        )

        assert late.booked_at == at


class TestPostBatch:
    def test_posts_several_events_in_their_order(self, system: Actor, at: datetime) -> None:
        account("held")
        account("other")
        account("owed", side=Side.CREDIT)
        requests = [
            PostingRequest("one", [Line("held", "owed", Decimal(3))], at),
            PostingRequest("two", [Line("other", "held", Decimal(2))], at),
        ]

        posted = services.post_batch(requests, actor=system, at=at)

        assert [posting.reference for posting in posted] == ["one", "two"]
        assert selectors.balances("") == {"held": 1, "other": 2, "owed": 3}

    def test_posts_what_is_new_and_returns_what_is_not(self, system: Actor, at: datetime) -> None:
        account("held")
        account("owed", side=Side.CREDIT)
        one = PostingRequest("one", [Line("held", "owed", Decimal(3))], at)
        two = PostingRequest("two", [Line("held", "owed", Decimal(4))], at)
        (first,) = services.post_batch([one], actor=system, at=at)

        posted = services.post_batch([two, one], actor=system, at=at)

        assert [posting.reference for posting in posted] == ["two", "one"]
        assert posted[1] == first
        assert selectors.balances("") == {"held": 7, "owed": 7}

    def test_posts_all_or_nothing(self, system: Actor, at: datetime) -> None:
        account("held")
        account("other")
        account("owed", side=Side.CREDIT)
        requests = [
            PostingRequest("one", [Line("held", "owed", Decimal(3))], at),
            PostingRequest("two", [Line("other", "held", Decimal(4))], at),
        ]

        with pytest.raises(errors.Overdrawn) as refusal:
            services.post_batch(requests, actor=system, at=at)

        assert refusal.value.facts == {"account": "held", "balance": "3", "quantity": "4"}
        assert not Transfer.objects.exists()
        assert not Entry.objects.exists()
        assert selectors.balances("") == {"held": 0, "other": 0, "owed": 0}

    def test_posts_nothing_when_asked_for_nothing(self, system: Actor, at: datetime) -> None:
        assert services.post_batch([], actor=system, at=at) == []

    def test_carries_a_thousand_lines(self, system: Actor, at: datetime) -> None:
        account("held")
        account("owed", side=Side.CREDIT)
        requests = [
            PostingRequest(f"event/{n}", [Line("held", "owed", Decimal(n))], at)
            for n in range(1, 1001)
        ]

        services.post_batch(requests, actor=system, at=at)

        assert selectors.balances("") == {"held": 500500, "owed": 500500}
        assert Entry.objects.filter(account__code="held").latest("version").version == 1000
