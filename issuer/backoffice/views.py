"""The index of the back office."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from issuer.backoffice.overview import today as today_of
from issuer.foundation import clock
from issuer.people.models import User


def today(request: HttpRequest, extra_context: dict[str, Any]) -> HttpResponse:
    """Is everything covered, and what waits for me?"""
    assert isinstance(request.user, User), "the site lets only staff in"
    context = {
        **admin.site.each_context(request),
        "title": "Today",
        "today": today_of(request.user, at=clock.now()),
        **extra_context,
    }
    return render(request, "backoffice/today.html", context)
