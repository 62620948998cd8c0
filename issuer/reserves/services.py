"""Holding shares for requests, so that no two requests use the same ones.

Each of these takes the lock of the token first: what one of them sees free, no other can take
until its transaction ends.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from django.db import transaction

from issuer.audit import services as audit
from issuer.foundation import quantities
from issuer.foundation.actors import Actor
from issuer.foundation.transactions import require_transaction, translating
from issuer.gate import services as gate
from issuer.gate.selectors import ScopeKey
from issuer.instruments import selectors as instruments
from issuer.instruments.models import Token
from issuer.reserves import errors, selectors
from issuer.reserves.cover import Cover
from issuer.reserves.figures import total
from issuer.reserves.models import ShareHold
from issuer.reserves.states import ShareHoldState, ShareHoldStep


def hold_shares(
    *,
    token_id: UUID,
    request_id: UUID,
    quantity: Decimal,
    scopes: Sequence[ScopeKey],
    actor: Actor,
    at: datetime,
) -> ShareHold:
    """Hold `quantity` whole shares of a token for a request, in the caller's transaction.

    Raises:
        GateClosed: if one of the gates `scopes` is shut.
        SharesCountedOtherwise: if a split of the token is effective and not booked.
        CoverUnknown: if a source of the token's cover is missing, stale or in disagreement.
        SharesNotFree: if fewer settled shares are free of what is owed and of what is held.
        SharesHeldAlready: if shares are held for the request.
    """
    require_transaction()
    token = instruments.lock_token(token_id)
    gate.require_open(scopes=scopes)
    instruments.require_counted_as_booked(token, at=at)
    free = _free(token, at=at)
    if quantity > free:
        raise _not_free(token, free=free, needed=quantity)
    held = errors.SharesHeldAlready(f"Shares of {token} are held for {request_id} already.")
    with translating({"share_hold_active_once_per_request": held}):
        hold = ShareHold.objects.create(
            token=token, request_id=request_id, quantity=quantity, held_at=at
        )
    _record("hold", hold, actor=actor, at=at)
    return hold


def require_hold_still_covered(
    request_id: UUID, *, scopes: Sequence[ScopeKey], at: datetime
) -> ShareHold:
    """Refuse unless the shares held for a request are still there; keeps it so for a signature.

    The lock of the token and the shared locks of the gates last until the caller's transaction
    ends.

    Raises:
        ShareHoldMissing: if no shares are held for the request.
        GateClosed: if one of the gates `scopes` is shut.
        SharesCountedOtherwise: if a split of the token is effective and not booked.
        CoverUnknown: if a source of the token's cover is missing, stale or in disagreement.
        SharesNotFree: if the shares of all holds together are not there any more.
    """
    require_transaction()
    hold = _lock(request_id)
    gate.require_open(scopes=scopes)
    instruments.require_counted_as_booked(hold.token, at=at)
    free = _free(hold.token, at=at) + hold.quantity
    if hold.quantity > free:
        raise _not_free(hold.token, free=free, needed=hold.quantity)
    return hold


def require_redeemable(
    *, token_id: UUID, shares: Decimal, scopes: Sequence[ScopeKey], at: datetime
) -> None:
    """Refuse unless `shares` whole shares can be given for tokens that come back; keeps it so.

    For the approval of a burn, and for its signature: a burn holds no shares, for the tokens it
    takes away are owed them already. Those shares must be there and promised to nobody else:
    neither held for an issuance, nor paid for one, nor those of a redemption before this one. What
    the chains say need not be known, nor must the gates be open: they must not be halted. The lock
    of the token and the shared locks of the gates last until the caller's transaction ends.

    Raises:
        GateClosed: if one of the gates `scopes` is halted.
        CoverUnknown: if what the custodians hold is not known.
        SharesNotFree: if fewer settled shares are there that nobody else was promised.
        MultiplierUnknown: if it is not known what an earlier burn stands for.
    """
    require_transaction()
    token = instruments.lock_token(token_id)
    gate.require_redeemable(scopes=scopes)
    cover = selectors.cover_of(token, at=at)
    free = _deliverable(token, cover) - _burning(token, at=at)
    if shares > free:
        raise _not_free(token, free=max(free, Decimal(0)), needed=shares)


def require_deliverable(*, token_id: UUID, at: datetime) -> None:
    """Refuse unless all shares that tokens were burned for, and that are not sent, can be sent.

    For whoever instructs the delivery of some of them, in the same transaction: others' shares are
    not sent in their place.

    Raises:
        CoverUnknown: if what the custodians hold is not known.
        SharesNotFree: if so many are not there that nobody else was promised.
    """
    require_transaction()
    token = instruments.lock_token(token_id)
    cover = selectors.cover_of(token, at=at)
    free = _deliverable(token, cover) + cover.burned_not_delivered
    if cover.burned_not_delivered > free:
        raise _not_free(token, free=max(free, Decimal(0)), needed=cover.burned_not_delivered)


@transaction.atomic
def apply_split(
    token: Token, *, shares_after: int, shares_before: int, actor: Actor, at: datetime
) -> list[ShareHold]:
    """Hold as many more shares for each request as a split has made of those that are held.

    For whoever books the split, in the same transaction. What cannot be divided is rounded up, in
    favor of the request.
    """
    locked = instruments.lock_token(token.pk)
    factor = Fraction(shares_after, shares_before)
    holds = list(
        ShareHold.objects.select_for_update()
        .filter(token=locked, state=ShareHoldState.ACTIVE)
        .order_by("pk")
    )
    for hold in holds:
        hold.token = locked
        hold.quantity = quantities.scaled_rounded_up(hold.quantity, factor)
        hold.save(update_fields=["quantity"])
        _record("split", hold, actor=actor, at=at)
    return holds


@transaction.atomic
def consume_hold(request_id: UUID, *, actor: Actor, at: datetime) -> ShareHold:
    """End a hold because its tokens are minted and booked: now its shares are owed.

    Raises:
        ShareHoldMissing: if no shares are held for the request.
    """
    return _take(ShareHoldStep.CONSUME, _lock(request_id), actor=actor, at=at)


@transaction.atomic
def release_hold(request_id: UUID, *, actor: Actor, at: datetime) -> ShareHold:
    """End a hold because its tokens will not be minted for now: its shares are free again.

    Raises:
        ShareHoldMissing: if no shares are held for the request.
    """
    return _take(ShareHoldStep.RELEASE, _lock(request_id), actor=actor, at=at)


def _free(token: Token, *, at: datetime) -> Decimal:
    """Return the shares of a locked token that an approval may still hold."""
    cover: Cover = selectors.cover_of(token, at=at)
    free = cover.free_for_approval
    if free is None:
        why = " ".join(cover.reasons)
        raise errors.CoverUnknown(f"The cover of {token} is not known. {why}", reasons=why)
    return free


def _deliverable(token: Token, cover: Cover) -> Decimal:
    """Return the shares of a locked token that a redemption may still take."""
    if cover.free_for_delivery is None:
        why = " ".join(cover.reasons)
        detail = f"What is held for {token} is not known. {why}"
        raise errors.CoverUnknown(detail, reasons=why)
    return cover.free_for_delivery


def _burning(token: Token, *, at: datetime) -> Decimal:
    """Return the shares that burns stand for which are signed and not in the books yet."""
    burns = selectors.burning(token)
    multipliers = instruments.multipliers_at([deployment for deployment, _ in burns], at)
    return quantities.owed_rounded_up(
        total(tokens * multipliers[deployment.pk] for deployment, tokens in burns)
    )


def _not_free(token: Token, *, free: Decimal, needed: Decimal) -> errors.SharesNotFree:
    shown, wanted = quantities.to_text(free), quantities.to_text(needed)
    return errors.SharesNotFree(
        f"{shown} shares of {token} are free; {wanted} are needed.", free=shown, needed=wanted
    )


def _lock(request_id: UUID) -> ShareHold:
    """Return the hold of a request, locked behind the lock of its token."""
    hold = selectors.active_hold(request_id)
    missing = errors.ShareHoldMissing(f"No shares are held for {request_id}.")
    if hold is None:
        raise missing
    token = instruments.lock_token(hold.token_id)
    locked = ShareHold.objects.select_for_update().get(pk=hold.pk)
    if locked.state != ShareHoldState.ACTIVE:  # it ended while we waited for the token
        raise missing
    locked.token = token
    return locked


def _take(step: ShareHoldStep, hold: ShareHold, *, actor: Actor, at: datetime) -> ShareHold:
    """Take a step with a locked hold: the only writer of `state`."""
    require_transaction()
    step.value.check(ShareHoldState(hold.state))
    hold.state, hold.ended_at = step.value.destination, at
    hold.save(update_fields=["state", "ended_at"])
    _record(step.name.lower(), hold, actor=actor, at=at)
    return hold


def _record(verb: str, hold: ShareHold, *, actor: Actor, at: datetime) -> None:
    audit.record(
        f"share_hold.{verb}",
        subject=hold,
        actor=actor,
        at=at,
        token=hold.token.symbol,
        request=str(hold.request_id),
        quantity=quantities.to_text(hold.quantity),
    )
