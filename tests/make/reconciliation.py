"""Runs and breaks for tests."""

from datetime import UTC, datetime
from decimal import Decimal

from issuer.foundation import actors
from issuer.instruments.models import Token
from issuer.parties.models import Program
from issuer.reconciliation import services
from issuer.reconciliation.models import Break, Run
from issuer.reconciliation.states import BreakCode, Severity
from tests.make import instruments, parties

BEFORE = datetime(2026, 11, 1, tzinfo=UTC)


def run(program_: Program | None = None, *, at: datetime = BEFORE) -> Run:
    """Return a run of the program, with whatever it finds."""
    return services.reconcile(program_ or parties.program(), actor=actors.system("make"), at=at)


def break_(
    token_: Token | None = None,
    *,
    code: BreakCode = BreakCode.SUP_OVER,
    severity: Severity = Severity.CRITICAL,
    quantity: Decimal | None = Decimal(5),
    run_: Run | None = None,
) -> Break:
    """Return an open break as a run of its own found it; a later run may see it again or not."""
    token_ = token_ or instruments.token()
    run_ = run_ or run(token_.program)
    return Break.objects.create(
        token=token_,
        code=code,
        severity=severity,
        quantity=quantity,
        unit="" if quantity is None else "tokens",
        detail="The chains show more tokens than the register explains.",
        opened_run=run_,
        opened_at=run_.as_of,
        last_seen_run=run_,
        last_seen_at=run_.as_of,
    )
