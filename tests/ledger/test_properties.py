"""Whatever is posted, in whatever order: the books agree with a few lines of plain Python."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from issuer.foundation import actors
from issuer.foundation.errors import DomainError
from issuer.ledger import errors, selectors, services
from issuer.ledger.models import Account, Entry, Side, Transfer
from issuer.ledger.services import Line, PostingRequest
from tests.histories import tried
from tests.make.ledger import account

AT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
SHARES, TOKENS = "US0378331005", "AAPLx"
#: Code, unit and side of every account, and one code that no account has.
CHART = {
    "shares/settled": (SHARES, Side.DEBIT),
    "shares/pending": (SHARES, Side.DEBIT),
    "shares/owed": (SHARES, Side.CREDIT),
    "shares/own": (SHARES, Side.CREDIT),
    "tokens/issued": (TOKENS, Side.DEBIT),
    "tokens/outstanding": (TOKENS, Side.CREDIT),
}

codes = st.sampled_from([*CHART, "nowhere"])
amounts = st.decimals(min_value=0, max_value=1000, places=18) | st.integers(0, 5).map(Decimal)
lines = st.builds(Line, debit=codes, credit=codes, quantity=amounts)
requests = st.builds(
    PostingRequest,
    reference=st.sampled_from([f"event/{n}" for n in range(12)]),
    lines=st.lists(lines, min_size=1, max_size=3).map(tuple),
    effective_at=st.just(AT),
)
batches = st.lists(requests, min_size=1, max_size=3, unique_by=lambda request: request.reference)


@dataclass
class PlainBooks:
    """What a ledger does, without locks, constraints or a database."""

    balances: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(CHART, Decimal(0)))
    posted: dict[str, tuple[Line, ...]] = field(default_factory=dict)

    def post(self, batch: list[PostingRequest]) -> type[DomainError] | None:
        """Post all of `batch` or nothing; return why nothing."""
        refusal = self._malformed(batch)
        if refusal is not None:
            return refusal
        after = dict(self.balances)
        for request in batch:
            if request.reference in self.posted:
                if self.posted[request.reference] != tuple(request.lines):
                    return errors.ReferenceReused
                continue
            for line in request.lines:
                for code, side in ((line.debit, Side.DEBIT), (line.credit, Side.CREDIT)):
                    grows = CHART[code][1] == side
                    after[code] += line.quantity if grows else -line.quantity
                    if after[code] < 0:
                        return self._reused(batch) or errors.Overdrawn
        self.balances = after
        self.posted |= {request.reference: tuple(request.lines) for request in batch}
        return None

    def _malformed(self, batch: list[PostingRequest]) -> type[DomainError] | None:
        of_all = [line for request in batch for line in request.lines]
        for line in of_all:
            if line.debit == line.credit:
                return errors.SameAccount
            if line.quantity == 0:
                return errors.QuantityNotPositive
        if any(code not in CHART for line in of_all for code in (line.debit, line.credit)):
            return errors.AccountMissing
        if any(CHART[line.debit][0] != CHART[line.credit][0] for line in of_all):
            return errors.UnitsDiffer
        return None

    def _reused(self, batch: list[PostingRequest]) -> type[DomainError] | None:
        """A reference that stands for another posting is noticed before any balance."""
        for request in batch:
            if self.posted.get(request.reference, tuple(request.lines)) != tuple(request.lines):
                return errors.ReferenceReused
        return None


class TestPostAgainstPlainBooks(TestCase):
    @tried(25)
    @given(st.lists(batches, max_size=8))
    def test_agrees_on_every_balance_and_every_refusal(
        self, history: list[list[PostingRequest]]
    ) -> None:
        for code, (unit, side) in CHART.items():
            account(code, unit=unit, side=side)
        plain = PlainBooks()

        for minute, batch in enumerate(history):
            expected = plain.post(batch)
            found: type[DomainError] | None = None
            try:
                services.post_batch(
                    batch, actor=actors.system("tests"), at=AT + timedelta(minutes=minute)
                )
            except DomainError as refusal:
                found = type(refusal)
            assert found is expected

        assert selectors.balances("") == plain.balances
        assert set(Transfer.objects.values_list("reference", flat=True)) == set(plain.posted)
        assert set(selectors.trial_balance().values()) == {Decimal(0)}
        for held in Account.objects.all():
            entries = list(Entry.objects.filter(account=held).order_by("version"))
            assert [entry.version for entry in entries] == list(range(1, held.version + 1))
            assert all(one.booked_at <= other.booked_at for one, other in pairwise(entries))
            for entry in entries:
                newest = [e for e in entries if e.booked_at <= entry.booked_at][-1]
                assert selectors.balance_as_of(held.code, entry.booked_at) == newest.balance
