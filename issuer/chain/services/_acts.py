"""What two persons have contracts do: proposed, confirmed, signed for each contract, and done."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias
from uuid import UUID

from django.db import models, transaction
from eth_utils.address import is_address, to_checksum_address

from issuer.approvals import selectors as approvals_of
from issuer.approvals import services as approvals
from issuer.approvals.errors import ProposalChanged
from issuer.approvals.models import Proposal
from issuer.audit import services as audit
from issuer.chain import calls, checks, errors, selectors
from issuer.chain.models import (
    ChainEvent,
    ContractAct,
    ContractActTransition,
    ContractCall,
    TransactionIntent,
)
from issuer.chain.payload import CONFIRM_ACT, act_payload
from issuer.chain.services._intents import Prepared, record_booked, sign
from issuer.chain.services._signers import appoint_signer, retire_signer
from issuer.chain.signing import Signer
from issuer.chain.states import (
    FAILED_STATES,
    LIVE_STATES,
    ActState,
    ActStep,
    IntentKind,
    IntentState,
    SignerPurpose,
)
from issuer.foundation import canonical
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction
from issuer.instruments.models import Deployment

REASON_LENGTH: Final = 500

#: Refuses an act that has to wait, for what only a higher floor knows of.
ActGuard: TypeAlias = Callable[[ContractAct], None]


@transaction.atomic
def propose_act(
    *,
    kind: IntentKind,
    deployments: Sequence[Deployment],
    account: str = "",
    role: str = "",
    base_units: int | None = None,
    remedied_event: ChainEvent | None = None,
    multiplier: Decimal | None = None,
    effective_at: datetime | None = None,
    reason: str,
    part_of: models.Model | None = None,
    actor: Actor,
    at: datetime,
) -> ContractAct:
    """Propose to have each of `deployments`, all of one network, do what `kind` says.

    Which of the arguments an act needs follows from its kind. A seizure undoes a mint past the
    books, `remedied_event`, wherever its tokens are now, and never more than it made. What is
    `part_of` a record of another room is confirmed and declined by that room alone.

    Raises:
        ActNotSound: if it lacks what its kind needs, says more, or says what cannot be.
        PersonRequired: if `actor` is nobody's login.
    """
    act = ContractAct(
        network=checks.require_one_network(deployments),
        kind=kind,
        account=to_checksum_address(account) if is_address(account) else account,
        role=role,
        base_units=base_units,
        remedied_event=remedied_event,
        multiplier=multiplier,
        effective_at=effective_at,
        reason=reason,
        part_of_type="" if part_of is None else part_of._meta.label_lower,
        part_of_id=None if part_of is None else part_of.pk,
        proposed_by=str(actor),
        proposed_at=at,
    )
    checks.require_sound(act, at=at)
    if remedied_event is not None and base_units is not None:
        checks.require_seizable(remedied_event, base_units, deployments=deployments)
    act.save(force_insert=True)
    ContractCall.objects.bulk_create(
        ContractCall(act=act, deployment=deployment) for deployment in deployments
    )
    payload = act_payload(act)
    approvals.propose(action=CONFIRM_ACT, subject=act, payload=payload, actor=actor, at=at)
    audit.record("contract_act.propose", subject=act, actor=actor, at=at, kind=act.kind)
    return act


@transaction.atomic
def confirm_act(
    act_id: UUID,
    *,
    payload_hash: str,
    part_of: models.Model | None = None,
    guard: ActGuard | None = None,
    actor: Actor,
    at: datetime,
) -> ContractAct:
    """Approve an act as a second person; what it changes of who signs, changes with it.

    `payload_hash` is that of the payload which the person saw, `part_of` what the act is confirmed
    with, if it is a part of something. Granting the role of a purpose
    appoints the account, revoking it retires the account in use: no signature comes between.

    Raises:
        ActMissing: if there is no such act.
        ActPartOfAnother: if it is a part of something else than `part_of`.
        IllegalTransition: if it does not wait for a second person.
        ActNotSound: if its time has passed.
        ActMustWait: if `guard` refuses it now.
        ProposalChanged: if the person saw something else.
        PersonRequired, SamePerson: if `actor` is nobody's login, or the proposer's.
        SignerInUse, SignerRetired: if the account cannot be appointed.
    """
    act = _lock(act_id)
    checks.require_part_of(act, part_of)
    ActStep.CONFIRM.value.check(ActState(act.state))
    checks.require_ahead(act, at=at)
    if act.kind == IntentKind.REVOKE_ROLE:
        checks.require_admin_stays(act)
    if guard is not None:
        guard(act)
    proposal = _proposal_of(act)
    if payload_hash != proposal.payload_hash:
        raise ProposalChanged(
            "This is not what was proposed; read it again.",
            proposed=proposal.payload_hash,
            found=payload_hash[:64],
        )
    approvals.confirm(proposal.pk, payload=act_payload(act), actor=actor, at=at)
    _take(ActStep.CONFIRM, act, actor=actor, at=at)
    _change_signers(act, actor=actor, at=at)
    return act


@transaction.atomic
def decline_act(
    act_id: UUID,
    *,
    reason: str,
    part_of: models.Model | None = None,
    actor: Actor,
    at: datetime,
) -> ContractAct:
    """Give an act up that is only proposed; its proposer may do so, too.

    `part_of` is what the act is declined with, if it is a part of something.

    Raises:
        ActMissing: if there is no such act.
        ActPartOfAnother: if it is a part of something else than `part_of`.
        IllegalTransition: if it does not wait for a second person.
        PersonRequired: if `actor` is nobody's login.
    """
    act = _lock(act_id)
    checks.require_part_of(act, part_of)
    ActStep.DECLINE.value.check(ActState(act.state))
    approvals.decline(_proposal_of(act).pk, reason=reason, actor=actor, at=at)
    return _take(ActStep.DECLINE, act, actor=actor, at=at, stopped_reason=reason)


@transaction.atomic
def void_act(
    act_id: UUID, *, reason: str, part_of: models.Model, actor: Actor, at: datetime
) -> ContractAct:
    """Give an act up that is only proposed, since what it is a part of has gone on without it.

    That decides it, and no person, so the house itself may do so.

    Raises:
        ActMissing: if there is no such act.
        ActPartOfAnother: if it is a part of something else than `part_of`.
        IllegalTransition: if it does not wait for a second person.
    """
    act = _lock(act_id)
    checks.require_part_of(act, part_of)
    ActStep.DECLINE.value.check(ActState(act.state))
    approvals.void_open(subject=act, action=CONFIRM_ACT, reason=reason, actor=actor, at=at)
    return _take(ActStep.DECLINE, act, actor=actor, at=at, stopped_reason=reason)


@transaction.atomic
def sign_call(
    call_id: UUID,
    *,
    signer: Signer,
    prepared: Prepared,
    guard: ActGuard | None = None,
    actor: Actor,
    at: datetime,
) -> TransactionIntent:
    """Commit ourselves to what an approved act does to one contract; nothing is sent yet.

    `prepared` is what the chain said before. With the last call, the act is sent.

    Raises:
        IllegalTransition: if the act is not approved.
        ActChanged: if it is not to the byte what was approved.
        ActMustWait: if `guard` refuses it now.
        TransactionAlreadyIntended, SignerMismatch, SignerRetired, FeesTooHigh: as `sign`.
    """
    call, act = _lock_call(call_id)
    ActStep.SEND.value.check(ActState(act.state))
    _require_as_approved(act)
    if guard is not None:
        guard(act)
    intent = sign(
        deployment=call.deployment,
        call=calls.of_act(call),
        request_id=call.pk,
        signer=signer,
        prepared=prepared,
        actor=actor,
        at=at,
    )
    call.intent, call.refusal = intent, ""
    call.save(update_fields=["intent", "refusal"])
    if not selectors.unsigned_calls(act).exists():
        _take(ActStep.SEND, act, actor=actor, at=at)
    return intent


@transaction.atomic
def note_refusal(call_id: UUID, *, reason: str, actor: Actor, at: datetime) -> ContractCall:
    """Record why a call is not signed yet, by the contract or by us; it is asked again."""
    call, _ = _lock_call(call_id)
    if call.intent is None and call.refusal != reason[:REASON_LENGTH]:
        call.refusal = reason[:REASON_LENGTH]
        call.save(update_fields=["refusal"])
        audit.record("contract_call.refuse", subject=call, actor=actor, at=at, reason=reason)
    return call


@transaction.atomic
def complete_act(act_id: UUID, *, actor: Actor, at: datetime) -> ContractAct:
    """End an act of whose calls each is final.

    Raises:
        ActMissing: if there is no such act.
        IllegalTransition: if not all of it is signed, or it has ended.
        ActUnderWay: if one of its calls is not final.
    """
    act = _lock(act_id)
    ActStep.COMPLETE.value.check(ActState(act.state))
    intents = _intents_of(act)
    if any(intent.state != IntentState.FINAL for intent in intents):
        raise errors.ActUnderWay(f"{act}: a transaction of it is not final.")
    for intent in intents:
        record_booked(intent, actor=actor, at=at)
    return _take(ActStep.COMPLETE, act, actor=actor, at=at)


@transaction.atomic
def fail_act(act_id: UUID, *, reason: str, actor: Actor, at: datetime) -> ContractAct:
    """End an act that was not carried out on each of its contracts, and will not be.

    Before all of it is signed, it is given up so: what is not signed then never is.

    Raises:
        ActMissing: if there is no such act.
        IllegalTransition: if it is not approved, or has ended.
        ActUnderWay: if the chain may still carry a call out, or has carried out all.
    """
    act = _lock(act_id)
    ActStep.FAIL.value.check(ActState(act.state))
    intents = _intents_of(act)
    if any(intent.state in LIVE_STATES for intent in intents):
        raise errors.ActUnderWay(f"{act}: a transaction of it may still be carried out.")
    if act.state == ActState.SENT and not any(each.state in FAILED_STATES for each in intents):
        raise errors.ActUnderWay(f"{act}: each transaction of it is final.")
    for intent in intents:
        if intent.state == IntentState.FINAL:
            record_booked(intent, actor=actor, at=at)
    return _take(ActStep.FAIL, act, actor=actor, at=at, stopped_reason=reason[:REASON_LENGTH])


def _change_signers(act: ContractAct, *, actor: Actor, at: datetime) -> None:
    """Have an approved act say at once whom we let sign."""
    match act.kind:
        case IntentKind.GRANT_ROLE:
            appoint_signer(
                network=act.network,
                purpose=SignerPurpose(act.role),
                address=act.account,
                actor=actor,
                at=at,
            )
        case IntentKind.REVOKE_ROLE:
            purpose = SignerPurpose(act.role)
            in_use = selectors.signer_in_use(act.network, purpose)
            if in_use is not None and in_use.address == act.account:
                retire_signer(
                    network=act.network, purpose=purpose, reason=act.reason, actor=actor, at=at
                )


def _require_as_approved(act: ContractAct) -> None:
    approval = approvals_of.newest_approval(act, CONFIRM_ACT)
    assert approval is not None, "an act is approved by the confirmation of its proposal"
    found = canonical.sha256(act_payload(act))
    if approval.payload_hash != found:
        raise errors.ActChanged(
            f"{act} is not what was approved.", approved=approval.payload_hash, found=found
        )


def _proposal_of(act: ContractAct) -> Proposal:
    proposal = approvals_of.open_proposal(act, CONFIRM_ACT)
    assert proposal is not None, "an act is proposed and waits for as long as its proposal"
    return proposal


def _intents_of(act: ContractAct) -> list[TransactionIntent]:
    return list(TransactionIntent.objects.filter(contract_call__act=act).order_by("pk"))


def _lock(act_id: UUID) -> ContractAct:
    act = (
        ContractAct.objects.select_for_update(of=("self",))
        .select_related("network", "remedied_event")
        .filter(pk=act_id)
        .first()
    )
    if act is None:
        raise errors.ActMissing(f"There is no contract act {act_id}.")
    return act


def _lock_call(call_id: UUID) -> tuple[ContractCall, ContractAct]:
    """Return a call as it is once its act is locked, and the act."""
    act = _lock(ContractCall.objects.values_list("act_id", flat=True).get(pk=call_id))
    call = ContractCall.objects.select_related(
        "act__network", "deployment__network", "deployment__token"
    ).get(pk=call_id)
    return call, act


def _take(
    step: ActStep, act: ContractAct, *, actor: Actor, at: datetime, **columns: Any
) -> ContractAct:
    """Take a step with a locked act: the only writer of `state`.

    The row, its `ContractActTransition` and the audit event are committed together or not at all.
    """
    require_transaction()
    origin = ActState(act.state)
    step.value.check(origin)
    act.state = step.value.destination
    for name, value in columns.items():
        setattr(act, name, value)
    act.save(update_fields=["state", *columns])
    ContractActTransition.objects.create(
        act=act,
        step=step.name,
        origin=origin,
        destination=act.state,
        actor=str(actor),
        occurred_at=at,
    )
    audit.record(f"contract_act.{step.name.lower()}", subject=act, actor=actor, at=at)
    return act
