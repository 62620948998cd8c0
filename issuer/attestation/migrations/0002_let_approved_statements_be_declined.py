from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("attestation", "0001_initial"),
        ("parties", "0001_initial"),
        ("reconciliation", "0001_initial"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="attestation",
            name="attestation_document_iff_reviewed",
        ),
        migrations.AddField(
            model_name="attestation",
            name="publishing_failed_at",
            field=models.DateTimeField(
                blank=True,
                help_text="When staff were told that it could not be published.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="attestation",
            name="publishing_failure",
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name="attestationtransition",
            name="reason",
            field=models.CharField(blank=True, help_text="Why it was declined.", max_length=500),
        ),
        migrations.AlterField(
            model_name="attestation",
            name="state",
            field=models.CharField(
                choices=[
                    ("FROZEN", "Frozen, waits for review"),
                    ("REVIEWED", "Ready, waits for signature"),
                    ("SIGNED", "Signed"),
                    ("PUBLISHED", "Published"),
                    ("SUPERSEDED", "Superseded"),
                    ("DECLINED", "Declined, never published"),
                ],
                default="FROZEN",
                editable=False,
                max_length=16,
            ),
        ),
        migrations.AddConstraint(
            model_name="attestation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "FROZEN"), ("document", None), ("sha256", "")),
                    models.Q(
                        ("state", "DECLINED"),
                        models.Q(
                            models.Q(("document", None), ("sha256", "")),
                            models.Q(
                                ("document__isnull", False), models.Q(("sha256", ""), _negated=True)
                            ),
                            _connector="OR",
                        ),
                    ),
                    models.Q(
                        models.Q(("state__in", ["FROZEN", "DECLINED"]), _negated=True),
                        ("document__isnull", False),
                        models.Q(("sha256", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="attestation_document_iff_reviewed",
            ),
        ),
        migrations.AddConstraint(
            model_name="attestation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("publishing_failed_at", None), ("publishing_failure", "")),
                    models.Q(
                        ("publishing_failed_at__isnull", False),
                        models.Q(("publishing_failure", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="attestation_failure_has_time_and_reason",
            ),
        ),
    ]
