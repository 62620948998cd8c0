"""Where an attestation stands, and what can happen to it."""

from enum import Enum, unique

from django.db import models

from issuer.foundation.states import Transition, final_states


class AttestationKind(models.TextChoices):
    """Why an attestation was made."""

    SCHEDULED = "SCHEDULED", "Scheduled"
    EVENT = "EVENT", "Event: made by itself, because something got worse"
    CORRECTION = "CORRECTION", "Correction of an earlier one"


class AttestationState(models.TextChoices):
    """Where an attestation stands."""

    FROZEN = "FROZEN", "Frozen, waits for review"
    REVIEWED = "REVIEWED", "Ready, waits for signature"
    SIGNED = "SIGNED", "Signed"
    PUBLISHED = "PUBLISHED", "Published"
    SUPERSEDED = "SUPERSEDED", "Superseded"
    DECLINED = "DECLINED", "Declined, never published"


_S = AttestationState


@unique
class AttestationStep(Enum):
    """Everything that can happen to an attestation; none leads to a change of its content."""

    REVIEW = Transition(frozenset({_S.FROZEN}), _S.REVIEWED)
    ADMIT = Transition(frozenset({_S.FROZEN}), _S.REVIEWED)  # an event, which nobody reviews
    DECLINE = Transition(frozenset({_S.FROZEN}), _S.DECLINED)
    WITHDRAW = Transition(frozenset({_S.REVIEWED}), _S.DECLINED)  # nobody has signed it yet
    OVERTAKE = Transition(frozenset({_S.REVIEWED}), _S.DECLINED)  # what got worse goes first
    SIGN = Transition(frozenset({_S.REVIEWED}), _S.SIGNED)
    PUBLISH = Transition(frozenset({_S.SIGNED}), _S.PUBLISHED)
    SUPERSEDE = Transition(frozenset({_S.PUBLISHED}), _S.SUPERSEDED)


FINAL_STATES = final_states(AttestationState, AttestationStep)

#: Nobody may begin another statement of a program while one stands here.
UNDER_WAY = frozenset({_S.FROZEN, _S.REVIEWED, _S.SIGNED})
