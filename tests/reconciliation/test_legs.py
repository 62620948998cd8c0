"""The three legs of a token, line by line, with what each line is made of."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from issuer.chain.states import IntentKind, IntentState
from issuer.custody import selectors as custody_selectors
from issuer.custody import services as custody_services
from issuer.custody.models import CustodyAccount, SettlementInstruction
from issuer.foundation import actors
from issuer.foundation.identifiers import uuid7
from issuer.instruments.models import ControlledRole, Deployment, Token
from issuer.primary_market.models import IssuanceRequest, RedemptionRequest
from issuer.reconciliation.legs import LINES, SHARES, FoundItem, FoundToken, reconcile_token
from issuer.reserves import selectors
from tests.make import chain, custody, instruments, reserves

pytestmark = pytest.mark.django_db

ONE = 10**18
MINUTE = timedelta(minutes=1)
NO_LINES = dict.fromkeys(LINES, Decimal(0))
SYSTEM = actors.system("tests")
World = tuple[Token, Deployment, CustodyAccount]


@pytest.fixture
def world(at: datetime) -> World:
    """A token with 600 tokens on one chain and 602 shares."""
    token, deployment, account = reserves.backed_token(Decimal(602), at=at)
    reserves.issue(token, Decimal(600), Decimal(600), at=at)
    reserves.supply(deployment, Decimal(600), at=at)
    return token, deployment, account


def legs(
    token: Token,
    *,
    paid: Sequence[IssuanceRequest] = (),
    undelivered: Sequence[RedemptionRequest] = (),
    at: datetime,
) -> FoundToken:
    figures = selectors.figures_of([token], at=at)[token.pk]
    return reconcile_token(figures, paid=paid, undelivered=undelivered)


def quantities(found: FoundToken) -> Mapping[str, Decimal | None]:
    return {code: line.quantity for code, line in found.lines.items()}


def items(found: FoundToken, code: str) -> tuple[FoundItem, ...]:
    return found.lines[code].items


def kinds(found: FoundToken, code: str) -> list[tuple[str, Decimal]]:
    return [(item.kind, item.quantity) for item in items(found, code)]


def burn(world: World, *, at: datetime) -> None:
    """Book a hundred tokens as burned, and read the chain after it."""
    token, deployment, _ = world
    reserves.burn(token, Decimal(100), Decimal(100), at=at)
    reserves.supply(deployment, Decimal(500), at=at)


def deliver(world: World, quantity: Decimal, *, at: datetime) -> SettlementInstruction:
    return custody_services.instruct_delivery(
        account=world[2],
        request_id=uuid7(),
        quantity=quantity,
        trade_date=at.date(),
        settlement_date=at.date(),
        receiving_party="A broker",
        actor=SYSTEM,
        at=at,
    )


def state(world: World, settled: Decimal, pending: Decimal = Decimal(0), *, at: datetime) -> None:
    custodian = world[2].custodian
    current = custody_selectors.current_statement(custodian)
    custody.statement(
        custodian,
        [custody.line(world[2], settled, pending_delivery=pending)],
        at=at,
        supersedes="" if current is None else current.reference,
    )


class TestARedemption:
    def test_whose_burn_is_final_is_added_to_the_supply_until_it_is_booked(
        self, world: World, at: datetime
    ) -> None:
        token, deployment, _ = world
        intent = reserves.final_burn(deployment, Decimal(100))
        reserves.supply(deployment, Decimal(500), at=at)

        found = legs(token, at=at)

        expected = {"A1": 500, "A5": 100, "A8": 600, "A9": 600, "B1": 602, "B9": 602, "B10": 602}
        expected |= {"C1": 600, "C2": 600, "C5": 602, "C8": 2}
        assert quantities(found) == NO_LINES | expected
        assert intent.event is not None
        assert items(found, "A5") == (
            FoundItem(
                str(intent.request_id),
                "BURN",
                Decimal(100),
                since=intent.event.block_mined_at,
                network=deployment.network.caip2,
                transaction_hash=intent.event.transaction_hash,
            ),
        )

    def test_that_is_burned_is_owed_in_shares_until_their_delivery_is_instructed(
        self, world: World, at: datetime
    ) -> None:
        token, deployment, _ = world
        burn(world, at=at)
        intent = chain.intent(
            deployment, kind=IntentKind.BURN, state=IntentState.BOOKED, base_units=100 * ONE
        )
        redemption = RedemptionRequest(
            token=token,
            deployment=deployment,
            multiplier=Decimal(1),
            shares=Decimal(100),
            burn_intent=intent,
            requested_at=at,
        )

        found = legs(token, undelivered=[redemption], at=at)

        expected = {"A1": 500, "A8": 500, "A9": 500, "B1": 602, "B9": 602, "B10": 602}
        expected |= {"C1": 500, "C2": 500, "C4": 100, "C5": 602, "C8": 2}
        assert quantities(found) == NO_LINES | expected
        assert LINES["C4"] == (SHARES, "Burned, not delivered")
        assert intent.event is not None
        assert items(found, "C4") == (
            FoundItem(
                str(redemption.pk),
                "REDEMPTION",
                Decimal(100),
                since=intent.event.block_mined_at,
                network=deployment.network.caip2,
                transaction_hash=intent.event.transaction_hash,
            ),
        )

    def test_that_nobody_can_name_is_shown_as_the_books_have_it(
        self, world: World, at: datetime
    ) -> None:
        burn(world, at=at)

        assert kinds(legs(world[0], at=at), "C4") == [("UNIDENTIFIED", Decimal(100))]

    def test_that_is_being_delivered_leaves_custody_and_books(
        self, world: World, at: datetime
    ) -> None:
        burn(world, at=at)
        delivery = deliver(world, Decimal(100), at=at)

        found = legs(world[0], at=at)

        expected = {"A1": 500, "A8": 500, "A9": 500, "B1": 602, "B3": -100, "B9": 502}
        expected |= {"B10": 502, "C1": 500, "C2": 500, "C5": 502, "C8": 2}
        assert quantities(found) == NO_LINES | expected
        assert items(found, "B3") == (
            FoundItem(
                str(delivery.pk),
                "DELIVERY",
                Decimal(-100),
                since=at,
                due_by=datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC),
            ),
        )

    def test_that_the_custodian_is_delivering_is_counted_once(
        self, world: World, at: datetime
    ) -> None:
        burn(world, at=at)
        deliver(world, Decimal(100), at=at)
        before = quantities(legs(world[0], at=at))

        state(world, Decimal(602), pending=Decimal(100), at=at)

        found = legs(world[0], at=at)
        assert quantities(found) == before
        assert kinds(found, "B3") == [("DELIVERY", Decimal(-100))]

    def test_that_is_delivered_is_gone_everywhere(self, world: World, at: datetime) -> None:
        burn(world, at=at)
        deliver(world, Decimal(100), at=at)
        state(world, Decimal(502), at=at)

        found = legs(world[0], at=at)

        expected = {"A1": 500, "A8": 500, "A9": 500, "B1": 502, "B9": 502, "B10": 502}
        expected |= {"C1": 500, "C2": 500, "C5": 502, "C8": 2}
        assert quantities(found) == NO_LINES | expected

    def test_that_the_custodian_delivers_beyond_ours_is_unexplained(
        self, world: World, at: datetime
    ) -> None:
        burn(world, at=at)
        deliver(world, Decimal(100), at=at)
        state(world, Decimal(602), pending=Decimal(130), at=at)

        found = legs(world[0], at=at)

        (_, beyond) = items(found, "B3")
        assert (beyond.kind, beyond.quantity) == ("DELIVERY", Decimal(-30))
        assert beyond.reference == world[2].custodian.code
        assert beyond.evidence_sha256
        names = ("B3", "B9", "B10", "B11", "C5", "C8")
        assert [found.quantity(code) for code in names] == [-130, 472, 502, -30, 472, -28]


class TestAThief:
    def test_leaves_what_nobody_can_explain_until_it_is_seized(
        self, world: World, at: datetime
    ) -> None:
        token, _, _ = world
        second = instruments.deployment(token_=token)
        chain.event(second, base_units=5 * ONE)
        reserves.supply(second, Decimal(5), at=at)

        found = legs(token, at=at)

        names = ("A1", "A8", "A9", "A10", "C1", "C2", "C5", "C8")
        stolen = [605, 605, 600, 5, 605, 605, 602, -3]
        assert [found.quantity(code) for code in names] == stolen
        assert len(items(found, "A1")) == 2

        chain.intent(second, kind=IntentKind.SEIZE, state=IntentState.FINAL, base_units=5 * ONE)
        reserves.supply(second, Decimal(0), at=at)

        found = legs(token, at=at)
        restored = [600, 600, 600, 0, 600, 600, 602, 2]
        assert [found.quantity(code) for code in names] == restored
        assert items(found, "A5") == ()


class TestTheIssuersOwnAddresses:
    @pytest.mark.parametrize(
        ("role", "redeemable"),
        [
            (ControlledRole.TREASURY, 560),
            (ControlledRole.TEST, 560),
            (ControlledRole.BRIDGE_ESCROW, 600),  # off the supply already, so the register counts
            (ControlledRole.REDEMPTION, 600),
        ],
    )
    def test_hold_tokens_that_are_owed_to_nobody_but_for_deposits(
        self, role: ControlledRole, redeemable: int, world: World, at: datetime
    ) -> None:
        token, deployment, _ = world
        address = instruments.controlled_address(network_=deployment.network, role=role)
        chain.snapshot(
            deployment,
            total_supply_base_units=600 * ONE,
            controlled={address.address: 40 * ONE},
            taken_at=at,
        )

        found = legs(token, at=at)

        escrow = -40 if role == ControlledRole.BRIDGE_ESCROW else 0
        assert [found.quantity(code) for code in ("A2", "C1")] == [escrow, redeemable]


class TestASplit:
    def test_is_an_entitlement_until_the_custodian_states_it(
        self, world: World, at: datetime
    ) -> None:
        token, deployment, account = world
        after = at + MINUTE
        split = instruments.split(token, effective_at=after, at=at)
        reserves.supply(deployment, Decimal(600), at=after)
        tokens = {"A1": 600, "A8": 600, "A9": 600, "C1": 600}
        shares = {"B9": 2408, "B10": 2408, "C2": 2400, "C5": 2408, "C8": 8}

        found = legs(token, at=after)
        assert quantities(found) == NO_LINES | tokens | shares | {"B1": 602, "B5": 1806}
        (entitled,) = items(found, "B5")
        assert (entitled.kind, entitled.reference) == ("SPLIT", account.custodian.code)
        assert entitled.quantity == 1806

        reserves.split_books(split, at=after)
        assert quantities(legs(token, at=after)) == quantities(found)

        state(world, Decimal(2408), at=after)
        found = legs(token, at=after)
        assert quantities(found) == NO_LINES | tokens | shares | {"B1": 2408}
        assert items(found, "B5") == ()

    def test_multiplies_what_is_on_its_way_and_what_is_promised(
        self, world: World, at: datetime
    ) -> None:
        token, deployment, account = world
        burn(world, at=at)
        deliver(world, Decimal(30), at=at)
        custody.instruction(account, Decimal(10), at=at, request_id=uuid7())
        after = at + MINUTE
        split = instruments.split(token, effective_at=after, at=at)
        reserves.supply(deployment, Decimal(500), at=after)

        found = legs(token, at=after)

        expected = {"A1": 500, "A8": 500, "A9": 500, "C1": 500}
        expected |= {"B1": 602, "B2": 40, "B3": -120, "B5": 1806, "B9": 2328, "B10": 2328}
        expected |= {"C2": 2000, "C4": 280, "C5": 2288, "C8": 8}
        assert quantities(found) == NO_LINES | expected
        reserves.split_books(split, at=after)
        assert quantities(legs(token, at=after)) == NO_LINES | expected

    @pytest.mark.parametrize(("multiplier", "shares"), [(1, 100), (4, 400)])
    def test_finds_requests_with_the_terms_of_before_it_or_of_after_it(
        self, multiplier: int, shares: int, world: World, at: datetime
    ) -> None:
        token, deployment, _ = world
        burn(world, at=at)
        intent = chain.intent(
            deployment, kind=IntentKind.BURN, state=IntentState.BOOKED, base_units=100 * ONE
        )
        redemption = RedemptionRequest(
            token=token,
            deployment=deployment,
            multiplier=Decimal(multiplier),
            shares=Decimal(shares),
            burn_intent=intent,
            requested_at=at,
        )
        after = at + MINUTE
        split = instruments.split(token, effective_at=after, at=at)
        reserves.supply(deployment, Decimal(500), at=after)

        for booked in (False, True):
            if booked:
                reserves.split_books(split, at=after)
            found = legs(token, undelivered=[redemption], at=after)
            assert found.quantity("C4") == 400
            assert kinds(found, "C4") == [("REDEMPTION", Decimal(400))]

    def test_of_fewer_shares_takes_them_off(self, world: World, at: datetime) -> None:
        token, deployment, _ = world
        after = at + MINUTE
        instruments.split(token, effective_at=after, shares_after=1, shares_before=2, at=at)
        reserves.supply(deployment, Decimal(600), at=after)

        found = legs(token, at=after)

        names = ("B1", "B5", "B9", "B10", "B11", "C2", "C5", "C8")
        assert [found.quantity(code) for code in names] == [602, -301, 301, 301, 0, 300, 301, 1]


class TestASourceThatIsSilent:
    def test_takes_the_lines_that_rest_on_it(self, world: World, at: datetime) -> None:
        token, deployment, _ = world
        burn(world, at=at)
        chain.trouble(deployment.network)

        found = legs(token, at=at)

        unknown = {code for code, quantity in quantities(found).items() if quantity is None}
        chains = {"A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A10", "C1", "C2", "C8"}
        assert unknown == chains
        assert [found.quantity(code) for code in ("A9", "C4")] == [500, 100]

    def test_takes_those_of_custody_alone_if_a_custodian_is(
        self, world: World, at: datetime
    ) -> None:
        custody.account(token_=world[0])

        found = legs(world[0], at=at)

        unknown = {code for code, quantity in quantities(found).items() if quantity is None}
        assert unknown == {f"B{number}" for number in (1, 2, 3, 4, 5, 6, 7, 9, 11)} | {
            "C5",
            "C6",
            "C8",
        }
        assert found.quantity("B10") == 602


class TestEveryLine:
    def test_has_items_that_add_up_to_it(self, world: World, at: datetime) -> None:
        token, deployment, account = world
        burn(world, at=at)
        deliver(world, Decimal(30), at=at)
        custody.instruction(account, Decimal(10), at=at)
        custody.settled_shares(custody.account(token_=token), Decimal(5), at=at, request_id=uuid7())
        reserves.final_burn(deployment, Decimal(20))
        chain.intent(deployment, state=IntentState.FINAL, base_units=7 * ONE)
        instruments.split(token, effective_at=at + MINUTE, at=at)
        reserves.supply(deployment, Decimal(487), at=at + MINUTE)

        found = legs(token, at=at + MINUTE)

        listed = {
            code: (sum(item.quantity for item in line.items), line.quantity)
            for code, line in found.lines.items()
            if line.items
        }
        expected = {"A1": 487, "A5": 20, "A6": -7, "B1": 607, "B2": 40, "B3": -120, "B5": 1821}
        expected |= {"C3": 20, "C4": 280, "C6": 40}
        for quantity in (0, 1):  # of the items together, and of the line
            assert {code: both[quantity] for code, both in listed.items()} == expected
        assert [found.quantity(code) for code in ("A10", "B11", "C8")] == [0, 0, 8]
