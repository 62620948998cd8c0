"""Holding shares for requests: no two use the same ones."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import transaction

from issuer.audit.models import AuditEvent
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError
from issuer.foundation.identifiers import uuid7
from issuer.gate.errors import GateClosed
from issuer.gate.models import ScopeKind
from issuer.instruments.models import Deployment, Token
from issuer.reserves import errors, selectors, services
from issuer.reserves.models import ShareHold
from issuer.reserves.states import ShareHoldState
from tests.make import chain, custody, gate, reserves

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

        assert "cannot be read" in refusal.value.facts["reasons"]
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
