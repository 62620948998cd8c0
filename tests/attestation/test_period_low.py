"""The lowest cover of a period, against one that looks at every instant from the facts alone."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from issuer.attestation import period_low
from issuer.attestation.period_low import Cause, Change, Codes, Low, State, Stated
from issuer.instruments.models import Split

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
UNTIL = START + timedelta(hours=24)
HOUR = timedelta(hours=1)
CHAINS = (UUID(int=1), UUID(int=2))
ACCOUNTS = (UUID(int=11), UUID(int=12))
UNITS = 10**6
CODES = Codes(
    owed="owed",
    paid="paid",
    burned="burned",
    settled={one: f"settled-{one.int}" for one in ACCOUNTS},
    leaving={one: f"leaving-{one.int}" for one in ACCOUNTS},
)


def state(splits: Sequence[Split] = ()) -> State:
    return State(codes=CODES, decimals=dict.fromkeys(CHAINS, 6), splits=splits)


def books(code: str, balance: int, at: datetime = START) -> Change:
    return Change(at, Cause.BOOKS, f"posting of {code}", code, Decimal(balance))


def stated(account: UUID, settled: int, at: datetime = START, **shares: Decimal) -> Change:
    nothing = dict.fromkeys(("pending_delivery", "lent", "blocked"), Decimal(0))
    said = Stated(at.date(), at, settled=Decimal(settled), **nothing | shares)
    return Change(at, Cause.STATEMENT, f"statement of {settled}", account, said)


def minted(chain: UUID, tokens: int, at: datetime = START) -> Change:
    return Change(at, Cause.CHAIN, f"transaction of {tokens}", chain, tokens * UNITS)


def terms(chain: UUID, multiplier: int, at: datetime = START) -> Change:
    return Change(at, Cause.SPLIT, "eip155:1", chain, Decimal(multiplier))


#: 100 tokens of one share each on the first chain, and 110 shares in the first account.
OPENING = (
    books("owed", 100),
    books("settled-11", 110),
    stated(ACCOUNTS[0], 110),
    minted(CHAINS[0], 100),
    terms(CHAINS[0], 1),
    terms(CHAINS[1], 1),
)


def opened(splits: Sequence[Split] = ()) -> State:
    found = state(splits)
    for change in OPENING:
        found.apply(change)
    return found


def low(*changes: Change, splits: Sequence[Split] = ()) -> Low | None:
    return period_low.lowest(opened(splits), changes, start=START, until=UNTIL)


class TestLowest:
    def test_is_that_of_the_beginning_if_nothing_happens(self) -> None:
        assert low() == Low(11_000, START, Cause.OPENING, "")

    def test_is_none_while_nothing_is_owed(self) -> None:
        assert period_low.lowest(state(), [], start=START, until=UNTIL) is None

    def test_sees_shares_that_were_gone_between_two_statements(self) -> None:
        away, back = START + HOUR, START + 2 * HOUR

        found = low(
            books("settled-11", 50, away),
            stated(ACCOUNTS[0], 50, away),
            books("settled-11", 110, back),
            stated(ACCOUNTS[0], 110, back),
        )

        assert found == Low(5_000, away, Cause.STATEMENT, "statement of 50")

    def test_names_the_transaction_of_a_thief(self) -> None:
        theft = START + 3 * HOUR

        found = low(minted(CHAINS[1], 15, theft), minted(CHAINS[1], -15, theft + HOUR))

        assert found == Low(9_565, theft, Cause.CHAIN, "transaction of 15")

    def test_a_mint_that_no_number_holds_leaves_nothing(self) -> None:
        found = low(minted(CHAINS[1], 2**255, START + HOUR))

        assert found is not None
        assert found.cover_bps == 0

    def test_what_is_booked_at_once_counts_at_once(self) -> None:
        later = START + HOUR

        found = low(
            books("owed", 160, later),
            Change(later, Cause.BOOKS, "mint", CHAINS[0], 60 * UNITS),
            books("settled-11", 200, later),
            stated(ACCOUNTS[0], 200, later),
        )

        assert found == Low(11_000, START, Cause.OPENING, "")

    def test_a_split_is_no_change_of_cover(self) -> None:
        effective, booked = START + HOUR, START + 2 * HOUR
        split = Split(shares_after=4, shares_before=1, effective_at=effective, booked_at=booked)

        found = low(
            terms(CHAINS[0], 4, effective),
            terms(CHAINS[1], 4, effective),
            books("owed", 400, booked),
            books("settled-11", 440, booked),
            splits=[split],
        )

        assert found == Low(11_000, START, Cause.OPENING, "")

    def test_own_addresses_are_owed_to_nobody(self) -> None:
        later = START + HOUR
        own = Change(later, Cause.OWN_ADDRESS, "eip155:1", CHAINS[1], 15 * UNITS)

        found = low(minted(CHAINS[1], 15, later), own)

        assert found == Low(11_000, START, Cause.OPENING, "")

    def test_what_is_on_its_way_out_twice_is_taken_off_once(self) -> None:
        later = START + HOUR

        found = low(
            books("leaving-11", 8, later),
            stated(ACCOUNTS[0], 110, later, pending_delivery=Decimal(5)),
        )

        assert found == Low(10_200, later, Cause.STATEMENT, "statement of 110")

    def test_a_statement_of_an_earlier_day_is_no_news(self) -> None:
        old = Stated(date(2026, 11, 1), START + HOUR, Decimal(0), *[Decimal(0)] * 3)

        found = low(Change(START + HOUR, Cause.STATEMENT, "old", ACCOUNTS[0], old))

        assert found == Low(11_000, START, Cause.OPENING, "")

    def test_nothing_after_the_cut_off_counts(self) -> None:
        assert low(minted(CHAINS[0], 50, UNTIL + HOUR)) == Low(11_000, START, Cause.OPENING, "")

    def test_of_a_nonsense_change_a_programmer_is_told(self) -> None:
        with pytest.raises(AssertionError):
            state().apply(Change(START, Cause.OPENING, "", "owed", Decimal(1)))


amounts = st.integers(0, 300)
instants = st.integers(1, 30).map(lambda hours: START + hours * HOUR)
changes = st.one_of(
    st.builds(books, st.sampled_from(list(CODES.all())), amounts, instants),
    st.builds(stated, st.sampled_from(ACCOUNTS), amounts, instants),
    st.builds(minted, st.sampled_from(CHAINS), st.integers(0, 80), instants),
    st.builds(terms, st.sampled_from(CHAINS), st.integers(1, 4), instants),
    st.builds(
        Change,
        instants,
        st.just(Cause.OWN_ADDRESS),
        st.just("own"),
        st.sampled_from(CHAINS),
        st.integers(0, 40).map(lambda tokens: tokens * UNITS),
    ),
)


def looked_up(facts: Sequence[Change], at: datetime) -> int | None:
    """Return the cover at `at`, each figure looked up by itself among all that was known then."""
    known = [one for one in facts if one.at <= at]

    def newest(cause: Cause, subject: UUID | str) -> Decimal | int | Stated | None:
        of_it = [one for one in known if (one.cause, one.subject) == (cause, subject)]
        return max(of_it, key=lambda one: one.at).value if of_it else None

    def booked(code: str) -> Fraction:
        balance = newest(Cause.BOOKS, code)
        return Fraction(balance) if isinstance(balance, Decimal) else Fraction(0)

    on_chains = Fraction(0)
    for chain in CHAINS:
        moved = [one.value for one in known if (one.cause, one.subject) == (Cause.CHAIN, chain)]
        supply = sum(value for value in moved if isinstance(value, int))
        own, multiplier = newest(Cause.OWN_ADDRESS, chain), newest(Cause.SPLIT, chain)
        assert isinstance(multiplier, Decimal)
        left = supply - (own if isinstance(own, int) else 0)
        on_chains += Fraction(left, UNITS) * Fraction(multiplier)
    owed = Fraction(ceil(max(on_chains, booked("owed")) * 10**18), 10**18)
    owed += booked("paid") + booked("burned")
    if owed <= 0:
        return None
    held = Fraction(0)
    for account in ACCOUNTS:
        said = newest(Cause.STATEMENT, account)
        settled = Fraction(said.settled) if isinstance(said, Stated) else Fraction(0)
        remaining = booked(CODES.settled[account]) - booked(CODES.leaving[account])
        held += min(settled, remaining)
    return floor(held * 10_000 / owed)


class TestAgainstBruteForce:
    @settings(deadline=None, max_examples=300)
    @given(st.lists(changes, max_size=25, unique_by=lambda one: (one.at, one.cause, one.subject)))
    def test_finds_the_first_lowest_instant(self, happened: list[Change]) -> None:
        facts = [*OPENING, *happened]
        looks = {at: looked_up(facts, at) for at in [START, *(one.at for one in happened)]}
        known = [(bps, at) for at, bps in looks.items() if bps is not None and at <= UNTIL]

        found = low(*happened)

        assert found is not None
        assert (found.cover_bps, found.at) == min(known)
