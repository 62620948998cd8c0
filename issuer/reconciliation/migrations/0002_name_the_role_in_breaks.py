"""Name the role in breaks of who holds one; until now, minters alone were looked at."""

from typing import Final

from django.db import migrations, models

NAME_THE_ROLE: Final = r"""
UPDATE reconciliation_break
   SET subject = regexp_replace(subject, ':(0x[0-9a-fA-F]{40})$', ':MINTER:\1')
 WHERE code = 'CHN-UNK';
"""
FORGET_THE_ROLE: Final = r"""
UPDATE reconciliation_break
   SET subject = regexp_replace(subject, ':MINTER:(0x[0-9a-fA-F]{40})$', ':\1')
 WHERE code = 'CHN-UNK';
"""


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0001_initial"),
    ]

    operations = [
        migrations.AlterField(
            model_name="break",
            name="code",
            field=models.CharField(
                choices=[
                    ("SUP-OVER", "More tokens on chain than in the register"),
                    ("SUP-UNDER", "Fewer tokens on chain than in the register"),
                    ("UNA-MINT", "A mint that nobody approved"),
                    ("BAK-SHORT", "More owed than held"),
                    ("BAK-SETTLED", "Covered only with shares that have not settled"),
                    ("CUS-SHORT", "The custodian holds less than the books say"),
                    ("CUS-LONG", "The custodian holds more than the books say"),
                    ("SRC-STALE", "A custodian's statement is missing or old"),
                    ("CHN-SRC", "A chain cannot be read with confidence"),
                    ("CHN-UNK", "Somebody holds a role whom we do not trust"),
                    ("SET-FAIL", "Shares did not settle on their date"),
                ],
                max_length=16,
            ),
        ),
        migrations.RunSQL(NAME_THE_ROLE, FORGET_THE_ROLE),
    ]
