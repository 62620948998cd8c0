"""`manage.py outside` is everything in the demo world that is not ours."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from issuer.sandbox import outside, pager
from issuer.sandbox.chains import CHAINS
from issuer.sandbox.custodian import DemoCustodian


class Command(BaseCommand):
    """Let the custodian send statements and the chains follow the clock."""

    help = "Run what is outside the house in the demo world; `demo` starts it."

    def handle(self, *args: Any, **options: Any) -> None:
        pager.serve(settings.PAGER_PORT)
        if ready_file := os.environ.get("READY_FILE"):
            Path(ready_file).touch()
        outside.go_on(DemoCustodian.of_settings(), [chain.anvil() for chain in CHAINS])
