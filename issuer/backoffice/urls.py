"""The pages of the back office that belong to no room's records alone."""

from django.contrib.admin import AdminSite
from django.urls import URLPattern


def site_urls(site: AdminSite) -> list[URLPattern]:
    """Return the pages of `site`, each for staff only."""
    return []
