"""`manage.py up` runs everything that one machine needs."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from issuer.operations import parts
from issuer.operations.supervisor import CannotStart, Supervisor


class Command(BaseCommand):
    """Bring up the machine and keep it up."""

    help = "Run database, migrations, worker, beat and web server; Ctrl-C stops everything."
    requires_system_checks = "__all__"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.HOST, help="where to listen")
        parser.add_argument("--port", default=settings.PORT, type=int, help="where to listen")

    def handle(self, *args: Any, **options: Any) -> None:
        supervisor = Supervisor(
            parts.machine(host=options["host"], port=options["port"]),
            data_directory=settings.DATA_DIR,
            say=self._say,
        )
        try:
            supervisor.run()
        except CannotStart as exc:
            raise CommandError(str(exc)) from exc

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
