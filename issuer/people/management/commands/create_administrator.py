"""`manage.py create_administrator`: the first login of a new installation."""

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from issuer.foundation import actors, clock
from issuer.foundation.errors import DomainError
from issuer.people import selectors, services
from issuer.people.roles import Role


class Command(BaseCommand):
    """Registers the first administrator, who grants all other roles."""

    help = "Register the first administrator; the password is asked for, or read from a pipe."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("name", help="The person's own name.")

    def handle(self, *args: Any, **options: Any) -> None:
        if selectors.administrator_exists():
            raise CommandError("There is an administrator already, who can grant the role.")
        asked = sys.stdin.isatty()
        password = getpass.getpass() if asked else sys.stdin.readline().rstrip("\n")
        try:
            services.register_user(
                person_name=options["name"],
                username=options["username"],
                password=password,
                roles=[Role.ADMINISTRATOR],
                actor=actors.system("people.create_administrator"),
                at=clock.now(),
            )
        except DomainError as refusal:
            raise CommandError(refusal.detail) from refusal
        self.stdout.write(f"{options['username']} is an administrator.")
