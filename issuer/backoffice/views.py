"""The pages of the back office: they gather, call one service, and report."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from issuer.foundation import clock


def today(request: HttpRequest, extra_context: dict[str, Any]) -> HttpResponse:
    """Is everything covered, and what waits for me?"""
    context = {
        **admin.site.each_context(request),
        "title": "Today",
        "now": clock.now(),
        **extra_context,
    }
    return render(request, "backoffice/today.html", context)
