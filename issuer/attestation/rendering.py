"""The statement as a PDF that an auditor keeps: the numbers of the document, to the last digit.

PDF/A-3a and PDF/UA-1, with the document and its tables attached. The same document always gives
the same bytes: the fonts come with the template, and times and identifier come from the document.
"""

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import pikepdf
import segno
from django.conf import settings
from django.template.loader import render_to_string

from issuer.attestation import csvs
from issuer.attestation.package import verify_offline

FOLDER: Final = Path("templates", "attestation")
#: How many tokens stand side by side in the reconciliation.
COLUMNS: Final = 3
#: Lines whose items are the chains, the custodians, or the disclosed classes.
OWN_PAGES: Final = frozenset({"A1", "B1", "C6"})
STATUS_SENTENCES: Final[Mapping[str, str]] = {
    "COVERED": "At the cut-off, free and settled shares alone sufficed for every token owed.",
    "IN_TRANSIT": "At the cut-off, shares sufficed only together with disclosed classes that had "
    "not settled. No token may be minted until they have.",
    "SHORT": "At the cut-off, the shares held did not suffice for the tokens owed.",
    "UNKNOWN": "At the cut-off, a source was missing, stale or in disagreement. The issuer does "
    "not state whether the shares sufficed.",
}
#: Of a status that no token has which is stated anew.
CARRIED_SENTENCE: Final = (
    "So {tokens} stood when last stated. Something got better since, which takes two persons to "
    "state."
)
#: That the file is PDF/UA-1 as well, and what PDF/A asks to be said about saying so.
PDF_UA_CLAIM: Final = b"""<rdf:Description rdf:about=""
    xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/"><pdfuaid:part>1</pdfuaid:part>
</rdf:Description>
<rdf:Description rdf:about=""
    xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/"
    xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#"
    xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">
<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">
<pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>
<pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix>
<pdfaSchema:schema>PDF/UA identification schema</pdfaSchema:schema>
<pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource">
<pdfaProperty:category>internal</pdfaProperty:category>
<pdfaProperty:description>PDF/UA version identifier</pdfaProperty:description>
<pdfaProperty:name>part</pdfaProperty:name>
<pdfaProperty:valueType>Integer</pdfaProperty:valueType>
</rdf:li></rdf:Seq></pdfaSchema:property>
</rdf:li></rdf:Bag></pdfaExtension:schemas></rdf:Description>
"""


def to_pdf(
    document: Mapping[str, Any], *, files: Mapping[str, bytes], draft: bool = False
) -> bytes:
    """Return the statement as a PDF with `files` attached.

    `files` are attestation.json and the tables, by name. A `draft` says on every page that nobody
    has approved it.
    """
    # These load fonts and Pango, for which no process should wait that prints nothing.
    from weasyprint import HTML, Attachment
    from weasyprint.text.fonts import FontConfiguration

    html = render_to_string("attestation/statement.html", context(document, files, draft=draft))
    made_at = datetime.fromisoformat(
        document["published"] or document["controls"]["preparedBy"]["at"]
    )
    attachments = [
        Attachment(
            string=content,
            name=name,
            description=f"{name} of this statement",
            relationship="Source" if name == verify_offline.DOCUMENT else "Data",
            created=made_at,
            modified=made_at,
        )
        for name, content in files.items()
    ]
    pdf = HTML(string=html, base_url=str(settings.BASE_DIR / FOLDER)).write_pdf(
        pdf_variant="pdf/a-3a",
        pdf_tags=True,
        pdf_identifier=hashlib.sha256(files[verify_offline.DOCUMENT]).digest()[:16],
        attachments=attachments,
        font_config=FontConfiguration(),
        optimize_images=False,
    )
    return _conforming(pdf)


def preview(content: bytes, *, draft: bool) -> bytes:
    """Return the PDF of the document in `content`, as `to_pdf` gives it with its own tables."""
    document: Mapping[str, Any] = json.loads(content)
    files = {verify_offline.DOCUMENT: content, **csvs.render(document)}
    return to_pdf(document, files=files, draft=draft)


def context(
    document: Mapping[str, Any], files: Mapping[str, bytes], *, draft: bool
) -> dict[str, Any]:
    """Return what the template needs beside the document itself."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    sha256 = digests[verify_offline.DOCUMENT]
    code = segno.make(f"sha256:{sha256}", error="m", micro=False)
    tokens = document["tokens"]
    return {
        "document": document,
        "all_tokens": sorted([*tokens, *document.get("notRestated", ())], key=itemgetter("symbol")),
        "draft": draft,
        "sha256": sha256,
        "digests": digests,
        "qr_code": code.svg_data_uri(scale=4, border=0),
        "status_sentence": _status_sentence(document),
        "reconciliation": list(_reconciliation(tokens)),
        "itemized": [part for part in map(_itemized, tokens) if part["items"] or part["disclosed"]],
        "held": [entry for token in tokens for entry in _non_redeemable(token)],
        "status_class": document["status"].lower().replace("_", "-"),
    }


def _status_sentence(document: Mapping[str, Any]) -> str:
    """Return what the status means; at the cut-off only where it is of a token stated anew."""
    status = document["status"]
    if status in {token["status"] for token in document["tokens"]}:
        return STATUS_SENTENCES[status]
    carried = [token["symbol"] for token in document["notRestated"] if token["status"] == status]
    return CARRIED_SENTENCE.format(tokens=" and ".join(carried))


def _reconciliation(tokens: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield the lines of a few tokens at a time, with one column for each."""
    for first in range(0, len(tokens), COLUMNS):
        some = tokens[first : first + COLUMNS]
        rows = zip(*(token["reconciliation"] for token in some), strict=True)
        yield {
            "tokens": some,
            "legs": _legs(
                [{**row[0], "quantities": [line["qty"] for line in row]} for row in rows]
            ),
        }


def _legs(rows: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    titles = {
        "A": "Tokens: chains and register",
        "B": "Shares: custodians and ledger",
        "C": "Backing",
    }
    return [
        (title, [row for row in rows if row["code"][0] == leg]) for leg, title in titles.items()
    ]


def _itemized(token: Mapping[str, Any]) -> dict[str, Any]:
    """Return the items that reconcile something; supplies and positions have their own pages."""
    lines = [line for line in token["reconciliation"] if line["code"] not in OWN_PAGES]
    items = [{**item, "line": line} for line in lines for item in line["items"]]
    return {"symbol": token["symbol"], "items": items, "disclosed": token["disclosed"]}


def _non_redeemable(token: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for entry in token["supply"]:
        for held in entry["nonRedeemable"]:
            yield {"symbol": token["symbol"], "chain": entry["chain"], **held}


def _conforming(pdf: bytes) -> bytes:
    """Mend what WeasyPrint 70 leaves out of its PDF/A-3a.

    It lists every attachment twice (its issue 2917), compresses the XMP packet, which PDF/A
    wants readable, and claims PDF/A or PDF/UA but never both.
    """
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        associated = list(opened.Root.AF)
        opened.Root.AF = pikepdf.Array(
            [one for index, one in enumerate(associated) if one not in associated[:index]]
        )
        packet = opened.Root.Metadata.read_bytes()
        packet = packet.replace(b"</rdf:RDF>", PDF_UA_CLAIM + b"</rdf:RDF>")
        opened.Root.Metadata = opened.make_stream(
            packet, Type=pikepdf.Name.Metadata, Subtype=pikepdf.Name.XML
        )
        mended = io.BytesIO()
        opened.save(mended, static_id=False, deterministic_id=True, compress_streams=False)
    return mended.getvalue()
