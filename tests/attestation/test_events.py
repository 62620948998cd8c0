"""Statements that are made and published by themselves, because something got worse."""

import hashlib
import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from issuer.approvals.models import Proposal
from issuer.attestation import selectors, services
from issuer.attestation.models import Attestation
from issuer.attestation.package import verify_offline
from issuer.attestation.states import AttestationKind, AttestationState
from issuer.foundation import actors, canonical
from issuer.gate import services as gate
from issuer.gate.models import Cause, GateState, ScopeKind
from tests.make import attestation as make
from tests.make import chain, custody, instruments, reconciliation
from tests.violations import refused_by

pytestmark = pytest.mark.django_db

SYSTEM = actors.system("attestation.attest_events")
MINUTE = timedelta(minutes=1)
#: After this, a block is too old to say anything.
SILENCE = timedelta(hours=1)


@pytest.fixture
def world(at: datetime) -> make.World:
    return make.world(at=at)


@pytest.fixture
def stated(world: make.World, at: datetime) -> Attestation:
    """Return a statement that says that 602 shares cover 600 tokens."""
    return make.published(world, at=at)


def supply(world: make.World, tokens: int, *, at: datetime) -> None:
    """Let the chain show `tokens` in a block just before `at`, and reconcile."""
    chain.snapshot(
        world.deployment,
        total_supply_base_units=tokens * 10**18,
        taken_at=at - timedelta(seconds=5),
    )
    reconciliation.run(world.program, at=at)


def publish(world: make.World, tokens: int, *, at: datetime) -> Attestation | None:
    """Let the chain show `tokens`, and publish the event of it, if it is one."""
    supply(world, tokens, at=at)
    event = attest(world, at=at)
    return None if event is None else make.signed_and_published(event, at=at)


def attest(world: make.World, *, at: datetime) -> Attestation | None:
    return services.attest_event(world.program, actor=SYSTEM, at=at)


class TestAttestEvent:
    def test_says_what_a_thief_did(
        self, world: make.World, stated: Attestation, at: datetime
    ) -> None:
        supply(world, 605, at=at + MINUTE)

        attestation = attest(world, at=at + MINUTE)

        assert attestation is not None
        document = selectors.content_of(attestation)
        assert (attestation.kind, attestation.state) == ("EVENT", AttestationState.REVIEWED)
        assert (attestation.sequence, attestation.previous) == (2, stated)
        assert (document["kind"], document["status"]) == ("EVENT", "SHORT")
        assert document["cutoff"]["chosenBy"] == "EVENT"
        assert document["controls"]["approvedBy"] == []
        assert document["controls"]["preparedBy"]["role"] == "System"
        lines = {line["code"]: line["qty"] for line in document["tokens"][0]["reconciliation"]}
        assert lines["C8"] == "-3"
        assert document["tokens"][0]["mint"]["headroom"][0]["tokens"] == "0"
        assert not Proposal.objects.filter(subject_id=attestation.pk).exists()

    def test_goes_out_and_verifies_after_the_one_before(
        self, world: make.World, stated: Attestation, at: datetime
    ) -> None:
        supply(world, 605, at=at + MINUTE)
        event = attest(world, at=at + MINUTE)
        assert event is not None

        published = make.signed_and_published(event, at=at + MINUTE)

        report, _ = verify_offline.verify(
            selectors.package_files(published),
            keys=selectors.published_keys(),
            previous=selectors.package_files(stated),
        )
        stated.refresh_from_db()
        assert not report.failed, list(report.lines())
        assert published.state == AttestationState.PUBLISHED
        assert stated.state == AttestationState.SUPERSEDED

    def test_extends_nothing(self, world: make.World, stated: Attestation, at: datetime) -> None:
        later = at + timedelta(hours=3)
        supply(world, 605, at=later)

        event = attest(world, at=later)

        assert event is not None
        before, now = selectors.content_of(stated), selectors.content_of(event)
        assert event.valid_until == stated.valid_until
        assert now["nextDue"] == before["nextDue"]

    def test_says_it_once(self, world: make.World, stated: Attestation, at: datetime) -> None:
        supply(world, 605, at=at + MINUTE)
        event = attest(world, at=at + MINUTE)
        assert event is not None
        make.signed_and_published(event, at=at + MINUTE)
        supply(world, 605, at=at + 2 * MINUTE)

        assert attest(world, at=at + 2 * MINUTE) is None
        assert Attestation.objects.count() == 2

    def test_says_it_again_when_more_is_lacking(
        self, world: make.World, stated: Attestation, at: datetime
    ) -> None:
        publish(world, 605, at=at + MINUTE)
        supply(world, 606, at=at + 2 * MINUTE)

        again = attest(world, at=at + 2 * MINUTE)

        assert again is not None
        assert again.sequence == 3

    def test_leaves_to_people_that_less_is_lacking(
        self, world: make.World, stated: Attestation, at: datetime
    ) -> None:
        publish(world, 605, at=at + MINUTE)
        supply(world, 604, at=at + 2 * MINUTE)

        assert attest(world, at=at + 2 * MINUTE) is None

    def test_says_that_it_is_not_known_any_more(
        self, world: make.World, stated: Attestation, at: datetime
    ) -> None:
        later = at + SILENCE
        reconciliation.run(world.program, at=later)

        event = attest(world, at=later)

        assert event is not None
        assert event.status == "UNKNOWN"

    def test_does_not_say_that_what_was_short_is_not_known(
        self, world: make.World, stated: Attestation, at: datetime
    ) -> None:
        short = publish(world, 605, at=at + MINUTE)
        later = at + SILENCE
        run = reconciliation.run(world.program, at=later)

        assert run.results.get().status == "UNKNOWN"
        assert attest(world, at=later) is None
        assert selectors.current(world.program) == short

    def test_stands_still_while_short_and_unknown_take_turns(
        self, world: make.World, stated: Attestation, at: datetime
    ) -> None:
        for turn in range(1, 4):
            silent = at + turn * SILENCE
            reconciliation.run(world.program, at=silent)
            if event := attest(world, at=silent):
                make.signed_and_published(event, at=silent)
            publish(world, 605, at=silent + MINUTE)

        told = Attestation.objects.order_by("sequence").values_list("status", flat=True)
        assert list(told) == ["COVERED", "UNKNOWN", "SHORT"]

    def test_says_that_a_gate_is_shut(
        self, world: make.World, stated: Attestation, at: datetime
    ) -> None:
        gate.place_hold(
            kind=ScopeKind.PROGRAM,
            subject_id=world.program.pk,
            effect=GateState.HALTED,
            cause=Cause.PERSON,
            reason="A fire in the vault.",
            actor=world.officer,
            at=at + MINUTE,
        )
        reconciliation.run(world.program, at=at + MINUTE)

        event = attest(world, at=at + MINUTE)

        assert event is not None
        assert selectors.content_of(event)["status"] == "COVERED"

    def test_says_nothing_while_nothing_is_worse(
        self, world: make.World, stated: Attestation, at: datetime
    ) -> None:
        supply(world, 600, at=at + MINUTE)

        assert attest(world, at=at + MINUTE) is None

    def test_says_nothing_of_a_run_that_is_stated(
        self, world: make.World, stated: Attestation, at: datetime
    ) -> None:
        assert attest(world, at=at + MINUTE) is None

    def test_is_never_the_first(self, world: make.World, at: datetime) -> None:
        supply(world, 605, at=at)

        assert attest(world, at=at) is None
        assert not Attestation.objects.exists()

    def test_declines_what_nobody_has_approved_and_takes_its_number(
        self, world: make.World, stated: Attestation, at: datetime
    ) -> None:
        frozen = make.frozen(world, at=at + MINUTE)
        supply(world, 605, at=at + 2 * MINUTE)

        event = attest(world, at=at + 2 * MINUTE)

        frozen.refresh_from_db()
        assert event is not None
        assert frozen.state == AttestationState.DECLINED
        assert (frozen.sequence, event.sequence) == (2, 2)
        assert Proposal.objects.get(subject_id=frozen.pk).state == "VOIDED"
        assert frozen.transitions.order_by("-id")[0].actor == str(SYSTEM)

    def test_waits_for_what_is_about_to_be_published(
        self, world: make.World, stated: Attestation, at: datetime
    ) -> None:
        reviewed = make.reviewed(world, at=at + MINUTE)
        files = services.assemble(reviewed, signer=make.SIGNER)
        services.sign(reviewed.pk, files=files, actor=SYSTEM, at=at + MINUTE)
        supply(world, 605, at=at + 2 * MINUTE)

        assert attest(world, at=at + 2 * MINUTE) is None
        published = services.publish(reviewed.pk, actor=SYSTEM, at=at + 2 * MINUTE)
        event = attest(world, at=at + 2 * MINUTE)

        assert event is not None
        assert (event.sequence, event.previous) == (3, published)

    def test_waits_for_another_second_than_that_of_the_last_statement(
        self, world: make.World, stated: Attestation, at: datetime
    ) -> None:
        supply(world, 605, at=at + timedelta(milliseconds=600))
        assert attest(world, at=at + MINUTE) is None
        supply(world, 605, at=at + timedelta(seconds=1))

        event = attest(world, at=at + MINUTE)

        assert event is not None
        published = make.signed_and_published(event, at=at + MINUTE)
        assert selectors.content_of(published)["cutoff"]["asOf"] == "2026-11-20T15:00:01Z"

    def test_states_what_is_worse_than_an_event_that_could_not_be_published(
        self, world: make.World, stated: Attestation, at: datetime
    ) -> None:
        supply(world, 605, at=at + MINUTE)
        stuck = attest(world, at=at + MINUTE)
        assert stuck is not None
        services.record_failure(stuck.pk, reason="No key.", actor=SYSTEM, at=at + MINUTE)
        supply(world, 605, at=at + 2 * MINUTE)
        assert attest(world, at=at + 2 * MINUTE) is None
        supply(world, 606, at=at + 3 * MINUTE)

        event = attest(world, at=at + 3 * MINUTE)

        stuck.refresh_from_db()
        assert event is not None
        assert stuck.state == AttestationState.DECLINED
        assert (stuck.sequence, event.sequence, event.previous) == (2, 2, stated)

    def test_declines_what_waits_for_its_signature_and_is_too_good_by_now(
        self, world: make.World, stated: Attestation, at: datetime
    ) -> None:
        reviewed = make.reviewed(world, at=at + MINUTE)
        supply(world, 605, at=at + 2 * MINUTE)

        event = attest(world, at=at + 2 * MINUTE)

        reviewed.refresh_from_db()
        assert event is not None
        assert reviewed.state == AttestationState.DECLINED
        assert (reviewed.sequence, event.sequence, event.previous) == (2, 2, stated)

    def test_leaves_out_what_people_have_not_stated_yet(
        self, world: make.World, stated: Attestation, at: datetime
    ) -> None:
        custody.account(token_=instruments.token(program=world.program))
        supply(world, 605, at=at + MINUTE)

        event = attest(world, at=at + MINUTE)

        assert event is not None
        (token,) = selectors.content_of(event)["tokens"]
        assert token["symbol"] == world.deployment.token.symbol

    def test_speaks_of_tokens_later_from_their_beginning(
        self, world: make.World, stated: Attestation, at: datetime
    ) -> None:
        token = instruments.token(program=world.program)
        deployment = instruments.deployment(token_=token)
        account = custody.account(token_=token)
        custody.settled_shares(account, Decimal(7), at=at)
        taken_at = at + MINUTE - timedelta(seconds=5)
        chain.snapshot(deployment, total_supply_base_units=0, taken_at=taken_at)
        supply(world, 605, at=at + MINUTE)
        event = attest(world, at=at + MINUTE)
        assert event is not None
        make.signed_and_published(event, at=at + MINUTE)

        third = make.published(world, at=at + 2 * MINUTE)

        parts = {one["symbol"]: one for one in selectors.content_of(third)["tokens"]}
        shares = parts[token.symbol]["rollForward"]["shares"]
        assert (shares["opening"], shares["received"], shares["closing"]) == ("0", "7", "7")


def by_hand(before: Attestation, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the columns of an event after `before` that says the same, and its document."""
    document = selectors.content_of(before)
    document["kind"] = "EVENT"
    document["controls"]["approvedBy"] = []
    columns = {
        "program": before.program,
        "run": before.run,
        "sequence": before.sequence + 1,
        "kind": AttestationKind.EVENT,
        "previous": before,
        "status": before.status,
        "as_of": before.as_of,
        "valid_until": before.valid_until,
        "frozen_at": before.frozen_at,
        "state": AttestationState.REVIEWED,
    }
    return columns | changes, document


def short(*, by: str) -> dict[str, Any]:
    """Return what makes a token SHORT."""
    return {"status": "SHORT", "reconciliation/-1/qty": f"-{by}"}


def after(
    world: make.World, changes: dict[str, Any], *, at: datetime
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return an event as `by_hand`, after a statement whose token stands as in `changes`."""
    reviewed = make.reviewed(world, at=at)
    earlier = selectors.content_of(reviewed)
    for path, value in changes.items():
        _change(earlier["tokens"][0], path, value)
    earlier["status"] = earlier["tokens"][0]["status"]
    columns, _ = by_hand(reviewed)
    first = columns | {
        "sequence": 1,
        "kind": AttestationKind.SCHEDULED,
        "previous": None,
        "state": AttestationState.SUPERSEDED,
        "status": earlier["status"],
        "published_at": at,
        "program": make.world(at=at + timedelta(days=2)).program,
    }
    return by_hand(create(first, earlier))


def carrying(
    columns: dict[str, Any], document: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the event with its token carried instead."""
    before = columns["previous"]
    last = verify_offline.last_stated(selectors.content_of(before), before.sha256)
    carried = [entry | {"periodLow": None, "reason": "Better."} for entry in last.values()]
    return columns, document | {"tokens": [], "notRestated": carried}


def create(columns: dict[str, Any], document: dict[str, Any], **changes: Any) -> Attestation:
    columns = columns | changes
    content = canonical.to_bytes(document)
    digest = hashlib.sha256(content).hexdigest()
    return Attestation.objects.create(
        content=content, content_sha256=digest, document=content, sha256=digest, **columns
    )


class TestWithoutPeople:
    """What PostgreSQL refuses of events, whoever writes them."""

    NAME = "attestation_without_people_is_no_better"

    def test_the_same_is_no_better(self, stated: Attestation) -> None:
        columns, document = by_hand(stated)

        assert create(columns, document).pk

    @pytest.mark.parametrize(
        ("path", "before", "now"),
        [
            ("status", "SHORT", "COVERED"),
            ("status", "SHORT", "UNKNOWN"),
            ("status", "IN_TRANSIT", "COVERED"),
            ("status", "UNKNOWN", "IN_TRANSIT"),
            ("mint/headroom/0/state", "HALTED", "OPEN"),
            ("mint/headroom/0/state", "HALTED", "REDEEM_ONLY"),
            ("mint/headroom/0/tokens", "1", "1.5"),
        ],
    )
    def test_a_token_is_no_better(
        self, path: str, before: str, now: str, world: make.World, at: datetime
    ) -> None:
        columns, document = after(world, {path: before}, at=at)
        _change(document["tokens"][0], path, now)
        status = document["tokens"][0]["status"]

        with refused_by("attestation_without_people_is_no_better"):
            create(columns, document | {"status": status}, status=status)

        _change(document["tokens"][0], path, before)
        assert create(columns, document).pk

    @pytest.mark.parametrize("carried", [False, True], ids=["anew", "carried"])
    @pytest.mark.parametrize(
        "rooms",
        [
            pytest.param([], id="no chain"),
            pytest.param(["eip155:1"], id="another chain"),
            pytest.param(["", ""], id="a chain twice"),
        ],
    )
    def test_a_chain_is_not_dropped(
        self, rooms: list[str], carried: bool, world: make.World, at: datetime
    ) -> None:
        columns, document = after(world, {"mint/headroom/0/state": "HALTED"}, at=at)
        if carried:
            columns, document = carrying(columns, document)
        (token,) = document["notRestated"] if carried else document["tokens"]
        (room,) = token["mint"]["headroom"]
        token["mint"]["headroom"] = [room | {"chain": one or room["chain"]} for one in rooms]

        with refused_by("attestation_without_people_is_no_better"):
            create(columns, document)

        token["mint"]["headroom"] = [room]
        assert create(columns, document).pk

    @pytest.mark.parametrize("state", ["OPEN", "HALTED", "AJAR"])
    def test_its_state_is_the_tightest_of_its_chains(
        self, state: str, world: make.World, at: datetime
    ) -> None:
        columns, document = after(world, {"mint/headroom/0/state": "REDEEM_ONLY"}, at=at)
        _set(document["tokens"][0], "mint/state", state)

        with refused_by("attestation_without_people_is_no_better"):
            create(columns, document)

    def test_no_less_is_lacking(self, world: make.World, at: datetime) -> None:
        columns, document = after(world, short(by="5"), at=at)
        _set(document["tokens"][0], "reconciliation/-1/qty", "-3")

        with refused_by(self.NAME):
            create(columns, document)

        _set(document["tokens"][0], "reconciliation/-1/qty", "-5.000000000000000001")
        assert create(columns, document).pk

    def test_it_is_as_bad_as_the_worst_of_it(self, world: make.World, at: datetime) -> None:
        columns, document = after(world, short(by="5"), at=at)

        with refused_by(self.NAME):
            create(columns, document | {"status": "UNKNOWN"}, status="UNKNOWN")
        with refused_by(self.NAME):
            create(columns, document, status="COVERED")

    def test_a_token_is_carried_as_last_stated(self, world: make.World, at: datetime) -> None:
        columns, document = carrying(*after(world, short(by="5"), at=at))

        assert create(columns, document).pk

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("status", "UNKNOWN"),
            ("lackingShares", "3"),
            ("lackingShares", "6"),
            ("lackingShares", None),
            ("stated/sequence", 3),
            ("stated/sha256", "0" * 64),
            ("stated/asOf", "2026-11-20T15:00:01Z"),
            ("mint/headroom/0/tokens", "3"),
            ("symbol", "OTHERx"),
        ],
    )
    def test_a_token_is_carried_no_other_way(
        self, path: str, value: Any, world: make.World, at: datetime
    ) -> None:
        columns, document = carrying(*after(world, short(by="5"), at=at))
        _set(document["notRestated"][0], path, value)

        with refused_by(self.NAME):
            create(columns, document)

    def test_what_is_carried_is_not_stated_anew(self, world: make.World, at: datetime) -> None:
        columns, document = after(world, short(by="5"), at=at)
        anew = document["tokens"]
        columns, document = carrying(columns, document)

        with refused_by(self.NAME):
            create(columns, document | {"tokens": anew})

    def test_people_carry_nothing(self, world: make.World, at: datetime) -> None:
        columns, document = carrying(*after(world, short(by="5"), at=at))
        document |= {"kind": "SCHEDULED"}
        document["controls"]["approvedBy"] = [{"ref": "somebody"}]

        with refused_by(self.NAME):
            create(columns, document, kind=AttestationKind.SCHEDULED)

    def test_a_token_is_not_new(self, stated: Attestation) -> None:
        columns, document = by_hand(stated)
        document["tokens"].append(document["tokens"][0] | {"symbol": "NEWx"})

        with refused_by(self.NAME):
            create(columns, document)

    def test_a_token_does_not_vanish(self, stated: Attestation) -> None:
        columns, document = by_hand(stated)
        document["tokens"][0]["symbol"] = "OTHERx"

        with refused_by(self.NAME):
            create(columns, document)

    def test_it_is_not_valid_for_longer(self, stated: Attestation) -> None:
        columns, document = by_hand(
            stated, valid_until=stated.valid_until + timedelta(microseconds=1)
        )

        with refused_by(self.NAME):
            create(columns, document)

    def test_what_somebody_approved_is_no_event(self, stated: Attestation) -> None:
        columns, document = by_hand(stated)
        document["controls"]["approvedBy"] = [{"ref": "somebody"}]

        with refused_by(self.NAME):
            create(columns, document)

    def test_what_nobody_approved_is_nothing_else(self, stated: Attestation) -> None:
        columns, document = by_hand(stated, kind=AttestationKind.SCHEDULED)
        document["kind"] = "SCHEDULED"

        with refused_by(self.NAME):
            create(columns, document)

    def test_it_is_of_the_kind_that_it_says(self, stated: Attestation) -> None:
        columns, document = by_hand(stated)
        document["kind"] = "SCHEDULED"

        with refused_by(self.NAME):
            create(columns, document)

    def test_it_follows_another(self, stated: Attestation) -> None:
        columns, document = by_hand(stated, previous=None, sequence=1, state="DECLINED")
        content = json.dumps(document).encode()
        digest = hashlib.sha256(content).hexdigest()

        with refused_by("attestation_event_follows_another"):
            Attestation.objects.create(content=content, content_sha256=digest, **columns)


def _change(token: Any, path: str, value: Any) -> None:
    """Set something of a token, whose state is the tightest of its chains."""
    _set(token, path, value)
    states = [room["state"] for room in token["mint"]["headroom"]]
    token["mint"]["state"] = max(states, key=verify_offline.GATES.index)


def _set(place: Any, path: str, value: Any) -> None:
    *steps, last = [int(step) if step.lstrip("-").isdigit() else step for step in path.split("/")]
    for step in steps:
        place = place[step]
    place[last] = value
