"""The pages on which contract acts are proposed, read and confirmed."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from issuer.chain.models import ContractAct
from issuer.chain.states import ActState, IntentKind, IntentState
from issuer.foundation import clock
from issuer.instruments.models import Deployment
from issuer.people.roles import Role
from tests.make import chain as make
from tests.make import chain_acts as acts
from tests.make import instruments, people

pytestmark = pytest.mark.django_db

ONE = 10**18
THIEF = "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"
ADD = "admin:chain_contractact_add"


def logged_in(role: Role) -> Client:
    client = Client()
    client.force_login(people.user(role))
    return client


def page(act: ContractAct) -> str:
    return reverse("admin:chain_contractact_change", args=[act.pk])


def act_page(act: ContractAct, name: str) -> str:
    return reverse("admin:chain_contractact_act", args=[act.pk, name])


@pytest.fixture
def deployment() -> Deployment:
    return instruments.deployment()


class TestPropose:
    def post(self, deployment: Deployment, **asked: Any) -> str:
        form = {"deployments": [str(deployment.pk)], "reason": "A thief has it."} | asked
        answer = logged_in(Role.OPERATIONS_OFFICER).post(reverse(ADD), form, follow=True)
        assert answer.status_code == 200
        return answer.content.decode()

    def test_blocks_an_address(self, deployment: Deployment) -> None:
        shown = self.post(deployment, kind="BLOCK_ADDRESS", account=THIEF)

        act = ContractAct.objects.get()
        assert (act.kind, act.account, act.state) == (
            IntentKind.BLOCK_ADDRESS,
            THIEF,
            ActState.PROPOSED,
        )
        assert f"Done: propose an act, {act}." in shown

    def test_seizes_whole_tokens(self, deployment: Deployment) -> None:
        event = make.event(deployment, base_units=5 * ONE)

        self.post(
            deployment,
            kind="SEIZE",
            account=THIEF,
            remedied_event=str(event.pk),
            quantity="4.5",
        )

        act = ContractAct.objects.get()
        assert (act.base_units, act.remedied_event) == (45 * ONE // 10, event)

    def test_offers_the_mints_past_the_books_alone(self, deployment: Deployment) -> None:
        ours = make.intent(deployment, state=IntentState.FINAL).event
        theirs = make.event(deployment, base_units=5 * ONE)
        assert ours is not None

        shown = logged_in(Role.OPERATIONS_OFFICER).get(reverse(ADD)).content.decode()

        assert f"5 {deployment}, to {theirs.address}" in shown
        assert str(ours.pk) not in shown

    def test_schedules_a_multiplier(self, deployment: Deployment) -> None:
        self.post(
            deployment,
            kind="SCHEDULE_MULTIPLIER",
            multiplier="4",
            effective_at="2099-01-05T09:00:00Z",
        )

        act = ContractAct.objects.get()
        assert act.multiplier == 4
        assert act.effective_at is not None
        assert act.effective_at.isoformat() == "2099-01-05T09:00:00+00:00"

    @pytest.mark.parametrize(
        ("asked", "why"),
        [
            ({"kind": ""}, "This field is required"),
            ({"kind": "MINT"}, "not one of the available choices"),
            ({"kind": "BLOCK_ADDRESS"}, "it needs an address"),
            ({"kind": "PAUSE", "quantity": "5"}, "Name the mint"),
            ({"kind": "SCHEDULE_MULTIPLIER", "multiplier": "four"}, "is not a quantity"),
        ],
    )
    def test_says_what_it_refuses(
        self, deployment: Deployment, asked: dict[str, str], why: str
    ) -> None:
        assert why in self.post(deployment, **asked)
        assert not ContractAct.objects.exists()

    @pytest.mark.parametrize("role", [Role.AUDITOR, Role.COMPLIANCE_OFFICER, Role.ADMINISTRATOR])
    def test_is_not_for_everybody(self, role: Role) -> None:
        assert logged_in(role).get(reverse(ADD)).status_code == 403


class TestConfirm:
    def test_shows_what_is_signed_and_signs_that(self, deployment: Deployment) -> None:
        act = acts.act([deployment], account=THIEF, at=clock.now())
        payload_hash = acts.hash_of(act)
        approver = logged_in(Role.APPROVER)

        shown = approver.get(act_page(act, "confirm")).content.decode()
        assert THIEF in shown
        assert deployment.caip10 in shown
        assert f'value="{payload_hash}"' in shown
        approver.post(act_page(act, "confirm"), {"payload_hash": payload_hash})

        act.refresh_from_db()
        assert act.state == ActState.APPROVED

    def test_refuses_what_was_not_seen(self) -> None:
        act = acts.act()

        answer = logged_in(Role.APPROVER).post(act_page(act, "confirm"), {"payload_hash": "0" * 64})

        assert "This is not what was proposed" in answer.content.decode()
        act.refresh_from_db()
        assert act.state == ActState.PROPOSED

    @pytest.mark.parametrize("role", [Role.AUDITOR, Role.OPERATIONS_OFFICER])
    def test_is_not_for_everybody(self, role: Role) -> None:
        act = acts.act()

        answer = logged_in(role).post(act_page(act, "confirm"), {"payload_hash": acts.hash_of(act)})

        assert answer.status_code == 403
        act.refresh_from_db()
        assert act.state == ActState.PROPOSED


class TestDeclineAndGiveUp:
    def test_declines_what_is_proposed(self) -> None:
        act = acts.act()

        logged_in(Role.APPROVER).post(act_page(act, "decline"), {"reason": "Not this one."})

        act.refresh_from_db()
        assert (act.state, act.stopped_reason) == (ActState.DECLINED, "Not this one.")

    def test_gives_up_what_is_not_signed(self) -> None:
        act = acts.act(state=ActState.APPROVED)

        logged_in(Role.APPROVER).post(act_page(act, "give-up"), {"reason": "Blocked already."})

        act.refresh_from_db()
        assert act.state == ActState.FAILED


class TestThePageOfAnAct:
    @pytest.mark.parametrize(
        ("state", "offered"),
        [
            (ActState.PROPOSED, {"confirm", "decline"}),
            (ActState.APPROVED, {"give-up"}),
            (ActState.SENT, set()),
            (ActState.DONE, set()),
        ],
    )
    def test_offers_what_may_be_done_as_it_stands(self, state: ActState, offered: set[str]) -> None:
        act = acts.act(state=state)

        shown = logged_in(Role.APPROVER).get(page(act)).content.decode()

        names = ("confirm", "decline", "give-up")
        assert {name for name in names if act_page(act, name) in shown} == offered

    def test_shows_an_auditor_everything_and_nothing_to_press(self) -> None:
        act = acts.act(state=ActState.APPROVED)
        auditor = logged_in(Role.AUDITOR)

        shown = auditor.get(page(act)).content.decode()

        assert act_page(act, "give-up") not in shown
        assert act.account in shown
        listed = auditor.get(reverse("admin:chain_contractact_changelist"))
        assert act.account in listed.content.decode()

    def test_lists_who_signs(self) -> None:
        account = make.signer_account()
        auditor = logged_in(Role.AUDITOR)

        listed = auditor.get(reverse("admin:chain_signeraccount_changelist"))
        shown = auditor.get(reverse("admin:chain_signeraccount_change", args=[account.pk]))

        assert account.address in listed.content.decode()
        assert shown.status_code == 200
