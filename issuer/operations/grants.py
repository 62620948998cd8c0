"""What the application's role may do with the tables, where another role owns them."""

from typing import Final

from django.db.backends.base.base import BaseDatabaseWrapper

#: Neither TRUNCATE nor ownership, so that no row of an append-only table can be undone.
_GRANTS: Final = (
    "GRANT USAGE ON SCHEMA public, pgmq TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
    # The broker makes its own queues, and empties them.
    "GRANT CREATE ON SCHEMA pgmq TO {role}",
    "GRANT ALL ON ALL TABLES IN SCHEMA pgmq TO {role}",
    "GRANT ALL ON ALL SEQUENCES IN SCHEMA pgmq TO {role}",
)


def grant(*, owner: BaseDatabaseWrapper, role: str) -> None:
    """Let `role` use what the owner made; repeating it is harmless."""
    with owner.cursor() as cursor:
        for statement in _GRANTS:
            cursor.execute(statement.format(role=owner.ops.quote_name(role)))
