"""`manage.py prepare` does what must be done before a new version serves."""

from typing import Any

from django.core.management.base import BaseCommand

from issuer.operations import parts


class Command(BaseCommand):
    """Change the tables, as their owner, and collect the static files."""

    help = "Apply migrations, grant the application its rights, and collect the static files."

    def handle(self, *args: Any, **options: Any) -> None:
        for step in (parts.migrations(), parts.static_files()):
            self.stdout.write(f"{step.name}: {step.work()}")
