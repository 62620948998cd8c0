"""What the public page says: the equation of every token, and what it is made of."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Max, Prefetch, QuerySet

from issuer.attestation.models import Attestation
from issuer.attestation.selectors import OUT
from issuer.foundation import quantities
from issuer.gate.models import GateState, Hold
from issuer.gate.selectors import tightest
from issuer.instruments.models import Token
from issuer.parties.models import Program
from issuer.reconciliation.history import History, history_of, standing_since
from issuer.reconciliation.models import Break, Run
from issuer.reconciliation.states import BreakState, Severity
from issuer.reserves.cover import SEVERITY, Cover, CoverStatus
from issuer.reserves.figures import DeploymentFigures, Excluded, TokenFigures
from issuer.reserves.gates import holds_on
from issuer.reserves.selectors import figures_of


@dataclass(frozen=True, slots=True)
class TokenReserves:
    """One token: the answer, what it is made of, and whether tokens may be issued.

    `since` is the first reconciliation that gave the answer which is given now, if that is a bad
    one and a reconciliation has given it already.
    """

    token: Token
    figures: TokenFigures
    cover: Cover
    holds: tuple[Hold, ...]
    since: datetime | None
    breaks: tuple[Break, ...]

    @property
    def grave_breaks(self) -> tuple[Break, ...]:
        """What happened, where the answer is bad or a gate is shut because of it."""
        return tuple(one for one in self.breaks if one.severity == Severity.CRITICAL)

    @property
    def gate(self) -> GateState:
        """Whether tokens may be issued."""
        return tightest(GateState(hold.effect) for hold in self.holds)

    @property
    def known(self) -> bool:
        """Whether there is an answer in figures."""
        return self.cover.status != CoverStatus.UNKNOWN

    @property
    def alarming(self) -> bool:
        """Whether a reader has to be told before anything else."""
        return self.cover.status in {CoverStatus.SHORT, CoverStatus.UNKNOWN} or self.holds != ()

    @property
    def backing(self) -> str | None:
        """Shares held for each token, cut after four places; None where that says nothing.

        That is: if it is not known, if nothing is owed, or if the token stands for a different
        number of shares on different networks.
        """
        multipliers = {one.multiplier for one in self.figures.deployments}
        if not self.known or not self.cover.owed or len(multipliers) != 1:
            return None
        (multiplier,) = multipliers
        assert multiplier is not None, "a token whose multiplier is missing is not known"
        assert self.cover.held is not None, "a token whose shares are missing is not known"
        per_token = quantities.EXACT.multiply(self.cover.held, multiplier)
        ten_thousandths = quantities.ratio_bps_rounded_down(per_token, self.cover.owed)
        return f"{ten_thousandths // 10_000:,}.{ten_thousandths % 10_000:04}"

    @property
    def custodians(self) -> str:
        """The names of those who hold the shares."""
        names = {one.account.custodian.entity.name for one in self.figures.accounts}
        return " and ".join(sorted(names))


@dataclass(frozen=True, slots=True)
class PublicReserves:
    """Everything on the public page.

    `reconciled_at` is the oldest among the newest reconciliations of the programs; `overdue` says
    that it should have been followed by another by now, or that there is none.
    """

    tokens: tuple[TokenReserves, ...]
    breaks: tuple[Break, ...]
    attestations: tuple[Attestation, ...]
    history: History
    reconciled_at: datetime | None
    overdue: bool

    @property
    def status(self) -> CoverStatus:
        """The worst of the tokens; UNKNOWN if there are none."""
        statuses = [reserves.cover.status for reserves in self.tokens]
        return max(statuses, key=SEVERITY.index, default=CoverStatus.UNKNOWN)

    @property
    def programs(self) -> tuple[Program, ...]:
        """The programs of the tokens, each once."""
        return tuple(dict.fromkeys(reserves.token.program for reserves in self.tokens))

    @property
    def alarms(self) -> tuple[TokenReserves, ...]:
        """The tokens that a reader has to be told of before anything else."""
        return tuple(reserves for reserves in self.tokens if reserves.alarming)

    @property
    def shut(self) -> tuple[tuple[Hold, str], ...]:
        """The holds in force, each once, with the tokens that it concerns."""
        concerned: dict[Hold, list[str]] = {}
        for reserves in self.tokens:
            for hold in reserves.holds:
                concerned.setdefault(hold, []).append(reserves.token.symbol)
        return tuple((hold, ", ".join(symbols)) for hold, symbols in concerned.items())

    @property
    def alarm_title(self) -> str:
        """The worst of it in a few words."""
        statuses = {reserves.cover.status for reserves in self.tokens}
        if CoverStatus.SHORT in statuses:
            return "Fewer shares are held than are owed"
        if CoverStatus.UNKNOWN in statuses:
            return "It is not known whether every token is covered"
        gates = {reserves.gate for reserves in self.tokens}
        if GateState.HALTED in gates:
            return "Issuance and redemption are halted"
        return "Read this first"

    @property
    def chains_as_of(self) -> datetime | None:
        """The oldest block that a figure rests on."""
        snapshots = (one.snapshot for row in self.tokens for one in row.figures.deployments)
        mined = (snapshot.block_mined_at for snapshot in snapshots if snapshot is not None)
        return min(mined, default=None)

    @property
    def custodians_as_of(self) -> date | None:
        """The oldest day whose close a figure rests on."""
        statements = (one.statement for row in self.tokens for one in row.figures.accounts)
        days = (statement.as_of_date for statement in statements if statement is not None)
        return min(days, default=None)

    @property
    def exclusions(self) -> tuple[tuple[DeploymentFigures, Excluded], ...]:
        """What is not counted as owed, with the contract that it is a part of."""
        return tuple(
            (chain, excluded)
            for reserves in self.tokens
            for chain in reserves.figures.deployments
            for excluded in chain.excluded
        )


def public_reserves(*, at: datetime) -> PublicReserves:
    """Return what may be said in public at `at`, by as many queries for one token as for all."""
    tokens = list(
        Token.objects.select_related(
            "security", "program__spv", "program__security_agent"
        ).order_by("symbol")
    )
    figures = figures_of(tokens, at=at)
    covers = {token_id: found.cover for token_id, found in figures.items()}
    holds = holds_on(tokens)
    since = standing_since({token_id: cover.status for token_id, cover in covers.items()})
    reconciled_at = _reconciled_at({token.program_id for token in tokens})
    breaks = tuple(
        Break.objects.filter(state=BreakState.OPEN)
        .select_related("token")
        .order_by("opened_at", "id")
    )
    due = timedelta(minutes=settings.RECONCILIATION_DUE_MINUTES)
    return PublicReserves(
        tokens=tuple(
            TokenReserves(
                token=token,
                figures=figures[token.pk],
                cover=covers[token.pk],
                holds=tuple(holds[token.pk]),
                since=since.get(token.pk),
                breaks=tuple(one for one in breaks if one.token_id == token.pk),
            )
            for token in tokens
        ),
        breaks=breaks,
        attestations=tuple(published_attestations()),
        history=history_of(tokens, at=at),
        reconciled_at=reconciled_at,
        overdue=reconciled_at is None or at - reconciled_at > due,
    )


def published_attestations() -> QuerySet[Attestation]:
    """Return the statements that were published, newest first, without their content."""
    return (
        Attestation.objects.filter(state__in=OUT)
        .select_related("program", "corrects")
        .defer("content", "document", "corrects__content", "corrects__document")
        .prefetch_related(
            Prefetch(
                "corrections",
                Attestation.objects.filter(state__in=OUT).defer("content", "document"),
                to_attr="published_corrections",
            )
        )
        .order_by("-published_at", "-id")
    )


def _reconciled_at(programs: Iterable[UUID]) -> datetime | None:
    """Return when the program that waits longest was last reconciled; None if one never was."""
    newest = Run.objects.filter(program__in=programs).order_by().values_list("program")
    found = dict(newest.annotate(newest=Max("as_of")))
    return min(found.values(), default=None) if set(found) == set(programs) else None
