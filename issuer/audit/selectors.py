"""Questions to the trail."""

from django.db import models
from django.db.models import QuerySet

from issuer.audit.models import AuditEvent


def events_of(subject: models.Model) -> QuerySet[AuditEvent]:
    """Return what was done to `subject`, the newest first."""
    return AuditEvent.objects.filter(
        subject_type=subject._meta.label_lower, subject_id=subject.pk
    ).order_by("-id")
