"""The document of a statement: built from a reconciliation, completed by an approval."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from issuer.attestation import differences, standing
from issuer.attestation.models import Attestation
from issuer.attestation.package import verify_offline
from issuer.attestation.sources import Sources, TokenSources, gather, salted_hash
from issuer.attestation.states import AttestationKind
from issuer.attestation.token_part import Room, TokenPart, second_of
from issuer.foundation import calendars, canonical
from issuer.foundation.quantities import to_text
from issuer.gate import selectors as gates
from issuer.gate.models import GateState, Hold, ScopeKind
from issuer.instruments.models import Network
from issuer.parties.models import Custodian, LegalEntity
from issuer.reconciliation.models import Break, Run
from issuer.reconciliation.states import BreakCode, BreakState
from issuer.reserves.cover import SEVERITY, CoverStatus

SCHEMA: Final = "urn:issuer:attestation:1"
#: How long after the next one is due a statement may still be relied on.
GRACE: Final = timedelta(hours=6)
LIMITS: Final = (
    "The figures of custodians are from the files that they send to the issuer, one source each.",
    "Each chain was read through the issuer's own node.",
    "The lowest cover in the period goes by the newest statement of each custodian at each time.",
    "Only the contracts named here were read; the issuer knows of no others.",
)
ACTIONS: Final[Mapping[str, str]] = {
    "CRITICAL": "Minting halted until two persons have closed it",
    "HIGH": "Minting held shut until it has cleared",
    "MEDIUM": "Under investigation; not counted as backing",
    "INFO": "Headroom is 0 until it has cleared",
}


@dataclass(frozen=True, slots=True)
class Officer:
    """Who prepared or approved a statement: a role, a reference without a name, and when."""

    role: str
    ref: str
    at: datetime

    def as_document(self) -> dict[str, Any]:
        """Return the officer as a document names them."""
        return {"role": self.role, "ref": self.ref, "at": second_of(self.at)}


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why a statement is made; a correction names the statement that it corrects, and why."""

    kind: AttestationKind
    corrects: Attestation | None = None
    reason: str = ""


def build(
    run: Run, *, previous: Attestation | None, occasion: Occasion, prepared_by: Officer
) -> dict[str, Any]:
    """Return the content of the next statement of a program, which nobody has approved yet.

    An event speaks of the tokens that the statement before spoke of, and lets no chain mint more
    than that one did: of both, people have to speak first. What is better than last stated it
    carries as that.

    Raises:
        NothingToAttest: if the program has published no criteria, or the run has no tokens.
    """
    before: dict[str, Any] | None = None
    if previous is not None:
        before = json.loads(bytes(previous.document or b""))
    last: dict[str, dict[str, Any]] = {}
    kept: frozenset[str] = frozenset()
    if occasion.kind == AttestationKind.EVENT and previous is not None and before is not None:
        last = verify_offline.last_stated(before, previous.sha256)
        kept = _held_back(run, before)
    sources = gather(run, previous=previous, only=last)
    parts = _parts(sources, last)
    tokens = [part.as_document() for symbol, part in parts.items() if symbol not in kept]
    carried = [
        part.as_carried(last[symbol], since=sources.since)
        for symbol, part in parts.items()
        if symbol in kept
    ]
    statuses = {CoverStatus(entry["status"]) for entry in (*tokens, *carried)}
    return {
        **_heading(sources, previous, occasion),
        "cutoff": _cutoff(sources, occasion),
        "period": {
            "from": second_of(sources.since),
            "to": second_of(run.as_of),
            "late": before is not None and second_of(run.as_of) > before["nextDue"],
        },
        "published": None,
        **_validity(run.as_of, statuses, occasion, before),
        "chains": _chains(parts.values()),
        "status": max(statuses, key=SEVERITY.index),
        "tokens": tokens,
        "notRestated": carried,
        "breaks": [
            _break(one, part, anew=part.token.symbol not in kept)
            for part in sources.tokens
            for one in part.breaks
        ],
        "halts": _halts(sources),
        "ledger": {
            "entries": sources.entries,
            "headCommitment": None,
            "trialBalance": to_text(sources.trial_balance),
            "log": None,
        },
        "controls": _controls(prepared_by),
        "evidence": _evidence(sources),
        "assurance": None,
        "limits": list(LIMITS),
    }


def _heading(sources: Sources, previous: Attestation | None, occasion: Occasion) -> dict[str, Any]:
    """Return what tells the statement from any other: whose it is, its number and its kind."""
    program, criteria = sources.run.program, sources.criteria
    return {
        "schema": SCHEMA,
        "program": program.name,
        "sequence": 1 if previous is None else previous.sequence + 1,
        "prevSha256": None if previous is None else previous.sha256,
        "supersedes": _supersedes(occasion),
        "kind": occasion.kind,
        "issuer": {
            "spv": _entity(program.spv),
            "arranger": _entity(program.arranger),
            "securityAgent": _entity(program.security_agent),
        },
        "custodians": _custodians(sources),
        "criteria": {
            "name": criteria.name,
            "version": criteria.version,
            "sha256": criteria.sha256,
        },
    }


def _controls(prepared_by: Officer) -> dict[str, Any]:
    """Return who made the statement; who approved it is not known yet."""
    return {
        "preparedBy": prepared_by.as_document(),
        "approvedBy": [],
        "contentSha256": None,
        "overrides": 0,
        "buildSha256": None,
        "configSha256": None,
    }


def _parts(sources: Sources, last: Mapping[str, Mapping[str, Any]]) -> dict[str, TokenPart]:
    """Return what writes the part of each token, by its symbol; nothing better than in `last`."""
    return {
        part.token.symbol: TokenPart(
            part, _rooms(last[part.token.symbol]) if part.token.symbol in last else None
        )
        for part in sources.tokens
    }


def _rooms(entry: Mapping[str, Any]) -> dict[str, Room]:
    """Return what was last said of the minting of a token on each chain."""
    return {
        room["chain"]: Room(GateState(room["state"]), Decimal(room["tokens"]))
        for room in entry["mint"]["headroom"]
    }


def _held_back(run: Run, before: Mapping[str, Any]) -> frozenset[str]:
    """Return the symbols of the tokens that only people may state anew after `before`.

    What the reconciliation does not speak of is not among them.
    """
    said, found = standing.stated(before), standing.found(run)
    return frozenset(
        symbol for symbol in said.keys() & found.keys() if found[symbol].takes_people(said[symbol])
    )


def complete(content: Mapping[str, Any], *, approved_by: Officer | None) -> dict[str, Any]:
    """Return the document that is signed: `content` with its approval, and the hash of what it was.

    It is published when it is approved, to the second; what nobody has to approve, when it was
    made.
    """
    approval = [] if approved_by is None else [approved_by.as_document()]
    controls = {
        **content["controls"],
        "approvedBy": approval,
        "contentSha256": verify_offline.content_sha256(content),
    }
    published = (approval or [controls["preparedBy"]])[0]["at"]
    return {**content, "published": published, "controls": controls}


def _supersedes(occasion: Occasion) -> dict[str, Any] | None:
    if occasion.corrects is None:
        return None
    return {
        "sequence": occasion.corrects.sequence,
        "sha256": occasion.corrects.sha256,
        "reason": occasion.reason,
    }


def _validity(
    as_of: datetime,
    statuses: Collection[CoverStatus],
    occasion: Occasion,
    before: Mapping[str, Any] | None,
) -> dict[str, str]:
    """Return until when a statement may be relied on, and when the next one is due.

    What is not known of any token, or stated without people, extends nothing: at most what the
    statement before promised still holds. Nor does an event put off what was due.
    """
    day = calendars.next_settlement_day(as_of.date())
    next_due = as_of + timedelta(days=(day - as_of.date()).days)
    until, due = second_of(next_due + GRACE), second_of(next_due)
    unattended = occasion.kind == AttestationKind.EVENT
    if CoverStatus.UNKNOWN in statuses or unattended:
        promised = second_of(as_of) if before is None else before["validUntil"]
        until = max(second_of(as_of), min(until, promised))
    if unattended and before is not None:
        due = before["nextDue"]
    return {"validUntil": until, "nextDue": due}


def _cutoff(sources: Sources, occasion: Occasion) -> dict[str, Any]:
    as_of = sources.run.as_of
    days = [statement.as_of_date for statement in sources.statements]
    return {
        "asOf": second_of(as_of),
        "chosenBy": "EVENT" if occasion.kind == AttestationKind.EVENT else "SCHEDULE",
        "beacon": None,
        "custodyDate": min(max(days, default=as_of.date()), as_of.date()).isoformat(),
        "basis": "SETTLEMENT_DATE",
    }


def _chains(tokens: Iterable[TokenPart]) -> list[dict[str, Any]]:
    """Return each chain with the newest block that figures of it were read at, and who may mint."""
    chains: dict[str, dict[str, Any]] = {}
    minters: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for part in tokens:
        for deployment, snapshot, reason in part.blocks():
            network = deployment.network
            chain = chains.setdefault(network.caip2, _silent_chain(network, reason))
            if snapshot is None:
                continue
            minters[network.caip2][deployment.address] = snapshot.minters
            if snapshot.block_number >= (chain["height"] or 0):
                chain |= {
                    "height": snapshot.block_number,
                    "hash": snapshot.block_hash,
                    "time": second_of(snapshot.block_mined_at),
                    "sourcesAgreed": 1,
                    "reason": None,
                }
    for caip2, by_contract in minters.items():
        chains[caip2]["mintersSha256"] = canonical.sha256(by_contract)
    return [chains[caip2] for caip2 in sorted(chains)]


def _silent_chain(network: Network, reason: str | None) -> dict[str, Any]:
    return {
        "caip2": network.caip2,
        "name": network.name,
        "height": None,
        "hash": None,
        "time": None,
        "finality": "FINALIZED",
        "sourcesAsked": 1,
        "sourcesAgreed": 0,
        "mintersSha256": None,
        "reason": reason,
    }


def _custodians(sources: Sources) -> list[dict[str, Any]]:
    custodians: dict[str, Custodian] = {
        account.custodian.entity.lei: account.custodian
        for part in sources.tokens
        for account in part.accounts
    }
    return [_entity(custodians[lei].entity) for lei in sorted(custodians)]


def _entity(entity: LegalEntity) -> dict[str, Any]:
    return {"name": entity.name, "lei": entity.lei, "jurisdiction": entity.jurisdiction}


def _break(one: Break, part: TokenSources, *, anew: bool) -> dict[str, Any]:
    """Return a break as it stood at the cut-off.

    One whose difference is gone, and which nobody has closed yet, is UNRESOLVED: then OPEN stands
    exactly where the lines show a difference, with its amount. Of a token that is not stated anew
    there are no lines, and no such amount.
    """
    over = one.ended_at is not None and one.ended_at <= part.as_of
    quantity: Decimal | None = one.quantity
    status = one.state if over else BreakState.OPEN
    if one.code in differences.SHOWN_BY_LINES and not anew:
        quantity = None
    elif one.code in differences.SHOWN_BY_LINES and not over:
        shown = differences.shown(part.result, BreakCode(one.code))
        if shown is not None and not shown:
            status = "UNRESOLVED"
        else:
            quantity = shown or quantity
    return {
        "id": str(one.pk),
        "code": one.code,
        "symbol": one.token.symbol,
        "severity": one.severity,
        "qty": None if quantity is None else to_text(abs(quantity)),
        "opened": second_of(one.opened_at),
        "status": status,
        "action": ACTIONS[one.severity],
        "explanation": one.explanation or one.detail or None,
    }


def _halts(sources: Sources) -> list[dict[str, Any]]:
    """Return the holds of the period that concern the program, each once, oldest first."""
    concerning = {hold.pk: hold for part in sources.tokens for hold in part.holds}
    in_order = sorted(concerning.values(), key=lambda hold: (hold.placed_at, hold.pk))
    scopes = [(ScopeKind(hold.scope.kind), hold.scope.subject_id) for hold in in_order]
    names = gates.scope_names(scopes)
    return [
        _halt(hold, f"{scope[0].label} {names[scope]}", sources.run.as_of)
        for hold, scope in zip(in_order, scopes, strict=True)
    ]


def _halt(hold: Hold, scope: str, as_of: datetime) -> dict[str, Any]:
    over = hold.released_at is not None and hold.released_at <= as_of
    return {
        "scope": f"{scope} ({hold.get_effect_display().lower()})",
        "from": second_of(hold.placed_at),
        "to": second_of(hold.released_at) if over and hold.released_at else None,
        "reason": hold.reason,
        "logIndex": None,
    }


def _evidence(sources: Sources) -> list[dict[str, Any]]:
    return [
        {
            "name": f"Statement {statement.reference} of {statement.custodian}",
            "commitment": salted_hash(statement.pk, bytes(statement.raw)),
            "bytes": len(statement.raw),
            "mediaType": "text/csv",
            "access": "AUDITOR",
        }
        for statement in sources.statements
    ]
