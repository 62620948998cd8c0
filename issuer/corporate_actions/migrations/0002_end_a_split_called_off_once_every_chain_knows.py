"""Call a split off over as long as it takes, and have its acts decided on with it alone."""

from django.db import migrations, models

#: An act keeps what it is a part of; those of before there was such a column have to be told once.
CLAIM_ACTS = """
ALTER TABLE chain_contractact DISABLE TRIGGER contract_act_content_unchangeable;
UPDATE chain_contractact AS act
SET part_of_type = 'corporate_actions.stocksplit', part_of_id = told.stock_split_id
FROM corporate_actions_stocksplitact AS told
WHERE told.act_id = act.id;
ALTER TABLE chain_contractact ENABLE TRIGGER contract_act_content_unchangeable;
"""
RELEASE_ACTS = """
ALTER TABLE chain_contractact DISABLE TRIGGER contract_act_content_unchangeable;
UPDATE chain_contractact SET part_of_type = '', part_of_id = NULL
WHERE part_of_type = 'corporate_actions.stocksplit';
ALTER TABLE chain_contractact ENABLE TRIGGER contract_act_content_unchangeable;
"""
#: What was called off and is not known to every chain goes on until it is. A chain knows once the
#: last act for its contract and that time, by whomever, has left the multiplier as it was. Where
#: another split of the token is under way, its acts decide, and of several the last has the word.
RESUME_CANCELLATIONS = """
UPDATE corporate_actions_stocksplit AS stock_split
SET state = 'CANCELLING'
WHERE id IN (
    SELECT DISTINCT ON (called_off.token_id) called_off.id
    FROM corporate_actions_stocksplit AS called_off
    JOIN corporate_actions_stocksplitact AS told
        ON told.stock_split_id = called_off.id AND told.purpose = 'WITHDRAW'
    JOIN chain_contractact AS act
        ON act.id = told.act_id AND act.state IN ('APPROVED', 'SENT', 'FAILED')
    JOIN chain_contractcall AS call ON call.act_id = act.id
    WHERE called_off.state = 'CANCELLED'
      AND act.multiplier IS DISTINCT FROM (
          SELECT done.multiplier
          FROM chain_contractact AS done
          JOIN chain_contractcall AS carried_out ON carried_out.act_id = done.id
          WHERE carried_out.deployment_id = call.deployment_id
            AND done.effective_at = called_off.effective_at
            AND done.state = 'DONE'
          ORDER BY done.id DESC
          LIMIT 1
      )
      AND NOT EXISTS (
          SELECT FROM corporate_actions_stocksplit AS other
          WHERE other.token_id = called_off.token_id
            AND other.state IN ('ANNOUNCED', 'CONFIRMED', 'SCHEDULED')
      )
    ORDER BY called_off.token_id, called_off.id DESC
);
"""
CONCLUDE_CANCELLATIONS = """
UPDATE corporate_actions_stocksplit SET state = 'CANCELLED' WHERE state = 'CANCELLING';
"""


class Migration(migrations.Migration):
    dependencies = [
        ("chain", "0002_say_what_an_act_is_part_of"),
        ("corporate_actions", "0001_initial"),
        ("instruments", "0001_initial"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="stocksplit", name="stock_split_state_known"),
        migrations.RemoveConstraint(
            model_name="stocksplit", name="stock_split_one_pending_per_token"
        ),
        migrations.RemoveConstraint(
            model_name="stocksplit", name="stock_split_trouble_before_it_is_booked"
        ),
        migrations.AlterField(
            model_name="stocksplit",
            name="state",
            field=models.CharField(
                choices=[
                    ("ANNOUNCED", "Announced"),
                    ("CONFIRMED", "Confirmed, not on every chain"),
                    ("SCHEDULED", "Scheduled on every chain"),
                    ("EFFECTIVE", "Effective and booked"),
                    ("CLOSED", "Closed"),
                    ("CANCELLING", "Called off, not on every chain"),
                    ("CANCELLED", "Cancelled"),
                ],
                default="ANNOUNCED",
                editable=False,
                max_length=16,
            ),
        ),
        migrations.RunSQL(RESUME_CANCELLATIONS, CONCLUDE_CANCELLATIONS),
        migrations.AddConstraint(
            model_name="stocksplit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            "ANNOUNCED",
                            "CONFIRMED",
                            "SCHEDULED",
                            "EFFECTIVE",
                            "CLOSED",
                            "CANCELLING",
                            "CANCELLED",
                        ],
                    )
                ),
                name="stock_split_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="stocksplit",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("state__in", ["ANNOUNCED", "CANCELLING", "CONFIRMED", "SCHEDULED"])
                ),
                fields=("token",),
                name="stock_split_one_pending_per_token",
            ),
        ),
        migrations.AddConstraint(
            model_name="stocksplit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("trouble", ""),
                    ("state__in", ["ANNOUNCED", "CANCELLING", "CONFIRMED", "SCHEDULED"]),
                    _connector="OR",
                ),
                name="stock_split_trouble_before_it_is_booked",
            ),
        ),
        migrations.RunSQL(CLAIM_ACTS, RELEASE_ACTS),
    ]
