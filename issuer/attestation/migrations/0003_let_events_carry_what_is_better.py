from django.db import migrations

from issuer.attestation import sql


class Migration(migrations.Migration):
    dependencies = [("attestation", "0002_let_approved_statements_be_declined")]

    operations = [migrations.RunSQL(sql.CARRIED_OR_NO_BETTER, sql.ALL_NO_BETTER)]
