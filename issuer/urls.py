"""Which room answers which address."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("issuer.backoffice.accounts")),
    path("", include("issuer.api.urls")),
    path("", include("issuer.transparency.urls")),
]

handler404 = "issuer.api.problems.not_found"
handler500 = "issuer.api.problems.server_error"
