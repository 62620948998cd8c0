"""Let an act be a part of something that another room decides on."""

from django.db import migrations, models

from issuer.chain import sql


class Migration(migrations.Migration):
    dependencies = [("chain", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="contractact",
            name="part_of_id",
            field=models.UUIDField(
                editable=False,
                help_text="The record with which alone it is decided on.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="contractact",
            name="part_of_type",
            field=models.CharField(
                blank=True,
                editable=False,
                help_text="The kind of record it is a part of.",
                max_length=64,
            ),
        ),
        migrations.AddConstraint(
            model_name="contractact",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("part_of_id", None), ("part_of_type", "")),
                    models.Q(
                        models.Q(("part_of_type", ""), _negated=True),
                        ("part_of_id__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="contract_act_part_has_type_and_id",
            ),
        ),
        migrations.RunSQL(sql.EXTEND_ACT_GUARD, sql.RESTORE_ACT_GUARD),
    ]
