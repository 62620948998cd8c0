"""Where an issuance request stands, and what can happen to it."""

from enum import Enum, unique

from django.db import models

from issuer.foundation.states import Transition, final_states


class IssuanceState(models.TextChoices):
    """Where an issuance request stands."""

    REQUESTED = "REQUESTED", "Requested"
    ACCEPTED = "ACCEPTED", "Accepted, waits for shares"
    FUNDED = "FUNDED", "Funded"  # the shares have settled in custody
    APPROVED = "APPROVED", "Approved"  # two persons; the shares are held for it
    MINTING = "MINTING", "Minting"  # the mint is signed and not yet booked
    COMPLETED = "COMPLETED", "Completed"
    REJECTED = "REJECTED", "Rejected"
    CANCELLED = "CANCELLED", "Cancelled"
    EXPIRED = "EXPIRED", "Expired"
    FROZEN = "FROZEN", "Frozen"


_S = IssuanceState
_UNFUNDED = frozenset({_S.REQUESTED, _S.ACCEPTED})


@unique
class IssuanceStep(Enum):
    """Everything that can happen to an issuance request, and when it may.

    A signed mint cannot be frozen: the chain may carry it out whatever we wish. A frozen request
    goes back to where no shares are held for it, so that it is looked at again.
    """

    ACCEPT = Transition(frozenset({_S.REQUESTED}), _S.ACCEPTED)
    CONFIRM_FUNDING = Transition(frozenset({_S.ACCEPTED}), _S.FUNDED)
    APPROVE = Transition(frozenset({_S.FUNDED}), _S.APPROVED)
    WITHDRAW_APPROVAL = Transition(frozenset({_S.APPROVED}), _S.FUNDED)
    SIGN_MINT = Transition(frozenset({_S.APPROVED}), _S.MINTING)
    REVERT_MINT = Transition(frozenset({_S.MINTING}), _S.APPROVED)
    DROP_MINT = Transition(frozenset({_S.MINTING}), _S.APPROVED)
    COMPLETE = Transition(frozenset({_S.MINTING}), _S.COMPLETED)
    REJECT = Transition(_UNFUNDED, _S.REJECTED)
    CANCEL = Transition(_UNFUNDED, _S.CANCELLED)
    EXPIRE = Transition(_UNFUNDED, _S.EXPIRED)
    FREEZE = Transition(_UNFUNDED | {_S.FUNDED, _S.APPROVED}, _S.FROZEN)
    UNFREEZE_REQUESTED = Transition(frozenset({_S.FROZEN}), _S.REQUESTED)
    UNFREEZE_ACCEPTED = Transition(frozenset({_S.FROZEN}), _S.ACCEPTED)
    UNFREEZE_FUNDED = Transition(frozenset({_S.FROZEN}), _S.FUNDED)


FINAL_STATES = final_states(IssuanceState, IssuanceStep)
