"""Alerts that reached nobody, for the page that everybody on staff begins with."""

from datetime import datetime
from typing import Any

from django import template

from issuer.operations.alerts import channels, selectors

register = template.Library()


@register.inclusion_tag("operations/untold.html")
def untold_alerts(at: datetime) -> dict[str, Any]:
    """Say which alerts were told to nobody, and which channels fail; nothing if all is well."""
    return {
        "now": at,
        "untold": selectors.untold(),
        "failing": selectors.failing_channels(),
        "unconfigured": not channels.configured(),
    }
