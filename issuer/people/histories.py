"""Who did what to a record, and when, as people read it: by names, not by ids of logins."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin

from issuer.foundation.admin import ReadOnlyAdmin
from issuer.people.actors import names_of


def named(column: str, description: str) -> Callable[[Any, Any], str]:
    """Return what an admin shows of `column`, which holds an actor: how people call them."""

    @admin.display(description=description, ordering=column)
    def name(_admin: Any, row: Any) -> str:
        actor = getattr(row, column)
        return names_of([actor])[actor] if actor else ""

    return name


class HistoryInline(ReadOnlyAdmin):
    """Mixed into an inline, before `TabularInline`, of transitions: a step and an actor."""

    fields: tuple[str, ...] = ("occurred_at", "what", "from_state", "to_state", "by")
    readonly_fields: tuple[str, ...] = fields
    verbose_name_plural = "What happened"
    hide_title = True
    extra = 0
    ordering = ("id",)

    @admin.display(description="Step")
    def what(self, transition: Any) -> str:
        return _as_words(transition.step)

    @admin.display(description="From")
    def from_state(self, transition: Any) -> str:
        return _as_words(transition.origin)

    @admin.display(description="To")
    def to_state(self, transition: Any) -> str:
        return _as_words(transition.destination)

    by = named("actor", "By")


def _as_words(state: str) -> str:
    return state.replace("_", " ").capitalize()
