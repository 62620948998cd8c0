"""The PDF: complete, conforming, and the same each time."""

import io
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import page
import pikepdf
import pytest

from issuer.attestation import csvs, rendering
from issuer.attestation.templatetags import statement
from issuer.foundation import canonical
from tests.attestation import documents


@cache
def files_of(variant: str) -> dict[str, bytes]:
    document = documents.VARIANTS[variant]()
    return {"attestation.json": canonical.to_bytes(document), **csvs.render(document)}


@cache
def pdf_of(variant: str) -> bytes:
    return rendering.to_pdf(documents.VARIANTS[variant](), files=files_of(variant))


def text_of(pdf: bytes) -> str:
    """Return all text with single spaces, as an auditor would search it."""
    done = subprocess.run(
        ["pdftotext", "-layout", "-", "-"], input=pdf, capture_output=True, check=True
    )
    return " ".join(done.stdout.decode().split())


def figures(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, child in value.items():
            if name in {"qty", "closing", "totalSupply", "settled", "tokens", "owedShares"}:
                yield from [child] if isinstance(child, str) else figures(child)
            else:
                yield from figures(child)
    elif isinstance(value, list):
        for child in value:
            yield from figures(child)


class TestToPdf:
    @pytest.mark.parametrize("variant", documents.VARIANTS)
    def test_has_at_most_eight_pages(self, variant: str) -> None:
        with pikepdf.open(io.BytesIO(pdf_of(variant))) as opened:
            assert len(opened.pages) <= 8

    @pytest.mark.parametrize("profile", ["3a", "ua1"])
    @pytest.mark.parametrize("variant", ["covered", "unknown"])
    def test_conforms_to_the_standards_for_keeping_and_for_reading_aloud(
        self, variant: str, profile: str
    ) -> None:
        report = page.validate_pdf_bytes(pdf_of(variant), profile=profile)

        assert [failure.message for failure in report.failures] == []

    def test_carries_the_document_and_its_tables_once_each(self) -> None:
        with pikepdf.open(io.BytesIO(pdf_of("covered"))) as opened:
            attached = {
                name: one.get_file().read_bytes() for name, one in opened.attachments.items()
            }
            relations = [str(one.AFRelationship) for one in opened.Root.AF]

        assert attached == files_of("covered")
        assert sorted(relations) == ["/Data", "/Data", "/Data", "/Data", "/Source"]

    @pytest.mark.parametrize("variant", documents.VARIANTS)
    def test_prints_every_figure_to_the_last_digit(self, variant: str) -> None:
        text = text_of(pdf_of(variant))

        for figure in set(figures(documents.VARIANTS[variant]()["tokens"])):
            assert statement.figure(figure) in text

    @pytest.mark.parametrize(
        ("variant", "word", "sentence"),
        [
            ("covered", "Covered", "free and settled shares alone sufficed"),
            ("in transit", "Covered only in transit", "only together with disclosed classes"),
            ("short", "Short", "the shares held did not suffice"),
            ("unknown", "Not known", "does not state whether the shares sufficed"),
        ],
    )
    def test_says_the_status_in_words(self, variant: str, word: str, sentence: str) -> None:
        text = text_of(pdf_of(variant))

        assert f"{word} At the cut-off" in text
        assert sentence in text

    def test_names_the_hash_and_the_page_on_every_page(self) -> None:
        text = text_of(pdf_of("covered"))

        pages = re.findall(r"SHA-256 of attestation.json [0-9a-f]{64} Page (\d) of (\d)", text)
        assert [int(number) for number, _ in pages] == list(range(1, int(pages[0][1]) + 1))

    def test_is_the_same_each_time(self) -> None:
        again = rendering.to_pdf(documents.covered(), files=files_of("covered"))

        assert again == pdf_of("covered")

    def test_shows_what_a_quiet_day_leaves_empty(self) -> None:
        document = documents.covered()
        document |= {"breaks": [], "halts": [], "evidence": [], "limits": []}
        for token in document["tokens"]:
            token["disclosed"] = []
            token["supply"][0]["nonRedeemable"] = []
            for line in token["reconciliation"]:
                line["items"] = []
        content = canonical.to_bytes(document)

        text = text_of(rendering.preview(content, draft=False))

        assert "None: every line that could have items is zero." in text
        assert "None: every token in supply is owed." in text
        assert text.count("None in the period.") == 2

    def test_breaks_the_reconciliation_of_many_tokens_into_parts(self) -> None:
        document = documents.covered()
        document["tokens"] = document["tokens"] * 2

        text = text_of(rendering.preview(canonical.to_bytes(document), draft=False))

        assert "Reconciliation, continued" in text

    def test_does_not_run_what_is_written_in_a_name(self) -> None:
        document = documents.covered()
        document["program"] = 'Fund "A" \\ <b>B</b>'

        text = text_of(rendering.preview(canonical.to_bytes(document), draft=False))

        assert 'Fund "A" \\ <b>B</b> · statement 1' in text


class TestPreview:
    def test_says_on_every_page_that_nobody_approved_it(self) -> None:
        content = canonical.to_bytes(documents.unapproved())

        text = text_of(rendering.preview(content, draft=True))

        assert "Draft: nobody has approved it" in text
        assert text.count("DRAFT, not approved") == text.count("Page ") - 1  # all but the cover


class TestFigure:
    @pytest.mark.parametrize(
        ("text", "written"),
        [
            ("0", "0"),
            ("1234567.000000000000000001", "1,234,567.000000000000000001"),
            ("-0.5", "\u22120.5"),
            (None, "not known"),
        ],
    )
    def test_groups_whole_digits_and_keeps_the_rest(self, text: str | None, written: str) -> None:
        assert statement.figure(text) == written


class TestPercent:
    @pytest.mark.parametrize(
        ("basis_points", "written"),
        [(10033, "100.33 %"), (7, "0.07 %"), (-150, "\u22121.50 %"), (None, "\u2013")],
    )
    def test_writes_two_decimals(self, basis_points: int | None, written: str) -> None:
        assert statement.percent(basis_points) == written


class TestMoment:
    @pytest.mark.parametrize(
        ("text", "written"),
        [
            ("2026-11-03T09:05:00Z", "3 November 2026, 09:05:00 UTC"),
            ("2026-11-03", "3 November 2026"),
            (None, "\u2013"),
        ],
    )
    def test_writes_a_time_in_words(self, text: str | None, written: str) -> None:
        assert statement.moment(text) == written


class TestAge:
    @pytest.mark.parametrize(
        ("since", "written"),
        [
            ("2026-11-18", "2 d"),
            ("2026-11-20T12:00:00Z", "3 h"),
            ("2026-11-20T14:58:00Z", "2 min"),
            ("2026-11-20T14:59:59Z", "1 s"),
            ("2026-11-20T15:00:30Z", "0 s"),
            (None, "\u2013"),
        ],
    )
    def test_takes_the_unit_that_fits(self, since: str | None, written: str) -> None:
        assert statement.age(since, "2026-11-20T15:00:00Z") == written


class TestEntityOf:
    def test_falls_back_to_the_lei(self) -> None:
        assert statement.entity_of("L1", [{"lei": "L1", "name": "Bank"}]) == "Bank"
        assert statement.entity_of("L2", []) == "L2"


class TestWholePackage:
    @pytest.mark.parametrize("variant", documents.VARIANTS)
    def test_attaches_the_published_document(self, variant: str, tmp_path: Path) -> None:
        (tmp_path / "statement.pdf").write_bytes(pdf_of(variant))

        subprocess.run(
            ["pdfdetach", "-savefile", "attestation.json", "-o", "out.json", "statement.pdf"],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )

        assert (tmp_path / "out.json").read_bytes() == files_of(variant)["attestation.json"]
