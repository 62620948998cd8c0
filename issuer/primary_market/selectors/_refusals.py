"""Why an officer cannot do something now, in the words of the service that would refuse it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from issuer.approvals.errors import PersonRequired, ProposalChanged, ProposalOpen, SamePerson
from issuer.approvals.models import Proposal
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError
from issuer.gate import selectors as gate
from issuer.gate.errors import GateClosed
from issuer.gate.models import GateState
from issuer.instruments.models import Deployment
from issuer.primary_market.errors import NotProposed
from issuer.reserves import selectors as reserves

#: What keeps mints from going on, and what keeps burns and returns.
SHUT_FOR_ISSUANCE: Final = (GateState.REDEEM_ONLY, GateState.HALTED)
SHUT_FOR_REDEMPTION: Final = (GateState.HALTED,)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a button is disabled, as the service would say it."""

    code: str
    detail: str


def refusals(asked: list[Callable[[], None]]) -> tuple[Refusal, ...]:
    """Ask each check, and return what was refused."""
    found = []
    for ask in asked:
        try:
            ask()
        except DomainError as refusal:
            found.append(Refusal(refusal.code, refusal.detail))
    return tuple(found)


def shut_gates(deployment: Deployment, effects: tuple[GateState, ...]) -> tuple[Refusal, ...]:
    """Return the holds of `effects` that are in force on what is done with a contract's tokens."""
    scopes = reserves.scopes_of(deployment.token, deployment.network)
    holds = gate.holds_in_force(scopes).filter(effect__in=effects)
    return tuple(Refusal(GateClosed.code, str(hold)) for hold in holds)


def require_person(actor: Actor) -> None:
    """Refuse whoever is nobody's login."""
    if actor.person is None:
        raise PersonRequired(f"{actor} is not the login of a person.")


def require_none_proposed(proposal: Proposal | None) -> None:
    """Refuse if it is proposed already."""
    if proposal is not None:
        raise ProposalOpen(f"{proposal.proposer} has proposed it; another person confirms it.")


def require_another_person(proposal: Proposal | None, actor: Actor) -> None:
    """Refuse if nobody proposed it, or the same person did."""
    if proposal is None:
        raise NotProposed("Nobody has proposed it.")
    if proposal.proposer_id == actor.person:
        raise SamePerson("You proposed this; another person has to confirm it.")


def require_same_payload(proposal: Proposal | None, payload_hash: str) -> None:
    """Refuse if what was proposed is not what would be signed now."""
    if proposal is not None and proposal.payload_hash != payload_hash:
        raise ProposalChanged("What was proposed has changed since; it has to be proposed again.")
