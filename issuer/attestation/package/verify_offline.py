#!/usr/bin/env python3
"""Check an attestation package with nothing but Python: no network, no other package.

    python3 -I verify_offline.py DIR --keys FILE [--previous DIR]

DIR is an unpacked package. FILE holds the issuer's public keys, obtained from somewhere else than
the package (its prospectus, its site, its register entry):

    {"keys": [{"keyId": "...", "role": "ISSUER", "publicKey": "<64 hex digits>",
               "validFrom": "2026-01-01T00:00:00Z", "validTo": null}]}

The exit status is 0 if every check passes, 1 if one fails, 2 if the question was not well put.
All arithmetic is exact: integers and fractions, never floating point.
"""

import argparse
import csv
import hashlib
import io
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

DOCUMENT: Final = "attestation.json"
STATEMENT: Final = "statement.pdf"
SUMS: Final = "SHA256SUMS"
SCHEMA: Final = "attestation.schema.json"
SIGNED: Final = (DOCUMENT, STATEMENT, SUMS)
TABLES: Final = ("reconciliation.csv", "items.csv", "movements.csv", "breaks.csv")
FILES: Final = frozenset(
    {*SIGNED, *(f"{name}.ed25519" for name in SIGNED), *TABLES, SCHEMA}
    | {"VERIFY.md", "verify_offline.py"}
)
#: The schema belongs to this program, so that a package cannot bring a laxer one.
SCHEMA_SHA256: Final = "94d2efb48773272838d409a419d2131c3040a13f475bf6598cb8fa05e111d4ad"

#: From best to worst; a program is as good as the worst of its tokens. SHORT by more is worse, and
#: nothing is worse than SHORT: not even UNKNOWN, which would hide it.
STATUSES: Final = ("COVERED", "IN_TRANSIT", "UNKNOWN", "SHORT")
#: From open to shut.
GATES: Final = ("OPEN", "REDEEM_ONLY", "HALTED")
A_LINES: Final = ("A1", "A2", "A3", "A4", "A5", "A6", "A7")
B_LINES: Final = ("B1", "B2", "B3", "B4", "B5", "B6", "B7")
C_LINES: Final = ("C1", "C2", "C3", "C4", "C5", "C6", "C8")
LINES: Final = (*A_LINES, "A8", "A9", "A10", *B_LINES, "B9", "B10", "B11", *C_LINES)
TOTALS: Final = frozenset({"A8", "A10", "B9", "B11", "C8"})
#: Lines whose whole amount is listed item by item.
ITEMIZED: Final = frozenset({*A_LINES[1:], *B_LINES[1:]})
NEVER_POSITIVE: Final = frozenset({"A2", "A6", "A7", "B3", "B7"})
NEVER_NEGATIVE: Final = frozenset({"A3", "A4", "A5", "B2", "C3", "C4"})
#: Posting follows finality, so nothing is booked that is not final.
ALWAYS_ZERO: Final = frozenset({"A4", "A7"})
#: What a custodian's figure becomes in the reconciliation: its line, and its sign there.
CUSTODY_LINES: Final = {
    "B1": ("settled", 1),
    "B2": ("buys", 1),
    "B3": ("sells", -1),
    "B4": ("inTransit", 1),
    "B5": ("entitlements", 1),
    "B7": ("encumbered", -1),
}
#: Disclosed classes that are part of a line, of its items whose due date has not passed.
CLASS_LINES: Final = {
    "UNSETTLED_BUY": "B2",
    "CUSTODY_TRANSFER": "B4",
    "DIVIDEND_RECEIVABLE": "B5",
}
#: For tokens and shares: the line that the closing figure is, what adds to it, what takes from it.
ROLL_FORWARD: Final = (
    ("tokens", "A9", ("opening", "bookedLate", "minted"), "burned"),
    ("shares", "B10", ("opening", "bookedLate", "received", "corporateActions"), "delivered"),
)
ESCROW: Final = "BRIDGE_ESCROW"
QUANTUM: Final = 10**18
#: The last decimal in which brokers keep fractions of a share.
CUSTODY_QUANTUM: Final = 10**9
BASIS_POINTS: Final = 10_000
LARGEST_EXACT_INTEGER: Final = 2**53 - 1


# --- Report ---------------------------------------------------------------------------------------


@dataclass
class Report:
    """What was checked, and what failed; a group is one line of the output."""

    groups: list[tuple[str, str, list[str]]] = field(default_factory=list)

    def group(self, name: str, promise: str) -> None:
        """Begin a group of checks; `promise` is what it means when none of them fails."""
        self.groups.append((name, promise, []))

    def fail(self, what: str, expected: object, found: object) -> None:
        """Record that `what` is not as it should be."""
        self.groups[-1][2].append(f"{what}: expected {shown(expected)}, found {shown(found)}")

    def equal(self, what: str, expected: object, found: object) -> None:
        """Fail unless the two are equal and of one kind (True is not 1)."""
        if type(expected) is not type(found) or expected != found:
            self.fail(what, expected, found)

    def require(self, what: str, holds: bool, expected: object, found: object) -> None:
        """Fail unless `holds`."""
        if not holds:
            self.fail(what, expected, found)

    @property
    def failed(self) -> bool:
        """Tell whether any check so far has failed."""
        return any(failures for _, _, failures in self.groups)

    def lines(self) -> Iterator[str]:
        """Yield the report: one line for each group, and one for each failure in it."""
        for name, promise, failures in self.groups:
            yield f"{'FAIL' if failures else 'ok':<5} {name:<11} {promise}"
            for failure in failures:
                yield f"      {name}: {failure}"


def shown(value: object) -> str:
    """Write a value as people read it."""
    if value is None:
        return "nothing"
    if isinstance(value, Fraction):
        return decimal_text(value)
    return str(value)


# --- Ed25519 (RFC 8032) ---------------------------------------------------------------------------

_P: Final = 2**255 - 19
_L: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_ONE: Final = pow(2, (_P - 1) // 4, _P)

_Point = tuple[int, int, int, int]  # extended coordinates (X, Y, Z, T), x = X/Z, y = Y/Z, T = XY/Z
_IDENTITY: Final[_Point] = (0, 1, 1, 0)


def _add(a: _Point, b: _Point) -> _Point:
    e = (a[1] - a[0]) * (b[1] - b[0]) % _P
    f = (a[1] + a[0]) * (b[1] + b[0]) % _P
    g = 2 * a[3] * b[3] * _D % _P
    h = 2 * a[2] * b[2] % _P
    return (
        (f - e) * (h - g) % _P,
        (h + g) * (f + e) % _P,
        (h - g) * (h + g) % _P,
        (f - e) * (f + e) % _P,
    )


def _multiply(scalar: int, point: _Point) -> _Point:
    product = _IDENTITY
    while scalar:
        if scalar & 1:
            product = _add(product, point)
        point = _add(point, point)
        scalar >>= 1
    return product


def _decode(encoded: bytes) -> _Point | None:
    """Return the point that 32 bytes stand for, or None if they stand for none."""
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (1 << 255) - 1
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


def _encode(point: _Point) -> bytes:
    inverse = pow(point[2], -1, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


_BASE_X: Final = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_BASE_Y: Final = 4 * pow(5, -1, _P) % _P
_BASE: Final[_Point] = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % _P)


def verify_ed25519(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether `signature` (64 bytes) is that of `public_key` (32 bytes) over `message`.

    Refuses what RFC 8032 lets a verifier refuse: a scalar that is not reduced, a point that is not
    on the curve or not written in its one form, and keys of small order, which sign anything.
    """
    if len(public_key) != 32 or len(signature) != 64:
        return False
    scalar = int.from_bytes(signature[32:], "little")
    key = _decode(public_key)
    if key is None or scalar >= _L or _encode(_multiply(8, key)) == _encode(_IDENTITY):
        return False
    digest = hashlib.sha512(signature[:32] + public_key + message).digest()
    challenge = int.from_bytes(digest, "little") % _L
    negated = (_P - key[0], key[1], key[2], _P - key[3])
    return _encode(_add(_multiply(scalar, _BASE), _multiply(challenge, negated))) == signature[:32]


# --- Files and signatures -------------------------------------------------------------------------


@dataclass(frozen=True)
class Key:
    """A public key of the issuer, and when it may sign; `valid_to` is open while it is in use."""

    key_id: str
    public_key: bytes
    valid_from: str
    valid_to: str | None

    def valid_at(self, time: str) -> bool:
        """Tell whether the key may sign at `time`."""
        return self.valid_from <= time and (self.valid_to is None or time <= self.valid_to)


class NotUsable(Exception):
    """The question cannot be answered, because the directory or the key file is not one."""


def read_keys(path: Path) -> list[Key]:
    """Return the issuer's keys from a file that did not come with the package.

    Raises:
        NotUsable: if the file is not of the documented form.
    """
    try:
        entries = json.loads(path.read_text("utf-8"))["keys"]
        keys = [
            Key(
                key_id=str(entry["keyId"]),
                public_key=bytes.fromhex(entry["publicKey"]),
                valid_from=_time(entry["validFrom"]),
                valid_to=None if entry.get("validTo") is None else _time(entry["validTo"]),
            )
            for entry in entries
            if entry["role"] == "ISSUER"
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise NotUsable(f"{path} is not a file of keys: {type(exc).__name__}: {exc}") from exc
    if not keys:
        raise NotUsable(f"{path} holds no key with the role ISSUER")
    return keys


def read_package(directory: Path) -> dict[str, bytes]:
    """Return the content of every file below `directory`, by its path.

    Raises:
        NotUsable: if it is not a directory, or cannot be read.
    """
    if not directory.is_dir():
        raise NotUsable(f"{directory} is not a directory")
    try:
        return {
            path.relative_to(directory).as_posix(): path.read_bytes()
            for path in sorted(directory.rglob("*"))
            if path.is_file()
        }
    except OSError as exc:
        raise NotUsable(f"{directory} cannot be read: {exc}") from exc


def check_files(files: Mapping[str, bytes], report: Report) -> None:
    """Check SHA256SUMS both ways: every file it lists, and every file there is."""
    report.group("files", f"{len(files)} files, all expected, each with the hash in {SUMS}")
    for name in sorted(FILES - files.keys()):
        report.fail(name, "a file", None)
    for name in sorted(files.keys() - FILES):
        report.fail(name, "no such file", "a file")
    listed: dict[str, str] = {}
    for number, line in enumerate(files.get(SUMS, b"").decode("utf-8", "replace").splitlines(), 1):
        match = re.fullmatch(r"([0-9a-f]{64})  (\S+)", line)
        if match is None or match[2] in listed:
            report.fail(f"{SUMS} line {number}", "a hash and a new name", line)
        else:
            listed[match[2]] = match[1]
    unlisted = {SUMS, f"{SUMS}.ed25519"}
    for name in sorted(FILES - unlisted):
        found = hashlib.sha256(files[name]).hexdigest() if name in files else None
        report.equal(f"{name} in {SUMS}", listed.get(name), found)
    for name in sorted(listed.keys() - (FILES - unlisted)):
        report.fail(f"{SUMS} lists {name}", None, listed[name])


def check_signatures(
    files: Mapping[str, bytes], signed_at: str, keys: Sequence[Key], report: Report
) -> None:
    """Check that one of `keys`, valid at `signed_at`, signed the document, the PDF and the sums."""
    report.group("signatures", f"{', '.join(SIGNED)}: signed by a key of the issuer")
    for name in SIGNED:
        message, signature = files.get(name), files.get(f"{name}.ed25519")
        if message is None or signature is None:
            report.fail(f"{name}.ed25519", "a signature", None)
            continue
        signers = [key for key in keys if verify_ed25519(key.public_key, message, signature)]
        if not signers:
            report.fail(
                f"{name}.ed25519",
                f"a signature by {' or '.join(key.key_id for key in keys)}",
                "a signature by none of them",
            )
        elif not any(key.valid_at(signed_at) for key in signers):
            key = signers[0]
            report.fail(
                f"{name}.ed25519 by {key.key_id}",
                f"a key valid at {signed_at or 'a known time'}",
                f"one valid from {key.valid_from} to {key.valid_to or 'further notice'}",
            )


# --- Form -----------------------------------------------------------------------------------------


class NotCanonical(ValueError):
    """The bytes are not the one canonical form (RFC 8785) of a document."""


def parse_canonical(content: bytes) -> Any:
    """Return the document in `content`, which must be its own RFC 8785 form.

    With strings, small integers, booleans and ASCII names only, that form is the document with
    sorted names and no spaces, so the standard library can write it.

    Raises:
        NotCanonical: if it is not.
    """

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise NotCanonical(f"the name {twice} twice in one object")
        if not all(name.isascii() for name in result):
            raise NotCanonical("a name that is not ASCII")
        return result

    def integer(text: str) -> int:
        value = int(text)
        if abs(value) > LARGEST_EXACT_INTEGER:
            raise NotCanonical(f"the integer {text}, which not every language reads exactly")
        return value

    def refused(text: str) -> Any:
        raise NotCanonical(f"the number {text}, which is not an integer")

    try:
        document = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=members,
            parse_int=integer,
            parse_float=refused,
            parse_constant=refused,
        )
        again = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        canonical = again.encode("utf-8")
    except NotCanonical:
        raise
    except (ValueError, RecursionError) as exc:
        raise NotCanonical(f"something that is not JSON in UTF-8 ({exc})") from exc
    if canonical != content:
        pairs = zip(canonical, content, strict=False)
        shorter = min(len(canonical), len(content))
        at = next((index for index, (a, b) in enumerate(pairs) if a != b), shorter)
        raise NotCanonical(f"other bytes from byte {at}")
    return document


Violation = tuple[str, str, str]  # where, what was expected there, what was found

_KEYWORDS: Final = frozenset(
    {"$schema", "$id", "$defs", "$ref", "title", "description", "type", "const", "enum", "anyOf"}
    | {"pattern", "minLength", "minimum", "maximum", "items", "minItems", "properties"}
    | {"required", "additionalProperties"}
)
_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: type(value) is int,
    "boolean": lambda value: type(value) is bool,
    "null": lambda value: value is None,
}


def violations(value: Any, schema: Any, root: Any, where: str = "") -> Iterator[Violation]:
    """Yield where `value` breaks `schema`, what was expected there, and what was found.

    Knows the keywords that the attestation's schema uses, and refuses to guess at others.

    Raises:
        NotUsable: if the schema uses another keyword.
    """
    unknown = schema.keys() - _KEYWORDS
    if unknown:
        raise NotUsable(f"the schema uses {sorted(unknown)}, which this program does not know")
    if "$ref" in schema:
        target = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        yield from violations(value, target, root, where)
    elif "anyOf" in schema:
        answers = [list(violations(value, option, root, where)) for option in schema["anyOf"]]
        if all(answers):  # report the alternative that was missed most narrowly
            yield from max(answers, key=lambda found: max(at.count("/") for at, _, _ in found))
    elif "type" in schema and not _TYPES[schema["type"]](value):
        yield where or "/", schema["type"], f"{json.dumps(value, ensure_ascii=False):.60}"
    else:
        yield from _of_scalar(value, schema, where or "/")
        yield from _of_children(value, schema, root, where)


def _of_scalar(value: Any, schema: Any, where: str) -> Iterator[Violation]:
    if "const" in schema and value != schema["const"]:
        yield where, str(schema["const"]), str(value)
    if "enum" in schema and value not in schema["enum"]:
        yield where, f"one of {', '.join(schema['enum'])}", str(value)
    if isinstance(value, str):
        # \Z instead of $, because a final newline is no part of a figure.
        pattern = schema.get("pattern", "").replace("$", r"\Z")
        if not re.search(pattern, value, re.ASCII):
            yield where, f"text like {schema['pattern']}", repr(value)
        if len(value) < schema.get("minLength", 0):
            yield where, "some text", repr(value)
    if type(value) is int:
        least, most = schema.get("minimum", value), schema.get("maximum", value)
        if not least <= value <= most:
            yield where, f"an integer from {least} to {most}", str(value)


def _of_children(value: Any, schema: Any, root: Any, where: str) -> Iterator[Violation]:
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            yield where, f"at least {schema['minItems']} entries", str(len(value))
        for index, entry in enumerate(value):
            yield from violations(entry, schema["items"], root, f"{where}/{index}")
    if isinstance(value, dict):
        known = schema.get("properties", {})
        for name in sorted(set(schema.get("required", ())) - value.keys()):
            yield f"{where}/{name}", "a value", "nothing"
        for name in sorted(value.keys() - known.keys()):
            yield f"{where}/{name}", "nothing", "a value"
        for name in sorted(value.keys() & known.keys()):
            yield from violations(value[name], known[name], root, f"{where}/{name}")


def check_shape(document: Any, schema_bytes: bytes | None, report: Report) -> None:
    """Check the document against the schema that this program was made with."""
    report.group("shape", "the document has the form of its schema, no more and no less")
    digest = None if schema_bytes is None else hashlib.sha256(schema_bytes).hexdigest()
    if schema_bytes is None or digest != SCHEMA_SHA256:
        report.fail(SCHEMA, SCHEMA_SHA256, digest)
        return
    schema = json.loads(schema_bytes)
    for where, expected, found in violations(document, schema, schema):
        report.fail(where, expected, found)
    if not report.groups[-1][2]:
        for where, text in _texts(document):
            if re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ)?", text, re.ASCII):
                report.require(where, _is_time(text), "a time that exists", text)


def _texts(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for name, child in value.items():
            yield from _texts(child, f"{where}/{name}")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _texts(child, f"{where}/{index}")


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _time(text: str) -> str:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text, re.ASCII) or not _is_time(text):
        raise ValueError(f"{text!r} is not a time like 2026-11-20T15:00:00Z")
    return text


# --- Arithmetic -----------------------------------------------------------------------------------

Figure = Fraction | None  # None: not known, and then nothing that depends on it is known


def figure(text: str | None) -> Figure:
    """Return the number that `text` stands for, exactly."""
    return None if text is None else Fraction(text)


def total(figures: Iterable[Figure]) -> Figure:
    """Return the sum, which is unknown as soon as one part is."""
    result = Fraction(0)
    for part in figures:
        if part is None:
            return None
        result += part
    return result


def rounded_up(value: Fraction) -> Fraction:
    """Round to 18 decimals against the issuer: what is owed is never understated."""
    return Fraction(math.ceil(value * QUANTUM), QUANTUM)


def decimal_text(value: Fraction) -> str:
    """Write a fraction as a decimal, to 18 places."""
    units = math.floor(abs(value) * QUANTUM)
    text = f"{units // QUANTUM}.{units % QUANTUM:018d}".rstrip("0").rstrip(".")
    return f"-{text}" if value < 0 and units else text


def difference(minuend: Figure, subtrahend: Figure) -> Figure:
    """Return the difference of two figures, if both are known."""
    return None if minuend is None or subtrahend is None else minuend - subtrahend


def _if(holds: bool, amount: Figure) -> Figure:
    return amount if holds else Fraction(0)


def larger_of(one: Figure, other: Figure) -> Figure:
    """Return the larger of two figures, if both are known."""
    return None if one is None or other is None else max(one, other)


def smaller_of(one: Figure, other: Figure) -> Figure:
    """Return the smaller of two figures, if both are known."""
    return None if one is None or other is None else min(one, other)


def coverage(held: Figure, owed: Figure) -> int | None:
    """Return `held` for each 10,000 of `owed`, rounded down; of nothing owed there is none.

    A figure too large for JSON stands as the largest that it carries, of either sign.
    """
    if held is None or not owed:
        return None
    exact = math.floor(held * BASIS_POINTS / owed)
    return max(min(exact, LARGEST_EXACT_INTEGER), -LARGEST_EXACT_INTEGER)


class TokenCheck:
    """The arithmetic of one token, redone from its inputs: chain, register and custodians."""

    def __init__(self, token: Any, document: Any, report: Report) -> None:
        self.token, self.document, self.report = token, document, report
        self.lines = {line["code"]: line for line in token["reconciliation"]}
        self.found = {code: figure(line["qty"]) for code, line in self.lines.items()}
        self.multipliers = {one["chain"]: Fraction(one["multiplier"]) for one in token["supply"]}
        self.expected: dict[str, Figure] = {}

    def run(self) -> None:
        """Check the lines, and all that is concluded from them."""
        codes = [line["code"] for line in self.token["reconciliation"]]
        self._same("lines", " ".join(LINES), " ".join(codes))
        if codes != list(LINES):
            return
        self._sources()
        self._items()
        self._supply_lines()
        self._share_lines()
        self._backing_lines()
        for code in LINES:
            self._same(code, self.expected[code], self.found[code])
            self._same(f"{code} total", code in TOTALS, self.lines[code]["total"])
        self._conclusions()
        self._mint()
        self._breaks()
        self._roll_forward()

    def _require(self, line: str, holds: bool, expected: object, found: object) -> None:
        self.report.require(f"{self.token['symbol']} {line}", holds, expected, found)

    def _same(self, line: str, expected: object, found: object) -> None:
        self._require(line, expected == found, expected, found)

    def _sources(self) -> None:
        """Check that what is missing says why, and that what is there belongs here."""
        heights = {chain["caip2"]: chain["height"] for chain in self.document["chains"]}
        custodians = {custodian["lei"] for custodian in self.document["custodians"]}
        self._same("chains", len(self.token["supply"]), len(self.multipliers))
        for entry in self.token["supply"]:
            where, supply = f"supply on {entry['chain']}", entry["totalSupply"]
            self._require(where, entry["chain"] in heights, "a listed chain", None)
            block, reason = entry["block"], entry["reason"]
            if block is not None:
                newest = heights.get(entry["chain"]) or 0
                height = block["height"]
                self._require(where, height <= newest, f"a block up to {newest}", height)
            self._same(f"{where} block", supply is not None, block is not None)
            silent = "a reason exactly where there is no figure"
            self._require(where, (supply is None) is (reason is not None), silent, reason)
            for text in [supply or "0", *(held["qty"] for held in entry["nonRedeemable"])]:
                fits = len(text.partition(".")[2]) <= entry["decimals"]
                self._require(where, fits, f"at most {entry['decimals']} decimals", text)
        for account in self.token["custody"]:
            where, custodian = f"custody {account['accountRef']}", account["custodian"]
            self._require(where, custodian in custodians, "a listed custodian", custodian)
            missing = {account[name] is None for name, _ in CUSTODY_LINES.values()}
            reason = account["reason"]
            silent = "a reason exactly where there are no figures"
            self._require(where, missing == {reason is not None}, silent, reason)

    def _items(self) -> None:
        """Check that items add up to their line, have its sign, and are on a chain of the token."""
        for code, line in self.lines.items():
            amounts = [Fraction(item["qty"]) for item in line["items"]]
            if line["qty"] is None:
                self._same(f"{code} items", 0, len(amounts))
            elif amounts or code in ITEMIZED:
                self._same(f"{code} sum of items", sum(amounts, Fraction(0)), self.found[code])
            for item, amount in zip(line["items"], amounts, strict=True):
                where, chain = f"{code} item {item['ref']}", item["chain"]
                if code in NEVER_POSITIVE:
                    self._require(where, amount <= 0, "0 or less", amount)
                if code in NEVER_NEGATIVE:
                    self._require(where, amount >= 0, "0 or more", amount)
                if code in A_LINES:
                    self._require(where, chain in self.multipliers, "a chain of the token", chain)

    def _listed(self, code: str, source: Figure) -> Figure:
        """Return what the items of a line add up to, if the source of the line is known."""
        items = [] if code in ALWAYS_ZERO else self.lines[code]["items"]
        return None if source is None else total(figure(item["qty"]) for item in items)

    def _supply_lines(self) -> None:
        expect = self.expected
        expect["A1"] = total(figure(entry["totalSupply"]) for entry in self.token["supply"])
        for code in A_LINES[1:]:
            expect[code] = self._listed(code, expect["A1"])
        expect["A8"] = total(expect[code] for code in A_LINES)
        expect["A9"] = figure(self.token["register"]["outstanding"])
        expect["A10"] = difference(expect["A8"], expect["A9"])

    def _share_lines(self) -> None:
        expect, accounts = self.expected, self.token["custody"]
        for code, (name, sign) in CUSTODY_LINES.items():
            amount = total(figure(account[name]) for account in accounts)
            expect[code] = None if amount is None else sign * amount
        expect["B6"] = self._listed("B6", expect["B1"])
        bound = Fraction(len(accounts), CUSTODY_QUANTUM)
        dust = expect["B6"] or Fraction(0)
        self._require("B6", abs(dust) <= bound, f"at most {decimal_text(bound)}", dust)
        expect["B9"] = total(expect[code] for code in B_LINES)
        expect["B10"] = figure(self.token["rollForward"]["shares"]["closing"])
        expect["B11"] = difference(expect["B9"], expect["B10"])

    def _backing_lines(self) -> None:
        expect = self.expected
        held = [held for entry in self.token["supply"] for held in entry["nonRedeemable"]]
        escrow = total(figure(one["qty"]) for one in held if one["class"] == ESCROW)
        others = total(figure(one["qty"]) for one in held if one["class"] != ESCROW)
        if expect["A2"] is not None:  # line A2 takes the escrow off already; once is enough
            self._same("bridge escrow", -expect["A2"], escrow)
        larger = larger_of(expect["A8"], expect["A9"])
        expect["C1"] = difference(larger, others)
        expect["C2"] = self._owed_for_tokens()
        expect["C3"] = figure(self.token["register"]["paidNotMinted"])
        expect["C4"] = figure(self.token["register"]["burnedNotDelivered"])
        expect["C5"] = total(map(self._free_settled, self.token["custody"]))
        admitted = [entry["qty"] for entry in self.token["disclosed"] if entry["admitted"]]
        expect["C6"] = None if expect["C5"] is None else total(map(figure, admitted))
        owed = total(expect[code] for code in ("C2", "C3", "C4"))
        expect["C8"] = difference(expect["C5"], owed)
        for entry in self.token["disclosed"]:
            if entry["class"] in CLASS_LINES:
                most, qty = self._not_yet_due(CLASS_LINES[entry["class"]]), Fraction(entry["qty"])
                listed = f"at most {decimal_text(most)}, which is listed and not yet due"
                self._require(f"disclosed {entry['class']}", qty <= most, listed, qty)

    def _free_settled(self, account: Any) -> Figure:
        """Return an account's settled shares free of others' claims, by custodian or by ledger.

        What a split has made of the shares that the custodian counted is in the entitlements.
        """
        stated = total([figure(account["settled"]), figure(account["entitlements"])])
        settled = smaller_of(stated, figure(account["booked"]))
        claims = total([figure(account["sells"]), figure(account["encumbered"])])
        return difference(settled, claims)

    def _owed_for_tokens(self) -> Figure:
        """Return the shares owed for redeemable tokens, rounded up: by chains or by ledger.

        The larger counts: the tokens of each chain at its multiplier, or what the ledger owes.
        """
        if self.expected["A8"] is None:
            return None
        owed = Fraction(0)
        adjustments = [item for code in A_LINES[1:] for item in self.lines[code]["items"]]
        for entry in self.token["supply"]:
            name, tokens = entry["chain"], Fraction(entry["totalSupply"])
            tokens += sum(Fraction(item["qty"]) for item in adjustments if item["chain"] == name)
            for held in entry["nonRedeemable"]:
                tokens -= 0 if held["class"] == ESCROW else Fraction(held["qty"])
            self._require(f"redeemable on {name}", tokens >= 0, "0 or more", tokens)
            owed += tokens * self.multipliers[name]
        return rounded_up(max(owed, Fraction(self.token["register"]["owedShares"])))

    def _not_yet_due(self, line: str) -> Fraction:
        today = self.document["cutoff"]["asOf"][:10]
        due = [item for item in self.lines[line]["items"] if (item["dueBy"] or "") >= today]
        return sum((Fraction(item["qty"]) for item in due), Fraction(0))

    def _conclusions(self) -> None:
        expect, token = self.expected, self.token
        owed, settled = total(expect[code] for code in ("C2", "C3", "C4")), expect["C5"]
        self._same("owedShares", owed, figure(token["owedShares"]))
        self._same("settledShares", settled, figure(token["settledShares"]))
        self._same("coverageBp", coverage(settled, owed), token["coverageBp"])
        admitted = total([settled, expect["C6"]])
        self._same("inTransitCoverageBp", coverage(admitted, owed), token["inTransitCoverageBp"])
        self._same("status", self.status, token["status"])
        check_low(token, self.document, self.report)

    @property
    def status(self) -> str:
        """The status that follows from the surplus, and from the disclosed classes."""
        surplus = self.expected["C8"]
        admitted = total([surplus, self.expected["C6"]])
        if surplus is None or admitted is None:
            return "UNKNOWN"
        if surplus >= 0:
            return "COVERED"
        return "IN_TRANSIT" if admitted >= 0 else "SHORT"

    def _mint(self) -> None:
        mint, room = self.token["mint"], Fraction(0)
        chains = sorted(entry["chain"] for entry in mint["headroom"])
        self._same("headroom", " ".join(sorted(self.multipliers)), " ".join(chains))
        check_gates(self.token, self.report)
        for entry in mint["headroom"]:
            tokens = Fraction(entry["tokens"])
            room += tokens * self.multipliers.get(entry["chain"], 1)
        surplus = self.expected["C8"] if self.status == "COVERED" else None
        most = surplus or Fraction(0)
        self._require("headroom", room <= most, f"at most {decimal_text(most)} shares", room)

    def _breaks(self) -> None:
        """Check that there is an open break, with its amount, exactly where there is a difference.

        One whose difference is gone stays UNRESOLVED until persons have closed it. Where a line
        is not known, a break may be open or not.
        """
        unexplained, custody = self.expected["A10"], self.expected["B11"]
        lacking = difference(Fraction(0), self.expected["C8"])
        after_transit = difference(lacking, self.expected["C6"])
        due = {
            "SUP-OVER": unexplained,
            "SUP-UNDER": difference(Fraction(0), unexplained),
            "CUS-LONG": custody,
            "CUS-SHORT": difference(Fraction(0), custody),
            "BAK-SETTLED": _if(self.status == "IN_TRANSIT", lacking),
            "BAK-SHORT": _if(self.status == "SHORT", after_transit),
        }
        for code, amount in due.items():
            if amount is None or (self.status == "UNKNOWN" and code.startswith("BAK-")):
                continue
            kind = (code, self.token["symbol"], "OPEN")
            stated = [
                figure(entry["qty"])
                for entry in self.document["breaks"]
                if (entry["code"], entry["symbol"], entry["status"]) == kind
            ]
            found = " and ".join(map(shown, stated)) or None
            expected = [amount] if amount > 0 else []
            what = amount if amount > 0 else None
            self._require(f"break {code}", stated == expected, what, found)

    def _roll_forward(self) -> None:
        for unit, line, arriving, leaving in ROLL_FORWARD:
            movements = self.token["rollForward"][unit]
            expected = sum((Fraction(movements[name]) for name in arriving), Fraction(0))
            expected -= Fraction(movements[leaving])
            closing = Fraction(movements["closing"])
            self._same(f"roll-forward of {unit}", expected, closing)
            self._same(f"roll-forward of {unit} to {line}", self.found[line], closing)


def check_gates(token: Any, report: Report) -> None:
    """Check that each chain is named once, that the state is the tightest and has its reasons.

    Shut is shut: there is no headroom where nothing may be minted.
    """
    mint, where = token["mint"], token["symbol"]
    chains = [entry["chain"] for entry in mint["headroom"]]
    report.equal(f"{where} headroom", " ".join(sorted(set(chains))), " ".join(sorted(chains)))
    states = [entry["state"] for entry in mint["headroom"]] or [mint["state"]]
    report.equal(f"{where} mint state", max(states, key=GATES.index), mint["state"])
    report.equal(f"{where} mint reasons", mint["state"] != "OPEN", bool(mint["reasons"]))
    for entry in mint["headroom"]:
        shut, tokens = entry["state"] != "OPEN", Fraction(entry["tokens"])
        report.require(f"{where} headroom on {entry['chain']}", not (shut and tokens), 0, tokens)


def check_low(entry: Any, document: Any, report: Report) -> None:
    """Check that the lowest cover of a token is there if it has any, is of the period, and lowest.

    What was found late is of before the period: no block of then had been read when it was stated.
    Of a carried token, the cover is the one last stated.
    """
    low, now, where = entry["periodLow"], entry["coverageBp"], f"{entry['symbol']} periodLow"
    if low is None:
        report.require(where, now is None, f"at most {now}", None)
        return
    start, as_of = document["period"]["from"], document["cutoff"]["asOf"]
    within, expected = start <= low["at"] <= as_of, f"{start} to {as_of}"
    if low["cause"] == "LATE_FOUND":
        within, expected = low["at"] <= start, f"{start} or before"
    report.require(where, within, expected, low["at"])
    lowest = now is None or low["coverageBp"] <= now
    report.require(where, lowest, f"at most {now}", low["coverageBp"])


def check_document(document: Any, report: Report) -> None:
    """Check each token's arithmetic, and the frame around the tokens."""
    report.group("arithmetic", f"{len(document['tokens'])} tokens recomputed from their inputs")
    symbols = [token["symbol"] for token in document["tokens"]]
    report.equal("tokens", " ".join(sorted(set(symbols))), " ".join(symbols))
    for token in document["tokens"]:
        TokenCheck(token, document, report).run()
    _check_carried(document, report)
    everything = [*document["tokens"], *document["notRestated"]]
    report.require("tokens", bool(everything), "one or more", "none")
    worst = max((entry["status"] for entry in everything), key=STATUSES.index, default="UNKNOWN")
    report.equal("status", worst, document["status"])
    report.equal("trial balance", "0", document["ledger"]["trialBalance"])
    for chain in document["chains"]:
        where, reason = f"chain {chain['caip2']}", chain["reason"]
        known = chain["height"] is not None
        parts = {chain[name] is not None for name in ("height", "hash", "time")}
        report.require(where, len(parts) == 1, "height, hash and time, or none", chain["height"])
        silent = "a reason exactly where there is no block"
        report.require(where, known is (reason is None), silent, reason)
        asked, agreed = chain["sourcesAsked"], chain["sourcesAgreed"]
        report.require(f"{where} sources", known <= agreed <= asked, f"1 to {asked}", agreed)


def _check_carried(document: Any, report: Report) -> None:
    """Check what an event carries of tokens that it does not state anew."""
    carried = document["notRestated"]
    event = document["kind"] == "EVENT"
    rule = "nothing, unless this is an event"
    report.require("notRestated", event or not carried, rule, document["kind"])
    symbols, anew = (
        [entry["symbol"] for entry in carried],
        {one["symbol"] for one in document["tokens"]},
    )
    report.equal("notRestated", " ".join(sorted(set(symbols) - anew)), " ".join(symbols))
    as_of = document["cutoff"]["asOf"]
    for entry in carried:
        where, stated = entry["symbol"], entry["stated"]
        short, lacking = entry["status"] == "SHORT", figure(entry["lackingShares"])
        some = "shares exactly if it is SHORT"
        report.require(f"{where} lackingShares", short is bool(lacking), some, lacking)
        earlier = stated["sequence"] < document["sequence"] and stated["asOf"] < as_of
        report.require(f"{where} stated", earlier, "an earlier statement", stated["sequence"])
        if stated["sequence"] == document["sequence"] - 1:
            report.equal(f"{where} stated", document["prevSha256"], stated["sha256"])
        check_low(entry, document, report)
        check_gates(entry, report)


def check_times(document: Any, report: Report) -> None:
    """Check that the times of the statement follow one another."""
    report.group("times", "cut-off, publication and validity follow one another")
    cutoff, period = document["cutoff"], document["period"]
    as_of, published, valid = cutoff["asOf"], document["published"], document["validUntil"]

    def ordered(what: str, earlier: str, later: str) -> None:
        report.require(what, earlier <= later, f"not before {earlier}", later)

    ordered("published", as_of, published)
    ordered("validUntil", as_of, valid)
    if not extends_nothing(document):  # which may be past
        ordered("validUntil", published, valid)
    ordered("period", period["from"], period["to"])
    report.equal("period to", as_of, period["to"])
    ordered("cut-off of custody", cutoff["custodyDate"], as_of[:10])
    for chain in document["chains"]:
        if chain["time"] is not None:
            ordered(f"cut-off after block of {chain['caip2']}", chain["time"], as_of)
    for token in document["tokens"]:
        for account in token["custody"]:
            where = f"{token['symbol']} custody {account['accountRef']}"
            if account["source"]["retrieved"] is not None:
                ordered(f"{where} retrieved", account["source"]["retrieved"], published)
            if account["source"]["statementDate"] is not None:
                ordered(f"{where} date", account["source"]["statementDate"], cutoff["custodyDate"])


def extends_nothing(document: Mapping[str, Any]) -> bool:
    """Say whether the statement is valid for no longer than the one before it: it knows too little.

    That is what nobody approved, or where the cover of any token is not known.
    """
    statuses = {token["status"] for token in document["tokens"]}
    return document["kind"] == "EVENT" or "UNKNOWN" in statuses


def content_sha256(document: Mapping[str, Any]) -> str:
    """Return the hash that was approved: the document without the approval and its time."""
    controls = {**document["controls"], "approvedBy": [], "contentSha256": None}
    content = {**document, "published": None, "controls": controls}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def check_approval(document: Any, report: Report) -> None:
    """Check that another person approved exactly this content, or that nobody had to."""
    event = document["kind"] == "EVENT"
    by_itself = "made by itself, without people, because something got worse"
    report.group("approval", by_itself if event else "a second person approved this very content")
    controls = document["controls"]
    report.equal("contentSha256", content_sha256(document), controls["contentSha256"])
    approvers = [approver["ref"] for approver in controls["approvedBy"]]
    report.equal("cut-off chosen by an event", event, document["cutoff"]["chosenBy"] == "EVENT")
    if event:
        report.require("approvers", not approvers, None, " ".join(approvers))
        report.equal("prepared by", "System", controls["preparedBy"]["role"])
        return
    people = [controls["preparedBy"]["ref"], *approvers]
    report.require("approvers", bool(approvers), "one or more", "none")
    report.require("approvers", len(set(people)) == len(people), "other people", people)


# --- Tables, and the statement before -------------------------------------------------------------


def tables(document: Any) -> dict[str, list[list[str]]]:
    """Return what the CSV files must hold: the numbers of the document, as text."""
    lines = [["token", "code", "label", "unit", "quantity", "total"]]
    items = [["token", "code", "ref", "kind", "quantity", "since", "due_by", "chain", "tx"]]
    items[0].append("evidence_sha256")
    movements = [["token", "unit", "movement", "quantity"]]
    for token in document["tokens"]:
        for line in token["reconciliation"]:
            row = [token["symbol"], line["code"], line["label"], line["unit"], line["qty"] or ""]
            lines.append([*row, "true" if line["total"] else "false"])
            items += [
                [token["symbol"], line["code"], item["ref"], item["kind"], item["qty"]]
                + [item[name] or "" for name in ("since", "dueBy", "chain", "tx", "evidenceSha256")]
                for item in line["items"]
            ]
        for unit, order in (
            ("tokens", ("opening", "bookedLate", "minted", "burned", "closing")),
            (
                "shares",
                ("opening", "bookedLate", "received", "delivered", "corporateActions", "closing"),
            ),
        ):
            figures = token["rollForward"][unit]
            movements += [[token["symbol"], unit, name, figures[name]] for name in order]
    breaks = [["id", "code", "token", "severity", "quantity", "opened", "status", "action"]]
    breaks[0].append("explanation")
    for entry in document["breaks"]:
        row = [entry["id"], entry["code"], entry["symbol"] or "", entry["severity"]]
        row += [entry["qty"] or "", entry["opened"], entry["status"], entry["action"]]
        breaks.append([*row, entry["explanation"] or ""])
    return dict(zip(TABLES, (lines, items, movements, breaks), strict=True))


def check_tables(document: Any, files: Mapping[str, bytes], report: Report) -> None:
    """Check every cell of the CSV files against the document."""
    report.group("tables", f"{', '.join(TABLES)} hold the numbers of the document")
    for name, expected in tables(document).items():
        try:
            text = io.StringIO(files.get(name, b"").decode("utf-8"), newline="")
            found = list(csv.reader(text, strict=True))
        except (ValueError, csv.Error) as exc:
            report.fail(name, "a CSV file in UTF-8", exc)
            continue
        report.equal(f"{name} rows", len(expected), len(found))
        for number, (row, actual) in enumerate(zip(expected, found, strict=False), 1):
            if row != actual:
                where = " ".join(row[:2]) if number > 1 else "header"
                report.fail(f"{name} row {number} ({where})", row, actual)


def check_sequence(
    document: Any, previous: Mapping[str, bytes] | None, keys: Sequence[Key], report: Report
) -> None:
    """Check the place of the statement in the row of statements of its program."""
    event = document["kind"] == "EVENT"
    place = "taken by itself" if previous is None else "follows the one given with --previous"
    if event:
        no_better = "give --previous to see that it is no better than the one before"
        place += f"; {no_better}" if previous is None else ", and is no better than that"
    report.group("sequence", f"statement {document['sequence']}, {place}")
    first = document["sequence"] == 1
    before = document["prevSha256"]
    rule = "nothing for the first statement, a hash for any other"
    report.require("prevSha256", first is (before is None), rule, before)
    _check_superseded(document, report)
    if first:
        report.require("kind", not event, "a statement that people made", document["kind"])
        for token in document["tokens"]:
            for unit in ("tokens", "shares"):
                movements = token["rollForward"][unit]
                report.equal(f"{token['symbol']} opening {unit}", "0", movements["opening"])
                late = f"{token['symbol']} booked late {unit}"
                report.equal(late, "0", movements["bookedLate"])
    if previous is None:
        return
    content = previous.get(DOCUMENT, b"")
    sha256 = hashlib.sha256(content).hexdigest()
    signature = previous.get(f"{DOCUMENT}.ed25519", b"")
    try:
        earlier = parse_canonical(content)
        signers = [key for key in keys if verify_ed25519(key.public_key, content, signature)]
        valid = any(key.valid_at(earlier["published"]) for key in signers)
        report.require("previous signature", valid, "one by a key valid then", "another")
        _check_follows(document, earlier, sha256, report)
    except (NotCanonical, KeyError, TypeError, AttributeError) as exc:
        report.fail(f"previous {DOCUMENT}", "a statement", exc)
    report.equal("prevSha256", sha256, document["prevSha256"])


def _check_superseded(document: Any, report: Report) -> None:
    """Check that a correction, and nothing else, names an earlier statement that it supersedes."""
    superseded = document["supersedes"]
    correction = document["kind"] == "CORRECTION"
    rule = "an earlier statement exactly if this is a correction"
    report.require("supersedes", correction is (superseded is not None), rule, superseded)
    if superseded is not None:
        number, last = superseded["sequence"], document["sequence"] - 1
        report.require("supersedes", number <= last, f"statement {last} or earlier", number)
        if number == last:
            report.equal("supersedes", document["prevSha256"], superseded["sha256"])


def last_stated(document: Any, sha256: str = "") -> dict[str, dict[str, Any]]:
    """Return how each token was last stated, by its symbol: as a statement after this carries it.

    `sha256` is that of the document. What it carries itself was stated by an earlier one.
    """
    found = {}
    for entry in document.get("notRestated", ()):
        kept = ("symbol", "isin", "name", "status", "lackingShares", "closing", "stated", "mint")
        found[entry["symbol"]] = {name: entry[name] for name in kept}
        # The first statements that carried anything did not name it.
        found[entry["symbol"]]["coverageBp"] = entry.get("coverageBp")
    as_of = document["cutoff"]["asOf"]
    stated = {"sequence": document["sequence"], "sha256": sha256, "asOf": as_of}
    repeated = ("symbol", "isin", "name", "status", "coverageBp", "mint")
    for token in document["tokens"]:
        lines = {line["code"]: line["qty"] for line in token["reconciliation"]}
        lacking = None
        if token["status"] == "SHORT":
            lacking = decimal_text(-Fraction(lines["C8"]) - Fraction(lines["C6"]))
        closing = {unit: token["rollForward"][unit]["closing"] for unit in ("tokens", "shares")}
        found[token["symbol"]] = {
            **{name: token[name] for name in repeated},
            "lackingShares": lacking,
            "closing": closing,
            "stated": stated,
        }
    return found


def _answer(entry: Any) -> tuple[int, Fraction]:
    """Return where an answer stands between best and worst."""
    return STATUSES.index(entry["status"]), Fraction(entry["lackingShares"] or 0)


def _check_no_better(document: Any, then: Mapping[str, Any], report: Report) -> None:
    """Check that a statement without people tells nobody anything better than the one before.

    What it states anew is no better than last stated; the answer of all else is as last stated.
    """
    now, carried = last_stated(document), {one["symbol"] for one in document["notRestated"]}
    report.equal("tokens of an event", " ".join(sorted(then)), " ".join(sorted(now)))
    for symbol in sorted(now.keys() & then.keys()):
        entry, before = now[symbol], then[symbol]
        if symbol in carried:
            for name in sorted(before.keys() - {"mint"}):
                report.equal(f"{symbol} {name}, carried", before[name], entry[name])
        else:
            no_better = _answer(entry) >= _answer(before)
            worst, status = _in_words(before), _in_words(entry)
            report.require(f"{symbol} status", no_better, f"no better than {worst}", status)
        said = {room["chain"]: room for room in before["mint"]["headroom"]}
        for chain in sorted(said.keys() - {room["chain"] for room in entry["mint"]["headroom"]}):
            report.fail(f"{symbol} mint on {chain}", said[chain]["state"], None)
        last, state = before["mint"]["state"], entry["mint"]["state"]
        shut = GATES.index(state) >= GATES.index(last)
        report.require(f"{symbol} mint state", shut, f"no wider than {last}", state)
        for room in entry["mint"]["headroom"]:
            where, state = f"{symbol} mint on {room['chain']}", room["state"]
            last = said.get(room["chain"], {"state": "OPEN", "tokens": "0"})
            shut = GATES.index(state) >= GATES.index(last["state"])
            report.require(where, shut, f"no wider than {last['state']}", state)
            fits = Fraction(room["tokens"]) <= Fraction(last["tokens"])
            report.require(where, fits, f"at most {last['tokens']}", room["tokens"])


def _in_words(entry: Any) -> str:
    lacking = entry["lackingShares"]
    return str(entry["status"]) if lacking is None else f"{entry['status']} by {lacking}"


def _check_follows(document: Any, earlier: Any, sha256: str, report: Report) -> None:
    then = last_stated(earlier, sha256)
    report.equal("program", earlier["program"], document["program"])
    report.equal("sequence", earlier["sequence"] + 1, document["sequence"])
    report.equal("period from", earlier["cutoff"]["asOf"], document["period"]["from"])
    as_of, before = document["cutoff"]["asOf"], earlier["cutoff"]["asOf"]
    report.require("asOf", as_of > before, f"after {before}", as_of)
    if document["kind"] == "EVENT":
        _check_no_better(document, then, report)
    if extends_nothing(document):
        latest = max(as_of, earlier["validUntil"])
        valid = document["validUntil"]
        report.require("validUntil", valid <= latest, f"not after {latest}", valid)
    began = earlier["period"]["from"]
    for entry in (*document["tokens"], *document["notRestated"]):
        low = entry["periodLow"]
        if low is not None and low["cause"] == "LATE_FOUND":
            where, rule = f"{entry['symbol']} periodLow", f"{began} or later"
            report.require(where, began <= low["at"], rule, low["at"])
    for symbol in sorted(then.keys() - last_stated(document).keys()):
        report.fail(symbol, "a token that is still stated", None)
    for token in document["tokens"]:
        symbol = token["symbol"]
        for unit in ("tokens", "shares"):
            closing = then[symbol]["closing"][unit] if symbol in then else "0"
            movements = token["rollForward"][unit]
            report.equal(f"{symbol} opening {unit}", closing, movements["opening"])
            if symbol not in then:
                report.equal(f"{symbol} booked late {unit}", "0", movements["bookedLate"])


# --- Command line ---------------------------------------------------------------------------------


def verify(
    files: Mapping[str, bytes],
    *,
    keys: Sequence[Key],
    previous: Mapping[str, bytes] | None = None,
) -> tuple[Report, Any]:
    """Check a package, given as its files; return the report, and the document if it is one."""
    report = Report()
    check_files(files, report)
    report.group("canonical", f"{DOCUMENT} is its own canonical form (RFC 8785)")
    document: Any = None
    try:
        document = parse_canonical(files.get(DOCUMENT, b""))
    except NotCanonical as exc:
        report.fail(DOCUMENT, "canonical JSON", exc)
    published = document.get("published") if isinstance(document, dict) else None
    check_signatures(files, published if isinstance(published, str) else "", keys, report)
    if document is None:
        return report, None
    check_shape(document, files.get(SCHEMA), report)
    if report.groups[-1][2]:
        return report, None
    check_times(document, report)
    check_document(document, report)
    check_approval(document, report)
    check_tables(document, files, report)
    check_sequence(document, previous, keys, report)
    return report, document


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the checks and print what they found."""
    parser = argparse.ArgumentParser(description="Check an attestation package, offline.")
    parser.add_argument("directory", type=Path, help="the unpacked package")
    parser.add_argument("--keys", type=Path, required=True, help="public keys, got elsewhere")
    parser.add_argument("--previous", type=Path, help="the unpacked package before this one")
    options = parser.parse_args(arguments)
    try:
        keys = read_keys(options.keys)
        files = read_package(options.directory)
        previous = None if options.previous is None else read_package(options.previous)
    except NotUsable as exc:
        sys.stderr.write(f"verify_offline.py: {exc}\n")
        return 2
    report, document = verify(files, keys=keys, previous=previous)
    failed = report.failed or document is None
    verdict = "NOT VERIFIED. Do not rely on this package."
    if not failed:
        verdict = (
            f"VERIFIED. {document['program']}, statement {document['sequence']}: "
            f"{document['status']} as of {document['cutoff']['asOf']}; "
            f"do not rely on it after {document['validUntil']}."
        )
    sys.stdout.write("\n".join([*report.lines(), verdict, ""]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
