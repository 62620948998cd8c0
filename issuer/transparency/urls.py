"""What anybody may read."""

from django.urls import path

from issuer.transparency import views

urlpatterns = [
    path("", views.reserves, name="reserves"),
    path("attestations/<slug:program>/<int:sequence>/", views.attestation, name="attestation"),
    path(
        "attestations/<slug:program>-<int:sequence>.zip",
        views.package,
        name="attestation-package",
    ),
    path(
        "attestations/<slug:program>-<int:sequence>/<str:name>",
        views.exhibit,
        name="attestation-file",
    ),
    path("keys.json", views.keys, name="attestation-keys"),
    path("attestation.schema.json", views.schema, name="attestation-schema"),
    path("verify_offline.py", views.checker, name="attestation-checker"),
]
