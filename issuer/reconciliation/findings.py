"""Which differences a token's three legs show, and how grave each is."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from issuer.chain.models import ChainEvent
from issuer.chain.states import SignerPurpose
from issuer.custody.models import Purpose
from issuer.custody.states import InstructionState
from issuer.foundation import quantities
from issuer.reconciliation.legs import SHARES, TOKENS, FoundToken
from issuer.reconciliation.states import BreakCode, Severity
from issuer.reconciliation.trust import Trust, Untrusted
from issuer.reserves.cover import CoverStatus

#: Breaks that no later run clears: two persons have to agree that they are over.
CLOSED_BY_PERSONS_ONLY: Final = frozenset(
    {
        BreakCode.UNA_MINT,
        BreakCode.CHN_UNK,
        BreakCode.SUP_OVER,
        BreakCode.BAK_SHORT,
        BreakCode.CUS_SHORT,
    }
)
#: The roles that create what we owe: tokens, others who may, and shares per token.
_MAKES_CLAIMS: Final = frozenset(
    {SignerPurpose.MINTER, SignerPurpose.ADMIN, SignerPurpose.MULTIPLIER}
)
#: NUMERIC(38, 18) has so many digits before the point.
_COUNTED_MAX: Final = Decimal(10) ** (quantities.DIGITS - quantities.SCALE)


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference that is not explained; `subject` tells several of one code apart."""

    code: BreakCode
    severity: Severity
    detail: str
    subject: str = ""
    quantity: Decimal | None = None
    unit: str = ""


def findings_of(found: FoundToken, *, trust: Trust) -> list[Finding]:
    """Return every difference that the legs of a token show, and whom it should not trust."""
    return [
        *_of_sources(found),
        *_of_mints(found),
        *_of_roles(found, trust),
        *_of_supply(found),
        *_of_custody(found),
        *_of_instructions(found),
        *_of_backing(found),
    ]


def judged(found: FoundToken) -> frozenset[BreakCode]:
    """Return the codes that a run can tell to be absent: what is not known proves nothing."""
    codes = {BreakCode.SRC_STALE, BreakCode.CHN_SRC, BreakCode.SET_FAIL}
    if found.quantity("A10") is not None:
        codes |= {BreakCode.SUP_OVER, BreakCode.SUP_UNDER}
    if found.quantity("B11") is not None:
        codes |= {BreakCode.CUS_SHORT, BreakCode.CUS_LONG}
    if found.cover.status != CoverStatus.UNKNOWN:
        codes |= {BreakCode.BAK_SHORT, BreakCode.BAK_SETTLED}
    return frozenset(codes)


def unmatched_subject(event: ChainEvent) -> str:
    """Return what tells one unapproved mint from another."""
    return f"{event.transaction_hash}#{event.log_index}"


def _of_sources(found: FoundToken) -> Iterator[Finding]:
    stale = {one.account.custodian.code: one.reason for one in found.figures.accounts if one.reason}
    for custodian, reason in stale.items():
        yield Finding(BreakCode.SRC_STALE, Severity.HIGH, reason, subject=custodian)
    silent = {
        one.deployment.network.caip2: one.reason for one in found.figures.deployments if one.reason
    }
    for network, reason in silent.items():
        yield Finding(BreakCode.CHN_SRC, Severity.HIGH, reason, subject=network)


def _of_mints(found: FoundToken) -> Iterator[Finding]:
    for event in found.unmatched:
        decimals = event.deployment.decimals
        # Who mints without us chooses the amount; one that no column holds must be named, too.
        counted = event.base_units < quantities.to_base_units(_COUNTED_MAX, decimals=decimals)
        yield Finding(
            BreakCode.UNA_MINT,
            Severity.CRITICAL,
            f"Nobody approved the mint to {event.address} on {event.deployment.network}"
            + (f", which {event.sender} signed." if event.sender else "."),
            subject=unmatched_subject(event),
            quantity=quantities.to_quantity(event.base_units, decimals=decimals)
            if counted
            else None,
            unit=TOKENS if counted else "",
        )


def _of_roles(found: FoundToken, trust: Trust) -> Iterator[Finding]:
    """Name who holds a role and should not, as of the newest block that was read."""
    for figures in found.figures.deployments:
        if figures.snapshot is None:
            continue
        for one in trust.untrusted(figures.snapshot, figures.deployment.network):
            why = "may have minted past the books" if one.suspected else "is no signer of ours"
            yield Finding(
                BreakCode.CHN_UNK,
                _severity_of(one),
                f"{one.address} is {one.purpose.label.lower()} on {one.network}, and {why}.",
                subject=one.subject,
            )


def _severity_of(one: Untrusted) -> Severity:
    """Return how grave it is that somebody holds a role.

    A stranger in any is as grave as it gets: only an admin lets anybody in, so somebody commands
    one. An account that signed for us before and was replaced is, where its role makes no tokens
    and changes no terms, until the chain has forgotten it.
    """
    if one.purpose in _MAKES_CLAIMS or one.suspected or not one.served:
        return Severity.CRITICAL
    return Severity.HIGH


def _of_supply(found: FoundToken) -> Iterator[Finding]:
    unexplained = found.quantity("A10") or Decimal(0)
    if unexplained > 0:
        detail = "The chains show more tokens than the register and what is under way explain."
        yield Finding(
            BreakCode.SUP_OVER, Severity.CRITICAL, detail, quantity=unexplained, unit=TOKENS
        )
    elif unexplained < 0:
        detail = "The chains show fewer tokens than the register and what is under way explain."
        yield Finding(
            BreakCode.SUP_UNDER, Severity.HIGH, detail, quantity=-unexplained, unit=TOKENS
        )


def _of_custody(found: FoundToken) -> Iterator[Finding]:
    unexplained = found.quantity("B11") or Decimal(0)
    if unexplained < 0:
        detail = "The custodians hold fewer free shares than the books say."
        yield Finding(
            BreakCode.CUS_SHORT, Severity.CRITICAL, detail, quantity=-unexplained, unit=SHARES
        )
    elif unexplained > 0:
        detail = "The custodians hold more shares than the books say; none of them are counted."
        yield Finding(
            BreakCode.CUS_LONG, Severity.MEDIUM, detail, quantity=unexplained, unit=SHARES
        )


def _of_instructions(found: FoundToken) -> Iterator[Finding]:
    figures = found.figures
    deliveries = (one for account in figures.accounts for one in account.deliveries)
    for one in (*figures.receipts, *deliveries):
        overdue = one.settlement_date < figures.as_of.date()
        if one.state == InstructionState.FAILED and overdue:
            yield Finding(
                BreakCode.SET_FAIL,
                Severity.HIGH,
                f"{one.get_direction_display()} of shares at {one.account.custodian} that was due "
                f"on {one.settlement_date} has failed.",
                subject=str(one.pk),
                quantity=figures.shares_of(one),
                unit=SHARES,
            )


def _of_backing(found: FoundToken) -> Iterator[Finding]:
    cover = found.cover
    if cover.surplus is None:
        return
    if cover.status == CoverStatus.SHORT:
        yield Finding(
            BreakCode.BAK_SHORT,
            Severity.CRITICAL,
            "More shares are owed than are held, even with those in transit.",
            quantity=-(cover.surplus + cover.disclosed),
            unit=SHARES,
        )
    elif cover.status == CoverStatus.IN_TRANSIT:
        as_of = found.figures.as_of.date()
        late = any(
            receipt.settlement_date < as_of
            for receipt in found.figures.receipts
            if receipt.purpose == Purpose.OWN_SHARES
        )
        detail = "What is owed is held only together with shares that have not settled."
        yield Finding(
            BreakCode.BAK_SETTLED,
            Severity.HIGH if late else Severity.INFO,
            f"{detail} A receipt is past its date." if late else detail,
            quantity=-cover.surplus,
            unit=SHARES,
        )
