"""Whether minting may go on, per scope, and who holds it shut."""

from django.db import models
from django.db.models import Q

from issuer.foundation.fields import IdField


class GateState(models.TextChoices):
    """How far a scope is open; the tightest of its holds decides."""

    OPEN = "OPEN", "Open"
    REDEEM_ONLY = "REDEEM_ONLY", "Redeem only"
    HALTED = "HALTED", "Halted"


class ScopeKind(models.TextChoices):
    """What a hold shuts."""

    PROGRAM = "PROGRAM", "Program"
    TOKEN = "TOKEN", "Token"
    NETWORK = "NETWORK", "Network"
    CUSTODIAN = "CUSTODIAN", "Custodian"


class Cause(models.TextChoices):
    """Whose hold it is; the release of one cause never lifts another's."""

    PERSON = "PERSON", "Person"
    BREAK = "BREAK", "Break"
    STALE_SOURCE = "STALE_SOURCE", "Stale source"
    WINDOW = "WINDOW", "Window"


class Scope(models.Model):
    """One gate: the row that an approval and a halt both lock, so that they never both happen."""

    id = IdField()
    kind = models.CharField(max_length=16, choices=ScopeKind)
    subject_id = models.UUIDField(help_text="The program, token, network or custodian.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="gate_scope_kind_known", condition=Q(kind__in=ScopeKind.values)
            ),
            models.UniqueConstraint(name="gate_scope_once", fields=["kind", "subject_id"]),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.subject_id}"


class Hold(models.Model):
    """Something that holds a gate shut until its own cause releases it."""

    id = IdField()
    scope = models.ForeignKey(Scope, models.PROTECT, related_name="holds")
    effect = models.CharField(max_length=16, choices=GateState)
    cause = models.CharField(max_length=16, choices=Cause)
    reason = models.CharField(max_length=500, help_text="Public: no personal data.")
    reference = models.UUIDField(null=True, blank=True, help_text="The break, for one.")
    placed_by = models.CharField(max_length=128)
    placed_at = models.DateTimeField()
    released_by = models.CharField(max_length=128, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="hold_shuts_something",
                condition=Q(effect__in=[GateState.REDEEM_ONLY, GateState.HALTED]),
            ),
            models.CheckConstraint(name="hold_cause_known", condition=Q(cause__in=Cause.values)),
            models.CheckConstraint(name="hold_says_why", condition=~Q(reason="")),
            models.CheckConstraint(
                name="hold_release_has_time_and_author",
                condition=Q(released_at=None, released_by="")
                | Q(released_at__isnull=False) & ~Q(released_by=""),
            ),
        ]
        indexes = [
            models.Index(name="hold_in_force", fields=["scope"], condition=Q(released_at=None))
        ]

    def __str__(self) -> str:
        return f"{self.get_effect_display()}: {self.reason}"
