"""Events in which one token got worse and another better: the one is stated, the other carried."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from issuer.attestation import document, rendering, selectors, services
from issuer.attestation.models import Attestation
from issuer.attestation.package import verify_offline
from issuer.attestation.token_part import BETTER, LESS_SHUT
from issuer.custody.models import CustodyAccount
from issuer.foundation import actors
from issuer.gate import services as gate
from issuer.gate.models import Cause, GateState, Hold, ScopeKind
from issuer.instruments import chart
from issuer.instruments.models import Deployment
from issuer.ledger import services as ledger
from issuer.reconciliation.models import Run
from tests.attestation.test_rendering import text_of
from tests.make import attestation as make
from tests.make import chain, custody, instruments, reconciliation

pytestmark = pytest.mark.django_db

SYSTEM = actors.system("attestation.attest_events")
MINUTE = timedelta(minutes=1)
ONE = 10**18


@dataclass(frozen=True)
class Pair:
    """A program with two tokens: 602 shares for 600 of the one, and 7 for 5 of the other."""

    world: make.World
    other: Deployment
    account: CustodyAccount

    @property
    def first(self) -> str:
        return str(self.world.deployment.token.symbol)

    @property
    def second(self) -> str:
        return str(self.other.token.symbol)

    def reconcile(self, first: int, second: int, *, at: datetime) -> None:
        """Let the chains show so many tokens just before `at`, and reconcile."""
        for deployment, tokens in ((self.world.deployment, first), (self.other, second)):
            chain.snapshot(
                deployment,
                total_supply_base_units=tokens * ONE,
                taken_at=at - timedelta(seconds=5),
            )
        reconciliation.run(self.world.program, at=at)

    def silence(self, *, at: datetime) -> None:
        """Let nobody have asked the chain of the second token for long, and reconcile."""
        chain.snapshot(
            self.world.deployment, total_supply_base_units=600 * ONE, taken_at=at - MINUTE / 2
        )
        reconciliation.run(self.world.program, at=at)

    def attest(self, *, at: datetime) -> Attestation | None:
        return services.attest_event(self.world.program, actor=SYSTEM, at=at)

    def publish(self, first: int, second: int, *, at: datetime) -> Attestation:
        """Publish the event that these tokens make."""
        self.reconcile(first, second, at=at)
        event = self.attest(at=at)
        assert event is not None
        return make.signed_and_published(event, at=at)

    def halt(self, deployment: Deployment, *, at: datetime) -> Hold:
        return gate.place_hold(
            kind=ScopeKind.TOKEN,
            subject_id=deployment.token_id,
            effect=GateState.HALTED,
            cause=Cause.WINDOW,
            reference=deployment.token_id,
            reason="A split takes effect.",
            actor=SYSTEM,
            at=at,
        )

    def reopen(self, hold: Hold, *, at: datetime) -> None:
        gate.release_hold(hold.pk, actor=SYSTEM, at=at)


@pytest.fixture
def pair(at: datetime) -> Pair:
    world = make.world(at=at)
    token = instruments.token(program=world.program)
    other = instruments.deployment(token_=token)
    account = custody.account(token_=token)
    custody.settled_shares(account, Decimal(7), at=at - timedelta(hours=1))
    lines = [
        ledger.Line(chart.tokens_issued(token), chart.tokens_outstanding(token), Decimal(5)),
        ledger.Line(chart.shares_own(token), chart.shares_owed_on_tokens(token), Decimal(5)),
    ]
    early = at - timedelta(minutes=50)
    ledger.post(f"mint-of-{token.symbol}", lines, effective_at=early, actor=SYSTEM, at=early)
    return Pair(world, other, account)


def state(pair: Pair, first: int, second: int, *, at: datetime) -> Attestation:
    """Publish what two persons state of so many tokens."""
    pair.reconcile(first, second, at=at)
    world = pair.world
    frozen = services.propose(world.program, actor=world.officer, at=at)
    services.confirm(frozen.pk, actor=world.approver, at=at)
    return make.signed_and_published(frozen, at=at)


def not_known(pair: Pair, *, at: datetime) -> datetime:
    """Publish that both are covered, and an hour later that of the second it is not known."""
    state(pair, 600, 5, at=at)
    later = at + timedelta(hours=1)
    pair.silence(at=later)
    event = pair.attest(at=later)
    assert event is not None
    make.signed_and_published(event, at=later)
    return later


def content(attestation: Attestation | None) -> dict[str, Any]:
    assert attestation is not None
    return selectors.content_of(attestation)


def entry(document: dict[str, Any], symbol: str) -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = [one for one in document["notRestated"] if one["symbol"] == symbol]
    return found


def verified(attestation: Attestation) -> list[str]:
    """Return what the checker finds in a published package, given the one before it."""
    assert attestation.previous is not None
    report, _ = verify_offline.verify(
        selectors.package_files(attestation),
        keys=selectors.published_keys(),
        previous=selectors.package_files(attestation.previous),
    )
    return [line for line in report.lines() if line.startswith("      ")]


class TestAttestEvent:
    def test_states_what_got_worse_and_carries_what_got_better(
        self, pair: Pair, at: datetime
    ) -> None:
        stated = state(pair, 600, 9, at=at)  # the second is SHORT by 2

        event = pair.publish(605, 5, at=at + MINUTE)

        document = content(event)
        assert (event.kind, event.status, document["status"]) == ("EVENT", "SHORT", "SHORT")
        assert [token["symbol"] for token in document["tokens"]] == [pair.first]
        carried = entry(document, pair.second)
        assert (carried["status"], carried["lackingShares"]) == ("SHORT", "2")
        assert carried["stated"] == {
            "sequence": 1,
            "sha256": stated.sha256,
            "asOf": content(stated)["cutoff"]["asOf"],
        }
        assert carried["closing"] == {"tokens": "5", "shares": "7"}
        # 7 shares for 9 tokens, as the period began.
        opening = {"at": "2026-11-20T15:00:00Z", "cause": "OPENING", "ref": None}
        assert carried["coverageBp"] == 7_777
        assert carried["periodLow"] == {"coverageBp": 7_777, **opening}
        assert carried["reason"] == BETTER
        assert carried["mint"]["headroom"][0]["tokens"] == "0"
        assert verified(event) == []

    def test_after_what_was_not_known(self, pair: Pair, at: datetime) -> None:
        silent = not_known(pair, at=at)

        event = pair.publish(605, 5, at=silent + MINUTE)

        assert entry(content(event), pair.second)["status"] == "UNKNOWN"
        assert event.status == "SHORT"
        assert verified(event) == []

    def test_carries_on_what_was_carried(self, pair: Pair, at: datetime) -> None:
        stated = state(pair, 600, 9, at=at)
        pair.publish(605, 5, at=at + MINUTE)

        event = pair.publish(606, 7, at=at + 2 * MINUTE)

        carried = entry(content(event), pair.second)
        assert carried["stated"]["sha256"] == stated.sha256
        assert carried["lackingShares"] == "2"
        assert verified(event) == []

    def test_states_what_was_carried_once_it_is_worse_than_that(
        self, pair: Pair, at: datetime
    ) -> None:
        state(pair, 600, 9, at=at)
        pair.publish(605, 5, at=at + MINUTE)
        custody.settled_shares(pair.account, Decimal(5), at=at + MINUTE)

        event = pair.publish(605, 15, at=at + 2 * MINUTE)

        document = content(event)
        assert document["notRestated"] == []
        shares = document["tokens"][1]["rollForward"]["shares"]
        assert (shares["opening"], shares["received"], shares["closing"]) == ("7", "5", "12")
        assert verified(event) == []

    def test_people_state_it_anew_from_where_it_was_stated(self, pair: Pair, at: datetime) -> None:
        state(pair, 600, 9, at=at)
        pair.publish(605, 5, at=at + MINUTE)
        custody.settled_shares(pair.account, Decimal(5), at=at + MINUTE)

        anew = state(pair, 605, 5, at=at + 2 * MINUTE)

        document = content(anew)
        assert document["notRestated"] == []
        assert document["tokens"][1]["rollForward"]["shares"]["opening"] == "7"
        assert document["tokens"][1]["status"] == "COVERED"
        assert verified(anew) == []

    def test_holds_nothing_back_of_which_nothing_was_found(self, pair: Pair, at: datetime) -> None:
        stated = state(pair, 600, 9, at=at)
        of_nothing = Run.objects.create(
            program=pair.world.program, as_of=at + MINUTE, started_by=str(SYSTEM), recorded_at=at
        )

        assert document._held_back(of_nothing, content(stated)) == frozenset()
        assert pair.attest(at=at + MINUTE) is None

    def test_says_nothing_while_the_only_news_is_good(self, pair: Pair, at: datetime) -> None:
        state(pair, 600, 9, at=at)
        pair.reconcile(600, 5, at=at + MINUTE)

        assert pair.attest(at=at + MINUTE) is None

    def test_carries_a_token_whose_gate_is_less_shut(self, pair: Pair, at: datetime) -> None:
        hold = pair.halt(pair.other, at=at - MINUTE)
        state(pair, 600, 5, at=at)
        pair.reopen(hold, at=at + MINUTE)

        event = pair.publish(605, 5, at=at + MINUTE)

        mint = entry(content(event), pair.second)["mint"]
        assert (mint["state"], mint["reasons"]) == ("HALTED", [LESS_SHUT])
        assert verified(event) == []

    def test_states_what_got_worse_though_its_gate_is_less_shut(
        self, pair: Pair, at: datetime
    ) -> None:
        hold = pair.halt(pair.other, at=at - MINUTE)
        state(pair, 600, 5, at=at)
        later = at + timedelta(hours=1)
        pair.reopen(hold, at=later)
        pair.silence(at=later)

        event = pair.attest(at=later)

        assert event is not None
        token = content(event)["tokens"][1]
        assert (token["status"], token["mint"]["state"]) == ("UNKNOWN", "HALTED")
        assert LESS_SHUT in token["mint"]["reasons"]
        assert verified(make.signed_and_published(event, at=later)) == []

    def test_says_that_the_gate_of_a_better_token_is_shut(self, pair: Pair, at: datetime) -> None:
        silent = not_known(pair, at=at)
        pair.halt(pair.other, at=silent + MINUTE)

        event = pair.publish(600, 5, at=silent + MINUTE)

        document = content(event)
        carried = entry(document, pair.second)
        assert [token["symbol"] for token in document["tokens"]] == [pair.first]
        assert (carried["status"], carried["mint"]["state"]) == ("UNKNOWN", "HALTED")
        assert verified(event) == []

    def test_may_state_nothing_anew(self, at: datetime) -> None:
        world = make.world(at=at)
        silent, later = at + timedelta(hours=1), at + timedelta(hours=1, minutes=1)
        make.published(world, at=silent)
        gate.place_hold(
            kind=ScopeKind.PROGRAM,
            subject_id=world.program.pk,
            effect=GateState.HALTED,
            cause=Cause.PERSON,
            reason="A fire in the vault.",
            actor=world.officer,
            at=later,
        )
        chain.snapshot(
            world.deployment, total_supply_base_units=600 * ONE, taken_at=later - MINUTE / 2
        )

        event = make.signed_and_published(make.event(world, at=later), at=later)

        document = content(event)
        assert (document["tokens"], document["status"]) == ([], "UNKNOWN")
        assert verified(event) == []
        text = text_of(rendering.preview(bytes(event.document or b""), draft=False))
        assert "None is stated anew." in text

    def test_tells_the_public_which_statement_still_stands(
        self, pair: Pair, client: Client, at: datetime
    ) -> None:
        state(pair, 600, 9, at=at)
        event = pair.publish(605, 5, at=at + MINUTE)

        response = client.get(f"/attestations/{event.program.code}/2/")

        page = " ".join(response.content.decode().split())
        assert f'<a href="/attestations/{event.program.code}/1/">statement 1</a>' in page
        assert f"short by 2 shares. {BETTER}." in page

    def test_prints_it(self, pair: Pair, at: datetime) -> None:
        state(pair, 600, 9, at=at)
        event = pair.publish(605, 5, at=at + MINUTE)

        text = text_of(rendering.preview(bytes(event.document or b""), draft=False))

        assert "As last stated, in statement 1; not stated anew" in text
        assert "What is better now takes two persons to state" in text
