"""What changes a supply; what we tell chains, who signs it, and where it stands."""

from collections.abc import Mapping
from enum import Enum, unique
from typing import Final

from django.db import models

from issuer.foundation.states import Transition, final_states


class EventKind(models.TextChoices):
    """What changed a deployment's supply."""

    MINT = "MINT", "Mint"
    BURN = "BURN", "Burn"


class SignerPurpose(models.TextChoices):
    """What an account signs: each is the holder of one role of the contracts, and of no other."""

    MINTER = "MINTER", "Minter"
    BURNER = "BURNER", "Burner"
    ADMIN = "ADMIN", "Admin"
    PAUSER = "PAUSER", "Pauser"
    SEIZER = "SEIZER", "Seizer"
    MULTIPLIER = "MULTIPLIER", "Multiplier"


class IntentKind(models.TextChoices):
    """What a transaction of ours does."""

    MINT = "MINT", "Mint"
    BURN = "BURN", "Burn"
    SEIZE = "SEIZE", "Seize"
    RETURN = "RETURN", "Return tokens"
    BLOCK_ADDRESS = "BLOCK_ADDRESS", "Block an address"
    UNBLOCK_ADDRESS = "UNBLOCK_ADDRESS", "Unblock an address"
    GRANT_ROLE = "GRANT_ROLE", "Grant a role"
    REVOKE_ROLE = "REVOKE_ROLE", "Revoke a role"
    SCHEDULE_MULTIPLIER = "SCHEDULE_MULTIPLIER", "Schedule a multiplier"
    PAUSE = "PAUSE", "Pause"
    UNPAUSE = "UNPAUSE", "Unpause"


_K = IntentKind

#: Whose account signs what.
PURPOSES: Final[Mapping[IntentKind, SignerPurpose]] = {
    _K.MINT: SignerPurpose.MINTER,
    _K.BURN: SignerPurpose.BURNER,
    _K.SEIZE: SignerPurpose.SEIZER,
    _K.RETURN: SignerPurpose.BURNER,
    _K.BLOCK_ADDRESS: SignerPurpose.PAUSER,
    _K.UNBLOCK_ADDRESS: SignerPurpose.PAUSER,
    _K.GRANT_ROLE: SignerPurpose.ADMIN,
    _K.REVOKE_ROLE: SignerPurpose.ADMIN,
    _K.SCHEDULE_MULTIPLIER: SignerPurpose.MULTIPLIER,
    _K.PAUSE: SignerPurpose.PAUSER,
    _K.UNPAUSE: SignerPurpose.PAUSER,
}
#: What moves the supply: final only with its event, and the contract uses its request up.
MOVES_SUPPLY: Final = frozenset({_K.MINT, _K.BURN, _K.SEIZE})
#: What moves tokens.
MOVES_TOKENS: Final = MOVES_SUPPLY | {_K.RETURN}
#: What concerns no address.
CONCERNS_NOBODY: Final = frozenset({_K.SCHEDULE_MULTIPLIER, _K.PAUSE, _K.UNPAUSE})
CHANGES_ROLE: Final = frozenset({_K.GRANT_ROLE, _K.REVOKE_ROLE})
#: What two persons have to agree on by an act of its own; the rest follows from requests.
ACT_KINDS: Final = frozenset(_K) - {_K.MINT, _K.BURN, _K.RETURN}


class IntentState(models.TextChoices):
    """Where an intent stands. A receipt that is missing is unknown, never a failure."""

    SIGNED = "SIGNED", "Signed, not sent"
    BROADCAST = "BROADCAST", "Sent, not seen in a block"
    MINED = "MINED", "In a block, not final"
    FINAL = "FINAL", "Final, not booked"
    BOOKED = "BOOKED", "Final and booked"
    REVERTED = "REVERTED", "Reverted by the contract"
    DROPPED = "DROPPED", "Its nonce was used by another transaction"
    CANCELLING = "CANCELLING", "To be cancelled"  # the cancellation is signed, and not sent
    CANCEL_SENT = "CANCEL_SENT", "Cancellation sent, not final"
    CANCELLED = "CANCELLED", "Cancelled before any block had it"


_S = IntentState
#: Not in a block as far as we know, and to go there.
_WAITING = frozenset({_S.SIGNED, _S.BROADCAST})
#: What may no longer go out has a replacement that does nothing. Until a final block has one of
#: the two, the outcome is open.
CANCELLING_STATES = frozenset({_S.CANCELLING, _S.CANCEL_SENT})


@unique
class IntentStep(Enum):
    """Everything that can happen to an intent; a reorganization takes it out of its block.

    A cancellation is never given up: one that was outrun goes on if that block is lost.
    """

    BROADCAST = Transition(frozenset({_S.SIGNED}), _S.BROADCAST)
    SEE_MINED = Transition(_WAITING, _S.MINED)
    LOSE_BLOCK = Transition(frozenset({_S.MINED}), _S.BROADCAST)
    FINALIZE = Transition(frozenset({_S.MINED}), _S.FINAL)
    BOOK = Transition(frozenset({_S.FINAL}), _S.BOOKED)
    REVERT = Transition(frozenset({_S.MINED}), _S.REVERTED)
    DROP = Transition(_WAITING | CANCELLING_STATES | {_S.MINED}, _S.DROPPED)
    CANCEL = Transition(_WAITING, _S.CANCELLING)
    SEND_CANCEL = Transition(frozenset({_S.CANCELLING}), _S.CANCEL_SENT)
    OUTRUN_CANCEL = Transition(CANCELLING_STATES, _S.MINED)
    RESUME_CANCEL = Transition(frozenset({_S.MINED}), _S.CANCELLING)
    SEE_CANCELLED = Transition(CANCELLING_STATES, _S.CANCELLED)


FINAL_STATES = final_states(IntentState, IntentStep)
#: The states in which the chain may still carry the transaction out.
LIVE_STATES = _WAITING | CANCELLING_STATES | {_S.MINED}
#: The states in which a node may lack the nonce: nothing of a later one is sent before it.
UNSENT_STATES = frozenset({_S.SIGNED, _S.CANCELLING})
#: The states in which it may be sent, again or for the first time: it, or what cancels it.
SENDABLE_STATES = _WAITING | CANCELLING_STATES
#: The states in which it can still be cancelled.
CANCELLABLE_STATES = _WAITING
#: The states in which the chain has certainly not carried it out, and never will.
FAILED_STATES = frozenset({_S.REVERTED, _S.DROPPED, _S.CANCELLED})


class ActState(models.TextChoices):
    """Where a contract act stands."""

    PROPOSED = "PROPOSED", "Proposed"
    APPROVED = "APPROVED", "Approved, not all signed"
    SENT = "SENT", "All signed"
    DONE = "DONE", "Done"
    FAILED = "FAILED", "Failed"
    DECLINED = "DECLINED", "Declined"


_A = ActState


@unique
class ActStep(Enum):
    """Everything that can happen to a contract act, and when it may."""

    CONFIRM = Transition(frozenset({_A.PROPOSED}), _A.APPROVED)
    DECLINE = Transition(frozenset({_A.PROPOSED}), _A.DECLINED)
    SEND = Transition(frozenset({_A.APPROVED}), _A.SENT)
    COMPLETE = Transition(frozenset({_A.SENT}), _A.DONE)
    FAIL = Transition(frozenset({_A.APPROVED, _A.SENT}), _A.FAILED)


FINAL_ACT_STATES = final_states(ActState, ActStep)
