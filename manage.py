#!/usr/bin/env python3
"""Django's command line for Issuer."""

import os
import sys


def main() -> None:
    """Run one command; a setting that is missing or wrong is one line, not a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "issuer.settings")
    if sys.argv[1:2] == ["demo"]:
        os.environ.setdefault("SANDBOX", "1")

    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as exc:
        sys.exit(f"Not configured: {exc}")


if __name__ == "__main__":
    main()
