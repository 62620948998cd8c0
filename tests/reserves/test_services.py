"""Holding shares for requests: no two use the same ones."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import transaction

from issuer.audit.models import AuditEvent
from issuer.chain.states import IntentKind, IntentState
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError
from issuer.foundation.identifiers import uuid7
from issuer.gate.errors import GateClosed
from issuer.gate.models import GateState, ScopeKind
from issuer.instruments.models import Deployment, Token
from issuer.reserves import errors, selectors, services
from issuer.reserves.models import ShareHold
from issuer.reserves.states import ShareHoldState
from tests.make import chain, custody, gate, instruments, reserves

pytestmark = pytest.mark.django_db

SIX_HUNDRED = Decimal(600)


@pytest.fixture
def backed(at: datetime) -> tuple[Token, Deployment]:
    token, deployment, _ = reserves.backed_token(Decimal(1000), at=at)
    return token, deployment


def hold(
    backed: tuple[Token, Deployment],
    quantity: Decimal = SIX_HUNDRED,
    *,
    request_id: UUID | None = None,
    actor: Actor,
    at: datetime,
) -> ShareHold:
    token, deployment = backed
    return services.hold_shares(
        token_id=token.pk,
        request_id=request_id or uuid7(),
        quantity=quantity,
        scopes=selectors.scopes_of(token, deployment.network),
        actor=actor,
        at=at,
    )


class TestHoldShares:
    def test_holds_what_is_free(
        self, backed: tuple[Token, Deployment], staff: Actor, at: datetime
    ) -> None:
        request_id = uuid7()

        held = hold(backed, request_id=request_id, actor=staff, at=at)

        held.refresh_from_db()
        assert (held.token, held.request_id) == (backed[0], request_id)
        assert (held.quantity, held.state, held.held_at) == (600, ShareHoldState.ACTIVE, at)
        assert selectors.active_hold(request_id) == held
        assert AuditEvent.objects.get(action="share_hold.hold").facts["quantity"] == "600"

    def test_holds_the_last_free_share_and_none_after_it(
        self, backed: tuple[Token, Deployment], staff: Actor, at: datetime
    ) -> None:
        hold(backed, actor=staff, at=at)
        hold(backed, Decimal(400), actor=staff, at=at)

        with pytest.raises(errors.SharesNotFree) as refusal:
            hold(backed, Decimal("1e-18"), actor=staff, at=at)

        assert refusal.value.facts == {"free": "0", "needed": "0.000000000000000001"}
        assert ShareHold.objects.count() == 2

    def test_refuses_what_is_not_free(
        self, backed: tuple[Token, Deployment], staff: Actor, at: datetime
    ) -> None:
        reserves.supply(backed[1], Decimal(500), at=at)

        with pytest.raises(errors.SharesNotFree) as refusal:
            hold(backed, actor=staff, at=at)

        assert refusal.value.facts == {"free": "500", "needed": "600"}
        assert not ShareHold.objects.exists()

    def test_refuses_while_the_cover_is_not_known(
        self, backed: tuple[Token, Deployment], staff: Actor, at: datetime
    ) -> None:
        chain.trouble(backed[1].network)

        with pytest.raises(errors.CoverUnknown) as refusal:
            hold(backed, Decimal("1e-18"), actor=staff, at=at)

        assert "has not been read" in refusal.value.facts["reasons"]
        assert not ShareHold.objects.exists()

    def test_refuses_while_a_gate_is_shut(
        self, backed: tuple[Token, Deployment], staff: Actor, at: datetime
    ) -> None:
        gate.hold(ScopeKind.TOKEN, backed[0].pk)

        with pytest.raises(GateClosed):
            hold(backed, actor=staff, at=at)

        assert not ShareHold.objects.exists()

    def test_refuses_a_second_hold_of_a_request(
        self, backed: tuple[Token, Deployment], staff: Actor, at: datetime
    ) -> None:
        request_id = uuid7()
        hold(backed, Decimal(1), request_id=request_id, actor=staff, at=at)

        with pytest.raises(errors.SharesHeldAlready):
            hold(backed, Decimal(1), request_id=request_id, actor=staff, at=at)

        assert ShareHold.objects.count() == 1

    @pytest.mark.django_db(transaction=True)
    def test_does_not_stand_alone(
        self, backed: tuple[Token, Deployment], staff: Actor, at: datetime
    ) -> None:
        with pytest.raises(RuntimeError, match="half of a change"):
            hold(backed, actor=staff, at=at)


class TestRequireHoldStillCovered:
    def require(self, backed: tuple[Token, Deployment], held: ShareHold, at: datetime) -> ShareHold:
        scopes = selectors.scopes_of(backed[0], backed[1].network)
        return services.require_hold_still_covered(held.request_id, scopes=scopes, at=at)

    def test_finds_the_shares_there(
        self, backed: tuple[Token, Deployment], staff: Actor, at: datetime
    ) -> None:
        held = hold(backed, Decimal(1000), actor=staff, at=at)

        assert self.require(backed, held, at) == held

    def test_refuses_when_they_are_gone(
        self, backed: tuple[Token, Deployment], staff: Actor, at: datetime
    ) -> None:
        held = hold(backed, actor=staff, at=at)
        account = backed[0].custody_accounts.get()
        lent = custody.line(account, Decimal(1000), lent=Decimal(500))
        custody.statement(account.custodian, [lent], at=at + timedelta(days=1))
        reserves.supply(backed[1], Decimal(0), at=at + timedelta(days=1))

        with pytest.raises(errors.SharesNotFree) as refusal:
            self.require(backed, held, at + timedelta(days=1))

        assert refusal.value.facts == {"free": "500", "needed": "600"}

    @pytest.mark.parametrize("shut", [True, False])
    def test_refuses_behind_a_shut_gate_or_without_cover(
        self, shut: bool, backed: tuple[Token, Deployment], staff: Actor, at: datetime
    ) -> None:
        held = hold(backed, actor=staff, at=at)
        refusal: type[DomainError] = GateClosed if shut else errors.CoverUnknown
        if shut:
            gate.hold(ScopeKind.NETWORK, backed[1].network_id)
        else:
            chain.trouble(backed[1].network)

        with pytest.raises(refusal):
            self.require(backed, held, at)

    def test_knows_no_hold_that_ended(
        self, backed: tuple[Token, Deployment], staff: Actor, at: datetime
    ) -> None:
        held = hold(backed, actor=staff, at=at)
        services.release_hold(held.request_id, actor=staff, at=at)

        with pytest.raises(errors.ShareHoldMissing):
            self.require(backed, held, at)


class TestEndingAHold:
    def test_consumes_or_releases_it_once(
        self, backed: tuple[Token, Deployment], staff: Actor, at: datetime
    ) -> None:
        for end, state in [
            (services.consume_hold, ShareHoldState.CONSUMED),
            (services.release_hold, ShareHoldState.RELEASED),
        ]:
            held = hold(backed, actor=staff, at=at)

            end(held.request_id, actor=staff, at=at)

            held.refresh_from_db()
            assert (held.state, held.ended_at) == (state, at)
            assert selectors.cover_of(backed[0], at=at).reserved == 0
            with pytest.raises(errors.ShareHoldMissing):
                end(held.request_id, actor=staff, at=at)

    def test_lets_the_request_hold_shares_anew(
        self, backed: tuple[Token, Deployment], staff: Actor, at: datetime
    ) -> None:
        request_id = uuid7()
        hold(backed, request_id=request_id, actor=staff, at=at)
        services.release_hold(request_id, actor=staff, at=at)

        hold(backed, request_id=request_id, actor=staff, at=at)

        assert selectors.cover_of(backed[0], at=at).reserved == 600

    def test_records_who_ended_it(
        self, backed: tuple[Token, Deployment], staff: Actor, at: datetime
    ) -> None:
        held = hold(backed, actor=staff, at=at)

        with transaction.atomic():
            services.consume_hold(held.request_id, actor=staff, at=at)

        event = AuditEvent.objects.get(action="share_hold.consume")
        assert (event.actor, event.facts["request"]) == (str(staff), str(held.request_id))


class TestRequireRedeemable:
    def require(self, backed: tuple[Token, Deployment], shares: Decimal, *, at: datetime) -> None:
        token, deployment = backed
        scopes = selectors.scopes_of(token, deployment.network)
        services.require_redeemable(token_id=token.pk, shares=shares, scopes=scopes, at=at)

    def test_asks_for_no_more_than_what_is_there(
        self, backed: tuple[Token, Deployment], at: datetime
    ) -> None:
        self.require(backed, Decimal(1000), at=at)

        with pytest.raises(errors.SharesNotFree) as refusal:
            self.require(backed, Decimal("1000.000000001"), at=at)

        assert refusal.value.facts == {"free": "1000", "needed": "1000.000000001"}

    def test_takes_nobody_elses_shares(
        self, backed: tuple[Token, Deployment], at: datetime
    ) -> None:
        token, deployment = backed
        reserves.issue(token, Decimal(800), Decimal(800), at=at)
        reserves.burn(token, Decimal(300), Decimal(300), at=at)
        reserves.share_hold(token, Decimal(150), at=at)
        base_units = 250 * 10**18
        for state in (IntentState.SIGNED, IntentState.BOOKED, IntentState.REVERTED):
            chain.intent(deployment, kind=IntentKind.BURN, state=state, base_units=base_units)

        self.require(backed, Decimal(300), at=at)
        with pytest.raises(errors.SharesNotFree) as refusal:
            self.require(backed, Decimal(301), at=at)

        assert refusal.value.facts == {"free": "300", "needed": "301"}

    def test_counts_a_burn_under_way_by_its_multiplier(self, at: datetime) -> None:
        token, _, _ = reserves.backed_token(Decimal(1000), at=at)
        deployment = instruments.deployment(token_=token, decimals=6, multiplier_=Decimal("1.5"))
        base_units = 600 * 10**6
        chain.intent(
            deployment, kind=IntentKind.BURN, state=IntentState.FINAL, base_units=base_units
        )

        self.require((token, deployment), Decimal(100), at=at)
        with pytest.raises(errors.SharesNotFree):
            self.require((token, deployment), Decimal(101), at=at)

    def test_says_that_nothing_is_free_where_more_is_promised_than_held(
        self, backed: tuple[Token, Deployment], at: datetime
    ) -> None:
        reserves.share_hold(backed[0], Decimal(1001), at=at)

        with pytest.raises(errors.SharesNotFree) as refusal:
            self.require(backed, Decimal(1), at=at)

        assert refusal.value.facts == {"free": "0", "needed": "1"}

    def test_goes_on_where_only_a_chain_is_silent_or_only_minting_is_shut(
        self, backed: tuple[Token, Deployment], at: datetime
    ) -> None:
        chain.trouble(backed[1].network)
        gate.hold(ScopeKind.TOKEN, backed[0].pk, effect=GateState.REDEEM_ONLY)

        self.require(backed, Decimal(1000), at=at)

    def test_refuses_while_a_gate_is_halted(
        self, backed: tuple[Token, Deployment], at: datetime
    ) -> None:
        gate.hold(ScopeKind.PROGRAM, backed[0].program_id, effect=GateState.HALTED)

        with pytest.raises(GateClosed):
            self.require(backed, Decimal(1), at=at)

    def test_refuses_while_a_custodian_is_silent(
        self, backed: tuple[Token, Deployment], at: datetime
    ) -> None:
        account = custody.account(token_=backed[0])

        with pytest.raises(errors.CoverUnknown) as refusal:
            self.require(backed, Decimal(1), at=at)

        assert f"no statement of {account.custodian}" in refusal.value.facts["reasons"]

    @pytest.mark.django_db(transaction=True)
    def test_does_not_stand_alone(self, backed: tuple[Token, Deployment], at: datetime) -> None:
        with pytest.raises(RuntimeError, match="half of a change"):
            self.require(backed, Decimal(1), at=at)


class TestRequireDeliverable:
    @pytest.fixture
    def burned(self, backed: tuple[Token, Deployment], at: datetime) -> Token:
        """A token of whose 800 tokens 300 were burned, with 1000 shares behind them."""
        token, _ = backed
        reserves.issue(token, Decimal(800), Decimal(800), at=at)
        reserves.burn(token, Decimal(300), Decimal(300), at=at)
        return token

    def test_finds_the_shares_there(self, burned: Token, at: datetime) -> None:
        reserves.share_hold(burned, Decimal(700), at=at)

        services.require_deliverable(token_id=burned.pk, at=at)

    def test_refuses_to_send_what_is_held_for_others(self, burned: Token, at: datetime) -> None:
        reserves.share_hold(burned, Decimal(701), at=at)

        with pytest.raises(errors.SharesNotFree) as refusal:
            services.require_deliverable(token_id=burned.pk, at=at)

        assert refusal.value.facts == {"free": "299", "needed": "300"}

    def test_refuses_while_a_custodian_is_silent(self, burned: Token, at: datetime) -> None:
        custody.account(token_=burned)

        with pytest.raises(errors.CoverUnknown):
            services.require_deliverable(token_id=burned.pk, at=at)


class TestApplySplit:
    def test_multiplies_what_is_held_and_nothing_that_ended(
        self, backed: tuple[Token, Deployment], staff: Actor, at: datetime
    ) -> None:
        token, _ = backed
        held = hold(backed, Decimal(10), actor=staff, at=at)
        ended = hold(backed, Decimal(20), actor=staff, at=at)
        services.release_hold(ended.request_id, actor=staff, at=at)
        elsewhere = reserves.share_hold(at=at)

        found = services.apply_split(token, shares_after=1, shares_before=3, actor=staff, at=at)

        assert found == [held]
        held.refresh_from_db()
        assert (held.quantity, held.state) == (
            Decimal("3.333333333333333334"),
            ShareHoldState.ACTIVE,
        )
        for other, quantity in ((ended, 20), (elsewhere, 600)):
            other.refresh_from_db()
            assert other.quantity == quantity
        event = AuditEvent.objects.get(action="share_hold.split")
        assert event.facts["quantity"] == "3.333333333333333334"
