from django.db import migrations

from issuer.attestation import sql


class Migration(migrations.Migration):
    dependencies = [("attestation", "0003_let_events_carry_what_is_better")]

    operations = [migrations.RunSQL(sql.NO_CHAIN_DROPPED, sql.CARRIED_OR_NO_BETTER)]
