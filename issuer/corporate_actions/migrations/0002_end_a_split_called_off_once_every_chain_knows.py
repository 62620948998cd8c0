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
#: What was called off and is not known to every chain goes on until it is.
RESUME_CANCELLATIONS = """
UPDATE corporate_actions_stocksplit AS stock_split
SET state = 'CANCELLING'
WHERE state = 'CANCELLED'
  AND EXISTS (
      SELECT FROM corporate_actions_stocksplitact AS told
      JOIN chain_contractact AS act ON act.id = told.act_id
      WHERE told.stock_split_id = stock_split.id
        AND told.purpose = 'WITHDRAW'
        AND act.state IN ('APPROVED', 'SENT', 'FAILED')
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
