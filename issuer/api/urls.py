"""Where partners come in, and where refusals are explained."""

from django.urls import include, path

from issuer.api import pages

urlpatterns = [
    path("api/v1/", include(("issuer.api.v1.urls", "api"))),
    path("problems/", pages.problem_list, name="problems"),
    path("problems/<slug:code>", pages.problem, name="problem"),
]
