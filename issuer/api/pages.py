"""The pages that explain refusals: when, why, what to do, and whether to try again."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import get_template
from django.views.decorators.http import require_safe

from issuer.api import problems


@require_safe
def problem_list(request: HttpRequest) -> HttpResponse:
    """List every code that may stand in a problem."""
    return render(request, "problems/index.html", {"problems": problems.catalog()})


@require_safe
def problem(request: HttpRequest, code: str) -> HttpResponse:
    """Explain one code."""
    if code not in problems.catalog():
        raise Http404(f"No refusal has the code {code}.")
    status, title = problems.catalog()[code]
    page = get_template(f"problems/{code}.html")
    context = {"code": code, "title": title, "status": status}
    return HttpResponse(page.render(context, request))
