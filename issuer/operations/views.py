"""What the machines around us ask: are you alive, and are you fit to serve?"""

from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView

from issuer.operations import selectors


@require_safe
@never_cache
def healthz(_request: HttpRequest) -> JsonResponse:
    """Say that the process answers; asks nobody else, so that nobody else gets us restarted."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(_request: HttpRequest) -> JsonResponse:
    """Say whether requests may be sent here, and what hinders if not."""
    checks = selectors.readiness()
    fit = all(outcome == "ok" for outcome in checks.values())
    return JsonResponse(
        {"status": "ok" if fit else "unavailable", "checks": checks},
        status=HTTPStatus.OK if fit else HTTPStatus.SERVICE_UNAVAILABLE,
    )


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Show the figures to whoever has the token; others see that nothing is here."""
    expected = f"Bearer {settings.METRICS_TOKEN}"
    presented = request.headers.get("Authorization", "")
    if settings.METRICS_TOKEN and not constant_time_compare(presented, expected):
        return HttpResponseNotFound()
    if not settings.METRICS_TOKEN and not settings.SANDBOX:
        return HttpResponseNotFound()
    answer: HttpResponse = ExportToDjangoView(request)
    return answer
