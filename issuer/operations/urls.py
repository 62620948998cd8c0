"""What the machines around us ask."""

from django.urls import URLPattern, URLResolver, include, path

from issuer.operations import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("", include("django_prometheus.urls")),
]
