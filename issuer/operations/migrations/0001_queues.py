"""The queues of the broker, as plain SQL, so that no extension of the server is needed."""

import pgmq
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def install(_apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Install the queues unless they are there: their SQL does not bear repeating."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('pgmq.meta')")
        (found,) = cursor.fetchone()
        if found is None:
            cursor.execute(pgmq.get_embedded_install_sql())


class Migration(migrations.Migration):
    dependencies = []
    # Going back leaves the queues in place: they may hold work that is still to be done.
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
