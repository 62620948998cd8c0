"""What the application's role may do with the tables, where another role owns them."""

from typing import Final

from django.db import connections
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


def grant_to_application(*, owner: BaseDatabaseWrapper) -> None:
    """Let the role of the default connection use what the owner made; repeating it is harmless."""
    role = connections["default"].settings_dict["USER"]
    if role == owner.settings_dict["USER"]:
        return
    with owner.cursor() as cursor:
        for grant in _GRANTS:
            cursor.execute(grant.format(role=owner.ops.quote_name(role)))
