"""Have returns of tokens need gates that are not halted, those that were signed before, too."""

from typing import Final

from django.db import migrations, models

#: What an intent was signed for never changes; that it is sent under no halt was not said of these.
GATE_RETURNS: Final = """
ALTER TABLE chain_transactionintent DISABLE TRIGGER transaction_intent_content_unchangeable;
UPDATE chain_transactionintent AS intent
   SET gate_needed = 'REDEEM_ONLY',
       gate_scopes = jsonb_build_array(
           jsonb_build_array('NETWORK', deployment.network_id),
           jsonb_build_array('PROGRAM', token.program_id),
           jsonb_build_array('TOKEN', token.id))
  FROM instruments_deployment AS deployment
  JOIN instruments_token AS token ON token.id = deployment.token_id
 WHERE deployment.id = intent.deployment_id AND intent.kind = 'RETURN';
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE chain_transactionintent ENABLE TRIGGER transaction_intent_content_unchangeable;
"""
FREE_RETURNS: Final = """
ALTER TABLE chain_transactionintent DISABLE TRIGGER transaction_intent_content_unchangeable;
UPDATE chain_transactionintent SET gate_needed = '', gate_scopes = '[]' WHERE kind = 'RETURN';
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE chain_transactionintent ENABLE TRIGGER transaction_intent_content_unchangeable;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("chain", "0004_cancel_what_may_no_longer_go_out"),
        ("instruments", "0001_initial"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="transactionintent",
            name="transaction_intent_needs_the_gate_of_its_kind",
        ),
        migrations.RunSQL(GATE_RETURNS, FREE_RETURNS),
        migrations.AddConstraint(
            model_name="transactionintent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("gate_needed", "OPEN"), ("kind", "MINT")),
                    models.Q(("gate_needed", "REDEEM_ONLY"), ("kind__in", ["BURN", "RETURN"])),
                    models.Q(
                        models.Q(("kind__in", ["BURN", "MINT", "RETURN"]), _negated=True),
                        ("gate_needed", ""),
                    ),
                    _connector="OR",
                ),
                name="transaction_intent_needs_the_gate_of_its_kind",
            ),
        ),
    ]
