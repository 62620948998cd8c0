"""The keys of partners, as officers issue and revoke them."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin

from issuer.api import services
from issuer.api.forms import KeyForm
from issuer.api.models import ApiKey, Scope
from issuer.foundation import clock
from issuer.foundation.actors import Actor
from issuer.parties.models import AuthorizedParticipant
from issuer.people.actors import actor_of
from issuer.people.acts import Act, ActsAdmin, may_take
from issuer.people.histories import named
from issuer.people.models import User

ISSUE: Final = "api.issue_apikey"


def _issue(
    _: None,
    *,
    participant: AuthorizedParticipant,
    label: str,
    scopes: list[str],
    days: int,
    actor: Actor,
    at: datetime,
) -> tuple[ApiKey, str]:
    return services.issue_key(
        participant=participant,
        label=label,
        scopes=[Scope(scope) for scope in scopes],
        expires_at=at + timedelta(days=days),
        actor=actor,
        at=at,
    )


def _revoke(key: ApiKey, *, actor: Actor, at: datetime) -> ApiKey:
    return services.revoke_key(key.pk, actor=actor, at=at)


@admin.register(ApiKey)
class ApiKeyAdmin(ActsAdmin, ModelAdmin):
    """Which keys partners have; their hashes are shown to nobody."""

    list_display = (
        "prefix",
        "participant",
        "label",
        "scopes",
        "issued_at",
        "expires_at",
        "revoked_at",
    )
    list_filter = ("participant",)
    list_select_related = ("participant__entity",)
    search_fields = ("prefix", "label", "participant__code")
    ordering = ("-issued_at", "-id")
    show_full_result_count = False
    fields = (
        "prefix",
        "participant",
        "label",
        "scopes",
        "issuer",
        "issued_at",
        "expires_at",
        "revoker",
        "revoked_at",
    )
    readonly_fields = ("issuer", "revoker")
    issuer = named("issued_by", "Issued by")
    revoker = named("revoked_by", "Revoked by")
    opening = Act(
        name="issue",
        label="Issue a key",
        consequence="The key is shown on the next page, once. Hand it to the partner by a way "
        "that nobody else reads; it cannot be shown again.",
        permission=ISSUE,
        take=_issue,
        form=KeyForm,
    )
    acts = (
        Act(
            name="revoke",
            label="Revoke this key",
            consequence="No request with it is taken any more, at once and for ever.",
            permission=ISSUE,
            take=_revoke,
            offered=lambda key: key.revoked_at is None,
            grave=True,
        ),
    )

    def add_view(self, request: HttpRequest, *context: object, **more: object) -> HttpResponse:
        """Ask what a new key is for, issue it, and show it this once.

        It is in the answer to this very request and nowhere else: no session and no message, both
        of which are kept, ever holds it.
        """
        if not may_take(request, self.opening):
            raise PermissionDenied
        form = KeyForm(request.POST)
        if request.method == "POST" and form.is_valid():
            assert isinstance(request.user, User)
            issued = _issue(None, actor=actor_of(request.user), at=clock.now(), **form.cleaned_data)
            return self._shown_once(request, *issued)
        return super().add_view(request, *context, **more)

    def _shown_once(self, request: HttpRequest, key: ApiKey, text: str) -> HttpResponse:
        page = TemplateResponse(
            request,
            "api/key_issued.html",
            {
                **self.admin_site.each_context(request),
                "title": "Key issued",
                "opts": self.opts,
                "key": key,
                "text": text,
            },
            status=HTTPStatus.CREATED,
        )
        page["Cache-Control"] = "no-store"
        return page
