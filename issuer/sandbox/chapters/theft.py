"""The thief: tokens past the books, noticed by themselves, and the way back to order."""

import secrets
import time
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from issuer.attestation.models import Attestation
from issuer.chain import token_contract
from issuer.chain.models import ChainEvent, ContractAct
from issuer.chain.states import ActState, IntentKind, SignerPurpose
from issuer.foundation import quantities
from issuer.gate.models import GateState, Hold, Scope
from issuer.instruments.models import Deployment
from issuer.parties.models import Program
from issuer.reconciliation.models import Break
from issuer.reconciliation.selectors import still_seen
from issuer.reconciliation.states import BreakCode, BreakState
from issuer.reserves.cover import CoverStatus
from issuer.sandbox import cast, contracts, pager
from issuer.sandbox.chains import FIRST, SECOND
from issuer.sandbox.chapters.main_job import reconcile
from issuer.sandbox.chapters.statement import check, download, published
from issuer.sandbox.stage import Document, Stage, StoryStuck, partner_wallet

STOLEN: Final = "5"
_ACTS: Final = "/admin/chain/contractact"
_BREAKS: Final = "/admin/reconciliation/break"
_GATES: Final = "/admin/gate/scope"
#: What is gone once the stolen tokens are.
_OF_THE_TOKENS: Final = (BreakCode.UNA_MINT, BreakCode.SUP_OVER, BreakCode.BAK_SHORT)


def tell(stage: Stage) -> None:
    """Tell it.

    Raises:
        StoryStuck: if something does not happen in time, or happens otherwise.
        DoorStuck: if a door does not behave as expected.
    """
    deployment = Deployment.objects.get(token__symbol=cast.STOLEN, network__caip2=SECOND.caip2)
    heard = len(pager.received())
    _steal(stage, deployment)
    _notice(stage, heard)
    _seize(stage, deployment)
    _refuse_to_resume(stage)
    _change_the_key(stage, deployment)
    _resume(stage)
    reconcile(stage)


def _steal(stage: Stage, deployment: Deployment) -> None:
    stage.begin(f"A thief has the minter's key of {SECOND.name}, and mints {STOLEN} {cast.STOLEN}")
    base_units = quantities.to_base_units(Decimal(STOLEN), decimals=deployment.decimals)
    calldata = token_contract.calldata(
        "mint", cast.THIEF_WALLET, base_units, secrets.token_bytes(32)
    )
    stolen_key = contracts.signer(SECOND, SignerPurpose.MINTER)
    sent = stage.sign_and_send(SECOND, stolen_key, deployment.address, calldata)
    stage.say(f"    {STOLEN} {cast.STOLEN} to {cast.THIEF_WALLET} in {sent}, and final")


def _notice(stage: Stage, heard: int) -> None:
    began = time.monotonic()
    stage.begin("By the beat alone: halted, stated and told")
    reserves = stage.wait_for(
        "the token to be short and halted",
        lambda: _standing(stage, CoverStatus.SHORT, GateState.HALTED),
    )
    shortfall = Decimal(reserves["owed"]) - Decimal(reserves["held"])
    stage.say(
        f"    {cast.STOLEN} owes {reserves['owed']} and holds {reserves['held']}: "
        f"SHORT by {quantities.to_text(shortfall)}"
    )
    for found in Break.objects.filter(state=BreakState.OPEN).order_by("opened_at", "code"):
        stage.say(f"    {found.severity:<9} {found.code:<10} {found.detail}")
    statement = stage.wait_for("the event statement", lambda: _event_statement(stage))
    stage.say(
        f"    statement {statement['sequence']} published by itself: {statement['kind']}, "
        f"{statement['status']}"
    )
    for title in stage.wait_for("the pager to ring", lambda: _rung_since(heard)):
        stage.say(f"    the pager: {title}")
    stage.say(f"    {time.monotonic() - began:.0f} s after the mint was final")
    check(stage, download(stage, statement))
    body = {
        "token": cast.STOLEN,
        "network": FIRST.caip2,
        "wallet": partner_wallet().address,
        "quantity": "1",
        "client_reference": "desk-1047",
    }
    said = stage.partner.refused("issuances", body, key="desk-1047", code="reserve-gate-closed")
    stage.say(f"    refused {said}")


def _seize(stage: Stage, deployment: Deployment) -> None:
    stage.begin("The thief's address is blocked, and what it holds seized: two persons each time")
    event = ChainEvent.objects.get(address=cast.THIEF_WALLET)
    everywhere = Deployment.objects.filter(network=deployment.network)
    _act(stage, IntentKind.BLOCK_ADDRESS, everywhere, account=cast.THIEF_WALLET)
    _act(
        stage,
        IntentKind.SEIZE,
        [deployment],
        account=cast.THIEF_WALLET,
        remedied_event=str(event.pk),
        quantity=STOLEN,
    )


def _refuse_to_resume(stage: Stage) -> None:
    stage.begin("Nobody resumes while the stolen key may still mint")
    program = Scope.objects.get(subject_id=Program.objects.get(code=cast.PROGRAM_CODE).pk)
    stage.wait_for("the seizure to show", lambda: _is_gone(BreakCode.SUP_OVER))
    for code in _OF_THE_TOKENS:
        _close_breaks(stage, code, "The stolen tokens are seized.")
    page = f"{_GATES}/{program.pk}/acts"
    said = stage.officer.send(f"{page}/propose/", explanation="The thief's tokens are seized.")
    stage.say(f"    {cast.OFFICER.name} proposes to resume: {said}")
    if Hold.objects.filter(scope=program, released_at=None).count() == 0:
        raise StoryStuck("The gate was opened with the stolen minter in place.")


def _change_the_key(stage: Stage, deployment: Deployment) -> None:
    stage.begin("The stolen key loses its role on every contract, and a new one gets it")
    everywhere = Deployment.objects.filter(network=deployment.network)
    for kind, successor in ((IntentKind.REVOKE_ROLE, False), (IntentKind.GRANT_ROLE, True)):
        account = contracts.signer(SECOND, SignerPurpose.MINTER, successor=successor).address
        _act(stage, kind, everywhere, account=account, role=SignerPurpose.MINTER.value)


def _resume(stage: Stage) -> None:
    stage.begin("A clean reconciliation, and two persons resume")
    stage.wait_for("the stolen minter to be gone", lambda: _is_gone(BreakCode.CHN_UNK))
    _close_breaks(stage, BreakCode.CHN_UNK, "The stolen key has lost its role.")
    stage.wait_for_run()
    shut = Scope.objects.filter(holds__released_at=None, holds__isnull=False).distinct()
    for scope in shut.order_by("-kind"):  # the token before its program
        page = f"{_GATES}/{scope.pk}/acts"
        stage.by_officer(f"{page}/propose/", explanation="Seized; the key is changed.")
        stage.by_approver(f"{page}/confirm/")
    if Hold.objects.filter(released_at=None).exists():
        raise StoryStuck("Something is still shut.")
    stage.wait_for(
        "the token to be covered and open",
        lambda: _standing(stage, CoverStatus.COVERED, GateState.OPEN),
    )


def _act(stage: Stage, kind: IntentKind, deployments: Iterable[Deployment], **fields: str) -> None:
    """Have two persons order something of contracts, and wait until the chain has done it."""
    stage.by_officer(
        f"{_ACTS}/add/",
        kind=kind.value,
        deployments=[str(deployment.pk) for deployment in deployments],
        reason="The minter's key was stolen.",
        **fields,
    )
    act = ContractAct.objects.latest("proposed_at")
    stage.by_approver(f"{_ACTS}/{act.pk}/acts/confirm/")
    stage.wait_for(f"{kind.label.lower()} to be done", lambda: _is_done(act))


def _close_breaks(stage: Stage, code: BreakCode, explanation: str) -> None:
    """Have two persons agree that the difference is gone, for each open break of `code`."""
    for found in Break.objects.filter(code=code, state=BreakState.OPEN).order_by("opened_at"):
        page = f"{_BREAKS}/{found.pk}/acts"
        stage.by_officer(f"{page}/propose/", explanation=explanation)
        stage.by_approver(f"{page}/confirm/")


def _is_done(act: ContractAct) -> bool:
    act.refresh_from_db()
    if act.state == ActState.FAILED:
        raise StoryStuck(f"{act} failed.")
    return bool(act.state == ActState.DONE)


def _is_gone(code: BreakCode) -> bool:
    """Say whether the newest run finds no break of that code any more."""
    found = Break.objects.filter(code=code, state=BreakState.OPEN)
    return not any(still_seen(one) for one in found)


def _standing(stage: Stage, status: CoverStatus, gate: GateState) -> Document | None:
    """Return the reserves of the token, once they and its gate stand so."""
    reserves = stage.partner.find(f"reserves/{cast.STOLEN}")
    if reserves is None or (reserves["status"], reserves["gate"]["state"]) != (status, gate):
        return None
    return reserves


def _rung_since(heard: int) -> list[str]:
    """Return what the pager has been told after the first `heard`, once that names the theft."""
    titles = list(dict.fromkeys(alert["data"]["title"] for alert in pager.received()[heard:]))
    return titles if any(BreakCode.UNA_MINT in title for title in titles) else []


def _event_statement(stage: Stage) -> Document | None:
    newest = Attestation.objects.order_by("-sequence").first()
    statement = None if newest is None else published(stage, newest.sequence)
    return statement if statement is not None and statement["kind"] == "EVENT" else None
