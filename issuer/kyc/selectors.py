"""Questions about who may be dealt with."""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q, QuerySet

from issuer.kyc import errors
from issuer.kyc.models import Case
from issuer.kyc.states import CLEARED_STATES, CaseState
from issuer.parties.models import LegalEntity

#: How long before its end an approval is due for renewal.
RENEWAL_NOTICE: Final = timedelta(days=60)


def case_of(entity: LegalEntity) -> Case | None:
    """Return the one case of `entity`, if it was opened."""
    return Case.objects.filter(entity=entity).first()


def require_cleared(entity: LegalEntity, at: datetime) -> Case:
    """Return the case of `entity` if it is cleared at `at`; days are those of UTC.

    The day counts besides the state, so that an approval ends on time even if nobody notes it.

    Raises:
        KycNotCleared: if there is no case, it is not approved, or the approval is over.
    """
    case = case_of(entity)
    if case is None:
        raise errors.KycNotCleared(f"{entity} has no KYC case.", state="NONE", valid_until="")
    valid_until = case.valid_until.isoformat() if case.valid_until else ""
    in_time = case.valid_until is not None and at.date() <= case.valid_until
    if case.state not in CLEARED_STATES or not in_time:
        state = CaseState(case.state)
        detail = f"The KYC of {entity} is: {state.label}"
        detail += f", until {valid_until}." if valid_until else "."
        raise errors.KycNotCleared(detail, state=state.value, valid_until=valid_until)
    return case


def expired(at: datetime) -> QuerySet[Case]:
    """Return the cases whose approval is over at `at`, though their state does not say so."""
    return Case.objects.filter(state__in=sorted(CLEARED_STATES), valid_until__lt=at.date())


def renewals_due(at: datetime) -> QuerySet[Case]:
    """Return the approved cases that end within the notice, though their state does not say so."""
    return Case.objects.filter(
        state=CaseState.APPROVED,
        valid_until__gte=at.date(),
        valid_until__lte=(at + RENEWAL_NOTICE).date(),
    )


def waiting_for_compliance() -> QuerySet[Case]:
    """Return the cases that wait for an officer: to be reviewed, or to be renewed."""
    waiting = Q(state__in=[CaseState.NEW, CaseState.REVIEW, CaseState.RENEWAL_DUE])
    return Case.objects.filter(waiting).select_related("entity").order_by("opened_at", "id")
