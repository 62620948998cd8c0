"""Whether minting may go on, per scope, and who holds it shut."""

from typing import Final

from django.db import models
from django.db.models import F, Q

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


#: The causes whose holds two persons end together; the others end by their own cause alone.
RESUMED_BY_PERSONS: Final = (Cause.PERSON, Cause.BREAK)


class Scope(models.Model):
    """One gate: the row that an approval and a halt both lock, so that they never both happen."""

    id = IdField()
    kind = models.CharField(max_length=16, choices=ScopeKind)
    subject_id = models.UUIDField(help_text="The program, token, network or custodian.")

    class Meta:
        verbose_name = "gate"
        permissions = [
            ("propose_resume", "Can propose to resume under a gate"),
            ("confirm_resume", "Can confirm that a gate is opened again"),
        ]
        constraints = [
            models.CheckConstraint(
                name="gate_scope_kind_known", condition=Q(kind__in=ScopeKind.values)
            ),
            models.UniqueConstraint(name="gate_scope_once", fields=["kind", "subject_id"]),
        ]

    def __str__(self) -> str:
        # A row that a selector has given the name of its subject goes by it.
        return f"{self.get_kind_display()} {self.__dict__.get('subject_name') or self.subject_id}"


class Resumption(models.Model):
    """That two persons let a gate go on after a clean reconciliation, and why; append-only.

    It ends the holds of persons and of breaks that were placed before what was reconciled, and
    no other.
    """

    id = IdField()
    scope = models.ForeignKey(Scope, models.PROTECT, related_name="resumptions")
    proposal = models.OneToOneField("approvals.Proposal", models.PROTECT, related_name="+")
    run_id = models.UUIDField(
        help_text="The reconciliation it rests on; the oldest, where several programs share a gate."
    )
    reconciled_as_of = models.DateTimeField()
    explanation = models.CharField(max_length=500, help_text="Public: no personal data.")
    proposed_by = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    confirmed_by = models.ForeignKey("people.Person", models.PROTECT, related_name="+")
    resumed_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="resumption_takes_two_persons",
                condition=~Q(proposed_by=F("confirmed_by")),
            ),
            models.CheckConstraint(name="resumption_says_why", condition=~Q(explanation="")),
            models.CheckConstraint(
                name="resumption_follows_what_was_reconciled",
                condition=Q(resumed_at__gte=F("reconciled_as_of")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope} resumed: {self.explanation}"


class Hold(models.Model):
    """Something that holds a gate shut until its own cause, or two persons, release it.

    PostgreSQL refuses that one person ends another's hold, and that a resumption ends a hold of
    another gate, of a source or a window, or one that was placed after what was reconciled.
    """

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
    resumption = models.ForeignKey(
        Resumption, models.PROTECT, null=True, blank=True, related_name="holds"
    )

    class Meta:
        ordering = ["-id"]
        permissions = [("place_hold", "Can halt")]
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
            models.CheckConstraint(
                name="hold_of_a_person_ends_by_resumption",
                condition=~Q(cause=Cause.PERSON)
                | Q(released_at=None)
                | Q(resumption__isnull=False),
            ),
            models.CheckConstraint(
                name="hold_resumed_is_of_a_person_or_a_break_and_over",
                condition=Q(resumption=None)
                | Q(cause__in=RESUMED_BY_PERSONS, released_at__isnull=False),
            ),
            models.UniqueConstraint(
                name="hold_in_force_once_per_cause_and_reference",
                fields=["scope", "cause", "reference"],
                condition=Q(released_at=None, reference__isnull=False),
            ),
        ]
        indexes = [
            models.Index(name="hold_in_force", fields=["scope"], condition=Q(released_at=None)),
            models.Index(
                name="hold_in_force_by_reference",
                fields=["reference"],
                condition=Q(released_at=None, reference__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_effect_display()}: {self.reason}"
