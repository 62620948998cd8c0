"""The settings as type checkers load them: those of the demo world, which needs no secrets."""

import os

os.environ["SANDBOX"] = "1"

from issuer.settings import *
