"""The room as Django sees it."""

import decimal

from django.apps import AppConfig

from issuer.foundation import quantities


class FoundationConfig(AppConfig):
    """What is true in every room: quantities, states, refusals, transactions, the clock."""

    name = "issuer.foundation"
    label = "foundation"

    def ready(self) -> None:
        """Widen Decimal's context, in this thread and in all to come, so that sums stay exact."""
        decimal.DefaultContext.prec = quantities.WORKING_DIGITS
        decimal.setcontext(decimal.Context(prec=quantities.WORKING_DIGITS))
