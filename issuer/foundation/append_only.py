"""Tables whose rows never change."""

from typing import Any

from django.db import migrations

CREATE = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""
DROP = "DROP TRIGGER {table}_append_only ON {table};"


class MakeAppendOnly(migrations.RunSQL):
    """Make PostgreSQL refuse every UPDATE and DELETE of a row of `table`.

    TRUNCATE is not refused (the test runner needs it); production revokes it from the
    application's role.
    """

    def __init__(self, table: str, **_: Any) -> None:
        self.table = table
        super().__init__(sql=CREATE.format(table=table), reverse_sql=DROP.format(table=table))

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return self.__class__.__name__, [self.table], {}

    def describe(self) -> str:
        return f"Make {self.table} append-only"
