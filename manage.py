#!/usr/bin/env python3
"""Django's command line for Issuer."""

import os
import sys


def main() -> None:
    """Run one command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "issuer.settings")
    if sys.argv[1:2] == ["demo"]:
        os.environ.setdefault("SANDBOX", "1")

    from django.core.management import execute_from_command_line  # after the environment is set

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
