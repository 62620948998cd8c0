"""Let what may no longer go out be cancelled, and a request go on that somebody copied."""

from django.db import migrations, models

from issuer.chain import sql


class Migration(migrations.Migration):
    dependencies = [
        ("chain", "0003_record_role_holders"),
        ("instruments", "0001_initial"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="transactionintent",
            name="transaction_intent_state_known",
        ),
        migrations.RemoveConstraint(
            model_name="transactionintent",
            name="transaction_intent_one_per_request_unless_failed",
        ),
        migrations.RemoveConstraint(
            model_name="transactionintent",
            name="transaction_intent_failed_says_why",
        ),
        migrations.AddField(
            model_name="transactionattempt",
            name="cancels",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="transactionintent",
            name="cancel_reason",
            field=models.CharField(
                blank=True, help_text="Why it may no longer go out, if it may not.", max_length=500
            ),
        ),
        migrations.AddField(
            model_name="transactionintent",
            name="request_serial",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text="How often others had used the request's id up on chain before.",
            ),
        ),
        migrations.AlterField(
            model_name="transactionintent",
            name="state",
            field=models.CharField(
                choices=[
                    ("SIGNED", "Signed, not sent"),
                    ("BROADCAST", "Sent, not seen in a block"),
                    ("MINED", "In a block, not final"),
                    ("FINAL", "Final, not booked"),
                    ("BOOKED", "Final and booked"),
                    ("REVERTED", "Reverted by the contract"),
                    ("DROPPED", "Its nonce was used by another transaction"),
                    ("CANCELLING", "To be cancelled"),
                    ("CANCEL_SENT", "Cancellation sent, not final"),
                    ("CANCELLED", "Cancelled before any block had it"),
                ],
                default="SIGNED",
                editable=False,
                max_length=16,
            ),
        ),
        migrations.AddConstraint(
            model_name="transactionattempt",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("cancels", False),
                    (
                        "calldata_hash",
                        "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
                    ),
                    _connector="OR",
                ),
                name="transaction_attempt_cancels_by_doing_nothing",
            ),
        ),
        migrations.AddConstraint(
            model_name="transactionintent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            "SIGNED",
                            "BROADCAST",
                            "MINED",
                            "FINAL",
                            "BOOKED",
                            "REVERTED",
                            "DROPPED",
                            "CANCELLING",
                            "CANCEL_SENT",
                            "CANCELLED",
                        ],
                    )
                ),
                name="transaction_intent_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="transactionintent",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("state__in", ["CANCELLED", "DROPPED", "REVERTED"]), _negated=True
                ),
                fields=("request_id",),
                name="transaction_intent_one_per_request_unless_failed",
            ),
        ),
        migrations.AddConstraint(
            model_name="transactionintent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("state__in", ["CANCELLED", "DROPPED", "REVERTED"]),
                        models.Q(("failure", ""), _negated=True),
                    ),
                    models.Q(
                        models.Q(
                            ("state__in", ["CANCELLED", "DROPPED", "REVERTED"]), _negated=True
                        ),
                        ("failure", ""),
                    ),
                    _connector="OR",
                ),
                name="transaction_intent_failed_says_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="transactionintent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("state__in", ["CANCELLED", "CANCELLING", "CANCEL_SENT"]), _negated=True
                    ),
                    models.Q(("cancel_reason", ""), _negated=True),
                    _connector="OR",
                ),
                name="transaction_intent_cancelled_says_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="transactionintent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("cancel_reason", ""),
                    models.Q(("gate_needed", ""), _negated=True),
                    _connector="OR",
                ),
                name="transaction_intent_cancelled_only_if_gated",
            ),
        ),
        migrations.RunSQL(
            sql.REPLACE_INTENT_GUARD, sql.DROP_INTENT_GUARD + sql.CREATE_INTENT_GUARD
        ),
        migrations.RunSQL(
            sql.REPLACE_ATTEMPT_GUARD, sql.DROP_ATTEMPT_GUARD + sql.CREATE_ATTEMPT_GUARD
        ),
    ]
