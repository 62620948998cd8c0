"""Whether what was signed may still go out: its gates, whom it was signed for, and its turn."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from django.db import transaction

from issuer.chain import errors, selectors
from issuer.chain.models import TransactionIntent
from issuer.chain.services import _steps
from issuer.chain.states import CANCELLABLE_STATES, UNSENT_STATES
from issuer.foundation.errors import DomainError, Unavailable
from issuer.gate import services as gate
from issuer.gate.models import GateState, ScopeKind

#: Refuses an intent that whoever asked for it no longer wants at a time.
Guard: TypeAlias = Callable[[TransactionIntent, datetime], None]


@transaction.atomic
def require_wanted(intent_id: UUID, *, guard: Guard | None = None, at: datetime) -> None:
    """Refuse what may go to a block, and may not as things are; asks no node.

    What is refused is to be cancelled. All else passes: what is being cancelled, is in a block or
    has ended.

    Raises:
        GateClosed: if one of its gates is shut.
        NoLongerWanted: if `guard` refuses it.
    """
    require_wanted_now(_steps.lock(intent_id), guard, at)


def require_wanted_now(intent: TransactionIntent, guard: Guard | None, at: datetime) -> None:
    """Refuse as `require_wanted`, of a locked intent; the gates stay as they are meanwhile."""
    if intent.state not in CANCELLABLE_STATES:
        return
    _require_gates(intent)
    if guard is None:
        return
    try:
        guard(intent, at)
    except Unavailable:
        raise  # nobody said that it is not wanted
    except DomainError as refusal:
        raise errors.NoLongerWanted(refusal.detail, code=refusal.code) from refusal


def require_in_turn(intent: TransactionIntent, *, final_nonce: int) -> None:
    """Refuse to send what the node could not carry out next to what was sent before.

    What is behind a gap stays with the node, and goes out when nobody asks any more. That does no
    harm to what does nothing, so what cancels waits for nobody; and what is final is no gap.
    """
    if intent.state not in CANCELLABLE_STATES:
        return
    earlier = selectors.earlier_of_account(intent, final_nonce=final_nonce)
    unsent = earlier.filter(state__in=sorted(UNSENT_STATES)).first()
    if unsent is not None:
        detail = f"Nonce {unsent.nonce} of {intent.signer_account} is not sent yet."
        raise errors.EarlierTransactionUnsent(detail, nonce=str(unsent.nonce))


def _require_gates(intent: TransactionIntent) -> None:
    """Refuse what may not be sent at the gates as they are, and keep them so."""
    scopes = [(ScopeKind(kind), UUID(subject)) for kind, subject in intent.gate_scopes]
    match intent.gate_needed:
        case GateState.OPEN:
            gate.require_open(scopes=scopes)
        case GateState.REDEEM_ONLY:
            gate.require_redeemable(scopes=scopes)
