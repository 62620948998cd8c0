"""What two persons have contracts do, from the proposal to its end."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from issuer.approvals.errors import PersonRequired, ProposalChanged, SamePerson
from issuer.approvals.models import Proposal
from issuer.audit.models import AuditEvent
from issuer.chain import selectors, services
from issuer.chain.errors import (
    ActChanged,
    ActMissing,
    ActNotSound,
    ActPartOfAnother,
    ActUnderWay,
    SignerInUse,
    SignerMismatch,
    SignerRetired,
    TransactionAlreadyIntended,
)
from issuer.chain.models import ContractAct, ContractCall, SignerAccount, TransactionIntent
from issuer.chain.states import (
    ACT_KINDS,
    ActState,
    EventKind,
    IntentKind,
    IntentState,
    SignerPurpose,
)
from issuer.foundation.actors import Actor
from issuer.foundation.errors import IllegalTransition
from issuer.foundation.identifiers import uuid7
from issuer.foundation.quantities import QuantityTooFine
from issuer.instruments.models import Deployment
from issuer.people.roles import Role
from tests.make import chain as make
from tests.make import chain_acts as acts
from tests.make import instruments, parties, people

pytestmark = pytest.mark.django_db

ONE = 10**18
MINTER = SignerPurpose.MINTER
THIEF = "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"
LATER = acts.AT + timedelta(days=1)

Propose = Callable[..., ContractAct]


@pytest.fixture
def officer() -> Actor:
    return people.staff_actor(Role.OPERATIONS_OFFICER)


@pytest.fixture
def approver() -> Actor:
    return people.staff_actor(Role.APPROVER)


@pytest.fixture
def deployment() -> Deployment:
    return instruments.deployment()


@pytest.fixture
def propose(deployment: Deployment, officer: Actor) -> Propose:
    def propose(kind: IntentKind, **terms: Any) -> ContractAct:
        given: dict[str, Any] = {"deployments": [deployment], "reason": "A reason."}
        given |= {"actor": officer} | terms
        return services.propose_act(kind=kind, at=acts.AT, **given)

    return propose


def steps(act: ContractAct) -> list[str]:
    return list(act.transitions.values_list("step", flat=True))


class TestProposeAct:
    @pytest.mark.parametrize("kind", sorted(ACT_KINDS))
    def test_waits_for_another_person(self, deployment: Deployment, kind: IntentKind) -> None:
        act = acts.act([deployment], kind=kind)

        assert (act.kind, act.state, act.network) == (
            kind,
            ActState.PROPOSED,
            deployment.network,
        )
        assert act.calls.get().deployment == deployment
        proposal = selectors.open_proposal(act)
        assert proposal is not None
        assert proposal.payload["deployments"] == [deployment.caip10]
        assert not TransactionIntent.objects.exists()
        assert AuditEvent.objects.filter(action="contract_act.propose").count() == 1

    def test_concerns_several_contracts_of_a_network(self, deployment: Deployment) -> None:
        other = instruments.deployment(network_=deployment.network)

        act = acts.act([deployment, other], kind=IntentKind.PAUSE)

        called = act.calls.order_by("id").values_list("deployment_id", flat=True)
        assert list(called) == [deployment.pk, other.pk]

    def test_keeps_addresses_by_their_checksum(self, propose: Propose) -> None:
        assert propose(IntentKind.BLOCK_ADDRESS, account=THIEF.lower()).account == THIEF

    @pytest.mark.parametrize(
        ("kind", "terms", "why"),
        [
            (IntentKind.MINT, {"account": THIEF}, "takes a request"),
            (IntentKind.BURN, {"account": THIEF}, "takes a request"),
            (IntentKind.RETURN, {"account": THIEF}, "takes a request"),
            (IntentKind.BLOCK_ADDRESS, {}, "needs an address"),
            (IntentKind.BLOCK_ADDRESS, {"account": "thief"}, "needs an address"),
            (IntentKind.PAUSE, {"account": THIEF}, "concerns no address"),
            (IntentKind.GRANT_ROLE, {"account": THIEF}, "needs a role"),
            (IntentKind.GRANT_ROLE, {"account": THIEF, "role": "KING"}, "needs a role"),
            (IntentKind.UNBLOCK_ADDRESS, {"account": THIEF, "role": "MINTER"}, "no role"),
            (IntentKind.SEIZE, {"account": THIEF}, "needs what is seized"),
            (IntentKind.SEIZE, {"account": THIEF, "base_units": 5}, "needs what is seized"),
            (IntentKind.PAUSE, {"base_units": 5}, "seizes nothing"),
            (IntentKind.SCHEDULE_MULTIPLIER, {"multiplier": Decimal(4)}, "and its time"),
            (IntentKind.SCHEDULE_MULTIPLIER, {"effective_at": LATER}, "and its time"),
            (IntentKind.UNPAUSE, {"multiplier": Decimal(4)}, "schedules nothing"),
            (IntentKind.UNPAUSE, {"effective_at": LATER}, "schedules nothing"),
            (IntentKind.PAUSE, {"reason": ""}, "does not say why"),
            (IntentKind.PAUSE, {"deployments": []}, "at least one"),
            (
                IntentKind.SCHEDULE_MULTIPLIER,
                {"multiplier": Decimal(0), "effective_at": LATER},
                "stands for some shares",
            ),
            (
                IntentKind.SCHEDULE_MULTIPLIER,
                {"multiplier": Decimal(4), "effective_at": acts.AT},
                "that is ahead",
            ),
            (
                IntentKind.SCHEDULE_MULTIPLIER,
                {"multiplier": Decimal(4), "effective_at": LATER + timedelta(microseconds=1)},
                "whole second",
            ),
        ],
    )
    def test_refuses_what_is_not_sound(
        self, propose: Propose, kind: IntentKind, terms: dict[str, Any], why: str
    ) -> None:
        with pytest.raises(ActNotSound, match=why):
            propose(kind, **terms)

        assert not ContractAct.objects.exists()
        assert not Proposal.objects.exists()

    def test_refuses_a_multiplier_finer_than_contracts_count(self, propose: Propose) -> None:
        with pytest.raises(QuantityTooFine):
            propose(
                IntentKind.SCHEDULE_MULTIPLIER,
                multiplier=Decimal("1.0000000000000000001"),
                effective_at=LATER,
            )

        assert not ContractAct.objects.exists()

    @pytest.mark.parametrize("elsewhere", [True, False])
    def test_refuses_contracts_of_two_networks_or_one_twice(
        self, deployment: Deployment, propose: Propose, elsewhere: bool
    ) -> None:
        other = instruments.deployment() if elsewhere else deployment

        with pytest.raises(ActNotSound, match="different contracts of one network"):
            propose(IntentKind.PAUSE, deployments=[deployment, other])

        assert not ContractAct.objects.exists()

    def test_refuses_a_machine(self, propose: Propose, system: Actor) -> None:
        with pytest.raises(PersonRequired):
            propose(IntentKind.PAUSE, actor=system)

        assert not ContractAct.objects.exists()

    def test_refuses_to_revoke_the_admin_who_would_sign_it(
        self, deployment: Deployment, propose: Propose
    ) -> None:
        admin = make.signer_account(deployment.network, SignerPurpose.ADMIN)

        with pytest.raises(ActNotSound, match="nobody could grant any after it"):
            propose(IntentKind.REVOKE_ROLE, role="ADMIN", account=admin.address)
        propose(IntentKind.REVOKE_ROLE, role="ADMIN", account=THIEF)

        assert ContractAct.objects.get().account == THIEF


class TestProposeToSeize:
    """A seizure undoes a mint past the books, and never more than it made."""

    def terms(self, deployment: Deployment, units: int = 5, **columns: Any) -> dict[str, Any]:
        event = make.event(deployment, base_units=5, **columns)
        return {"account": THIEF, "base_units": units, "remedied_event": event}

    def test_may_be_from_wherever_the_tokens_are_now(
        self, deployment: Deployment, propose: Propose
    ) -> None:
        act = propose(IntentKind.SEIZE, **self.terms(deployment))

        assert act.remedied_event is not None
        assert act.remedied_event.address != act.account

    @pytest.mark.parametrize("units", [0, 6])
    def test_refuses_nothing_and_more_than_was_minted(
        self, deployment: Deployment, propose: Propose, units: int
    ) -> None:
        with pytest.raises(ActNotSound, match="5 are left"):
            propose(IntentKind.SEIZE, **self.terms(deployment, units))

        assert not ContractAct.objects.exists()

    def test_counts_what_other_acts_seize(self, deployment: Deployment, propose: Propose) -> None:
        terms = self.terms(deployment, 3)
        propose(IntentKind.SEIZE, **terms)

        with pytest.raises(ActNotSound, match="2 are left"):
            propose(IntentKind.SEIZE, **terms)
        propose(IntentKind.SEIZE, **terms | {"base_units": 2})

        assert ContractAct.objects.count() == 2

    @pytest.mark.parametrize("state", [ActState.DECLINED, ActState.FAILED])
    def test_does_not_count_what_came_to_nothing(
        self, deployment: Deployment, propose: Propose, state: ActState
    ) -> None:
        terms = self.terms(deployment)
        acts.act([deployment], kind=IntentKind.SEIZE, state=state, **terms)

        propose(IntentKind.SEIZE, **terms)

        assert ContractAct.objects.filter(state=ActState.PROPOSED).count() == 1

    def test_refuses_a_mint_of_ours(self, deployment: Deployment, propose: Propose) -> None:
        event = make.intent(deployment, state=IntentState.FINAL).event

        with pytest.raises(ActNotSound, match="past the books"):
            propose(IntentKind.SEIZE, account=THIEF, base_units=1, remedied_event=event)

    def test_refuses_a_burn(self, deployment: Deployment, propose: Propose) -> None:
        with pytest.raises(ActNotSound, match="past the books"):
            propose(IntentKind.SEIZE, **self.terms(deployment, kind=EventKind.BURN))

    def test_refuses_the_mint_of_another_contract(
        self, deployment: Deployment, propose: Propose
    ) -> None:
        other = instruments.deployment(network_=deployment.network)

        with pytest.raises(ActNotSound, match="on the contract of the mint"):
            propose(IntentKind.SEIZE, **self.terms(other))


class TestConfirmAct:
    def test_approves_what_the_person_saw(self, approver: Actor) -> None:
        act = acts.act()

        acts.confirm(act, actor=approver)

        act.refresh_from_db()
        assert act.state == ActState.APPROVED
        assert steps(act) == ["CONFIRM"]
        assert selectors.open_proposal(act) is None
        assert act in selectors.unfinished_acts()

    def test_refuses_the_proposer(self, propose: Propose, officer: Actor) -> None:
        act = propose(IntentKind.PAUSE)

        with pytest.raises(SamePerson):
            acts.confirm(act, actor=officer)

        act.refresh_from_db()
        assert (act.state, steps(act)) == (ActState.PROPOSED, [])

    def test_refuses_a_machine(self, system: Actor) -> None:
        with pytest.raises(PersonRequired):
            acts.confirm(acts.act(), actor=system)

    def test_refuses_what_the_person_did_not_see(self, approver: Actor) -> None:
        act = acts.act()

        with pytest.raises(ProposalChanged):
            services.confirm_act(act.pk, payload_hash="0" * 64, actor=approver, at=acts.AT)

        act.refresh_from_db()
        assert act.state == ActState.PROPOSED

    def test_refuses_what_has_changed_since(self) -> None:
        act = acts.act()
        ContractCall.objects.create(
            act=act, deployment=instruments.deployment(network_=act.network)
        )

        with pytest.raises(ProposalChanged):
            acts.confirm(act)

        act.refresh_from_db()
        assert act.state == ActState.PROPOSED

    def test_refuses_a_time_that_has_passed(self) -> None:
        act = acts.act(kind=IntentKind.SCHEDULE_MULTIPLIER)

        with pytest.raises(ActNotSound, match="that is ahead"):
            acts.confirm(act, at=LATER)

        act.refresh_from_db()
        assert act.state == ActState.PROPOSED

    @pytest.mark.parametrize(
        "state", [each for each in ActState if each not in (ActState.PROPOSED,)]
    )
    def test_refuses_any_other_state(self, approver: Actor, state: ActState) -> None:
        act = acts.act(state=state)

        with pytest.raises(IllegalTransition):
            services.confirm_act(act.pk, payload_hash="", actor=approver, at=acts.AT)

    def test_refuses_what_is_not_there(self, approver: Actor) -> None:
        with pytest.raises(ActMissing):
            services.confirm_act(uuid7(), payload_hash="", actor=approver, at=acts.AT)


class TestActThatIsAPart:
    """Anything of another room may be the whole; these tests take a deployment's token."""

    @pytest.fixture
    def part(self, deployment: Deployment) -> ContractAct:
        return acts.act([deployment], part_of=deployment.token)

    def test_is_confirmed_with_the_whole_alone(
        self, part: ContractAct, deployment: Deployment, approver: Actor
    ) -> None:
        for whole in (None, instruments.token(), deployment):
            with pytest.raises(ActPartOfAnother) as refusal:
                services.confirm_act(
                    part.pk,
                    payload_hash=acts.hash_of(part),
                    part_of=whole,
                    actor=approver,
                    at=acts.AT,
                )
        part.refresh_from_db()
        assert (part.state, part.transitions.count()) == (ActState.PROPOSED, 0)
        assert refusal.value.facts == {
            "part_of_type": "instruments.token",
            "part_of_id": str(deployment.token_id),
        }

        confirmed = services.confirm_act(
            part.pk,
            payload_hash=acts.hash_of(part),
            part_of=deployment.token,
            actor=approver,
            at=acts.AT,
        )

        assert confirmed.state == ActState.APPROVED

    def test_is_declined_with_the_whole_alone(
        self, part: ContractAct, deployment: Deployment, approver: Actor
    ) -> None:
        with pytest.raises(ActPartOfAnother):
            services.decline_act(part.pk, reason="No.", actor=approver, at=acts.AT)
        part.refresh_from_db()
        assert part.state == ActState.PROPOSED

        declined = services.decline_act(
            part.pk, reason="No.", part_of=deployment.token, actor=approver, at=acts.AT
        )

        assert declined.state == ActState.DECLINED

    def test_is_not_any_act(self, deployment: Deployment, approver: Actor) -> None:
        act = acts.act([deployment])

        with pytest.raises(ActPartOfAnother):
            services.confirm_act(
                act.pk,
                payload_hash=acts.hash_of(act),
                part_of=deployment.token,
                actor=approver,
                at=acts.AT,
            )

        act.refresh_from_db()
        assert act.state == ActState.PROPOSED


class TestWhoSignsAfterAnAct:
    """Granting appoints and revoking retires, in the transaction of the second person."""

    def revoke(self, deployment: Deployment, account: str) -> ContractAct:
        terms: dict[str, Any] = {"role": MINTER, "account": account}
        return acts.act([deployment], kind=IntentKind.REVOKE_ROLE, **terms)

    def grant(self, deployment: Deployment, account: str) -> ContractAct:
        terms: dict[str, Any] = {"role": MINTER, "account": account}
        return acts.act([deployment], kind=IntentKind.GRANT_ROLE, **terms)

    def test_is_nobody_once_the_role_of_the_one_in_use_is_revoked(
        self, deployment: Deployment
    ) -> None:
        account = make.signer_account(deployment.network)
        act = self.revoke(deployment, account.address)
        assert selectors.signer_in_use(deployment.network, MINTER) == account

        acts.confirm(act)

        assert selectors.signer_in_use(deployment.network, MINTER) is None
        account.refresh_from_db()
        assert (account.retired_at, account.retired_reason) == (acts.AT, "It was agreed upon.")

    def test_is_who_it_was_if_another_loses_the_role(self, deployment: Deployment) -> None:
        account = make.signer_account(deployment.network)

        acts.confirm(self.revoke(deployment, THIEF))

        assert selectors.signer_in_use(deployment.network, MINTER) == account

    def test_is_who_it_was_if_the_one_in_use_loses_another_role(
        self, deployment: Deployment
    ) -> None:
        account = make.signer_account(deployment.network)
        terms: dict[str, Any] = {"role": SignerPurpose.BURNER, "account": account.address}

        acts.confirm(acts.act([deployment], kind=IntentKind.REVOKE_ROLE, **terms))

        assert selectors.signer_in_use(deployment.network, MINTER) == account

    def test_is_the_one_granted_the_role(self, deployment: Deployment) -> None:
        successor = make.signer(make.SUCCESSOR_KEY).address

        acts.confirm(self.grant(deployment, successor))

        account = selectors.signer_in_use(deployment.network, MINTER)
        assert account is not None
        assert account.address == successor

    def test_is_never_two(self, deployment: Deployment) -> None:
        account = make.signer_account(deployment.network)
        act = self.grant(deployment, make.signer(make.SUCCESSOR_KEY).address)

        with pytest.raises(SignerInUse):
            acts.confirm(act)

        act.refresh_from_db()
        assert (act.state, steps(act)) == (ActState.PROPOSED, [])
        assert SignerAccount.objects.get() == account
        assert selectors.open_proposal(act) is not None

    def test_is_the_same_if_it_is_granted_its_role_elsewhere(self, deployment: Deployment) -> None:
        account = make.signer_account(deployment.network)

        acts.confirm(self.grant(deployment, account.address))

        assert SignerAccount.objects.get() == account

    def test_is_never_one_that_was_retired(self, deployment: Deployment) -> None:
        account = make.signer_account(deployment.network)
        acts.confirm(self.revoke(deployment, account.address))
        act = self.grant(deployment, account.address)

        with pytest.raises(SignerRetired):
            acts.confirm(act)

        act.refresh_from_db()
        assert act.state == ActState.PROPOSED

    def test_keeps_the_admin_who_became_the_one_in_use(self, deployment: Deployment) -> None:
        address = make.signer(make.ADMIN_KEY).address
        act = acts.act(
            [deployment],
            kind=IntentKind.REVOKE_ROLE,
            role=SignerPurpose.ADMIN,
            account=address,
        )
        make.signer_account(deployment.network, SignerPurpose.ADMIN)

        with pytest.raises(ActNotSound, match="nobody could grant"):
            acts.confirm(act)

        act.refresh_from_db()
        assert act.state == ActState.PROPOSED


class TestDeclineAct:
    def test_gives_it_up(self, officer: Actor) -> None:
        act = acts.act()

        services.decline_act(act.pk, reason="Not this one.", actor=officer, at=acts.AT)

        act.refresh_from_db()
        assert (act.state, act.stopped_reason) == (ActState.DECLINED, "Not this one.")
        assert steps(act) == ["DECLINE"]
        assert selectors.open_proposal(act) is None

    @pytest.mark.parametrize("state", [each for each in ActState if each != ActState.PROPOSED])
    def test_refuses_any_other_state(self, officer: Actor, state: ActState) -> None:
        act = acts.act(state=state)
        before = steps(act)

        with pytest.raises(IllegalTransition):
            services.decline_act(act.pk, reason="Late.", actor=officer, at=acts.AT)

        assert steps(act) == before


class TestSignCall:
    def test_commits_to_each_call_and_sends_the_act_with_the_last(
        self, deployment: Deployment
    ) -> None:
        other = instruments.deployment(network_=deployment.network)
        act = acts.act([deployment, other], kind=IntentKind.PAUSE, state=ActState.APPROVED)

        intents = acts.sign(act)

        act.refresh_from_db()
        assert act.state == ActState.SENT
        assert steps(act) == ["CONFIRM", "SEND"]
        calls = list(act.calls.order_by("id"))
        assert [call.intent for call in calls] == intents
        assert [intent.request_id for intent in intents] == [call.pk for call in calls]
        assert [intent.nonce for intent in intents] == [0, 1]
        assert {intent.signer_account.purpose for intent in intents} == {"PAUSER"}

    def test_forgets_what_the_contract_refused_before(self, system: Actor) -> None:
        act = acts.act(state=ActState.APPROVED)
        call = act.calls.get()
        services.note_refusal(call.pk, reason="AddressIsBlocked", actor=system, at=acts.AT)

        acts.sign(act)

        call.refresh_from_db()
        assert (call.refusal, call.intent) == ("", TransactionIntent.objects.get())

    def test_signs_each_once(self, deployment: Deployment, system: Actor) -> None:
        other = instruments.deployment(network_=deployment.network)
        act = acts.act([deployment, other], kind=IntentKind.PAUSE, state=ActState.APPROVED)
        make.signer_account(act.network, SignerPurpose.PAUSER)
        call = act.calls.order_by("id")[0]

        def sign() -> None:
            services.sign_call(
                call.pk,
                signer=make.signer(make.KEYS[SignerPurpose.PAUSER]),
                prepared=services.Prepared(fees=make.FEES, chain_nonce=0),
                actor=system,
                at=acts.AT,
            )

        sign()
        with pytest.raises(TransactionAlreadyIntended):
            sign()

        act.refresh_from_db()
        assert act.state == ActState.APPROVED
        assert TransactionIntent.objects.count() == 1

    @pytest.mark.parametrize("state", [each for each in ActState if each != ActState.APPROVED])
    def test_refuses_any_other_state(self, system: Actor, state: ActState) -> None:
        act = acts.act(state=state)
        signed = TransactionIntent.objects.count()

        with pytest.raises(IllegalTransition):
            services.sign_call(
                act.calls.get().pk,
                signer=make.signer(make.KEYS[SignerPurpose.PAUSER]),
                prepared=services.Prepared(fees=make.FEES, chain_nonce=0),
                actor=system,
                at=acts.AT,
            )

        assert TransactionIntent.objects.count() == signed

    def test_refuses_what_is_not_as_it_was_approved(self) -> None:
        act = acts.act(state=ActState.APPROVED)
        smuggled = instruments.deployment(network_=act.network)
        ContractCall.objects.create(act=act, deployment=smuggled)

        with pytest.raises(ActChanged):
            acts.sign(act)

        assert not TransactionIntent.objects.exists()

    def test_refuses_a_signer_of_another_purpose(self, system: Actor) -> None:
        act = acts.act(state=ActState.APPROVED)
        make.signer_account(act.network)

        with pytest.raises(SignerMismatch):
            services.sign_call(
                act.calls.get().pk,
                signer=make.signer(),
                prepared=services.Prepared(fees=make.FEES, chain_nonce=0),
                actor=system,
                at=acts.AT,
            )

        assert not TransactionIntent.objects.exists()


class TestNoteRefusal:
    def test_says_once_why_it_waits(self, system: Actor) -> None:
        call = acts.act(state=ActState.APPROVED).calls.get()

        for _ in range(2):
            services.note_refusal(call.pk, reason="AddressIsBlocked", actor=system, at=acts.AT)

        call.refresh_from_db()
        assert call.refusal == "AddressIsBlocked"
        assert AuditEvent.objects.filter(action="contract_call.refuse").count() == 1

    def test_says_nothing_of_what_is_signed(self, system: Actor) -> None:
        call = acts.act(state=ActState.SENT).calls.get()

        services.note_refusal(call.pk, reason="AddressIsBlocked", actor=system, at=acts.AT)

        call.refresh_from_db()
        assert call.refusal == ""


class TestCompleteAct:
    @pytest.mark.parametrize("kind", sorted(ACT_KINDS))
    def test_ends_what_every_contract_has_done(self, system: Actor, kind: IntentKind) -> None:
        act = acts.act(kind=kind, state=ActState.SENT)
        acts.finalize(act)

        services.complete_act(act.pk, actor=system, at=acts.AT)

        act.refresh_from_db()
        assert act.state == ActState.DONE
        assert TransactionIntent.objects.get().state == IntentState.BOOKED
        assert act not in selectors.unfinished_acts()

    @pytest.mark.parametrize("state", [IntentState.REVERTED, IntentState.DROPPED, None])
    def test_refuses_while_one_is_not_final(self, system: Actor, state: IntentState | None) -> None:
        act = acts.act(state=ActState.SENT)
        if state is not None:
            acts.end(act, state)

        with pytest.raises(ActUnderWay):
            services.complete_act(act.pk, actor=system, at=acts.AT)

        act.refresh_from_db()
        assert act.state == ActState.SENT

    def test_refuses_what_is_not_all_signed(self, system: Actor) -> None:
        act = acts.act(state=ActState.APPROVED)

        with pytest.raises(IllegalTransition):
            services.complete_act(act.pk, actor=system, at=acts.AT)


class TestFailAct:
    @pytest.mark.parametrize("state", [IntentState.REVERTED, IntentState.DROPPED])
    def test_ends_what_a_contract_did_not_do(self, system: Actor, state: IntentState) -> None:
        act = acts.act(state=ActState.SENT)
        acts.end(act, state)

        services.fail_act(act.pk, reason="Reverted.", actor=system, at=acts.AT)

        act.refresh_from_db()
        assert (act.state, act.stopped_reason) == (ActState.FAILED, "Reverted.")
        assert steps(act)[-1] == "FAIL"

    def test_books_what_another_contract_has_done(
        self, deployment: Deployment, system: Actor
    ) -> None:
        other = instruments.deployment(network_=deployment.network)
        act = acts.act([deployment, other], kind=IntentKind.PAUSE, state=ActState.SENT)
        acts.finalize(act)
        failed = TransactionIntent.objects.filter(deployment=other)
        failed.update(state=IntentState.REVERTED, failure="Paused already.")

        services.fail_act(act.pk, reason="Half of it.", actor=system, at=acts.AT)

        states = TransactionIntent.objects.order_by("id").values_list("state", flat=True)
        assert list(states) == [IntentState.BOOKED, IntentState.REVERTED]

    def test_gives_up_what_no_contract_takes(self, approver: Actor) -> None:
        act = acts.act(state=ActState.APPROVED)

        services.fail_act(act.pk, reason="It is blocked already.", actor=approver, at=acts.AT)

        act.refresh_from_db()
        assert act.state == ActState.FAILED
        with pytest.raises(IllegalTransition):
            acts.sign(act)

    def test_refuses_while_the_chain_may_still_do_it(self, system: Actor) -> None:
        act = acts.act(state=ActState.SENT)

        with pytest.raises(ActUnderWay, match="may still be carried out"):
            services.fail_act(act.pk, reason="Impatience.", actor=system, at=acts.AT)

        act.refresh_from_db()
        assert act.state == ActState.SENT

    def test_refuses_what_is_done(self, system: Actor) -> None:
        act = acts.act(state=ActState.SENT)
        acts.finalize(act)

        with pytest.raises(ActUnderWay, match="is final"):
            services.fail_act(act.pk, reason="Regret.", actor=system, at=acts.AT)

        act.refresh_from_db()
        assert act.state == ActState.SENT

    @pytest.mark.parametrize(
        "state", [ActState.PROPOSED, ActState.DONE, ActState.FAILED, ActState.DECLINED]
    )
    def test_refuses_any_other_state(self, system: Actor, state: ActState) -> None:
        act = acts.act(state=state)

        with pytest.raises(IllegalTransition):
            services.fail_act(act.pk, reason="Late.", actor=system, at=acts.AT)


class TestSelectors:
    def test_know_what_of_a_mint_was_seized(self, deployment: Deployment, at: datetime) -> None:
        event = make.event(deployment, base_units=5 * ONE)
        terms: dict[str, Any] = {"account": parties.evm_address(), "remedied_event": event}
        seize = IntentKind.SEIZE
        acts.act([deployment], kind=seize, state=ActState.DONE, base_units=2 * ONE, **terms)
        acts.act([deployment], kind=seize, state=ActState.SENT, base_units=ONE, **terms)

        assert selectors.seized_base_units(event) == 2 * ONE
        assert selectors.seized_base_units(make.event()) == 0

    def test_know_mints_past_the_books(self, deployment: Deployment) -> None:
        make.intent(deployment, state=IntentState.FINAL)
        make.event(deployment, kind=EventKind.BURN)
        unknown = make.event()

        assert list(selectors.mints_past_the_books()) == [unknown]
