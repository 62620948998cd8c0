"""The checker: what it accepts, and that it names whatever is wrong."""

import copy
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from issuer.attestation import packaging
from issuer.attestation.package import verify_offline
from issuer.foundation import canonical
from tests.attestation import documents, packages

CHECKER = Path(verify_offline.__file__)

#: RFC 8032, section 7.1: public key, message, signature.
RFC_8032 = [
    pytest.param(
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        id="test 1",
    ),
    pytest.param(
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        id="test 2",
    ),
    pytest.param(
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        id="test 3",
    ),
    pytest.param(
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
        "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
        id="test SHA(abc)",
    ),
]


class TestVerifyEd25519:
    @pytest.mark.parametrize(("public_key", "message", "signature"), RFC_8032)
    def test_accepts_the_vectors_of_the_rfc(
        self, public_key: str, message: str, signature: str
    ) -> None:
        key, text, sig = (bytes.fromhex(part) for part in (public_key, message, signature))

        assert verify_offline.verify_ed25519(key, text, sig)
        assert not verify_offline.verify_ed25519(key, text + b"\0", sig)
        assert not verify_offline.verify_ed25519(key, text, sig[:-1] + bytes([sig[-1] ^ 1]))
        assert not verify_offline.verify_ed25519(key, text, bytes([sig[0] ^ 1]) + sig[1:])

    @settings(deadline=None)
    @given(st.binary(max_size=200))
    def test_agrees_with_another_implementation(self, message: bytes) -> None:
        signature = packages.SIGNER.sign(message)

        assert verify_offline.verify_ed25519(packages.SIGNER.public_key, message, signature)
        assert not verify_offline.verify_ed25519(packages.STRANGER.public_key, message, signature)

    def test_refuses_a_scalar_that_is_not_reduced(self) -> None:
        # S + L fulfils the equation as well as S does, and would make a second valid signature.
        signature = packages.SIGNER.sign(b"statement")
        order = 2**252 + 27742317777372353535851937790883648493
        scalar = int.from_bytes(signature[32:], "little") + order
        forged = signature[:32] + scalar.to_bytes(32, "little")

        assert not verify_offline.verify_ed25519(packages.SIGNER.public_key, b"statement", forged)

    @pytest.mark.parametrize(
        "public_key",
        [
            pytest.param((2).to_bytes(32, "little"), id="not on the curve"),
            pytest.param((2**255 - 19 + 1).to_bytes(32, "little"), id="y not reduced"),
            pytest.param((1 | 1 << 255).to_bytes(32, "little"), id="x is 0 with a sign"),
            pytest.param((1).to_bytes(32, "little"), id="the identity"),
            pytest.param(bytes(32), id="of order 4"),
            pytest.param(b"short", id="not 32 bytes"),
        ],
    )
    def test_refuses_a_bad_point(self, public_key: bytes) -> None:
        # With the identity as key, R = identity and S = 0 fulfil the equation for any message.
        signature = (1).to_bytes(32, "little") + bytes(32)

        assert not verify_offline.verify_ed25519(public_key, b"anything", signature)

    def test_refuses_a_signature_of_another_length(self) -> None:
        signature = packages.SIGNER.sign(b"statement")

        key = packages.SIGNER.public_key
        assert not verify_offline.verify_ed25519(key, b"statement", signature + b"\0")


class TestVerify:
    @pytest.mark.parametrize("make", documents.VARIANTS.values(), ids=documents.VARIANTS)
    def test_accepts_what_the_issuer_made(self, make: Callable[[], documents.Document]) -> None:
        assert packages.failures(packages.signed(make())) == []

    def test_accepts_a_statement_after_the_one_before_it(self) -> None:
        earlier = packages.good()
        sha256 = hashlib.sha256(earlier["attestation.json"]).hexdigest()
        later = packages.signed(documents.following(documents.covered(), sha256))

        assert packages.failures(later, previous=earlier) == []


def _edit(name: str, change: Callable[[bytes], bytes]) -> dict[str, bytes]:
    return {**packages.good(), name: change(packages.good()[name])}


def _document(text: Callable[[str], str]) -> dict[str, bytes]:
    """Return a package whose document the issuer itself wrote in another form."""
    files = dict(packages.good())
    files["attestation.json"] = text(files["attestation.json"].decode()).encode("utf-8")
    return packages.resigned(files)


def _without(name: str) -> dict[str, bytes]:
    return {key: content for key, content in packages.good().items() if key != name}


def _reordered(text: str) -> str:
    return json.dumps(dict(reversed(json.loads(text).items())), separators=(",", ":"))


ONE_BIT = {"attestation.json.ed25519": 5, "statement.pdf.ed25519": 40, "SHA256SUMS.ed25519": 63}

TAMPERED: list[Any] = [
    pytest.param(
        lambda: _without("breaks.csv"), "files: breaks.csv: expected a file", id="dropped"
    ),
    pytest.param(
        lambda: {**packages.good(), "notes.txt": b"hello"},
        "files: notes.txt: expected no such file",
        id="added",
    ),
    pytest.param(
        lambda: packages.resigned({**packages.good(), "notes.txt": b"hello"}),
        "files: SHA256SUMS lists notes.txt",
        id="added and listed",
    ),
    pytest.param(
        lambda: _edit("VERIFY.md", lambda text: text + b"\n"),
        "files: VERIFY.md in SHA256SUMS",
        id="text",
    ),
    pytest.param(
        lambda: _edit("verify_offline.py", lambda text: text.replace(b"return 1", b"return 0")),
        "files: verify_offline.py in SHA256SUMS",
        id="checker",
    ),
    pytest.param(
        lambda: _edit("SHA256SUMS", lambda text: text[66:]),
        "signatures: SHA256SUMS.ed25519",
        id="sums shortened",
    ),
    pytest.param(
        lambda: _edit("SHA256SUMS", lambda text: text + text.splitlines(keepends=True)[0]),
        "files: SHA256SUMS line 12",
        id="sums with a name twice",
    ),
    pytest.param(
        lambda: _edit("statement.pdf", lambda pdf: pdf.replace(b"stands", b"Stands")),
        "signatures: statement.pdf.ed25519",
        id="one byte of the PDF",
    ),
    *(
        pytest.param(
            lambda name=name, at=at: _edit(
                name, lambda sig: sig[:at] + bytes([sig[at] ^ 1]) + sig[at + 1 :]
            ),
            f"signatures: {name}",
            id=f"one bit of {name}",
        )
        for name, at in ONE_BIT.items()
    ),
    pytest.param(
        lambda: {
            **packages.good(),
            "statement.pdf.ed25519": packages.good()["attestation.json.ed25519"],
            "attestation.json.ed25519": packages.good()["statement.pdf.ed25519"],
        },
        "signatures: attestation.json.ed25519",
        id="signatures swapped",
    ),
    pytest.param(
        lambda: _without("attestation.json.ed25519"),
        "signatures: attestation.json.ed25519: expected a signature",
        id="signature dropped",
    ),
    pytest.param(
        lambda: packages.signed(documents.covered(), signer=packages.STRANGER),
        "signatures: attestation.json.ed25519: expected a signature by issuer-2026",
        id="another key",
    ),
    pytest.param(lambda: _document(_reordered), "canonical: attestation.json", id="reordered"),
    pytest.param(
        lambda: _document(lambda text: text + "\n"), "other bytes from byte", id="newline"
    ),
    pytest.param(
        lambda: _document(lambda text: text.replace('"sequence":1', '"sequence":1,"sequence":2')),
        "the name sequence twice",
        id="duplicate key",
    ),
    pytest.param(
        lambda: _document(lambda text: text.replace('"owedShares":"610"', '"owedShares":610')),
        "shape: /tokens/0/owedShares: expected string",
        id="number instead of string",
    ),
    pytest.param(
        lambda: _document(lambda text: text.replace('"overrides":0', '"overrides":0.5')),
        "the number 0.5, which is not an integer",
        id="float",
    ),
    pytest.param(
        lambda: _document(lambda text: text.replace('"overrides":0', '"overrides":NaN')),
        "the number NaN",
        id="NaN",
    ),
    pytest.param(
        lambda: _document(lambda text: text.replace('"overrides":0', '"overrides":-0')),
        "other bytes from byte",
        id="negative zero",
    ),
    pytest.param(
        lambda: _document(lambda text: text.replace('"overrides":0', f'"overrides":{2**53}')),
        "the integer 9007199254740992",
        id="integer too large",
    ),
    pytest.param(
        lambda: _document(lambda text: text.replace('"qty":"-10"', '"qty":"-0"')),
        "shape: /tokens/0/reconciliation/5",
        id="negative zero as text",
    ),
    pytest.param(
        lambda: _document(lambda text: text.replace('"owedShares":"610"', '"owedShares":"610.0"')),
        "shape: /tokens/0/owedShares",
        id="trailing zero",
    ),
    pytest.param(
        lambda: _document(lambda text: text.replace('"owedShares":"610"', '"owedShares":"610\\n"')),
        "shape: /tokens/0/owedShares",
        id="trailing newline",
    ),
    pytest.param(
        lambda: _document(lambda text: text.replace('"late":false,', "")),
        "shape: /period/late: expected a value, found nothing",
        id="part left out",
    ),
    pytest.param(
        lambda: _document(lambda text: text.replace('"late":false', '"late":false,"later":false')),
        "shape: /period/later: expected nothing, found a value",
        id="part invented",
    ),
    pytest.param(
        lambda: _document(lambda text: text.replace("2026-11-24T02", "2026-11-31T02")),
        "shape: /validUntil: expected a time that exists",
        id="a day that does not exist",
    ),
    pytest.param(
        lambda: packages.resigned({**packages.good(), "attestation.schema.json": b"{}"}),
        "shape: attestation.schema.json",
        id="laxer schema",
    ),
    pytest.param(
        lambda: packages.resigned({**packages.good(), "attestation.json": b"\xff"}),
        "canonical: attestation.json: expected canonical JSON, found something that is not JSON",
        id="not text",
    ),
    pytest.param(
        lambda: packages.resigned(
            _edit("reconciliation.csv", lambda text: text.replace(b",612,false", b",613,false"))
        ),
        "tables: reconciliation.csv row 12 (AAPLx B1)",
        id="a figure of the CSV",
    ),
    pytest.param(
        lambda: packages.resigned(_edit("items.csv", lambda text: text[: text.rindex(b"TSLAx")])),
        "tables: items.csv rows",
        id="a row of the CSV dropped",
    ),
    pytest.param(
        lambda: packages.resigned({**packages.good(), "breaks.csv": b'"never closed'}),
        "tables: breaks.csv: expected a CSV file",
        id="CSV malformed",
    ),
]


class TestTampering:
    @pytest.mark.parametrize(("spoil", "named"), TAMPERED)
    def test_is_found_and_named(self, spoil: Callable[[], dict[str, bytes]], named: str) -> None:
        found = packages.failures(spoil())

        assert [line for line in found if named in line], found

    @pytest.mark.parametrize(
        ("validity", "found"),
        [
            pytest.param(
                {"valid_to": "2026-11-01T00:00:00Z"}, "to 2026-11-01T00:00:00Z", id="over"
            ),
            pytest.param({"valid_from": "2026-12-01T00:00:00Z"}, "from 2026-12-01", id="not yet"),
        ],
    )
    def test_a_key_counts_only_while_it_is_valid(
        self, validity: dict[str, str], found: str
    ) -> None:
        (json_line, *rest) = packages.failures(packages.good(), keys=[packages.key(**validity)])

        assert json_line.startswith(
            "signatures: attestation.json.ed25519 by issuer-2026: expected a key valid at "
            "2026-11-20T22:05:00Z, found one valid from"
        )
        assert found in json_line
        assert len(rest) == 2


def _set(path: str, value: Any) -> Callable[[Any], None]:
    """Return a change that sets the place `path` of a document."""

    def change(document: Any) -> None:
        *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
        for step in steps:
            document = document[step]
        document[last] = value

    return change


def _line(token: int, code: str) -> str:
    return f"tokens/{token}/reconciliation/{list(documents.LABELS).index(code)}"


#: What the issuer itself might state wrongly and sign: place, wrong value, what must be said.
MISSTATED: list[Any] = [
    pytest.param(
        "tokens/0/status", "SHORT", "AAPLx status: expected COVERED, found SHORT", id="status"
    ),
    pytest.param("status", "SHORT", "status: expected COVERED, found SHORT", id="overall status"),
    pytest.param(f"{_line(0, 'C8')}/qty", "3", "AAPLx C8: expected 2, found 3", id="surplus"),
    pytest.param(
        f"{_line(0, 'A6')}/items/0/qty", "-9", "A6 sum of items: expected -9, found -10", id="item"
    ),
    pytest.param(f"{_line(0, 'A6')}/items/0/chain", "eip155:1", "a chain of the token", id="chain"),
    pytest.param(f"{_line(0, 'A6')}/items/0/qty", "10", "expected 0 or less, found 10", id="sign"),
    pytest.param(f"{_line(0, 'C3')}/items/0/qty", "-10", "expected 0 or more", id="other sign"),
    pytest.param(f"{_line(0, 'A8')}/total", False, "AAPLx A8 total", id="total not marked"),
    pytest.param(f"{_line(0, 'A1')}/code", "A2", "AAPLx lines", id="line missing"),
    pytest.param("tokens/1/owedShares", "402.50374", "NVDAx owedShares", id="owed rounded down"),
    pytest.param("tokens/0/coverageBp", 10033, "AAPLx coverageBp: expected 10032", id="cover up"),
    pytest.param("tokens/0/mint/headroom/0/tokens", "2.1", "AAPLx headroom", id="headroom"),
    pytest.param("tokens/0/mint/headroom", [], "AAPLx headroom: expected eip155", id="no headroom"),
    pytest.param("tokens/0/mint/state", "HALTED", "AAPLx mint state", id="halted by itself"),
    pytest.param(
        "tokens/0/mint",
        {
            "state": "HALTED",
            "headroom": [{"chain": documents.CHAIN, "state": "HALTED", "tokens": "0"}],
            "reasons": [],
        },
        "AAPLx mint reasons",
        id="halted without reason",
    ),
    pytest.param(
        "tokens/0/mint",
        {
            "state": "HALTED",
            "headroom": [{"chain": documents.CHAIN, "state": "HALTED", "tokens": "1"}],
            "reasons": ["a fire"],
        },
        f"AAPLx headroom on {documents.CHAIN}",
        id="headroom on a halted chain",
    ),
    pytest.param("kind", "CORRECTION", "supersedes", id="a correction of nothing"),
    pytest.param("kind", "EVENT", "approvers", id="an event that somebody approved"),
    pytest.param("cutoff/chosenBy", "EVENT", "cut-off", id="chosen by an event, and scheduled"),
    pytest.param(
        "tokens/0/supply/0/totalSupply", None, "AAPLx supply on", id="supply without reason"
    ),
    pytest.param("tokens/0/supply/0/block", None, "supply on eip155:31337 block", id="no block"),
    pytest.param(
        "tokens/0/supply/0/block/height", 184023, "up to 184022", id="later than the chain"
    ),
    pytest.param("tokens/0/register/paidNotMinted", "9", "AAPLx C3: expected 9", id="paid"),
    pytest.param("tokens/0/supply/0/decimals", 0, "at most 0 decimals", id="finer than the token"),
    pytest.param(
        "tokens/0/supply/0/chain", "eip155:1", "expected a listed chain", id="other chain"
    ),
    pytest.param(
        "tokens/0/custody/0/reason", "asleep", "AAPLx custody a-31c2f0d9", id="idle reason"
    ),
    pytest.param("tokens/0/custody/0/custodian", "0" * 20, "a listed custodian", id="custodian"),
    pytest.param(
        "tokens/0/periodLow/coverageBp", 10033, "AAPLx periodLow: expected at most", id="low"
    ),
    pytest.param(
        "tokens/0/periodLow/at", "2026-11-01T00:00:00Z", "AAPLx periodLow", id="low before"
    ),
    pytest.param("tokens/0/periodLow", None, "AAPLx periodLow: expected at most", id="no low"),
    pytest.param("tokens/2/disclosed/0/qty", "51", "disclosed UNSETTLED_BUY", id="disclosed"),
    pytest.param(
        f"{_line(2, 'B2')}/items/0/dueBy", "2026-11-19", "disclosed", id="overdue receipt"
    ),
    pytest.param(f"{_line(2, 'B6')}/items/0/qty", "0.1", "TSLAx B6: expected at most", id="dust"),
    pytest.param("tokens/1/rollForward/tokens/burned", "8", "roll-forward of tokens", id="burned"),
    pytest.param("tokens/1/symbol", "AAPLx", "arithmetic: tokens", id="token twice"),
    pytest.param("ledger/trialBalance", "1", "trial balance: expected 0", id="trial balance"),
    pytest.param("chains/0/reason", "asleep", "chain eip155:31337: expected a reason", id="reason"),
    pytest.param("chains/0/hash", None, "height, hash and time", id="block without hash"),
    pytest.param("chains/0/sourcesAgreed", 3, "sources: expected 1 to 2", id="sources"),
    pytest.param("chains/0/time", "2026-11-20T21:30:01Z", "cut-off after block", id="later block"),
    pytest.param("published", "2026-11-20T21:00:00Z", "times: published", id="published early"),
    pytest.param("validUntil", "2026-11-20T22:00:00Z", "times: validUntil", id="expired at once"),
    pytest.param("cutoff/custodyDate", "2026-11-21", "cut-off of custody", id="custody later"),
    pytest.param("period/to", "2026-11-20T21:00:00Z", "period to", id="period"),
    pytest.param("sequence", 2, "sequence: prevSha256", id="no hash of the one before"),
    pytest.param(
        "controls/approvedBy", [], "approvers: expected one or more", id="nobody approved"
    ),
    pytest.param(
        "controls/approvedBy/0/ref",
        "0192f0a1-1c00-7a01-8a01-000000000001",
        "approvers: expected other people",
        id="approved by who prepared it",
    ),
    pytest.param("breaks/0/status", "OPEN", "", id="an open break without a figure is no error"),
]


class TestArithmetic:
    @pytest.mark.parametrize(("path", "value", "named"), MISSTATED)
    def test_is_redone_whoever_signed(self, path: str, value: Any, named: str) -> None:
        found = packages.failures(packages.signed(packages.changed(_set(path, value))))

        assert bool(found) is bool(named)
        assert not named or [line for line in found if named in line], found

    @pytest.mark.parametrize("make", [documents.in_transit, documents.short])
    def test_a_difference_must_be_an_open_break(
        self, make: Callable[[], documents.Document]
    ) -> None:
        def hide(document: documents.Document) -> None:
            document["breaks"].pop()

        found = packages.failures(packages.signed(packages.changed(hide, make)))

        assert len(found) == 1
        assert "break" in found[0]

    def test_an_approval_is_of_this_content_only(self) -> None:
        document = documents.covered()
        document["limits"] = []

        (found,) = packages.failures(packages.signed(document))

        assert found.startswith("approval: contentSha256")

    def test_what_is_owed_is_the_larger_of_chains_and_ledger(self) -> None:
        change = _set("tokens/0/register/owedShares", "601")

        found = packages.failures(packages.signed(packages.changed(change)))

        assert "arithmetic: AAPLx C2: expected 601, found 600" in found

    def test_what_is_held_is_the_smaller_of_custodian_and_ledger(self) -> None:
        change = _set("tokens/0/custody/0/booked", "611")

        found = packages.failures(packages.signed(packages.changed(change)))

        assert "arithmetic: AAPLx C5: expected 611, found 612" in found


def _figures(value: Any, path: str = "") -> Iterator[str]:
    """Yield where a document holds a quantity or a ratio of its tokens."""
    if isinstance(value, dict):
        for name, child in value.items():
            yield from _figures(child, f"{path}/{name}" if path else name)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _figures(child, f"{path}/{index}")
    elif isinstance(value, str | int) and _is_figure(path):
        yield path


def _is_figure(path: str) -> bool:
    if "periodLow" in path:  # what was lowest in the past follows from nothing in the document
        return False
    last = path.rpartition("/")[2]
    figures = {"qty", "settled", "sells", "buys", "inTransit", "entitlements", "encumbered"}
    figures |= {"totalSupply", "multiplier", "outstanding", "burnedNotPaid", "paidNotMinted"}
    figures |= {
        "opening",
        "bookedLate",
        "minted",
        "burned",
        "received",
        "delivered",
        "corporateActions",
    }
    figures |= {"closing", "owedShares", "settledShares", "tokens"}
    figures |= {"coverageBp", "inTransitCoverageBp"}
    # What the books owe on tokens counts only where it is more than what the chains say.
    return last in figures and not path.endswith("register/owedShares")


ALL_FIGURES = list(_figures(documents.covered()))


class TestEveryFigure:
    @settings(deadline=None)
    @given(st.sampled_from(ALL_FIGURES), st.decimals("0.000000001", "1000000", places=9))
    def test_cannot_be_raised_alone_even_by_the_issuer(self, path: str, by: Decimal) -> None:
        document = documents.covered()
        place: Any = document
        *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
        for step in steps:
            place = place[step]
        if isinstance(place[last], int):
            place[last] += 1 + int(by)
        else:
            place[last] = canonical.to_json_ready(Decimal(place[last]) + by)
        document["controls"]["contentSha256"] = verify_offline.content_sha256(document)

        assert packages.failures(packages.signed(document)) != []

    def test_is_meant(self) -> None:
        assert len(ALL_FIGURES) == 174


#: What an event must not make of a chain that was shut, and a low of long ago.
NO_CHAINS = {"state": "OPEN", "headroom": [], "reasons": []}
SHUT = {"chain": documents.CHAIN, "state": "REDEEM_ONLY", "tokens": "0"}
EARLY = documents.low(10012, "2020-01-01T00:00:00Z") | {"cause": "LATE_FOUND"}


class TestSequence:
    def _following(self, **changes: Any) -> list[str]:
        earlier = packages.good()
        sha256 = hashlib.sha256(earlier["attestation.json"]).hexdigest()
        later = documents.following(documents.covered(), sha256)
        for path, value in changes.items():
            _set(path, value)(later)
        later["controls"]["contentSha256"] = verify_offline.content_sha256(later)
        return packages.failures(packages.signed(later), previous=earlier)

    @pytest.mark.parametrize(
        ("path", "value", "named"),
        [
            pytest.param("sequence", 3, "sequence: sequence: expected 2, found 3", id="gap"),
            pytest.param("prevSha256", "0" * 64, "sequence: prevSha256", id="another one before"),
            pytest.param("program", "Other", "sequence: program", id="another program"),
            pytest.param(
                "period/from", "2026-11-19T00:00:00Z", "sequence: period", id="hole in time"
            ),
            pytest.param(
                "tokens/0/rollForward/tokens/opening", "0", "AAPLx opening tokens", id="opening"
            ),
        ],
    )
    def test_ties_to_the_statement_before(self, path: str, value: Any, named: str) -> None:
        found = self._following(**{path: value})

        assert [line for line in found if named in line], found

    def test_nothing_was_booked_late_before_the_first_statement(self) -> None:
        def late(document: Any) -> None:
            document["tokens"][0]["rollForward"]["tokens"] |= {"bookedLate": "2.5", "minted": "700"}

        assert packages.failures(packages.signed(packages.changed(late))) == [
            "sequence: AAPLx booked late tokens: expected 0, found 2.5"
        ]

    @pytest.mark.parametrize(
        ("at", "fits"), [("2026-11-13T21:30:00Z", True), ("2026-11-13T21:29:59Z", False)]
    )
    def test_what_was_found_late_is_of_the_period_before(self, at: str, fits: bool) -> None:
        late = {"coverageBp": 10001, "at": at, "cause": "LATE_FOUND", "ref": None}
        refused = f"sequence: AAPLx periodLow: expected 2026-11-13T21:30:00Z or later, found {at}"

        assert self._following(**{"tokens/0/periodLow": late}) == ([] if fits else [refused])

    def test_a_token_does_not_vanish(self) -> None:
        later = documents.following(documents.covered(), "0" * 64)
        found = self._following(tokens=later["tokens"][:2])

        assert "sequence: TSLAx: expected a token that is still stated, found nothing" in found

    def test_the_statement_before_must_be_signed(self) -> None:
        earlier = packages.signed(documents.covered(), signer=packages.STRANGER)
        sha256 = hashlib.sha256(earlier["attestation.json"]).hexdigest()
        later = packages.signed(documents.following(documents.covered(), sha256))

        found = packages.failures(later, previous=earlier)

        assert found == [
            "sequence: previous signature: expected one by a key valid then, found another"
        ]

    def test_the_statement_before_must_be_one(self) -> None:
        found = packages.failures(packages.good(), previous={"attestation.json": b"[]"})

        named = "sequence: previous attestation.json: expected a statement"
        assert [line for line in found if line.startswith(named)]

    def _after(
        self, make: Callable[[Any, str], Any], change: Callable[[Any], object] = lambda _: None
    ) -> list[str]:
        """Return what the checker says of the statement after the good one."""
        earlier = packages.good()
        sha256 = hashlib.sha256(earlier["attestation.json"]).hexdigest()
        document = packages.changed(change, lambda: make(documents.covered(), sha256))
        return packages.failures(packages.signed(document), previous=earlier)

    def test_an_event_needs_nobody(self) -> None:
        assert self._after(documents.event) == []

    def test_an_event_is_no_better_than_the_one_before(self) -> None:
        earlier = documents.following(documents.covered(), "0" * 64)
        earlier["tokens"][2]["status"] = "UNKNOWN"
        earlier["tokens"][2]["mint"]["headroom"][0] |= {"state": "HALTED", "tokens": "0"}
        report = verify_offline.Report()
        report.group("sequence", "no better")

        then = verify_offline.last_stated(earlier)
        verify_offline._check_no_better(documents.covered(), then, report)

        assert report.groups[-1][2] == [
            "TSLAx status: expected no better than UNKNOWN, found COVERED",
            f"TSLAx mint on {documents.CHAIN}: expected no wider than HALTED, found OPEN",
            f"TSLAx mint on {documents.CHAIN}: expected at most 0, found 50.376543210987654322",
        ]

    @pytest.mark.parametrize(
        ("status", "lacking"), [("SHORT", "109.999999999999999999"), ("UNKNOWN", None)]
    )
    def test_an_event_hides_and_softens_no_shortage(self, status: str, lacking: str | None) -> None:
        then = verify_offline.last_stated(documents.short())
        document = documents.short()
        token = document["tokens"][0]
        token["status"] = status
        if lacking is not None:
            token["reconciliation"][-1]["qty"] = f"-{lacking}"
        report = verify_offline.Report()
        report.group("sequence", "no better")

        verify_offline._check_no_better(document, then, report)

        found = status if lacking is None else f"{status} by {lacking}"
        assert report.groups[-1][2] == [
            f"AAPLx status: expected no better than SHORT by 110, found {found}"
        ]

    def test_an_event_carries_what_is_better(self) -> None:
        assert self._carrying() == []

    @pytest.mark.parametrize(
        ("path", "value", "what"),
        [
            ("status", "IN_TRANSIT", "NVDAx status, carried"),
            ("lackingShares", "1", "NVDAx lackingShares"),
            ("isin", "CH1396281391", "NVDAx isin, carried"),
            ("name", "Another", "NVDAx name, carried"),
            ("closing/tokens", "401", "NVDAx closing, carried"),
            ("closing/shares", "405", "NVDAx closing, carried"),
            ("stated/sequence", 2, "NVDAx stated"),
            ("stated/sha256", "0" * 64, "NVDAx stated"),
            ("stated/asOf", "2026-11-20T21:30:01Z", "NVDAx stated, carried"),
            ("stated/asOf", "2026-11-20T21:45:00Z", "NVDAx stated"),
            ("mint/state", "HALTED", "NVDAx mint state"),
            ("mint/reasons", [], "NVDAx mint reasons"),
            ("mint/headroom/0/state", "OPEN", "NVDAx mint on"),
            ("mint/headroom/0/tokens", "1", "NVDAx headroom on"),
            ("mint", NO_CHAINS, f"NVDAx mint on {documents.CHAIN}: expected REDEEM_ONLY"),
            ("mint", NO_CHAINS, "NVDAx mint state: expected no wider than REDEEM_ONLY"),
            ("mint/headroom", [SHUT, SHUT], "NVDAx headroom"),
            ("coverageBp", 10018, "NVDAx coverageBp, carried"),
            ("periodLow/at", "2026-11-20T21:45:01Z", "NVDAx periodLow"),
            ("periodLow", EARLY, "NVDAx periodLow: expected 2026-11-13T21:30:00Z or later"),
            ("symbol", "AAPLx", "notRestated"),
            ("symbol", "NVDx", "tokens of an event"),
        ],
    )
    def test_an_event_carries_it_as_last_stated(self, path: str, value: Any, what: str) -> None:
        found = self._carrying(_set(f"notRestated/0/{path}", value))

        assert [line for line in found if line.split(": ", 1)[1].startswith(what)]

    @pytest.mark.parametrize(
        ("low", "found"),
        [
            (documents.low(10018, "2026-11-20T21:30:00Z"), []),
            (
                documents.low(10019, "2026-11-20T21:30:00Z"),
                ["arithmetic: NVDAx periodLow: expected at most 10018, found 10019"],
            ),
            (None, ["arithmetic: NVDAx periodLow: expected at most 10018, found nothing"]),
        ],
    )
    def test_what_it_carries_was_never_better_than_last_stated(
        self, low: dict[str, Any] | None, found: list[str]
    ) -> None:
        def covered(document: Any) -> None:
            document["status"] = "COVERED"
            document["notRestated"][0]["periodLow"] = low

        assert self._after(documents.carrying, covered) == found

    def test_an_event_is_as_bad_as_what_it_carries(self) -> None:
        def only_gates(document: Any) -> None:
            document["status"] = "COVERED"

        assert "arithmetic: status: expected UNKNOWN, found COVERED" in self._carrying(only_gates)

    def test_people_carry_nothing(self) -> None:
        document = documents.carrying(documents.unknown(), "0" * 64)
        document |= {"kind": "SCHEDULED"}
        report = verify_offline.Report()

        verify_offline.check_document(document, report)

        assert report.groups[-1][2] == [
            "notRestated: expected nothing, unless this is an event, found SCHEDULED"
        ]

    def test_something_is_stated(self) -> None:
        document = documents.covered() | {"tokens": []}
        report = verify_offline.Report()

        verify_offline.check_document(document, report)

        assert "tokens: expected one or more, found none" in report.groups[-1][2]

    def _carrying(self, change: Callable[[Any], object] = lambda _: None) -> list[str]:
        """Return what the checker says of an event that carries NVDAx, which was not known."""
        earlier = packages.signed(documents.unknown())
        sha256 = hashlib.sha256(earlier["attestation.json"]).hexdigest()
        document = packages.changed(change, lambda: documents.carrying(documents.unknown(), sha256))
        return packages.failures(packages.signed(document), previous=earlier)

    def test_an_event_extends_nothing(self) -> None:
        found = self._after(documents.event, _set("validUntil", "2026-11-24T02:00:01Z"))

        assert [line for line in found if "sequence: validUntil" in line]

    def test_an_event_is_approved_by_nobody(self) -> None:
        somebody = [{"role": "Approver", "ref": "somebody", "at": documents.PUBLISHED}]
        found = self._after(documents.event, _set("controls/approvedBy", somebody))

        assert [line for line in found if "approval: approvers" in line]

    def test_a_correction_names_an_earlier_statement(self) -> None:
        assert self._after(documents.correction) == []

    @pytest.mark.parametrize(
        ("path", "value"), [("supersedes/sequence", 2), ("supersedes/sha256", "0" * 64)]
    )
    def test_a_correction_names_no_other(self, path: str, value: Any) -> None:
        found = self._after(documents.correction, _set(path, value))

        assert [line for line in found if "sequence: supersedes" in line]

    def test_an_unresolved_break_shows_in_no_figure(self) -> None:
        def unresolved(document: Any) -> None:
            gone = documents.open_break("SUP-OVER", "AAPLx", "CRITICAL", "5", "Halted")
            document["breaks"].append(gone | {"status": "UNRESOLVED"})

        def still_open(document: Any) -> None:
            unresolved(document)
            document["breaks"][-1]["status"] = "OPEN"

        good = packages.signed(packages.changed(unresolved))
        bad = packages.signed(packages.changed(still_open))

        assert packages.failures(good) == []
        assert packages.failures(bad) == [
            "arithmetic: AAPLx break SUP-OVER: expected nothing, found 5"
        ]

    def test_an_unknown_statement_extends_nothing(self) -> None:
        earlier = packages.good()
        sha256 = hashlib.sha256(earlier["attestation.json"]).hexdigest()
        later = documents.following(documents.covered(), sha256)
        unknown = documents.unknown()
        later["tokens"][1] = unknown["tokens"][1] | {"periodLow": None}
        later["tokens"][1]["rollForward"] = documents.following(documents.covered(), sha256)[
            "tokens"
        ][1]["rollForward"]
        later |= {"status": "UNKNOWN", "validUntil": "2026-11-24T02:00:01Z"}
        later["controls"]["contentSha256"] = verify_offline.content_sha256(later)

        found = packages.failures(packages.signed(later), previous=earlier)

        (line,) = found
        assert line.startswith("sequence: validUntil: expected not after 2026-11-24T02:00:00Z")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(CHECKER), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    path.write_bytes(packaging.keys_file([packages.key_entry()]))
    return path


GROUPS = ["files", "canonical", "signatures", "shape", "times", "arithmetic"]
GROUPS += ["approval", "tables", "sequence"]


class TestCommandLine:
    def test_verifies_a_package_on_its_own(self, tmp_path: Path, keys: Path) -> None:
        package = packages.write(packages.good(), tmp_path / "package")

        done = run(package, "--keys", keys)

        assert (done.returncode, done.stderr) == (0, "")
        lines = done.stdout.splitlines()
        assert [line.split()[:2] for line in lines[:-1]] == [["ok", name] for name in GROUPS]
        assert lines[-1] == (
            "VERIFIED. Harbor Tokenized Equities, statement 1: COVERED as of 2026-11-20T21:30:00Z; "
            "do not rely on it after 2026-11-24T02:00:00Z."
        )

    def test_takes_the_package_before(self, tmp_path: Path, keys: Path) -> None:
        earlier = packages.write(packages.good(), tmp_path / "earlier")
        sha256 = hashlib.sha256(packages.good()["attestation.json"]).hexdigest()
        document = documents.following(documents.covered(), sha256)
        later = packages.write(packages.signed(document), tmp_path / "later")

        assert run(later, "--keys", keys, "--previous", earlier).returncode == 0

    def test_names_what_fails_and_exits_with_1(self, tmp_path: Path, keys: Path) -> None:
        document = packages.changed(_set("tokens/0/coverageBp", 10033))
        package = packages.write(packages.signed(document), tmp_path / "package")

        done = run(package, "--keys", keys)

        assert done.returncode == 1
        assert "      arithmetic: AAPLx coverageBp: expected 10032, found 10033\n" in done.stdout
        assert done.stdout.endswith("NOT VERIFIED. Do not rely on this package.\n")

    def test_an_empty_folder_is_not_verified(self, tmp_path: Path, keys: Path) -> None:
        (tmp_path / "empty").mkdir()

        assert run(tmp_path / "empty", "--keys", keys).returncode == 1

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param("{}", id="no keys"),
            pytest.param("not JSON", id="not JSON"),
            pytest.param('{"keys": []}', id="none"),
            pytest.param('{"keys": [{"role": "LOG"}]}', id="another role only"),
            pytest.param(
                '{"keys": [{"role": "ISSUER", "keyId": "k", "publicKey": "zz"}]}', id="hex"
            ),
            pytest.param(
                json.dumps({"keys": [packages.key_entry(valid_from="yesterday")]}), id="time"
            ),
        ],
    )
    def test_a_bad_file_of_keys_is_a_bad_question(
        self, content: str, tmp_path: Path, keys: Path
    ) -> None:
        package = packages.write(packages.good(), tmp_path / "package")
        keys.write_text(content)

        done = run(package, "--keys", keys)

        assert done.returncode == 2
        assert str(keys) in done.stderr

    def test_a_folder_that_is_not_there_is_a_bad_question(self, tmp_path: Path, keys: Path) -> None:
        done = run(tmp_path / "nowhere", "--keys", keys)

        assert done.returncode == 2
        assert done.stderr == f"verify_offline.py: {tmp_path / 'nowhere'} is not a directory\n"

    def test_keys_are_never_taken_from_the_package(self, tmp_path: Path) -> None:
        assert run(tmp_path).returncode == 2

    def test_main_is_what_the_command_runs(
        self, tmp_path: Path, keys: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        package = packages.write(packages.good(), tmp_path / "package")

        assert verify_offline.main([str(package), "--keys", str(keys)]) == 0
        assert "VERIFIED" in capsys.readouterr().out
        assert verify_offline.main([str(tmp_path / "nowhere"), "--keys", str(keys)]) == 2
        (package / "breaks.csv").unlink()
        assert verify_offline.main([str(package), "--keys", str(keys)]) == 1


class TestSchema:
    def schema(self) -> Any:
        return json.loads(packaging.enclosed("attestation.schema.json"))

    def test_is_the_one_that_the_checker_was_made_with(self) -> None:
        content = packaging.enclosed("attestation.schema.json")

        assert hashlib.sha256(content).hexdigest() == verify_offline.SCHEMA_SHA256

    @pytest.mark.parametrize("make", documents.VARIANTS.values(), ids=documents.VARIANTS)
    def test_accepts_statements_in_another_validator(
        self, make: Callable[[], documents.Document]
    ) -> None:
        jsonschema.Draft202012Validator.check_schema(self.schema())
        jsonschema.Draft202012Validator(self.schema()).validate(make())

    @settings(deadline=None)
    @given(st.data())
    def test_is_read_as_another_validator_reads_it(self, data: st.DataObject) -> None:
        document = copy.deepcopy(documents.covered())
        place: Any = document
        while isinstance(place, dict | list) and place:
            keys = sorted(place) if isinstance(place, dict) else range(len(place))
            step = data.draw(st.sampled_from(list(keys)))
            parent, place = place, place[step]
            if data.draw(st.booleans()):
                break
        parent[step] = data.draw(
            st.sampled_from([None, True, 0, -1, "", "0", "-0", "1.50", "x", [], {}, "2026-11-20"])
        )

        ours = list(verify_offline.violations(document, self.schema(), self.schema()))

        assert bool(ours) is not jsonschema.Draft202012Validator(self.schema()).is_valid(document)

    def test_with_a_keyword_that_the_checker_does_not_know_is_refused(self) -> None:
        with pytest.raises(verify_offline.NotUsable, match="uniqueItems"):
            list(verify_offline.violations([], {"uniqueItems": True}, {}))
