"""Taking in what custodians say: whole, or not at all."""

import hashlib
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from issuer.audit.models import AuditEvent
from issuer.custody import errors, selectors, services
from issuer.custody.models import CustodyAccount, Position, SettlementInstruction, Statement
from issuer.custody.services import _statements
from issuer.custody.states import InstructionState
from issuer.foundation.actors import Actor
from issuer.foundation.errors import DomainError, Malformed
from issuer.ledger.models import Transfer
from tests.make import custody, instruments, parties

pytestmark = pytest.mark.django_db

TODAY = date(2026, 11, 20)
YESTERDAY = date(2026, 11, 19)
HUNDRED = Decimal(100)

Edit = Callable[[bytes], bytes]


@pytest.fixture
def account() -> CustodyAccount:
    return custody.account()


def file_of(
    account: CustodyAccount,
    settled: Decimal = HUNDRED,
    *,
    as_of_date: date = TODAY,
    reference: str = "ST-NEW",
    supersedes: str = "",
) -> bytes:
    return custody.statement_file(
        account.custodian,
        [custody.line(account, settled)],
        as_of_date=as_of_date,
        reference=reference,
        supersedes=supersedes,
    )


def load(
    account: CustodyAccount, raw: bytes, *, actor: Actor, at: datetime, file_name: str = "new.csv"
) -> Statement:
    return services.load_statement(
        custodian=account.custodian, file_name=file_name, raw=raw, actor=actor, at=at
    )


def written() -> tuple[int, ...]:
    """Count what a statement could leave behind."""
    models = (Statement, Position, Transfer, AuditEvent)
    return tuple(model.objects.count() for model in models)


class TestLoadStatement:
    def test_keeps_the_bytes_and_what_they_say(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        raw = custody.statement_file(
            account.custodian,
            [
                custody.line(
                    account,
                    Decimal("1000.000000001"),
                    pending_receipt=Decimal(50),
                    pending_delivery=Decimal(10),
                    lent=Decimal(20),
                    blocked=Decimal(30),
                )
            ],
            as_of_date=TODAY,
            reference="ST-1",
        )

        statement = load(account, raw, actor=system, at=at, file_name="ST-1.csv")

        statement.refresh_from_db()
        assert bytes(statement.raw) == raw
        assert statement.sha256 == hashlib.sha256(raw).hexdigest()
        assert (statement.reference, statement.as_of_date) == ("ST-1", TODAY)
        assert (statement.file_name, statement.received_at) == ("ST-1.csv", at)
        assert statement.received_by == str(system)
        assert statement.supersedes is None
        position = Position.objects.get()
        assert (position.statement, position.account) == (statement, account)
        assert position.isin == account.token.security.isin
        assert position.settled == position.pledged == Decimal("1000.000000001")
        assert position.pending_receipt == 50
        assert (position.pending_delivery, position.lent, position.blocked) == (10, 20, 30)
        assert position.eligible == Decimal("940.000000001")
        event = AuditEvent.objects.get(action="statement.load")
        assert event.facts["sha256"] == statement.sha256

    def test_settles_nothing_by_itself(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        custody.instruction(account, HUNDRED, at=at)

        load(account, file_of(account), actor=system, at=at)

        assert SettlementInstruction.objects.get().state == InstructionState.INSTRUCTED

    def test_supersedes_the_statement_of_the_same_day_that_it_names(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        first = load(account, file_of(account, reference="ST-1"), actor=system, at=at)
        correction = file_of(account, Decimal(90), reference="ST-2", supersedes="ST-1")

        second = load(account, correction, actor=system, at=at)

        assert second.supersedes == first
        assert Position.objects.count() == 2

    def test_counts_an_account_once_however_often_its_day_is_told(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        load(account, file_of(account, Decimal(1000), reference="A"), actor=system, at=at)
        again = file_of(account, Decimal(1000), reference="B", supersedes="A")
        load(account, again, actor=system, at=at)

        positions = selectors.current_positions(account.token)

        assert [position.settled for position in positions.values()] == [Decimal(1000)]

    def test_asks_nothing_about_an_account_opened_after_the_day(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        custody.account(custodian_=account.custodian, opened_at=at)

        load(account, file_of(account, as_of_date=YESTERDAY), actor=system, at=at)

        assert Position.objects.count() == 1


class TestLoadStatementRefuses:
    """Nothing is written, whatever is wrong with a file."""

    @pytest.fixture(autouse=True)
    def yesterday(self, account: CustodyAccount, system: Actor, at: datetime) -> bytes:
        raw = file_of(account, Decimal(90), as_of_date=YESTERDAY, reference="ST-OLD")
        load(account, raw, actor=system, at=at - timedelta(days=1), file_name="old.csv")
        return raw

    def refuse(
        self,
        account: CustodyAccount,
        raw: bytes,
        refusal: type[DomainError],
        *,
        actor: Actor,
        at: datetime,
        file_name: str = "new.csv",
    ) -> DomainError:
        before = written()
        with pytest.raises(refusal) as refused:
            load(account, raw, actor=actor, at=at, file_name=file_name)
        assert written() == before
        return refused.value

    @pytest.mark.parametrize(
        ("edit", "refusal"),
        [
            pytest.param(lambda raw: raw[:0], errors.StatementEmpty, id="empty"),
            pytest.param(lambda raw: raw[:-9], errors.StatementTruncated, id="cut mid-line"),
            pytest.param(
                lambda raw: b"".join(raw.splitlines(keepends=True)[:-1]),
                errors.StatementTruncated,
                id="cut at a line",
            ),
            pytest.param(
                lambda raw: raw.replace(b",100,", b",-100,"),
                errors.StatementMalformed,
                id="negative",
            ),
            pytest.param(
                lambda raw: raw.replace(b",100,", b",1E2,"),
                errors.StatementMalformed,
                id="exponent",
            ),
            pytest.param(
                lambda raw: raw.replace(b",100,", b",99.99999999999999,"),
                errors.StatementMalformed,
                id="float",
            ),
            pytest.param(
                lambda raw: raw.replace(b"ACC", b"\xc4CC"), errors.StatementMalformed, id="latin-1"
            ),
            pytest.param(
                lambda raw: raw.replace(b"ACC", b"BCC"),
                errors.StatementUnknownAccount,
                id="unknown account",
            ),
            pytest.param(
                lambda raw: raw.replace(b",US", b",CA"),
                errors.StatementWrongSecurity,
                id="other security",
            ),
            pytest.param(
                lambda raw: raw.replace(b"custodian-", b"other-"),
                errors.StatementWrongCustodian,
                id="other custodian",
            ),
            pytest.param(
                lambda raw: raw.replace(b"2026-11-20", b"2026-11-21"),
                errors.StatementFromTheFuture,
                id="future",
            ),
            pytest.param(
                lambda raw: raw.replace(b"2026-11-20", b"2026-11-18"),
                errors.StatementOld,
                id="older than the current one",
            ),
            pytest.param(
                lambda raw: raw.replace(b"2026-11-20", b"2026-11-19"),
                errors.StatementOld,
                id="same day, supersedes nothing",
            ),
            pytest.param(
                lambda raw: raw.replace(b"supersedes,", b"supersedes,ST-OLD"),
                errors.StatementOld,
                id="supersedes another day",
            ),
            pytest.param(
                lambda raw: raw.replace(b"ST-NEW", b"ST-OLD"),
                errors.StatementReferenceReused,
                id="number of another",
            ),
            pytest.param(
                lambda raw: raw.replace(b"0,0,0,0,100", b"0,40,40,40,100"),
                errors.StatementInconsistent,
                id="encumbered beyond settled",
            ),
            pytest.param(
                lambda raw: raw.replace(b"0,0,0,0,100", b"0,0,0,0,101"),
                errors.StatementInconsistent,
                id="pledged beyond settled",
            ),
        ],
    )
    def test_files_that_are_not_whole_ours_and_new(
        self,
        edit: Edit,
        refusal: type[DomainError],
        account: CustodyAccount,
        system: Actor,
        at: datetime,
    ) -> None:
        raw = file_of(account)
        assert edit(raw) != raw

        self.refuse(account, edit(raw), refusal, actor=system, at=at)

    def test_the_same_bytes_again(
        self, account: CustodyAccount, yesterday: bytes, system: Actor, at: datetime
    ) -> None:
        self.refuse(account, yesterday, errors.StatementRepeated, actor=system, at=at)

    def test_an_account_left_out(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        other = custody.account(custodian_=account.custodian)

        refused = self.refuse(
            account, file_of(account), errors.StatementIncomplete, actor=system, at=at
        )

        assert refused.facts == {"account": other.reference}

    def test_more_than_five_mebibytes(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        raw = file_of(account).ljust(_statements.SIZE_MAX_BYTES + 1, b"\n")

        self.refuse(account, raw, errors.StatementTooLarge, actor=system, at=at)

    def test_a_format_that_nothing_reads(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        raw = file_of(account)

        self.refuse(
            account,
            raw,
            errors.StatementFormatUnknown,
            actor=system,
            at=at,
            file_name="statement.pdf",
        )


class TestReceiveStatement:
    def test_settles_what_the_statement_shows(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        custody.instruction(account, HUNDRED, at=at)

        statement = services.receive_statement(
            custodian=account.custodian,
            file_name="new.csv",
            raw=file_of(account),
            actor=system,
            at=at,
        )

        instruction = SettlementInstruction.objects.get()
        assert (instruction.state, instruction.evidence) == (InstructionState.SETTLED, statement)
        assert custody.booked(account) == HUNDRED


class TestOpenCustodyAccount:
    def test_pledges_it_to_the_security_agent_and_opens_its_books(
        self, system: Actor, at: datetime
    ) -> None:
        token, custodian = instruments.token(), parties.custodian()

        account = services.open_custody_account(
            token=token, custodian=custodian, reference="AAPLX-01", actor=system, at=at
        )

        account.refresh_from_db()
        assert account.pledgee == token.program.security_agent
        assert account.opened_at == at
        assert custody.booked(account) == 0
        assert account.history.get().history_change_reason == str(system)
        assert AuditEvent.objects.get(action="custody_account.open").subject_id == account.pk

    @pytest.mark.parametrize("reference", ["", "A/B", "A B", "Ä", "A" * 65])
    def test_refuses_what_is_no_account_number(
        self, reference: str, system: Actor, at: datetime
    ) -> None:
        token, custodian = instruments.token(), parties.custodian()

        with pytest.raises(Malformed):
            services.open_custody_account(
                token=token, custodian=custodian, reference=reference, actor=system, at=at
            )

        assert not CustodyAccount.objects.exists()

    def test_refuses_a_second_account_of_the_kind(
        self, account: CustodyAccount, system: Actor, at: datetime
    ) -> None:
        other_token, other_custodian = instruments.token(), parties.custodian()

        for token, custodian, reference in [
            (account.token, account.custodian, "OTHER"),
            (other_token, account.custodian, account.reference),
            (account.token, other_custodian, account.reference),
        ]:
            with pytest.raises(errors.CustodyAccountTaken):
                services.open_custody_account(
                    token=token, custodian=custodian, reference=reference, actor=system, at=at
                )

        assert CustodyAccount.objects.get() == account
