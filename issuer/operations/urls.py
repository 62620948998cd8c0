"""What the machines around us ask."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("django_prometheus.urls")),
]
