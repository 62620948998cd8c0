"""Alerts, as staff see them."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline

from issuer.foundation import clock
from issuer.foundation.admin import ReadOnlyAdmin
from issuer.foundation.templatetags.screens import pill
from issuer.operations.alerts import services
from issuer.operations.alerts.messages import title_of
from issuer.operations.alerts.states import DeliveryState
from issuer.operations.models import AlertAttempt, AlertDelivery
from issuer.people.actors import actor_of
from issuer.people.models import User


class AlertAttemptInline(ReadOnlyAdmin, TabularInline):
    """How each try ended, under the delivery."""

    model = AlertAttempt
    extra = 0


@admin.register(AlertDelivery)
class AlertDeliveryAdmin(ReadOnlyAdmin, ModelAdmin):
    """Whether staff were told, by which way and when, and what went wrong."""

    list_display = ("title", "by", "standing", "tries", "raised_at", "sent_at", "problem")
    list_filter = ("state", "channel", "event__type")
    list_select_related = ("event",)
    date_hierarchy = "raised_at"
    ordering = ("-raised_at", "-id")
    show_full_result_count = False
    inlines = (AlertAttemptInline,)
    actions = ("acknowledge",)

    @admin.display(description="Alert", ordering="event__type")
    def title(self, delivery: AlertDelivery) -> str:
        return title_of(delivery.event)

    @admin.display(description="By", ordering="channel")
    def by(self, delivery: AlertDelivery) -> str:
        return delivery.channel or "no channel"

    @admin.display(description="State", ordering="state")
    def standing(self, delivery: AlertDelivery) -> SafeString:
        # What is sent to a chain still waits for it; an alert that is sent has arrived.
        tone = "DONE" if delivery.state == DeliveryState.SENT else delivery.state
        return pill(tone, delivery.get_state_display())

    @admin.action(description="Mark as read what no channel took", permissions=["acknowledge"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[AlertDelivery]) -> None:
        assert isinstance(request.user, User)
        actor, at = actor_of(request.user), clock.now()
        selected = set(queryset.order_by().values_list("event_id", flat=True))
        read = services.acknowledge(event_ids=selected, actor=actor, at=at)
        self.message_user(request, f"Marked as read: {read} of {len(selected)} alerts.")

    def has_acknowledge_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("operations.acknowledge_alert")
