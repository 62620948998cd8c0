"""What the house does by itself, and how often; read by the settings."""

from datetime import timedelta
from functools import partial
from typing import Any, Final

#: A task that waited until it is due again is not carried out; after less than this it still is.
EXPIRES_SECONDS_MIN: Final = 15


def of(*, sandbox: bool) -> dict[str, dict[str, Any]]:
    """Return Celery's schedule; the demo world's days are short, so it asks more often there."""
    beat = partial(_beat, sandbox=sandbox)
    return {
        "operations.beat": beat("operations.tasks.beat", seconds=15, sandbox_seconds=15),
        "operations.alerts": beat("operations.tasks.alert_staff", seconds=5, sandbox_seconds=2),
        "audit.seal": beat("audit.tasks.seal_trail", seconds=10, sandbox_seconds=5),
        "kyc.expiry": beat("kyc.tasks.expire_cases", seconds=60, sandbox_seconds=5),
        "custody.statements": beat("custody.tasks.collect_statements", seconds=60),
        "custody.ageing": beat("custody.tasks.age_instructions", seconds=300, sandbox_seconds=5),
        "chain.scan": beat("chain.tasks.scan_networks", seconds=10, sandbox_seconds=2),
        "chain.acts": beat("chain.tasks.advance_acts", seconds=15),
        "chain.intents": beat("chain.tasks.advance_intents", seconds=15),
        "chain.halts": beat("chain.tasks.stop_intents", seconds=3),
        "primary_market.requests": beat("primary_market.tasks.advance_requests", seconds=15),
        "primary_market.redemptions": beat("primary_market.tasks.advance_redemptions", seconds=15),
        "corporate_actions.splits": beat(
            "corporate_actions.tasks.advance_splits", seconds=15, sandbox_seconds=2
        ),
        "reconciliation": beat(
            "reconciliation.tasks.reconcile_programs", seconds=900, sandbox_seconds=3
        ),
        "reconciliation.alarm": beat(
            "reconciliation.tasks.reconcile_alarmed", seconds=5, sandbox_seconds=5
        ),
        "api.forgetting": beat(
            "api.tasks.forget_served_requests", seconds=3600, sandbox_seconds=3600
        ),
        "attestation.events": beat("attestation.tasks.attest_events", seconds=5, sandbox_seconds=2),
        "attestation.publish": beat("attestation.tasks.publish_reviewed", seconds=30),
    }


def _beat(task: str, *, seconds: int, sandbox_seconds: int = 1, sandbox: bool) -> dict[str, Any]:
    every = sandbox_seconds if sandbox else seconds
    return {
        "task": f"issuer.{task}",
        "schedule": timedelta(seconds=every),
        "options": {"expires": max(every, EXPIRES_SECONDS_MIN)},
    }
