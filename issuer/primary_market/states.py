"""Where requests, deposits and their returns stand, and what can happen to them."""

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

    A signed mint cannot be frozen: the chain may carry it out whatever we wish. If it may no
    longer go out, it is cancelled there first, which takes the request back. A frozen request
    goes on from where no shares are held for it, so that it is looked at again.
    """

    ACCEPT = Transition(frozenset({_S.REQUESTED}), _S.ACCEPTED)
    CONFIRM_FUNDING = Transition(frozenset({_S.ACCEPTED}), _S.FUNDED)
    APPROVE = Transition(frozenset({_S.FUNDED}), _S.APPROVED)
    WITHDRAW_APPROVAL = Transition(frozenset({_S.APPROVED}), _S.FUNDED)
    SIGN_MINT = Transition(frozenset({_S.APPROVED}), _S.MINTING)
    REVERT_MINT = Transition(frozenset({_S.MINTING}), _S.APPROVED)
    DROP_MINT = Transition(frozenset({_S.MINTING}), _S.APPROVED)
    CANCEL_MINT = Transition(frozenset({_S.MINTING}), _S.APPROVED)
    COMPLETE = Transition(frozenset({_S.MINTING}), _S.COMPLETED)
    REJECT = Transition(_UNFUNDED, _S.REJECTED)
    CANCEL = Transition(_UNFUNDED, _S.CANCELLED)
    EXPIRE = Transition(_UNFUNDED, _S.EXPIRED)
    FREEZE = Transition(_UNFUNDED | {_S.FUNDED, _S.APPROVED}, _S.FROZEN)
    UNFREEZE_REQUESTED = Transition(frozenset({_S.FROZEN}), _S.REQUESTED)
    UNFREEZE_ACCEPTED = Transition(frozenset({_S.FROZEN}), _S.ACCEPTED)
    UNFREEZE_FUNDED = Transition(frozenset({_S.FROZEN}), _S.FUNDED)
    # New terms after a split. What was approved has to be approved again; a mint under way is of
    # as many tokens as before.
    REQUOTE_REQUESTED = Transition(frozenset({_S.REQUESTED}), _S.REQUESTED)
    REQUOTE_ACCEPTED = Transition(frozenset({_S.ACCEPTED}), _S.ACCEPTED)
    REQUOTE_FUNDED = Transition(frozenset({_S.FUNDED, _S.APPROVED}), _S.FUNDED)
    REQUOTE_MINTING = Transition(frozenset({_S.MINTING}), _S.MINTING)
    REQUOTE_FROZEN = Transition(frozenset({_S.FROZEN}), _S.FROZEN)


FINAL_STATES = final_states(IssuanceState, IssuanceStep)


class RedemptionState(models.TextChoices):
    """Where a redemption request stands."""

    REQUESTED = "REQUESTED", "Requested"
    AWAITING_TOKENS = "AWAITING_TOKENS", "Accepted, waits for tokens"
    RECEIVED = "RECEIVED", "Received"  # all its tokens are at the deposit address, finally
    APPROVED = "APPROVED", "Approved"  # by two persons
    BURNING = "BURNING", "Burning"  # the burn is signed and not yet booked
    BURNED = "BURNED", "Burned"  # the shares are owed to the participant by name
    DELIVERING = "DELIVERING", "Delivering"  # the custodian is instructed
    COMPLETED = "COMPLETED", "Completed"
    REJECTED = "REJECTED", "Rejected"
    CANCELLED = "CANCELLED", "Cancelled"
    EXPIRED = "EXPIRED", "Expired"
    QUARANTINED = "QUARANTINED", "Quarantined"  # its tokens are here, and may not be touched
    FROZEN = "FROZEN", "Frozen"
    RETURNED = "RETURNED", "Returned"


_R = RedemptionState
_OPEN = frozenset({_R.REQUESTED, _R.AWAITING_TOKENS})
_UNBURNED = _OPEN | {_R.RECEIVED, _R.APPROVED}


@unique
class RedemptionStep(Enum):
    """Everything that can happen to a redemption request, and when it may.

    A signed burn cannot be stopped: the chain may carry it out whatever we wish. Shares that are
    owed for a burn can be, until the custodian is instructed. What ends with tokens of it here is
    returned, once two persons have approved that.
    """

    ACCEPT = Transition(frozenset({_R.REQUESTED}), _R.AWAITING_TOKENS)
    RECEIVE = Transition(frozenset({_R.AWAITING_TOKENS}), _R.RECEIVED)
    APPROVE = Transition(frozenset({_R.RECEIVED}), _R.APPROVED)
    WITHDRAW_APPROVAL = Transition(frozenset({_R.APPROVED}), _R.RECEIVED)
    SIGN_BURN = Transition(frozenset({_R.APPROVED}), _R.BURNING)
    REVERT_BURN = Transition(frozenset({_R.BURNING}), _R.APPROVED)
    DROP_BURN = Transition(frozenset({_R.BURNING}), _R.APPROVED)
    BOOK_BURN = Transition(frozenset({_R.BURNING}), _R.BURNED)
    INSTRUCT_DELIVERY = Transition(frozenset({_R.BURNED}), _R.DELIVERING)
    COMPLETE = Transition(frozenset({_R.DELIVERING}), _R.COMPLETED)
    LOSE_DELIVERY = Transition(frozenset({_R.DELIVERING}), _R.FROZEN)
    REJECT = Transition(_OPEN | {_R.RECEIVED}, _R.REJECTED)
    CANCEL = Transition(_OPEN, _R.CANCELLED)
    EXPIRE = Transition(_OPEN, _R.EXPIRED)
    FREEZE = Transition(_OPEN | {_R.BURNED}, _R.FROZEN)
    QUARANTINE = Transition(_UNBURNED, _R.QUARANTINED)
    UNFREEZE_REQUESTED = Transition(frozenset({_R.FROZEN, _R.QUARANTINED}), _R.REQUESTED)
    UNFREEZE_AWAITING = Transition(frozenset({_R.FROZEN, _R.QUARANTINED}), _R.AWAITING_TOKENS)
    UNFREEZE_RECEIVED = Transition(frozenset({_R.QUARANTINED}), _R.RECEIVED)
    UNFREEZE_BURNED = Transition(frozenset({_R.FROZEN}), _R.BURNED)
    RETURN = Transition(
        frozenset({_R.REJECTED, _R.CANCELLED, _R.EXPIRED, _R.QUARANTINED}), _R.RETURNED
    )
    # New terms after a split, as for an issuance.
    REQUOTE_REQUESTED = Transition(frozenset({_R.REQUESTED}), _R.REQUESTED)
    REQUOTE_AWAITING = Transition(frozenset({_R.AWAITING_TOKENS}), _R.AWAITING_TOKENS)
    REQUOTE_RECEIVED = Transition(frozenset({_R.RECEIVED, _R.APPROVED}), _R.RECEIVED)
    REQUOTE_BURNING = Transition(frozenset({_R.BURNING}), _R.BURNING)
    REQUOTE_BURNED = Transition(frozenset({_R.BURNED}), _R.BURNED)
    REQUOTE_DELIVERING = Transition(frozenset({_R.DELIVERING}), _R.DELIVERING)
    REQUOTE_QUARANTINED = Transition(frozenset({_R.QUARANTINED}), _R.QUARANTINED)
    REQUOTE_FROZEN = Transition(frozenset({_R.FROZEN}), _R.FROZEN)


#: A request in one of these needs nobody any more, but for tokens of it that are to go back.
ENDED_STATES = frozenset({_R.COMPLETED, _R.REJECTED, _R.CANCELLED, _R.EXPIRED, _R.RETURNED})
#: In these, tokens that were counted for a request are not its own any more: they go back.
GIVEN_UP_STATES = frozenset({_R.REJECTED, _R.CANCELLED, _R.EXPIRED, _R.QUARANTINED, _R.RETURNED})
#: In these, a request may still receive tokens.
RECEIVING_STATES = _OPEN


class DepositState(models.TextChoices):
    """What is to become of tokens that came to a deposit address."""

    MATCHED = "MATCHED", "Matched"
    UNMATCHED = "UNMATCHED", "Unmatched"  # a part of it, at least, waits for a person
    QUARANTINED = "QUARANTINED", "Quarantined"
    RETURNING = "RETURNING", "Returning"  # two persons approved it
    RETURNED = "RETURNED", "Returned"


class DepositCause(models.TextChoices):
    """Why a deposit, or a part of it, is not simply matched."""

    UNKNOWN_SENDER = "UNKNOWN_SENDER", "No participant has bound the sender's wallet"
    UNBOUND_WALLET = "UNBOUND_WALLET", "The wallet is not bound any more"
    NOTHING_OPEN = "NOTHING_OPEN", "The sender has no open redemption"
    WRONG_TOKEN = "WRONG_TOKEN", "The sender's open redemptions are of other tokens or networks"
    FROZEN_SENDER = "FROZEN_SENDER", "The sender may not be dealt with"
    SURPLUS = "SURPLUS", "More than the redemption is of"
    AMBIGUOUS = "AMBIGUOUS", "Several open redemptions, none of exactly this quantity"
    REQUEST_ENDED = "REQUEST_ENDED", "Its redemption ended before its tokens were burned"


_D = DepositState


@unique
class DepositStep(Enum):
    """Everything that can happen to a deposit; tokens that went back leave the rest waiting."""

    ASSIGN = Transition(frozenset({_D.UNMATCHED, _D.QUARANTINED}), _D.MATCHED)
    QUEUE = Transition(
        frozenset({_D.MATCHED, _D.UNMATCHED, _D.QUARANTINED, _D.RETURNING, _D.RETURNED}),
        _D.UNMATCHED,
    )
    QUARANTINE = Transition(
        frozenset({_D.MATCHED, _D.UNMATCHED, _D.QUARANTINED, _D.RETURNED}), _D.QUARANTINED
    )
    CLEAR = Transition(frozenset({_D.QUARANTINED}), _D.UNMATCHED)
    LEAVE_RETURNED = Transition(frozenset({_D.QUARANTINED}), _D.RETURNED)
    APPROVE_RETURN = Transition(frozenset({_D.UNMATCHED, _D.QUARANTINED}), _D.RETURNING)
    COMPLETE_RETURN = Transition(frozenset({_D.RETURNING}), _D.RETURNED)


class ReturnState(models.TextChoices):
    """Where the return of tokens stands."""

    PROPOSED = "PROPOSED", "Proposed"
    APPROVED = "APPROVED", "Approved"
    SIGNED = "SIGNED", "Signed"  # the transfer is signed and not yet final
    RETURNED = "RETURNED", "Returned"
    DECLINED = "DECLINED", "Declined"


_T = ReturnState


@unique
class ReturnStep(Enum):
    """Everything that can happen to a return."""

    CONFIRM = Transition(frozenset({_T.PROPOSED}), _T.APPROVED)
    DECLINE = Transition(frozenset({_T.PROPOSED}), _T.DECLINED)
    SIGN = Transition(frozenset({_T.APPROVED}), _T.SIGNED)
    FAIL = Transition(frozenset({_T.SIGNED}), _T.APPROVED)
    COMPLETE = Transition(frozenset({_T.SIGNED}), _T.RETURNED)


#: A deposit has one of these at most.
OPEN_RETURN_STATES = frozenset({_T.PROPOSED, _T.APPROVED, _T.SIGNED})
