"""The equation, in figures: what is owed, what is held, and what that amounts to."""

from dataclasses import dataclass, field
from decimal import Decimal

from django.db import models

from issuer.foundation import quantities


class CoverStatus(models.TextChoices):
    """The four answers to: are the shares there?"""

    COVERED = "COVERED", "Covered"
    IN_TRANSIT = "IN_TRANSIT", "Covered only with shares in transit"
    SHORT = "SHORT", "Short"
    UNKNOWN = "UNKNOWN", "Unknown"


#: From best to worst; a program is as good as the worst of its tokens. SHORT is worst: what is not
#: known, of one token or of the next moment, must not hide that shares are known to be lacking.
SEVERITY = [CoverStatus.COVERED, CoverStatus.IN_TRANSIT, CoverStatus.UNKNOWN, CoverStatus.SHORT]


@dataclass(frozen=True, slots=True)
class Cover:
    """The equation for one token, in whole shares; a figure that is not known is None.

    `owed_on_tokens`: tokens outstanding × multiplier, the larger of chain and register, rounded
    up. `paid_not_minted`: shares that participants delivered and have no tokens for yet.
    `burned_not_delivered`: shares that participants burned their tokens for and that are not
    instructed to be delivered yet. `held`: settled shares free of others' claims, the smaller of
    custodian and books per account, rounded down. `disclosed`: receipts inside their contractual
    date that the token's policy admits. `reserved`: shares held for approved requests. `reasons`
    say why a figure is missing.
    """

    owed_on_tokens: Decimal | None
    paid_not_minted: Decimal
    burned_not_delivered: Decimal
    held: Decimal | None
    disclosed: Decimal
    reserved: Decimal
    multiplier: Decimal | None
    decimals: int
    reasons: tuple[str, ...] = field(default=())

    @property
    def owed(self) -> Decimal | None:
        """Everything owed: on tokens, for what was paid and not minted, or burned and not sent."""
        if self.owed_on_tokens is None:
            return None
        return self.owed_on_tokens + self.paid_not_minted + self.burned_not_delivered

    @property
    def surplus(self) -> Decimal | None:
        """Held less owed; negative when short."""
        if self.owed is None or self.held is None or self.reasons:
            return None
        return self.held - self.owed

    @property
    def status(self) -> CoverStatus:
        """The answer; silence is never a number."""
        if self.surplus is None:
            return CoverStatus.UNKNOWN
        if self.surplus >= 0:
            return CoverStatus.COVERED
        if self.surplus + self.disclosed >= 0:
            return CoverStatus.IN_TRANSIT
        return CoverStatus.SHORT

    @property
    def ratio_bps(self) -> int | None:
        """Held over owed in basis points, rounded down; None if unknown or nothing is owed."""
        if self.surplus is None or not self.owed or self.held is None:
            return None
        return quantities.ratio_bps_rounded_down(self.held, self.owed)

    @property
    def free_for_approval(self) -> Decimal | None:
        """Shares that an approval may still hold: held, and neither owed on tokens nor promised."""
        if self.owed_on_tokens is None or self.held is None or self.reasons:
            return None
        return self.held - self.owed_on_tokens - self.burned_not_delivered - self.reserved

    @property
    def free_for_delivery(self) -> Decimal | None:
        """Shares that a redemption may still take: held, and not promised to another request.

        What is owed on tokens is not taken off, for a redemption gives such tokens back.
        """
        if self.held is None:
            return None
        return self.held - max(self.reserved, self.paid_not_minted) - self.burned_not_delivered

    @property
    def unclaimed(self) -> Decimal | None:
        """The surplus, less what approved requests hold beyond what was paid; may be negative."""
        if self.surplus is None:
            return None
        return self.surplus - max(self.reserved - self.paid_not_minted, Decimal(0))

    @property
    def headroom(self) -> Decimal | None:
        """Tokens that may be minted beyond all claims, from free settled shares."""
        if self.unclaimed is None or self.multiplier is None:
            return None
        return quantities.headroom_rounded_down(
            self.unclaimed, multiplier=self.multiplier, decimals=self.decimals
        )
