"""Contract acts for tests, brought where they stand by the services."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from issuer.chain import selectors, services
from issuer.chain.models import ContractAct, TransactionIntent
from issuer.chain.services import Prepared
from issuer.chain.states import (
    MOVES_SUPPLY,
    PURPOSES,
    ActState,
    EventKind,
    IntentKind,
    IntentState,
    SignerPurpose,
)
from issuer.foundation.actors import Actor, system
from issuer.instruments.models import Deployment
from issuer.people.roles import Role
from tests.make import chain, instruments, parties, people

AT: Final = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def act(
    deployments: Sequence[Deployment] = (),
    *,
    kind: IntentKind = IntentKind.BLOCK_ADDRESS,
    state: ActState = ActState.PROPOSED,
    at: datetime = AT,
    **terms: Any,
) -> ContractAct:
    """Return an act of two persons; what `terms` do not say is made up."""
    deployments = list(deployments) or [instruments.deployment()]
    row = services.propose_act(
        kind=kind,
        deployments=deployments,
        reason="It was agreed upon.",
        actor=people.staff_actor(Role.OPERATIONS_OFFICER),
        at=at,
        **terms_of(kind, deployments[0], at=at) | terms,
    )
    if state == ActState.DECLINED:
        approver = people.staff_actor(Role.APPROVER)
        return services.decline_act(row.pk, reason="Not now.", actor=approver, at=at)
    if state != ActState.PROPOSED:
        row = confirm(row, at=at)
    if state in (ActState.SENT, ActState.DONE, ActState.FAILED):
        sign(row, at=at)
    if state == ActState.DONE:
        finalize(row)
        services.complete_act(row.pk, actor=system("make"), at=at)
    if state == ActState.FAILED:
        end(row, IntentState.DROPPED)
        services.fail_act(row.pk, reason="It was dropped.", actor=system("make"), at=at)
    row.refresh_from_db()
    return row


def terms_of(kind: IntentKind, deployment: Deployment, *, at: datetime = AT) -> dict[str, Any]:
    """Return what an act of a kind needs."""
    match kind:
        case IntentKind.SEIZE:
            event = chain.event(deployment, base_units=5 * chain.ONE)
            return {
                "account": event.address,
                "base_units": event.base_units,
                "remedied_event": event,
            }
        case IntentKind.GRANT_ROLE | IntentKind.REVOKE_ROLE:
            return {"account": parties.evm_address(), "role": SignerPurpose.MINTER}
        case IntentKind.SCHEDULE_MULTIPLIER:
            return {"multiplier": Decimal(4), "effective_at": at + timedelta(days=1)}
        case IntentKind.PAUSE | IntentKind.UNPAUSE:
            return {}
        case _:
            return {"account": parties.evm_address()}


def hash_of(row: ContractAct) -> str:
    """Return the hash of what is proposed."""
    proposal = selectors.open_proposal(row)
    assert proposal is not None
    return proposal.payload_hash


def confirm(row: ContractAct, *, actor: Actor | None = None, at: datetime = AT) -> ContractAct:
    """Confirm an act as another person."""
    actor = actor or people.staff_actor(Role.APPROVER)
    return services.confirm_act(row.pk, payload_hash=hash_of(row), actor=actor, at=at)


def sign(row: ContractAct, *, at: datetime = AT) -> list[TransactionIntent]:
    """Sign each call of an approved act, as a chain without any news would have it."""
    purpose = PURPOSES[IntentKind(row.kind)]
    chain.signer_account(row.network, purpose)
    return [
        services.sign_call(
            call.pk,
            signer=chain.signer(chain.KEYS[purpose]),
            prepared=Prepared(fees=chain.FEES, chain_nonce=0),
            actor=system("make"),
            at=at,
        )
        for call in selectors.unsigned_calls(row)
    ]


def finalize(row: ContractAct) -> None:
    """Let the chain carry out what of an act is signed, in final blocks."""
    for intent in TransactionIntent.objects.filter(contract_call__act=row):
        event = None
        if intent.kind in MOVES_SUPPLY:
            event = chain.event(
                intent.deployment,
                kind=EventKind.BURN,
                address=intent.account,
                base_units=intent.base_units,
                request_id=intent.request_id,
                transaction_hash=intent.attempts.get().transaction_hash,
            )
        TransactionIntent.objects.filter(pk=intent.pk).update(state=IntentState.FINAL, event=event)


def end(row: ContractAct, state: IntentState) -> None:
    """Let the chain revert or drop what of an act is signed."""
    TransactionIntent.objects.filter(contract_call__act=row).update(
        state=state, failure="The chain did not carry it out."
    )
