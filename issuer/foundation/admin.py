"""What every admin of records that only services write is made of."""


class ReadOnlyAdmin:
    """Mixed into an admin whose records change through services only."""

    def has_add_permission(self, *_context: object) -> bool:
        return False

    def has_change_permission(self, *_context: object) -> bool:
        return False

    def has_delete_permission(self, *_context: object) -> bool:
        return False
