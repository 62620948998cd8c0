from decimal import Decimal

import django.db.models.deletion
from django.db import migrations, models

import issuer.foundation.fields
import issuer.foundation.identifiers
from issuer.foundation.append_only import MakeAppendOnly

#: What settled before did so whole, and what failed was not told why.
FILL = """
UPDATE custody_settlementinstruction SET settled_quantity = quantity WHERE state = 'SETTLED';
UPDATE custody_settlementinstruction SET reason = 'It did not settle on its date.'
    WHERE state = 'FAILED';
"""


class Migration(migrations.Migration):
    dependencies = [
        ("custody", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="StatedSettlement",
            fields=[
                (
                    "id",
                    issuer.foundation.fields.IdField(
                        default=issuer.foundation.identifiers.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "settled",
                    issuer.foundation.fields.QuantityField(
                        decimal_places=18,
                        help_text="Whole shares, of those that the statement counts.",
                        max_digits=38,
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="instructiontransition",
            name="detail",
            field=models.CharField(
                blank=True, help_text="Why, or of how many shares.", max_length=500
            ),
        ),
        migrations.AddField(
            model_name="settlementinstruction",
            name="reason",
            field=models.CharField(blank=True, help_text="Why it failed.", max_length=500),
        ),
        migrations.AddField(
            model_name="settlementinstruction",
            name="settled_quantity",
            field=issuer.foundation.fields.QuantityField(
                decimal_places=18,
                default=Decimal("0"),
                help_text="Of these, how many statements have shown to have moved.",
                max_digits=38,
            ),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="settlementinstruction",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("settled_quantity", models.F("quantity")), ("state", "SETTLED")),
                    models.Q(
                        models.Q(("state", "SETTLED"), _negated=True),
                        ("settled_quantity__gte", 0),
                        ("settled_quantity__lt", models.F("quantity")),
                    ),
                    _connector="OR",
                ),
                name="instruction_settled_iff_all_has_moved",
            ),
        ),
        migrations.AddConstraint(
            model_name="settlementinstruction",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "CANCELLED"), _negated=True),
                    ("settled_quantity", 0),
                    _connector="OR",
                ),
                name="instruction_cancelled_only_while_none_has_moved",
            ),
        ),
        migrations.AddConstraint(
            model_name="settlementinstruction",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "FAILED"), models.Q(("reason", ""), _negated=True)),
                    models.Q(models.Q(("state", "FAILED"), _negated=True), ("reason", "")),
                    _connector="OR",
                ),
                name="instruction_failed_iff_reason",
            ),
        ),
        migrations.AddField(
            model_name="statedsettlement",
            name="instruction",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="stated_settlements",
                to="custody.settlementinstruction",
            ),
        ),
        migrations.AddField(
            model_name="statedsettlement",
            name="statement",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="settlements",
                to="custody.statement",
            ),
        ),
        migrations.AddConstraint(
            model_name="statedsettlement",
            constraint=models.UniqueConstraint(
                fields=("statement", "instruction"),
                name="stated_settlement_once_per_statement_and_instruction",
            ),
        ),
        migrations.AddConstraint(
            model_name="statedsettlement",
            constraint=models.CheckConstraint(
                condition=models.Q(("settled__gte", 0)), name="stated_settlement_not_negative"
            ),
        ),
        MakeAppendOnly("custody_statedsettlement"),
    ]
