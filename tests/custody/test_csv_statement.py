"""Files of custodians: read exactly, or refused with line, column and value."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from issuer.custody import csv_statement
from issuer.custody.csv_statement import CsvStatementReader
from issuer.custody.errors import StatementEmpty, StatementMalformed, StatementTruncated
from issuer.custody.readers import InstructionLine, StatementDocument, StatementLine
from issuer.foundation.errors import DomainError

FILE = """\
custodian,first-custody
statement,FCB-2026-11-20
as_of,2026-11-20
supersedes,
account,isin,settled,pending_receipt,pending_delivery,lent,blocked,pledged
AAPLX-01,US0378331005,600.000000001,50,10,20,30,600
TSLAX-01,US88160R1014,0,0,0,0,0,0
end,2,600.000000001
"""
AAPL = StatementLine(
    number=6,
    account="AAPLX-01",
    isin="US0378331005",
    settled=Decimal("600.000000001"),
    pending_receipt=Decimal(50),
    pending_delivery=Decimal(10),
    lent=Decimal(20),
    blocked=Decimal(30),
    pledged=Decimal(600),
)
NOTHING = Decimal(0)
TSLA = StatementLine(7, "TSLAX-01", "US88160R1014", *[NOTHING] * 6)
DOCUMENT = StatementDocument(
    custodian="first-custody",
    reference="FCB-2026-11-20",
    as_of_date=date(2026, 11, 20),
    supersedes="",
    lines=(AAPL, TSLA),
)

LINE = "AAPLX-01,01939f6c-7d2a-7b11-8a52-1c9f5d0f3b7e,60\n"
NAMING = FILE.replace(
    "end,2,600.000000001\n", f"account,instruction,settled\n{LINE}end,2,600.000000001,1\n"
)
NAMED = InstructionLine(
    number=9,
    account="AAPLX-01",
    instruction=UUID("01939f6c-7d2a-7b11-8a52-1c9f5d0f3b7e"),
    settled=Decimal(60),
)

shares = st.decimals(min_value=0, max_value=10**12, places=9)
names = st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True)


def read(text: str) -> StatementDocument:
    return CsvStatementReader().read(text.encode())


class TestRead:
    def test_reads_every_figure_to_the_last_digit(self) -> None:
        assert read(FILE) == DOCUMENT

    def test_reads_what_is_said_of_instructions(self) -> None:
        found = read(NAMING)

        assert found == replace(DOCUMENT, instructions=(NAMED,))
        assert csv_statement.write(found).decode().splitlines() == NAMING.splitlines()

    @pytest.mark.parametrize(
        ("old", "new", "refusal"),
        [
            pytest.param("001,1\n", "001,2\n", StatementTruncated, id="one is missing"),
            pytest.param("001,1\n", "001\n", StatementTruncated, id="no count"),
            pytest.param("001,1\n", "001,x\n", StatementTruncated, id="no number"),
            pytest.param(",60\n", "\n", StatementMalformed, id="no quantity"),
            pytest.param(",60\n", ",-60\n", StatementMalformed, id="less than nothing"),
            pytest.param(",60\n", ",0.0000000001\n", StatementMalformed, id="too fine"),
            pytest.param("01939f6c", "01939F6C", StatementMalformed, id="no reference of ours"),
            pytest.param(LINE, LINE * 2, StatementMalformed, id="twice"),
        ],
    )
    def test_takes_nothing_half_that_is_said_of_instructions(
        self, old: str, new: str, refusal: type[DomainError]
    ) -> None:
        with pytest.raises(refusal):
            read(NAMING.replace(old, new))

    @pytest.mark.parametrize(
        "raw",
        [
            pytest.param(FILE.replace("\n", "\r\n").encode(), id="CRLF"),
            pytest.param(b"\xef\xbb\xbf" + FILE.encode(), id="byte order mark"),
            pytest.param(FILE.rstrip("\n").encode(), id="no last line break"),
            pytest.param(FILE.replace("AAPLX-01", '"AAPLX-01"').encode(), id="quotes"),
        ],
    )
    def test_accepts_what_spreadsheets_write(self, raw: bytes) -> None:
        assert CsvStatementReader().read(raw) == DOCUMENT

    @pytest.mark.parametrize("raw", [b"", b"\n", b" \r\n\r\n", b"\xef\xbb\xbf"])
    def test_takes_an_empty_file_for_silence(self, raw: bytes) -> None:
        with pytest.raises(StatementEmpty):
            CsvStatementReader().read(raw)

    def test_takes_a_statement_of_no_accounts_for_silence(self) -> None:
        lines = FILE.splitlines()

        with pytest.raises(StatementEmpty):
            read("\n".join([*lines[:5], "end,0,0"]))

    @pytest.mark.parametrize("kept", range(1, 8))
    def test_notices_lines_missing_at_the_end(self, kept: int) -> None:
        with pytest.raises(StatementTruncated):
            read("".join(FILE.splitlines(keepends=True)[:kept]))

    def test_refuses_a_file_cut_off_anywhere(self) -> None:
        for cut in range(1, len(FILE) - 1):
            with pytest.raises((StatementTruncated, StatementMalformed)):
                read(FILE[:cut])

    @pytest.mark.parametrize("missing", range(8))
    def test_refuses_a_file_with_any_line_missing(self, missing: int) -> None:
        lines = FILE.splitlines(keepends=True)
        del lines[missing]

        with pytest.raises((StatementTruncated, StatementMalformed)):
            read("".join(lines))

    @pytest.mark.parametrize("end", ["end,1,600.000000001", "end,2,600", "end,two,0", "end,2,-1"])
    def test_refuses_an_end_that_does_not_add_up(self, end: str) -> None:
        with pytest.raises(StatementTruncated):
            read(FILE.replace("end,2,600.000000001", end))

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            pytest.param("settled", "-600", id="negative"),
            pytest.param("settled", "+600", id="sign"),
            pytest.param("settled", "6e2", id="exponent"),
            pytest.param("settled", "600,5", id="decimal comma"),
            pytest.param("settled", "0.1000000001", id="ten decimal places"),
            pytest.param("settled", "nan", id="no number"),
            pytest.param("settled", "1.", id="point without decimals"),
            pytest.param("settled", "", id="nothing"),
            pytest.param("settled", " 600", id="blank"),
            pytest.param("settled", "\u0666\u0660\u0660", id="digits of another script"),
            pytest.param("settled", "9" * 21, id="twenty-one digits"),
        ],
    )
    def test_names_line_column_and_value_of_what_is_no_number(
        self, column: str, value: str
    ) -> None:
        with pytest.raises(StatementMalformed) as refusal:
            read(FILE.replace("TSLAX-01,US88160R1014,0", f'TSLAX-01,US88160R1014,"{value}"'))

        assert refusal.value.facts == {"line": "7", "column": column, "value": value}

    @pytest.mark.parametrize(
        ("found", "written", "line", "column"),
        [
            ("custodian,first", "custody,first", "1", "custodian"),
            ("custodian,first-custody", "custodian,first custody", "1", "custodian"),
            ("statement,FCB-2026-11-20", "statement,", "2", "statement"),
            ("as_of,2026-11-20", "as_of,20261120", "3", "as_of"),
            ("as_of,2026-11-20", "as_of,2026-11-31", "3", "as_of"),
            ("supersedes,\n", "supersedes,a b\n", "4", "supersedes"),
            ("settled,pending", "pending,settled", "5", "columns"),
            ("AAPLX-01", "AAPLX/01", "6", "account"),
            ("US0378331005", "US037833100", "6", "isin"),
            (",30,600\n", ",30\n", "6", "columns"),
            ("TSLAX-01", "AAPLX-01", "7", "account"),
            ("TSLAX-01,US88160R1014,0,0,0,0,0,0\n", "\n", "7", "line"),
            ("TSLAX-01", '"TSLAX"-01', "7", "line"),
        ],
    )
    def test_names_line_and_column_of_what_cannot_be_read(
        self, found: str, written: str, line: str, column: str
    ) -> None:
        with pytest.raises(StatementMalformed) as refusal:
            read(FILE.replace(found, written, 1))

        assert (refusal.value.facts["line"], refusal.value.facts["column"]) == (line, column)

    def test_names_the_line_that_is_not_utf_8(self) -> None:
        raw = FILE.replace("TSLAX-01", "TÜRX-01").encode("latin-1")

        with pytest.raises(StatementMalformed) as refusal:
            CsvStatementReader().read(raw)

        assert refusal.value.facts == {
            "line": "7",
            "column": "encoding",
            "value": repr(b"\xdcRX-01,U"),
        }

    @settings(deadline=None)
    @given(raw=st.binary(max_size=300))
    def test_either_reads_or_refuses(self, raw: bytes) -> None:
        with pytest.raises(DomainError):
            CsvStatementReader().read(raw)


class TestWrite:
    def test_writes_the_form_that_is_documented(self) -> None:
        assert csv_statement.write(DOCUMENT) == FILE.replace("\n", "\r\n").encode()

    @settings(deadline=None)
    @given(
        figures=st.lists(st.tuples(*[shares] * 6), min_size=1, max_size=5),
        reference=names,
        supersedes=st.just("") | names,
        as_of_date=st.dates(),
    )
    def test_writes_what_reads_back_as_the_same(
        self,
        figures: list[tuple[Decimal, ...]],
        reference: str,
        supersedes: str,
        as_of_date: date,
    ) -> None:
        document = StatementDocument(
            custodian="first-custody",
            reference=reference,
            as_of_date=as_of_date,
            supersedes=supersedes,
            lines=tuple(
                StatementLine(number, f"ACC-{number}", "US0378331005", *row)
                for number, row in enumerate(figures, 6)
            ),
        )

        assert CsvStatementReader().read(csv_statement.write(document)) == document
