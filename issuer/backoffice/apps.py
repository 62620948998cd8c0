"""The room as Django sees it, and the admin site that it gives to every room."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps  # a class here would count as ours


class BackofficeConfig(AppConfig):
    """The door for staff."""

    name = "issuer.backoffice"
    label = "backoffice"
    default = True


class BackofficeAdminConfig(admin_apps.AdminConfig):
    """Django's admin on our site, so that no room imports this one to register its records."""

    default = False
    default_site = "issuer.backoffice.sites.BackofficeSite"
