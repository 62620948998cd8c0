"""What PostgreSQL refuses, past all Python."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction
from psycopg import errors as psycopg_errors

from issuer.chain.models import (
    ChainEvent,
    ContractAct,
    ContractCall,
    IntentTransition,
    NetworkTrouble,
    ScanCursor,
    SignerAccount,
    SupplySnapshot,
    TransactionAttempt,
    TransactionIntent,
)
from issuer.chain.signing import hash_of
from issuer.chain.states import MOVES_SUPPLY, ActState, IntentKind, IntentState
from issuer.foundation.identifiers import uuid7
from tests.make import chain as make
from tests.make import chain_acts, instruments, parties

pytestmark = pytest.mark.django_db

NOTHING = hash_of(b"")
THIEF = "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"


def insert_copy(row: models.Model, **columns: Any) -> None:
    """Insert `row` once more by bare SQL, under another id and with other `columns`."""
    table = row._meta.db_table
    names = [str(field.column) for field in row._meta.concrete_fields]
    changed = {"id": uuid7(), **columns}
    values = ", ".join("%s" if name in changed else name for name in names)
    parameters = [changed[name] for name in names if name in changed]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {table} WHERE id = %s",
            [*parameters, row.pk],
        )


@contextmanager
def violating(constraint: str) -> Iterator[None]:
    """Expect the violation of the constraint of that name, and undo what led to it."""
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        yield
    cause = refusal.value.__cause__
    assert isinstance(cause, psycopg_errors.Error)
    assert cause.diag.constraint_name == constraint


class TestSupplySnapshot:
    @pytest.mark.parametrize(
        ("constraint", "columns"),
        [
            ("supply_snapshot_once_per_block", {}),
            ("supply_snapshot_not_negative", {"block_number": 9, "total_supply_base_units": -1}),
            (
                "supply_snapshot_multiplier_positive",
                {"block_number": 9, "ui_multiplier_base_units": 0},
            ),
            ("supply_snapshot_pins_a_block", {"block_number": 9, "block_hash": "0x12"}),
        ],
    )
    def test_refuses(self, constraint: str, columns: dict[str, Any]) -> None:
        row = make.snapshot(block_number=1)

        with violating(constraint):
            insert_copy(row, **columns)

        assert SupplySnapshot.objects.count() == 1


class TestChainEvent:
    @pytest.mark.parametrize(
        ("constraint", "columns"),
        [
            ("chain_event_kind_known", {"log_index": 9, "kind": "MOVE"}),
            ("chain_event_once", {}),
            ("chain_event_not_negative", {"log_index": 9, "base_units": -1}),
        ],
    )
    def test_refuses(self, constraint: str, columns: dict[str, Any]) -> None:
        row = make.event()

        with violating(constraint):
            insert_copy(row, **columns)

        assert ChainEvent.objects.count() == 1


class TestScanCursor:
    def test_pins_a_block(self) -> None:
        row = make.cursor()

        with violating("scan_cursor_pins_a_block"):
            ScanCursor.objects.filter(pk=row.pk).update(block_hash="latest")

    def test_stands_once_per_deployment(self) -> None:
        row = make.cursor()

        with pytest.raises(IntegrityError), transaction.atomic():
            insert_copy(row)


class TestNetworkTrouble:
    def test_is_open_once_per_network(self) -> None:
        row = make.trouble()

        with violating("network_trouble_open_once"):
            insert_copy(row)
        insert_copy(row, ended_at=row.since)

    def test_says_why(self) -> None:
        row = make.trouble()

        with violating("network_trouble_says_why"):
            NetworkTrouble.objects.filter(pk=row.pk).update(reason="")

    @pytest.mark.parametrize("column", ["last_seen_at", "ended_at"])
    def test_is_in_order(self, column: str) -> None:
        row = make.trouble()

        with violating("network_trouble_is_in_order"):
            earlier = {column: row.since - timedelta(seconds=1)}
            NetworkTrouble.objects.filter(pk=row.pk).update(**earlier)


class TestSignerAccount:
    def test_address_is_evm(self) -> None:
        row = make.signer_account()

        with violating("signer_account_address_is_evm"):
            insert_copy(row, address="alice", purpose="BURNER")

    def test_has_a_purpose(self) -> None:
        row = make.signer_account()

        with violating("signer_account_purpose_known"):
            insert_copy(row, purpose="KING", address=parties.evm_address())

    def test_stands_once_per_network(self) -> None:
        row = make.signer_account()

        with violating("signer_account_address_once_per_network"):
            insert_copy(row, purpose="BURNER")

    def test_is_the_only_one_in_use_for_its_purpose(self) -> None:
        row = make.signer_account()
        retired = {"retired_at": row.appointed_at, "retired_reason": "Stolen."}

        with violating("signer_account_one_in_use_per_purpose"):
            insert_copy(row, address=parties.evm_address())
        insert_copy(row, address=parties.evm_address(), **retired)

    @pytest.mark.parametrize(
        "columns", [{"retired_at": make.BEFORE}, {"retired_reason": "Stolen."}]
    )
    def test_is_retired_for_a_reason(self, columns: dict[str, Any]) -> None:
        row = make.signer_account()

        with violating("signer_account_retired_says_why"):
            SignerAccount.objects.filter(pk=row.pk).update(**columns)

    def test_is_not_retired_before_it_was_appointed(self) -> None:
        row = make.signer_account()

        with violating("signer_account_retired_after_its_appointment"):
            SignerAccount.objects.filter(pk=row.pk).update(
                retired_at=row.appointed_at - timedelta(seconds=1), retired_reason="Stolen."
            )

    @pytest.mark.parametrize(
        "columns",
        [
            {"purpose": "BURNER"},
            {"address": "0x00000000000000000000000000000000DeaDBeef"},
            {"appointed_at": make.BEFORE - timedelta(days=1)},
            {"next_nonce": 4},
        ],
        ids=lambda columns: next(iter(columns)),
    )
    def test_keeps_what_it_is_and_its_nonces(self, columns: dict[str, Any]) -> None:
        row = make.signer_account()
        SignerAccount.objects.filter(pk=row.pk).update(next_nonce=5)

        with violating("signer_account_keeps_what_it_is"):
            SignerAccount.objects.filter(pk=row.pk).update(**columns)

    def test_never_comes_back(self) -> None:
        row = make.signer_account()
        accounts = SignerAccount.objects.filter(pk=row.pk)
        accounts.update(retired_at=make.BEFORE, retired_reason="Stolen.")

        with violating("signer_account_keeps_what_it_is"):
            accounts.update(retired_at=None, retired_reason="")
        with violating("signer_account_keeps_what_it_is"), connection.cursor() as cursor:
            cursor.execute("DELETE FROM chain_signeraccount WHERE id = %s", [row.pk])


class TestTransactionIntent:
    @pytest.mark.parametrize(
        ("constraint", "columns"),
        [
            ("transaction_intent_state_known", {"state": "HOPED_FOR"}),
            ("transaction_intent_final_iff_event", {"state": "FINAL"}),
            ("transaction_intent_final_iff_event", {"state": "BOOKED"}),
            ("transaction_intent_failed_says_why", {"state": "REVERTED"}),
            ("transaction_intent_failed_says_why", {"state": "DROPPED"}),
            ("transaction_intent_failed_says_why", {"failure": "Somehow."}),
            (
                "transaction_intent_failed_says_why",
                {"state": "CANCELLED", "cancel_reason": "Shut."},
            ),
            ("transaction_intent_cancelled_says_why", {"state": "CANCELLING"}),
            ("transaction_intent_cancelled_says_why", {"state": "CANCEL_SENT"}),
            ("transaction_intent_cancelled_says_why", {"state": "CANCELLED", "failure": "Shut."}),
        ],
    )
    def test_refuses(self, constraint: str, columns: dict[str, Any]) -> None:
        row = make.intent()

        with violating(constraint):
            TransactionIntent.objects.filter(pk=row.pk).update(**columns)

        row.refresh_from_db()
        assert row.state == IntentState.SIGNED

    def test_is_cancelled_only_if_a_gate_may_stop_it(self) -> None:
        row = make.intent(kind=IntentKind.PAUSE)

        with violating("transaction_intent_cancelled_only_if_gated"):
            TransactionIntent.objects.filter(pk=row.pk).update(cancel_reason="Shut.")

    def test_keeps_why_it_is_cancelled(self) -> None:
        row = make.intent(state=IntentState.CANCELLING)

        for reason in ("", "Another."):
            with violating("transaction_intent_content_unchangeable"):
                TransactionIntent.objects.filter(pk=row.pk).update(cancel_reason=reason)

    def test_has_no_event_before_it_is_final(self) -> None:
        row = make.intent()
        event = make.event(row.deployment)

        with violating("transaction_intent_final_iff_event"):
            TransactionIntent.objects.filter(pk=row.pk).update(event=event)

    @pytest.mark.parametrize(
        ("constraint", "columns"),
        [
            ("transaction_intent_nonce_once_per_signer", {"request_id": uuid7()}),
            ("transaction_intent_one_per_request_unless_failed", {"nonce": 9}),
            (
                "transaction_intent_kind_known",
                {"nonce": 9, "request_id": uuid7(), "kind": "WISH", "gate_needed": ""}
                | {"base_units": None},
            ),
            (
                "transaction_intent_moves_something_if_its_kind_does",
                {"nonce": 9, "request_id": uuid7(), "base_units": 0},
            ),
            (
                "transaction_intent_moves_something_if_its_kind_does",
                {"nonce": 9, "request_id": uuid7(), "base_units": None},
            ),
            (
                "transaction_intent_moves_something_if_its_kind_does",
                {"nonce": 9, "request_id": uuid7(), "kind": "GRANT_ROLE", "gate_needed": ""},
            ),
            (
                "transaction_intent_concerns_somebody_if_its_kind_does",
                {"nonce": 9, "request_id": uuid7(), "account": ""},
            ),
            (
                "transaction_intent_concerns_somebody_if_its_kind_does",
                {"nonce": 9, "request_id": uuid7(), "kind": "PAUSE", "gate_needed": ""}
                | {"base_units": None},
            ),
            (
                "transaction_intent_needs_the_gate_of_its_kind",
                {"nonce": 9, "request_id": uuid7(), "gate_needed": ""},
            ),
            (
                "transaction_intent_needs_the_gate_of_its_kind",
                {"nonce": 9, "request_id": uuid7(), "gate_needed": "REDEEM_ONLY"},
            ),
            (
                "transaction_intent_needs_the_gate_of_its_kind",
                {"nonce": 9, "request_id": uuid7(), "kind": "SEIZE"},
            ),
            (
                "transaction_intent_needs_the_gate_of_its_kind",
                {"nonce": 9, "request_id": uuid7(), "kind": "RETURN", "gate_needed": ""},
            ),
        ],
    )
    def test_refuses_beside_another(self, constraint: str, columns: dict[str, Any]) -> None:
        row = make.intent()

        with violating(constraint):
            insert_copy(row, **columns)

        assert TransactionIntent.objects.count() == 1

    @pytest.mark.parametrize("kind", sorted(set(IntentKind) - MOVES_SUPPLY))
    def test_is_final_without_an_event_where_no_supply_moves(self, kind: IntentKind) -> None:
        row = make.intent(kind=kind, state=IntentState.FINAL)
        event = make.event(row.deployment)

        with violating("transaction_intent_final_iff_event"):
            TransactionIntent.objects.filter(pk=row.pk).update(event=event)

        row.refresh_from_db()
        assert row.event is None

    def test_takes_one_event_alone(self) -> None:
        row = make.intent(state=IntentState.FINAL)

        with pytest.raises(IntegrityError), transaction.atomic():
            insert_copy(row, nonce=9, request_id=uuid7())

    @pytest.mark.parametrize(
        "columns",
        [
            {"kind": "SEIZE", "gate_needed": ""},
            {"account": "0x00000000000000000000000000000000DeaDBeef"},
            {"calldata": b"\x01"},
            {"base_units": 7},
            {"nonce": 7},
            {"request_id": uuid7()},
            {"request_serial": 1},
            {"calldata_hash": make.hash_32()},
            {"gas_limit": 7},
            {"gate_scopes": []},
            {"signed_at": make.BEFORE + timedelta(days=1)},
        ],
        ids=lambda columns: next(iter(columns)),
    )
    def test_keeps_what_it_was_signed_for(self, columns: dict[str, Any]) -> None:
        row = make.intent(gate_scopes=[["TOKEN", str(uuid7())]])

        with violating("transaction_intent_content_unchangeable"):
            TransactionIntent.objects.filter(pk=row.pk).update(**columns)

    def test_keeps_its_deployment_and_signer(self) -> None:
        row = make.intent()

        with violating("transaction_intent_content_unchangeable"):
            TransactionIntent.objects.filter(pk=row.pk).update(deployment=instruments.deployment())
        with violating("transaction_intent_content_unchangeable"):
            TransactionIntent.objects.filter(pk=row.pk).update(signer_account=make.signer_account())

    def test_stays(self) -> None:
        row = make.intent()

        with violating("transaction_intent_content_unchangeable"), connection.cursor() as cursor:
            cursor.execute("DELETE FROM chain_transactionintent WHERE id = %s", [row.pk])


class TestTransactionAttempt:
    @pytest.mark.parametrize(
        ("constraint", "columns"),
        [
            ("transaction_attempt_has_a_hash", {"transaction_hash": "0x12"}),
            (
                "transaction_attempt_pays_something",
                {"transaction_hash": make.hash_32(), "max_fee_per_gas": 0},
            ),
            (
                "transaction_attempt_repeats_its_intent",
                {"transaction_hash": make.hash_32(), "calldata_hash": make.hash_32()},
            ),
            (
                "transaction_attempt_repeats_its_intent",
                {"transaction_hash": make.hash_32(), "cancels": True, "calldata_hash": NOTHING},
            ),
        ],
    )
    def test_refuses(self, constraint: str, columns: dict[str, Any]) -> None:
        row = make.intent().attempts.get()

        with violating(constraint):
            insert_copy(row, **columns)

        assert TransactionAttempt.objects.count() == 1

    def test_is_the_only_one_of_its_serial(self) -> None:
        row = make.intent().attempts.get()

        with violating("transaction_attempt_serial_once_per_intent"):
            insert_copy(row, transaction_hash=make.hash_32())

    def test_has_a_hash_of_its_own(self) -> None:
        row = make.intent().attempts.get()

        with pytest.raises(IntegrityError), transaction.atomic():
            insert_copy(row)

    @pytest.mark.parametrize(
        "state",
        [each for each in IntentState if each not in (IntentState.SIGNED, IntentState.BROADCAST)],
    )
    def test_repeats_no_intent_that_is_mined_or_over(self, state: IntentState) -> None:
        row = make.intent(state=state).attempts.get()

        with violating("transaction_attempt_repeats_its_intent"):
            insert_copy(row, transaction_hash=make.hash_32())

    @pytest.mark.parametrize("state", [IntentState.CANCELLING, IntentState.CANCEL_SENT])
    def test_cancels_what_is_being_cancelled(self, state: IntentState) -> None:
        row = make.intent(state=state).attempts.get()

        insert_copy(
            row, serial=2, transaction_hash=make.hash_32(), cancels=True, calldata_hash=NOTHING
        )

        assert TransactionAttempt.objects.filter(cancels=True).count() == 1

    def test_cancels_by_doing_nothing(self) -> None:
        row = make.intent(state=IntentState.CANCELLING).attempts.get()

        with violating("transaction_attempt_cancels_by_doing_nothing"):
            insert_copy(row, transaction_hash=make.hash_32(), cancels=True)

    def test_cancels_nothing_that_no_gate_may_stop(self) -> None:
        row = make.intent(kind=IntentKind.PAUSE).attempts.get()

        with violating("transaction_attempt_repeats_its_intent"):
            insert_copy(row, transaction_hash=make.hash_32(), cancels=True, calldata_hash=NOTHING)

    def test_is_no_other_once_one_cancels(self) -> None:
        intent = make.intent(state=IntentState.CANCELLING)
        row = intent.attempts.get()
        insert_copy(
            row, serial=2, transaction_hash=make.hash_32(), cancels=True, calldata_hash=NOTHING
        )
        TransactionIntent.objects.filter(pk=intent.pk).update(state=IntentState.BROADCAST)

        with violating("transaction_attempt_repeats_its_intent"):
            insert_copy(row, transaction_hash=make.hash_32())


class TestContractAct:
    @pytest.mark.parametrize(
        ("constraint", "kind", "columns"),
        [
            ("contract_act_kind_known", "PAUSE", {"kind": "MINT", "account": THIEF}),
            ("contract_act_state_known", "PAUSE", {"state": "HOPED_FOR"}),
            (
                "contract_act_concerns_somebody_if_its_kind_does",
                "BLOCK_ADDRESS",
                {"account": ""},
            ),
            (
                "contract_act_concerns_somebody_if_its_kind_does",
                "BLOCK_ADDRESS",
                {"account": "thief"},
            ),
            (
                "contract_act_concerns_somebody_if_its_kind_does",
                "PAUSE",
                {"account": THIEF},
            ),
            ("contract_act_names_a_role_iff_it_changes_one", "GRANT_ROLE", {"role": ""}),
            ("contract_act_names_a_role_iff_it_changes_one", "GRANT_ROLE", {"role": "KING"}),
            ("contract_act_names_a_role_iff_it_changes_one", "PAUSE", {"role": "MINTER"}),
            ("contract_act_seizes_for_a_mint_iff_it_seizes", "SEIZE", {"base_units": 0}),
            ("contract_act_seizes_for_a_mint_iff_it_seizes", "SEIZE", {"base_units": None}),
            (
                "contract_act_seizes_for_a_mint_iff_it_seizes",
                "SEIZE",
                {"remedied_event_id": None},
            ),
            ("contract_act_seizes_for_a_mint_iff_it_seizes", "PAUSE", {"base_units": 5}),
            (
                "contract_act_has_terms_iff_it_schedules",
                "SCHEDULE_MULTIPLIER",
                {"multiplier": 0},
            ),
            (
                "contract_act_has_terms_iff_it_schedules",
                "SCHEDULE_MULTIPLIER",
                {"multiplier": None},
            ),
            (
                "contract_act_has_terms_iff_it_schedules",
                "SCHEDULE_MULTIPLIER",
                {"effective_at": None},
            ),
            (
                "contract_act_has_terms_iff_it_schedules",
                "SCHEDULE_MULTIPLIER",
                {"effective_at": chain_acts.AT},
            ),
            ("contract_act_has_terms_iff_it_schedules", "PAUSE", {"multiplier": 4}),
            ("contract_act_says_why", "PAUSE", {"reason": ""}),
            ("contract_act_part_has_type_and_id", "PAUSE", {"part_of_type": "a.b"}),
            ("contract_act_part_has_type_and_id", "PAUSE", {"part_of_id": uuid7()}),
            ("contract_act_stopped_says_why", "PAUSE", {"state": "FAILED"}),
            ("contract_act_stopped_says_why", "PAUSE", {"state": "DECLINED"}),
            ("contract_act_stopped_says_why", "PAUSE", {"stopped_reason": "Somehow."}),
        ],
    )
    def test_refuses(self, constraint: str, kind: str, columns: dict[str, Any]) -> None:
        row = chain_acts.act(kind=IntentKind(kind))

        with violating(constraint):
            insert_copy(row, **columns)

        assert ContractAct.objects.get() == row

    @pytest.mark.parametrize(
        "columns",
        [
            {"kind": "UNBLOCK_ADDRESS"},
            {"account": "0x00000000000000000000000000000000DeaDBeef"},
            {"reason": "Another."},
            {"part_of_type": "instruments.token", "part_of_id": uuid7()},
            {"proposed_by": "STAFF:somebody"},
            {"proposed_at": make.BEFORE},
        ],
        ids=lambda columns: next(iter(columns)),
    )
    def test_keeps_what_was_proposed(self, columns: dict[str, Any]) -> None:
        row = chain_acts.act()

        with violating("contract_act_content_unchangeable"):
            ContractAct.objects.filter(pk=row.pk).update(**columns)

    def test_stays(self) -> None:
        row = chain_acts.act()

        with violating("contract_act_content_unchangeable"), connection.cursor() as cursor:
            cursor.execute("DELETE FROM chain_contractact WHERE id = %s", [row.pk])


class TestContractCall:
    def test_is_of_a_contract_once(self) -> None:
        row = chain_acts.act().calls.get()

        with violating("contract_call_once_per_deployment"):
            insert_copy(row)

    def test_is_refused_only_while_it_is_not_signed(self) -> None:
        row = chain_acts.act(state=ActState.SENT).calls.get()

        with violating("contract_call_signed_is_not_refused"):
            ContractCall.objects.filter(pk=row.pk).update(refusal="AddressIsBlocked")

    def test_takes_no_intent_of_another(self) -> None:
        row = chain_acts.act().calls.get()
        foreign = make.intent(row.deployment, kind=IntentKind.BLOCK_ADDRESS)
        elsewhere = make.intent(kind=IntentKind.BLOCK_ADDRESS, request_id=row.pk)

        for intent in (foreign, elsewhere):
            with violating("contract_call_signed_for_itself"):
                ContractCall.objects.filter(pk=row.pk).update(intent=intent)

    def test_keeps_its_intent_and_its_contract(self) -> None:
        row = chain_acts.act(state=ActState.SENT).calls.get()

        with violating("contract_call_signed_for_itself"):
            ContractCall.objects.filter(pk=row.pk).update(intent=None)
        with violating("contract_call_signed_for_itself"):
            ContractCall.objects.filter(pk=row.pk).update(deployment=instruments.deployment())
        with violating("contract_call_signed_for_itself"), connection.cursor() as cursor:
            cursor.execute("DELETE FROM chain_contractcall WHERE id = %s", [row.pk])


class TestIntentTransition:
    def test_is_the_only_one_of_its_serial(self) -> None:
        row = IntentTransition.objects.create(
            intent=make.intent(),
            serial=1,
            step="BROADCAST",
            origin="SIGNED",
            destination="BROADCAST",
            actor="SYSTEM:tests",
            occurred_at=make.BEFORE,
        )

        with violating("intent_transition_serial_once_per_intent"):
            insert_copy(row)


class TestAppendOnly:
    @pytest.fixture
    def rows(self) -> dict[str, models.Model]:
        intent = make.intent()
        transition = IntentTransition.objects.create(
            intent=intent,
            serial=1,
            step="BROADCAST",
            origin="SIGNED",
            destination="BROADCAST",
            actor="SYSTEM:tests",
            occurred_at=make.BEFORE,
        )
        return {
            "chain_supplysnapshot_append_only": make.snapshot(),
            "chain_chainevent_append_only": make.event(),
            "chain_transactionattempt_append_only": intent.attempts.get(),
            "chain_intenttransition_append_only": transition,
            "chain_contractacttransition_append_only": (
                chain_acts.act(state=ActState.APPROVED).transitions.get()
            ),
        }

    @pytest.mark.parametrize(
        "trigger",
        [
            "chain_supplysnapshot_append_only",
            "chain_chainevent_append_only",
            "chain_transactionattempt_append_only",
            "chain_intenttransition_append_only",
            "chain_contractacttransition_append_only",
        ],
    )
    def test_rows_neither_change_nor_go(self, rows: dict[str, models.Model], trigger: str) -> None:
        row = rows[trigger]
        for statement in ("UPDATE {} SET id = id WHERE id = %s", "DELETE FROM {} WHERE id = %s"):
            with (
                pytest.raises(IntegrityError, match="append-only"),
                transaction.atomic(),
                connection.cursor() as cursor,
            ):
                cursor.execute(statement.format(row._meta.db_table), [row.pk])


class TestNames:
    def test_tell_staff_what_a_row_is(self) -> None:
        intent = make.intent(base_units=5)
        snapshot = make.snapshot(intent.deployment, block_number=7)

        assert str(intent) == f"Mint of 5 for {intent.request_id}"
        assert str(snapshot) == f"{intent.deployment} at block 7"
        assert str(intent.attempts.get()).startswith("0x")
        assert str(intent.signer_account).startswith(
            "Minter 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 on"
        )
        grant = chain_acts.act(kind=IntentKind.GRANT_ROLE, account=THIEF)
        assert str(grant) == f"Grant a role minter {THIEF} on {grant.network}"
        assert str(chain_acts.act([intent.deployment], kind=IntentKind.PAUSE)) == (
            f"Pause on {intent.deployment.network}"
        )
        assert str(grant.calls.get()) == f"{grant}: {grant.calls.get().deployment}"
        assert str(make.intent(kind=IntentKind.PAUSE)).startswith("Pause for ")
        assert str(make.event(base_units=3, transaction_hash="0xab")) == "MINT of 3 in 0xab"
        assert str(make.cursor(intent.deployment, block_number=4)).endswith("up to block 4")
        assert str(make.trouble(reason="Silence.")).endswith(": Silence.")
        assert str(IntentTransition(origin="SIGNED", destination="BROADCAST")) == (
            "SIGNED to BROADCAST"
        )
