"""Pages on which staff do one thing to one record: a form, one call of a service, and its answer.

What an admin offers is a table of acts. A link never acts: it opens a page that says what will
happen and asks what must be asked, and only the form on it, sent by POST, acts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.widgets import UnfoldAdminTextareaWidget

from issuer.foundation import clock
from issuer.foundation.admin import ReadOnlyAdmin
from issuer.foundation.errors import DomainError
from issuer.people.actors import actor_of
from issuer.people.models import User


class NothingAsked(forms.Form):
    """For acts that need no more than to be confirmed."""


class ReasonForm(forms.Form):
    """For acts that must be explained."""

    reason = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextareaWidget,
        help_text="Stands in the record and in the trail: no personal data.",
    )


class SeenForm(forms.Form):
    """For acts by which one signs what the page showed: its hash goes along with the form."""

    payload_hash = forms.CharField(max_length=64, widget=forms.HiddenInput)


def _always(_row: Any) -> bool:
    return True


def _nothing(_row: Any) -> str:
    return ""


def _no_answers(_row: Any) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True)
class Act:
    """What staff may do to a record, or to bring one about.

    `take` is called with the record (None where it is brought about), `actor`, `at` and what the
    form asked; it returns the record that was written. `permission` is the full name of a right.
    `shown` is what of the record one has to see before one acts, `initial` what the form holds
    before anybody fills it in.
    """

    name: str
    label: str
    consequence: str
    permission: str
    take: Callable[..., Any]
    form: type[forms.Form] = NothingAsked
    offered: Callable[[Any], bool] = _always
    shown: Callable[[Any], str] = _nothing
    initial: Callable[[Any], Mapping[str, Any]] = _no_answers
    grave: bool = False


_PAGE: Final = "people/act.html"


class ActsAdmin(ReadOnlyAdmin):
    """Mixed into an admin, before `ModelAdmin`, whose records change by acts alone.

    `opening` brings a record about, in place of the page that adds one; `acts` are what may be
    done to it then.
    """

    opening: ClassVar[Act | None] = None
    acts: ClassVar[Sequence[Act]] = ()
    change_form_outer_before_template = "people/acts.html"

    # What the other half of the class, a ModelAdmin, has.
    model: Any
    opts: Any
    admin_site: Any
    get_object: Any

    def has_add_permission(self, *context: object) -> bool:
        request = context[0]
        assert isinstance(request, HttpRequest)
        return self.opening is not None and may_take(request, self.opening)

    def get_urls(self) -> list[URLPattern]:
        acts = path(
            "<path:object_id>/acts/<slug:name>/",
            self.admin_site.admin_view(self.act_view),
            name=f"{self.opts.app_label}_{self.opts.model_name}_act",
        )
        inherited: list[URLPattern] = super().get_urls()  # type: ignore[misc]  # of ModelAdmin
        return [acts, *inherited]

    def act_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Ask what `name` needs to know about one record, and do it."""
        act = next((act for act in self.acts if act.name == name), None)
        row = self.get_object(request, unquote(object_id))
        if act is None or row is None:
            raise Http404
        return self._page(request, act, row)

    def add_view(self, request: HttpRequest, *_context: object, **_more: object) -> HttpResponse:
        """Ask what a new record needs, and bring it about."""
        if self.opening is None:
            raise PermissionDenied
        return self._page(request, self.opening, None)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a record, and offer what the user may do to it as it stands."""
        row = self.get_object(request, unquote(object_id))
        context = {"acts": self.offers(request, row), **(extra_context or {})}
        shown: HttpResponse = super().change_view(  # type: ignore[misc]  # of ModelAdmin
            request, object_id, form_url, context
        )
        return shown

    def offers(self, request: HttpRequest, row: Any) -> list[tuple[Act, str]]:
        """Return what the user may do to `row` as it stands, and the pages that ask for it."""
        return [
            (act, reverse(self._address("act"), args=[quote(row.pk), act.name]))
            for act in self.acts
            if row is not None and act.offered(row) and may_take(request, act)
        ]

    def _page(self, request: HttpRequest, act: Act, row: Any) -> HttpResponse:
        if not may_take(request, act):
            raise PermissionDenied
        assert isinstance(request.user, User)
        form = act.form(initial=dict(act.initial(row)))
        if request.method == "POST":
            form = act.form(request.POST, request.FILES)
            if form.is_valid():
                try:
                    written = act.take(
                        row, actor=actor_of(request.user), at=clock.now(), **form.cleaned_data
                    )
                except DomainError as refusal:
                    form.add_error(None, refusal.detail)
                else:
                    messages.success(request, f"Done: {act.label.lower()}, {written}.")
                    return HttpResponseRedirect(self._address_of(written))
        context = {
            **self.admin_site.each_context(request),
            "title": act.label,
            "opts": self.opts,
            "act": act,
            "row": row,
            "shown": act.shown(row) if row else "",
            "form": form,
            "back": self._address_of(row) if row else reverse(self._address("changelist")),
        }
        return TemplateResponse(request, _PAGE, context)

    def _address_of(self, row: Any) -> str:
        return reverse(self._address("change"), args=[quote(row.pk)])

    def _address(self, page: str) -> str:
        return f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}"


def may_take(request: HttpRequest, act: Act) -> bool:
    """Say whether the user has the right that `act` needs."""
    return request.user.has_perm(act.permission)
