"""Record who holds each role, and not minters alone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("chain", "0002_say_what_an_act_is_part_of"),
    ]

    operations = [
        migrations.AddField(
            model_name="supplysnapshot",
            name="role_holders",
            field=models.JSONField(
                default=dict,
                help_text="Who holds each other role, by its purpose, likewise; empty if nobody asked.",
            ),
        ),
    ]
