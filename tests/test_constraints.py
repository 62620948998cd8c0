"""Every constraint and trigger in the catalog of PostgreSQL has a test that violates it."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection, models
from django.db.migrations.loader import MigrationLoader

from issuer.audit import services as audit
from issuer.audit.models import AuditEvent, Seal, SealedEvent
from issuer.chain.states import ActState
from issuer.events import services as events
from issuer.foundation import actors
from issuer.foundation.append_only import MakeAppendOnly
from issuer.foundation.identifiers import uuid7
from issuer.gate.models import Resumption, ScopeKind
from issuer.kyc import services as kyc_services
from issuer.operations.models import AlertAttempt, AlertDelivery
from issuer.primary_market.states import IssuanceState, RedemptionState
from issuer.reconciliation.models import Item, Line
from tests.make import (
    attestation,
    chain,
    chain_acts,
    corporate_actions,
    custody,
    gate,
    kyc,
    ledger,
    parties,
    people,
    primary_market,
    redemptions,
)
from tests.make import reconciliation as reconciled
from tests.violations import refused_by

pytestmark = pytest.mark.django_db

AT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
HERE = Path(__file__)

#: Constraints with names, unique indexes (which those with a condition are), and triggers.
NAMED = """
SELECT owner.relname, named.conname FROM pg_constraint named
    JOIN pg_class owner ON owner.oid = named.conrelid
    WHERE named.contype IN ('c', 'u', 'x')
UNION
SELECT owner.relname, index.relname FROM pg_index
    JOIN pg_class index ON index.oid = indexrelid
    JOIN pg_class owner ON owner.oid = indrelid
    WHERE indisunique AND NOT indisprimary
UNION
SELECT owner.relname, tgname FROM pg_trigger
    JOIN pg_class owner ON owner.oid = tgrelid
    WHERE NOT tgisinternal
"""


def tables() -> set[str]:
    """The tables of the house."""
    return {
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label in settings.ROOMS
    }


def is_of_a_column(table: str, name: str) -> bool:
    """Say whether Django made the name up, for what a column says of itself.

    As `unique=True`, or a column that counts: such names begin with the table's, or end in a hash.
    """
    of_the_table = name.startswith(f"{table}_") and name.endswith(("_key", "_check"))
    return of_the_table or re.search(r"_[0-9a-f]{8}_uniq$", name) is not None


def named() -> list[str]:
    """The names that somebody gave to constraints and triggers, but for those of one kind."""
    with connection.cursor() as cursor:
        cursor.execute(NAMED)
        found = cursor.fetchall()
    ours = tables()
    return sorted(
        name
        for table, name in found
        if table in ours
        and not is_of_a_column(table, name)
        and name != f"{table}_append_only"  # tried below, one by one
    )


def sources() -> str:
    return "\n".join(path.read_text() for path in sorted(HERE.parent.rglob("*.py")) if path != HERE)


class TestCatalog:
    def test_names_nothing_that_no_test_violates(self) -> None:
        tried = set(re.findall(r"\w+", sources()))

        assert [name for name in named() if name not in tried] == []

    def test_holds_what_the_models_say(self) -> None:
        said = {
            constraint.name
            for model in apps.get_models()
            if model._meta.app_label in settings.ROOMS
            for constraint in model._meta.constraints
        }

        assert said - set(named()) == set()

    def test_guards_every_table_that_is_said_to_be_append_only(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT tgname FROM pg_trigger WHERE tgname LIKE '%append_only'")
            guards = {name for (name,) in cursor.fetchall()}

        assert guards == {f"{table}_append_only" for table in APPEND_ONLY}


def append_only_tables() -> list[str]:
    """The tables that the migrations make append-only."""
    migrations = MigrationLoader(None).disk_migrations.values()
    return sorted(
        operation.table
        for migration in migrations
        for operation in migration.operations
        if isinstance(operation, MakeAppendOnly)
    )


APPEND_ONLY = append_only_tables()


def make_trail() -> None:
    """An event under a seal, written by hand: the sealer waits for this transaction to end."""
    event = audit.record(
        "person.greet", subject=people.person(), actor=actors.system("make"), at=AT
    )
    seal = Seal.objects.create(
        number=1,
        first_position=1,
        last_position=1,
        previous_hash="0" * 64,
        hash="1" * 64,
        sealed_at=AT,
        sealed_by="SYSTEM:make",
    )
    SealedEvent.objects.create(position=1, event=event, seal=seal)
    assert AuditEvent.objects.exists()


def make_event() -> None:
    events.record("person.arrived", subject=people.person(), at=AT)


def make_transfer() -> None:
    ledger.account(balance="5")


def make_case() -> None:
    case = kyc.case()
    kyc_services.start(case.pk, actor=actors.system("make"), at=AT)
    kyc.evidence(case)


def make_issuance() -> None:
    primary_market.issuance(state=IssuanceState.COMPLETED, at=AT)


def make_stated_settlement() -> None:
    custody.stated_settlement(at=AT)


def make_alert_attempt() -> None:
    event = events.record("gate.hold_placed", subject=people.person(), at=AT)
    delivery = AlertDelivery.objects.create(event=event, channel="mail", raised_at=AT, due_at=AT)
    AlertAttempt.objects.create(delivery=delivery, number=1, begun_at=AT, ended_at=AT)


def make_act() -> None:
    chain_acts.act(state=ActState.APPROVED)


def make_redemption() -> None:
    redemptions.redemption(state=RedemptionState.AWAITING_TOKENS, at=AT)


def make_run() -> None:
    world = attestation.world(at=AT)
    reconciled.run(world.program, at=AT)
    Item.objects.create(
        line=Line.objects.all()[0], reference="REF-1", kind="transfer", quantity=Decimal(1)
    )


def make_statement() -> None:
    attestation.published(attestation.world(at=AT), at=AT + timedelta(minutes=1))


def make_stock_split() -> None:
    corporate_actions.confirmed(corporate_actions.stock_split(at=AT), at=AT)


def make_resumption() -> Resumption:
    return gate.resumption(gate.hold(ScopeKind.TOKEN, uuid7()).scope)


#: What makes a row in each table that never changes.
MAKERS: dict[Callable[[], object], Iterable[str]] = {
    make_trail: ["audit_auditevent", "audit_seal", "audit_sealedevent"],
    make_event: ["events_event"],
    make_transfer: ["ledger_transfer", "ledger_entry"],
    make_case: ["kyc_casetransition", "kyc_evidencedocument"],
    make_alert_attempt: ["operations_alertattempt"],
    parties.criteria: ["parties_criteria"],
    chain.snapshot: ["chain_supplysnapshot"],
    chain.event: ["chain_chainevent"],
    make_act: ["chain_contractacttransition"],
    chain.incoming_transfer: ["chain_incomingtransfer"],
    make_stated_settlement: ["custody_statedsettlement"],
    make_issuance: [
        "approvals_approval",
        "chain_intenttransition",
        "chain_transactionattempt",
        "custody_instructiontransition",
        "custody_position",
        "custody_statement",
        "primary_market_issuancetransition",
    ],
    make_stock_split: ["corporate_actions_stocksplitact", "corporate_actions_stocksplittransition"],
    make_redemption: ["primary_market_redemptiontransition"],
    make_resumption: ["gate_resumption"],
    make_run: [
        "reconciliation_item",
        "reconciliation_line",
        "reconciliation_run",
        "reconciliation_tokenresult",
    ],
    make_statement: [
        "attestation_attestationtransition",
        "attestation_exhibit",
        "attestation_statementkey",
    ],
}


class TestAppendOnly:
    def test_is_tried_for_every_table(self) -> None:
        assert sorted(table for made in MAKERS.values() for table in made) == APPEND_ONLY

    @pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
    def test_refuses_to_change_or_delete_a_row(self, make: Callable[[], object]) -> None:
        make()

        for table in MAKERS[make]:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT count(*) FROM {table}")
                assert cursor.fetchone()[0] > 0, f"{make.__name__} makes no row of {table}"
                for statement in (
                    f"UPDATE {table} SET {key_of(table)} = {key_of(table)}",
                    f"DELETE FROM {table}",
                ):
                    with refused_by(f"{table}_append_only"):
                        cursor.execute(statement)


def key_of(table: str) -> str:
    """The column of the primary key of `table`."""
    (model,) = (m for m in apps.get_models() if m._meta.db_table == table)
    key: models.Field = model._meta.pk
    return str(key.column)
