"""Number the attempts and steps of an intent: ids are of each host's own clock, which may differ.

Those that are there are numbered by their ids, which is the order that they had until now.
"""

from typing import Final

from django.db import migrations, models

NUMBER: Final = """
ALTER TABLE chain_transactionattempt DISABLE TRIGGER chain_transactionattempt_append_only;
UPDATE chain_transactionattempt AS each
   SET serial = numbered.serial
  FROM (
      SELECT id, row_number() OVER (PARTITION BY intent_id ORDER BY id) AS serial
        FROM chain_transactionattempt
  ) AS numbered
 WHERE numbered.id = each.id;
ALTER TABLE chain_transactionattempt ENABLE TRIGGER chain_transactionattempt_append_only;
ALTER TABLE chain_intenttransition DISABLE TRIGGER chain_intenttransition_append_only;
UPDATE chain_intenttransition AS each
   SET serial = numbered.serial
  FROM (
      SELECT id, row_number() OVER (PARTITION BY intent_id ORDER BY id) AS serial
        FROM chain_intenttransition
  ) AS numbered
 WHERE numbered.id = each.id;
ALTER TABLE chain_intenttransition ENABLE TRIGGER chain_intenttransition_append_only;
"""
HELP: Final = "1 for the first of its intent, and so on."


class Migration(migrations.Migration):
    dependencies = [("chain", "0005_let_no_return_go_under_a_halt")]

    operations = [
        migrations.AddField(
            model_name="transactionattempt",
            name="serial",
            field=models.PositiveIntegerField(help_text=HELP, null=True),
        ),
        migrations.AddField(
            model_name="intenttransition",
            name="serial",
            field=models.PositiveIntegerField(help_text=HELP, null=True),
        ),
        migrations.RunSQL(NUMBER, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="transactionattempt",
            name="serial",
            field=models.PositiveIntegerField(help_text=HELP),
        ),
        migrations.AlterField(
            model_name="intenttransition",
            name="serial",
            field=models.PositiveIntegerField(help_text=HELP),
        ),
        migrations.AlterModelOptions(
            name="transactionattempt", options={"ordering": ["intent_id", "serial"]}
        ),
        migrations.AlterModelOptions(
            name="intenttransition", options={"ordering": ["intent_id", "serial"]}
        ),
        migrations.AddConstraint(
            model_name="transactionattempt",
            constraint=models.UniqueConstraint(
                fields=("intent", "serial"), name="transaction_attempt_serial_once_per_intent"
            ),
        ),
        migrations.AddConstraint(
            model_name="intenttransition",
            constraint=models.UniqueConstraint(
                fields=("intent", "serial"), name="intent_transition_serial_once_per_intent"
            ),
        ),
    ]
