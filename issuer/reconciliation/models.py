"""Books against custodian against chain: runs, their lines and items, and breaks."""

from django.db import models
from django.db.models import F, Q

from issuer.foundation.fields import IdField, QuantityField
from issuer.reconciliation.states import BreakCode, BreakState, Severity
from issuer.reserves.cover import CoverStatus


class Run(models.Model):
    """One reconciliation of a program as of an instant; append-only."""

    id = IdField()
    program = models.ForeignKey("parties.Program", models.PROTECT, related_name="runs")
    as_of = models.DateTimeField()
    started_by = models.CharField(max_length=128)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(name="run_newest_of_program", fields=["program", "-as_of"])]

    def __str__(self) -> str:
        return f"{self.program} as of {self.as_of:%Y-%m-%d %H:%M:%S}Z"


class TokenResult(models.Model):
    """What a run found for one token; append-only.

    A figure that is not known is null, and then the status is UNKNOWN and `reasons` say why.
    """

    id = IdField()
    run = models.ForeignKey(Run, models.PROTECT, related_name="results")
    token = models.ForeignKey("instruments.Token", models.PROTECT, related_name="results")
    status = models.CharField(max_length=16, choices=CoverStatus)
    owed_shares = QuantityField(null=True)
    held_shares = QuantityField(null=True)
    disclosed_shares = QuantityField(null=True)
    surplus_shares = QuantityField(null=True)
    cover_bps = models.BigIntegerField(null=True)
    headroom = QuantityField(null=True, help_text="Tokens.")
    reasons = models.JSONField(default=list)
    evidence = models.JSONField(
        default=dict, help_text="Ids and hashes of the statement, blocks and books it rests on."
    )

    class Meta:
        ordering = ["token__symbol"]
        constraints = [
            models.UniqueConstraint(name="result_once_per_run_and_token", fields=["run", "token"]),
            models.CheckConstraint(
                name="result_status_known", condition=Q(status__in=CoverStatus.values)
            ),
            models.CheckConstraint(
                name="result_unknown_iff_a_figure_is_missing",
                condition=Q(status=CoverStatus.UNKNOWN)
                & Q(surplus_shares=None, cover_bps=None, headroom=None)
                & ~Q(reasons=[])
                | ~Q(status=CoverStatus.UNKNOWN)
                & Q(
                    owed_shares__isnull=False,
                    held_shares__isnull=False,
                    surplus_shares__isnull=False,
                    headroom__isnull=False,
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.token}: {self.status}"


class Line(models.Model):
    """One line of a token's reconciliation, as an accountant writes it; append-only."""

    id = IdField()
    result = models.ForeignKey(TokenResult, models.PROTECT, related_name="lines")
    code = models.CharField(max_length=4, help_text="A1 to A10, B1 to B11, C1 to C8.")
    label = models.CharField(max_length=128)
    unit = models.CharField(max_length=8, help_text="tokens or shares")
    quantity = QuantityField(null=True)
    total = models.BooleanField(default=False, help_text="Whether it is a sum of lines above.")
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["result", "position"]
        constraints = [
            models.UniqueConstraint(name="line_code_once_per_result", fields=["result", "code"]),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.label}"


class Item(models.Model):
    """One thing that a line is made of, with where to find it; append-only."""

    id = IdField()
    line = models.ForeignKey(Line, models.PROTECT, related_name="items")
    reference = models.CharField(max_length=128)
    kind = models.CharField(max_length=32)
    quantity = QuantityField()
    since = models.DateTimeField(null=True)
    due_by = models.DateTimeField(null=True)
    network = models.CharField(max_length=41, blank=True)
    transaction_hash = models.CharField(max_length=66, blank=True)
    evidence_sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["line", "id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"


class Break(models.Model):
    """A difference that is not explained. It never expires. Only `services` write `state`."""

    id = IdField()
    token = models.ForeignKey("instruments.Token", models.PROTECT, related_name="breaks")
    code = models.CharField(max_length=16, choices=BreakCode)
    severity = models.CharField(max_length=8, choices=Severity)
    subject = models.CharField(
        max_length=128, blank=True, help_text="What it is about, where one token may have several."
    )
    quantity = QuantityField(null=True)
    unit = models.CharField(max_length=8, blank=True)
    detail = models.CharField(max_length=1000)
    state = models.CharField(
        max_length=8, choices=BreakState, default=BreakState.OPEN, editable=False
    )
    opened_run = models.ForeignKey(Run, models.PROTECT, related_name="opened_breaks")
    opened_at = models.DateTimeField()
    last_seen_run = models.ForeignKey(Run, models.PROTECT, related_name="seen_breaks")
    last_seen_at = models.DateTimeField()
    ended_run = models.ForeignKey(
        Run, models.PROTECT, null=True, blank=True, related_name="cleared_breaks"
    )
    ended_at = models.DateTimeField(null=True, blank=True)
    explanation = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-id"]
        permissions = [
            ("propose_close_break", "Can propose to close breaks"),
            ("confirm_close_break", "Can confirm that breaks are closed"),
        ]
        constraints = [
            models.CheckConstraint(name="break_code_known", condition=Q(code__in=BreakCode.values)),
            models.CheckConstraint(
                name="break_severity_known", condition=Q(severity__in=Severity.values)
            ),
            models.CheckConstraint(
                name="break_state_known", condition=Q(state__in=BreakState.values)
            ),
            models.UniqueConstraint(
                name="break_open_once_per_cause",
                fields=["token", "code", "subject"],
                condition=Q(state=BreakState.OPEN),
            ),
            models.CheckConstraint(
                name="break_ended_has_time_and_ground",
                condition=Q(state=BreakState.OPEN, ended_at=None, ended_run=None)
                | Q(state=BreakState.CLEARED, ended_at__isnull=False, ended_run__isnull=False)
                | Q(state=BreakState.CLOSED, ended_at__isnull=False) & ~Q(explanation=""),
            ),
            models.CheckConstraint(
                name="break_seen_after_it_opened", condition=Q(last_seen_at__gte=F("opened_at"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.token}"
