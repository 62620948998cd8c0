"""Find the least tried alert of a channel at once, however many wait after an outage."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0001_initial"),
        ("operations", "0004_alert_attempts"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="alertdelivery",
            index=models.Index(
                condition=models.Q(("state", "PENDING")),
                fields=["channel", "tries", "id"],
                name="alert_delivery_least_tried",
            ),
        ),
    ]
