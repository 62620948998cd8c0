"""The steps of a record, under it, as people read them: when, what, and by whom."""

from typing import Any

from django.contrib import admin

from issuer.foundation.admin import ReadOnlyAdmin
from issuer.people.actors import names_of


class HistoryInline(ReadOnlyAdmin):
    """Mixed into an inline, before `TabularInline`, of transitions: both ends and an actor."""

    fields: tuple[str, ...] = ("occurred_at", "from_state", "to_state", "by")
    readonly_fields: tuple[str, ...] = fields
    verbose_name_plural = "What happened"
    hide_title = True
    extra = 0

    @admin.display(description="From")
    def from_state(self, transition: Any) -> str:
        return _as_words(transition.origin)

    @admin.display(description="To")
    def to_state(self, transition: Any) -> str:
        return _as_words(transition.destination)

    @admin.display(description="By")
    def by(self, transition: Any) -> str:
        return names_of([transition.actor])[transition.actor]


def _as_words(state: str) -> str:
    return state.replace("_", " ").capitalize()
