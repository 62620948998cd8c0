"""Statements written by hand: three tokens that are covered, and one variant for each bad day."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from issuer.attestation.package import verify_offline

CHAIN = "eip155:31337"
AS_OF = "2026-11-20T21:30:00Z"
PUBLISHED = "2026-11-20T22:05:00Z"
BANK = "529900T8BM49AURSDO55"
BROKER = "5493000F4ZO33MV32P92"

Document = dict[str, Any]

LABELS = {
    "A1": ("tokens", "Total supply at final blocks"),
    "A2": ("tokens", "Less: bridge escrow"),
    "A3": ("tokens", "Add: burned on source, not yet minted on destination"),
    "A4": ("tokens", "Add: mints booked, not final"),
    "A5": ("tokens", "Add: burns final, not booked"),
    "A6": ("tokens", "Less: mints final, not booked"),
    "A7": ("tokens", "Less: burns booked, not final"),
    "A8": ("tokens", "Adjusted supply"),
    "A9": ("tokens", "Register"),
    "A10": ("tokens", "Unexplained"),
    "B1": ("shares", "Settled at custodians"),
    "B2": ("shares", "Add: unsettled receipts"),
    "B3": ("shares", "Less: unsettled deliveries"),
    "B4": ("shares", "Transfers between custodians"),
    "B5": ("shares", "Corporate-action entitlements"),
    "B6": ("shares", "Rounding of fractions at brokers"),
    "B7": ("shares", "Less: lent, or blocked by others"),
    "B9": ("shares", "Adjusted custody"),
    "B10": ("shares", "Ledger"),
    "B11": ("shares", "Unexplained"),
    "C1": ("tokens", "Redeemable tokens"),
    "C2": ("shares", "Shares owed for them, rounded up"),
    "C3": ("shares", "Paid, not minted"),
    "C4": ("shares", "Burned, not delivered"),
    "C5": ("shares", "Settled shares free of others' claims"),
    "C6": ("shares", "Disclosed classes that the policy admits"),
    "C8": ("shares", "Surplus"),
}


def item(ref: str, kind: str, qty: str, **columns: str) -> Document:
    optional = {"since": None, "dueBy": None, "chain": None, "tx": None, "evidenceSha256": None}
    return {"ref": ref, "kind": kind, "qty": qty, **optional, **columns}


def lines(quantities: str, items: Mapping[str, Sequence[Document]]) -> list[Document]:
    """Return the lines; `quantities` are their amounts in order, parts separated by bars."""
    return [
        {
            "code": code,
            "label": label,
            "unit": unit,
            "qty": None if qty == "?" else qty,
            "total": code in verify_offline.TOTALS,
            "items": list(items.get(code, [])),
        }
        for (code, (unit, label)), qty in zip(
            LABELS.items(), quantities.replace("|", " ").split(), strict=True
        )
    ]


def account(custodian: str, ref: str, settled: str, **figures: str) -> Document:
    return {
        "custodian": custodian,
        "accountRef": ref,
        "accountClass": "Segregated, pledged to the security agent",
        "settled": settled,
        "buys": "0",
        "sells": "0",
        "inTransit": "0",
        "entitlements": "0",
        "booked": settled,
        "encumbered": "0",
        **figures,
        "source": {
            "method": "STATEMENT_FILE",
            "retrieved": "2026-11-20T21:20:11Z",
            "statementDate": "2026-11-20",
            "commitment": "5f" * 32,
        },
        "reason": None,
    }


def supply(contract: str, total: str, multiplier: str, *held: Document) -> list[Document]:
    return [
        {
            "chain": CHAIN,
            "contract": contract,
            "decimals": 18,
            "multiplier": multiplier,
            "block": {"height": 184022, "hash": "0x" + "3e" * 32},
            "totalSupply": total,
            "nonRedeemable": list(held),
            "reason": None,
        }
    ]


def mint(tokens: str, state: str = "OPEN", *reasons: str) -> Document:
    headroom = [{"chain": CHAIN, "state": state, "tokens": tokens}]
    return {"state": state, "headroom": headroom, "reasons": list(reasons)}


def low(coverage_bp: int, at: str) -> Document:
    return {"coverageBp": coverage_bp, "at": at, "cause": "BOOKS", "ref": "issuance/K-1042"}


def open_break(code: str, symbol: str, severity: str, qty: str | None, action: str) -> Document:
    return {
        "id": f"0192f0c1-{code.lower()}-{symbol.lower()}",
        "code": code,
        "symbol": symbol,
        "severity": severity,
        "qty": qty,
        "opened": "2026-11-20T21:31:07Z",
        "status": "OPEN",
        "action": action,
        "explanation": None,
    }


def _aaplx() -> Document:
    treasury = {
        "class": "TREASURY",
        "address": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "qty": "2.5",
        "reason": "Working stock of the issuer for tests of new listings",
    }
    paid = item(
        "K-1042",
        "ISSUANCE",
        "10",
        since="2026-11-20T14:02:00Z",
        chain=CHAIN,
        evidenceSha256="a1" * 32,
    )
    minted = item(
        "K-1042",
        "MINT",
        "-10",
        since="2026-11-20T21:28:36Z",
        dueBy="2026-11-20T22:00:00Z",
        chain=CHAIN,
        tx="0x" + "7c" * 32,
    )
    return {
        "symbol": "AAPLx",
        "isin": "CH1396281391",
        "securityIsin": "US0378331005",
        "name": "Apple tracker certificate",
        "status": "COVERED",
        "supply": supply("0x5FbDB2315678afecb367f032d93F642f64180aa3", "612.5", "1", treasury),
        "register": {
            "outstanding": "602.5",
            "owedShares": "600",
            "paidNotMinted": "10",
            "burnedNotDelivered": "0",
        },
        "custody": [account(BANK, "a-31c2f0d9", "612")],
        "reconciliation": lines(
            "612.5 0 0 0 0 -10 0 602.5 602.5 0 | 612 0 0 0 0 0 0 612 612 0 | 600 600 10 0 612 0 2",
            {"A6": [minted], "C3": [paid]},
        ),
        "rollForward": {
            "tokens": {
                "opening": "0",
                "bookedLate": "0",
                "minted": "702.5",
                "burned": "100",
                "closing": "602.5",
            },
            "shares": {
                "opening": "0",
                "bookedLate": "0",
                "received": "712",
                "delivered": "100",
                "corporateActions": "0",
                "closing": "612",
            },
        },
        "owedShares": "610",
        "settledShares": "612",
        "disclosed": [],
        "coverageBp": 10032,
        "inTransitCoverageBp": 10032,
        "periodLow": {
            "coverageBp": 10030,
            "at": "2026-11-19T14:45:00Z",
            "cause": "BOOKS",
            "ref": "issuance/K-1042",
        },
        "mint": mint("2"),
    }


def _nvdax() -> Document:
    burned = item(
        "R-0007", "BURN", "1.5", since="2026-11-20T21:29:12Z", chain=CHAIN, tx="0x" + "9d" * 32
    )
    unpaid = item("R-0006", "REDEMPTION", "0.75", since="2026-11-20T18:00:00Z")
    sold = item(
        "S-0311", "DELIVERY", "-1", since="2026-11-20", dueBy="2026-11-23", evidenceSha256="b2" * 32
    )
    return {
        "symbol": "NVDAx",
        "isin": "CH1396281409",
        "securityIsin": "US67066G1040",
        "name": "NVIDIA tracker certificate",
        "status": "COVERED",
        "supply": supply("0xCf7Ed3AccA5a467e9e704C703E8D87F634fB0Fc9", "400", "1.0025"),
        "register": {
            "outstanding": "401.5",
            "owedShares": "402.50375",
            "paidNotMinted": "0",
            "burnedNotDelivered": "0.75",
        },
        "custody": [
            account(BANK, "a-77e01b64", "300"),
            account(BROKER, "a-e2290a1f", "105", sells="1"),
        ],
        "reconciliation": lines(
            "400 0 0 0 1.5 0 0 401.5 401.5 0 | 405 0 -1 0 0 0 0 404 404 0 |"
            "401.5 402.50375 0 0.75 404 0 0.74625",
            {"A5": [burned], "B3": [sold], "C4": [unpaid]},
        ),
        "rollForward": {
            "tokens": {
                "opening": "0",
                "bookedLate": "0",
                "minted": "410",
                "burned": "8.5",
                "closing": "401.5",
            },
            "shares": {
                "opening": "0",
                "bookedLate": "0",
                "received": "412.5",
                "delivered": "9.5",
                "corporateActions": "1",
                "closing": "404",
            },
        },
        "owedShares": "403.25375",
        "settledShares": "404",
        "disclosed": [],
        "coverageBp": 10018,
        "inTransitCoverageBp": 10018,
        "periodLow": {
            "coverageBp": 10012,
            "at": "2026-11-18T20:30:00Z",
            "cause": "BOOKS",
            "ref": "issuance/K-1042",
        },
        "mint": mint("0.744389027431421446"),
    }


def _tslax() -> Document:
    bought = item(
        "I-0094",
        "RECEIPT",
        "50",
        since="2026-11-20",
        dueBy="2026-11-23",
        evidenceSha256="c3" * 32,
    )
    dust = item("a-90c4d7aa", "ROUNDING", "0.000000001")
    return {
        "symbol": "TSLAx",
        "isin": "CH1396281417",
        "securityIsin": "US88160R1014",
        "name": "Tesla tracker certificate",
        "status": "COVERED",
        "supply": supply(
            "0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0", "250.123456789012345678", "1"
        ),
        "register": {
            "outstanding": "250.123456789012345678",
            "owedShares": "250.123456789012345678",
            "paidNotMinted": "0",
            "burnedNotDelivered": "0",
        },
        "custody": [account(BROKER, "a-90c4d7aa", "300.5", buys="50", booked="300.500000001")],
        "reconciliation": lines(
            "250.123456789012345678 0 0 0 0 0 0 250.123456789012345678 250.123456789012345678 0 |"
            "300.5 50 0 0 0 0.000000001 0 350.500000001 350.500000001 0 |"
            "250.123456789012345678 250.123456789012345678 0 0 300.5 50 50.376543210987654322",
            {"B2": [bought], "B6": [dust]},
        ),
        "rollForward": {
            "tokens": {
                "opening": "0",
                "bookedLate": "0",
                "minted": "250.123456789012345678",
                "burned": "0",
                "closing": "250.123456789012345678",
            },
            "shares": {
                "opening": "0",
                "bookedLate": "0",
                "received": "350.500000001",
                "delivered": "0",
                "corporateActions": "0",
                "closing": "350.500000001",
            },
        },
        "owedShares": "250.123456789012345678",
        "settledShares": "300.5",
        "disclosed": [{"class": "UNSETTLED_BUY", "qty": "50", "admitted": True}],
        "coverageBp": 12014,
        "inTransitCoverageBp": 14013,
        "periodLow": low(12014, "2026-11-17T15:10:00Z"),
        "mint": mint("50.376543210987654322"),
    }


def _entity(name: str, lei: str, jurisdiction: str) -> Document:
    return {"name": name, "lei": lei, "jurisdiction": jurisdiction}


def unapproved() -> Document:
    """The content that a first officer proposed and nobody has approved yet."""
    return {
        "schema": "urn:issuer:attestation:1",
        "program": "Harbor Tokenized Equities",
        "sequence": 1,
        "prevSha256": None,
        "supersedes": None,
        "kind": "SCHEDULED",
        "issuer": {
            "spv": _entity("Harbor Assets (Jersey) Limited", "2138005CSEU8QZGXMR02", "JE"),
            "arranger": _entity("Harbor Finance AG", "529900V7HM1ZKFQHRX53", "CH"),
            "securityAgent": _entity("Northgate Trustees S.A.", "222100QVJZ6AVJ4T7V61", "LU"),
        },
        "custodians": [
            _entity("First Custody Bank N.A.", BANK, "US"),
            _entity("Meridian Brokerage LLC", BROKER, "US"),
        ],
        "criteria": {"name": "Reserve criteria", "version": "1.0", "sha256": "d4" * 32},
        "cutoff": {
            "asOf": AS_OF,
            "chosenBy": "SCHEDULE",
            "beacon": None,
            "custodyDate": "2026-11-20",
            "basis": "SETTLEMENT_DATE",
        },
        "period": {"from": "2026-11-13T21:30:00Z", "to": AS_OF, "late": False},
        "published": None,
        "validUntil": "2026-11-24T02:00:00Z",
        "nextDue": "2026-11-23T21:30:00Z",
        "chains": [
            {
                "caip2": CHAIN,
                "name": "Harbor test chain",
                "height": 184022,
                "hash": "0x" + "3e" * 32,
                "time": "2026-11-20T21:29:48Z",
                "finality": "FINALIZED",
                "sourcesAsked": 2,
                "sourcesAgreed": 2,
                "mintersSha256": None,
                "reason": None,
            }
        ],
        "status": "COVERED",
        "tokens": [_aaplx(), _nvdax(), _tslax()],
        "notRestated": [],
        "breaks": [
            {
                "id": "0192f0aa-7f10-7c3e-9d2b-5a51c0d0e001",
                "code": "SRC-STALE",
                "symbol": "TSLAx",
                "severity": "HIGH",
                "qty": None,
                "opened": "2026-11-19T02:00:09Z",
                "status": "CLEARED",
                "action": "Minting held shut until the statement of 18 November was here",
                "explanation": "The custodian sent its file 3 hours late",
            }
        ],
        "halts": [
            {
                "scope": "Token TSLAx",
                "from": "2026-11-19T02:00:09Z",
                "to": "2026-11-19T05:04:41Z",
                "reason": "The statement of 18 November was missing",
                "logIndex": None,
            }
        ],
        "ledger": {"entries": 212, "headCommitment": None, "trialBalance": "0", "log": None},
        "controls": {
            "preparedBy": {
                "role": "Operations officer",
                "ref": "0192f0a1-1c00-7a01-8a01-000000000001",
                "at": "2026-11-20T21:40:00Z",
            },
            "approvedBy": [],
            "contentSha256": None,
            "overrides": 0,
            "buildSha256": None,
            "configSha256": None,
        },
        "evidence": [
            {
                "name": "Statement FCB-2026-11-20",
                "commitment": "5f" * 32,
                "bytes": 1187,
                "mediaType": "text/csv",
                "access": "AUDITOR",
            }
        ],
        "assurance": None,
        "limits": [
            "One source was asked for each custodian.",
            "The period low is the lowest cover that a reconciliation measured.",
        ],
    }


def approved(content: Document) -> Document:
    """The content as a second officer approved it: what is signed and published."""
    document = copy.deepcopy(content)
    document["published"] = PUBLISHED
    document["controls"]["approvedBy"] = [
        {"role": "Approver", "ref": "0192f0a1-1c00-7a01-8a01-000000000002", "at": PUBLISHED}
    ]
    document["controls"]["contentSha256"] = verify_offline.content_sha256(document)
    return document


def covered() -> Document:
    """Three tokens, each covered by free, settled shares."""
    return approved(unapproved())


def in_transit() -> Document:
    """TSLAx is covered only together with 50 shares that settle on the next session day."""
    content = unapproved()
    token = content["tokens"][2]
    content["status"] = token["status"] = "IN_TRANSIT"
    token["custody"][0] |= {"settled": "240", "booked": "240.000000001"}
    items = {line["code"]: line["items"] for line in token["reconciliation"]}
    token["reconciliation"] = lines(
        "250.123456789012345678 0 0 0 0 0 0 250.123456789012345678 250.123456789012345678 0 |"
        "240 50 0 0 0 0.000000001 0 290.000000001 290.000000001 0 |"
        "250.123456789012345678 250.123456789012345678 0 0 240 50 -10.123456789012345678",
        items,
    )
    token["rollForward"]["shares"] |= {"received": "290.000000001", "closing": "290.000000001"}
    token |= {"settledShares": "240", "coverageBp": 9595, "inTransitCoverageBp": 11594}
    token["periodLow"] = low(9595, AS_OF)
    token["mint"] = mint("0", "REDEEM_ONLY", "Covered only together with shares in transit")
    action = "Headroom is 0 until the shares have settled"
    content["breaks"].append(
        open_break("BAK-SETTLED", "TSLAx", "INFO", "10.123456789012345678", action)
    )
    return approved(content)


def short() -> Document:
    """The custodian of AAPLx holds 112 shares fewer than the books say."""
    content = unapproved()
    token = content["tokens"][0]
    content["status"] = token["status"] = "SHORT"
    token["custody"][0]["settled"] = "500"
    items = {line["code"]: line["items"] for line in token["reconciliation"]}
    token["reconciliation"] = lines(
        "612.5 0 0 0 0 -10 0 602.5 602.5 0 | 500 0 0 0 0 0 0 500 612 -112 |600 600 10 0 500 0 -110",
        items,
    )
    token |= {"settledShares": "500", "coverageBp": 8196, "inTransitCoverageBp": 8196}
    token["periodLow"] = {
        "coverageBp": 8196,
        "at": AS_OF,
        "cause": "STATEMENT",
        "ref": "FCB-2026-11-20",
    }
    token["mint"] = mint(
        "0", "HALTED", "CUS-SHORT: the custodian holds fewer shares than the books"
    )
    content["breaks"] += [
        open_break("BAK-SHORT", "AAPLx", "CRITICAL", "110", "Minting halted"),
        open_break("CUS-SHORT", "AAPLx", "CRITICAL", "112", "Minting halted"),
    ]
    return approved(content)


def unknown() -> Document:
    """One of the two custodians of NVDAx has sent no statement for the day."""
    content = unapproved()
    token = content["tokens"][1]
    content["status"] = token["status"] = "UNKNOWN"
    silent = token["custody"][1]
    silent |= dict.fromkeys(("settled", "buys", "sells", "inTransit", "entitlements", "encumbered"))
    silent["source"] |= {"retrieved": None, "statementDate": None, "commitment": None}
    silent["reason"] = "No statement of 2026-11-20; the last is of 2026-11-19"
    items = {line["code"]: line["items"] for line in token["reconciliation"]}
    token["reconciliation"] = lines(
        "400 0 0 0 1.5 0 0 401.5 401.5 0 | ? ? ? ? ? ? ? ? 404 ? | 401.5 402.50375 0 0.75 ? ? ?",
        items | {"B3": []},
    )
    token |= dict.fromkeys(("settledShares", "coverageBp", "inTransitCoverageBp"))
    token["mint"] = mint("0", "REDEEM_ONLY", "SRC-STALE: no statement of 2026-11-20")
    content["breaks"].append(
        open_break("SRC-STALE", "NVDAx", "HIGH", None, "Cover unknown; minting held shut")
    )
    content["validUntil"] = AS_OF  # the first statement of the program: there is none to extend
    return approved(content)


def following(earlier: Document, sha256: str) -> Document:
    """The statement after `earlier`, of a day on which nothing happened but a mint of 5 AAPLx."""
    content = unapproved()
    content |= {"sequence": earlier["sequence"] + 1, "prevSha256": sha256}
    content["period"]["from"] = earlier["cutoff"]["asOf"]
    later = "2026-11-20T21:45:00Z"
    content["cutoff"]["asOf"] = content["period"]["to"] = later
    for token, before in zip(content["tokens"], earlier["tokens"], strict=True):
        for unit in ("tokens", "shares"):
            movements, closing = token["rollForward"][unit], before["rollForward"][unit]["closing"]
            for name in movements:
                movements[name] = closing if name in ("opening", "closing") else "0"
        opened = {"at": content["period"]["from"], "cause": "OPENING", "ref": None}
        token["periodLow"] = {"coverageBp": token["coverageBp"], **opened}
    return approved(content)


def event(earlier: Document, sha256: str) -> Document:
    """The statement after `earlier`, made by itself: somebody minted 5 AAPLx past the books."""
    content = following(earlier, sha256)
    content["kind"], content["cutoff"]["chosenBy"] = "EVENT", "EVENT"
    content["status"] = "SHORT"
    content |= {"validUntil": earlier["validUntil"], "nextDue": earlier["nextDue"]}
    token = content["tokens"][0]
    token["status"] = "SHORT"
    token["supply"][0]["totalSupply"] = "617.5"
    items = {line["code"]: line["items"] for line in token["reconciliation"]}
    token["reconciliation"] = lines(
        "617.5 0 0 0 0 -10 0 607.5 602.5 5 | 612 0 0 0 0 0 0 612 612 0 | 605 605 10 0 612 0 -3",
        items,
    )
    token |= {"owedShares": "615", "coverageBp": 9951, "inTransitCoverageBp": 9951}
    token["periodLow"] = {
        "coverageBp": 9951,
        "at": "2026-11-20T21:41:30Z",
        "cause": "CHAIN",
        "ref": "0x" + "66" * 32,
    }
    for one in content["tokens"]:
        one["mint"] = mint("0", "HALTED", "UNA-MINT: a mint that nobody approved")
    content["breaks"] += [
        open_break("UNA-MINT", "AAPLx", "CRITICAL", "5", "Minting halted"),
        open_break("SUP-OVER", "AAPLx", "CRITICAL", "5", "Minting halted"),
        open_break("BAK-SHORT", "AAPLx", "CRITICAL", "3", "Minting halted"),
    ]
    return by_itself(content)


def carrying(earlier: Document, sha256: str) -> Document:
    """The event after `earlier`, in which NVDAx was not known: it is now, and AAPLx is halted."""
    content = following(earlier, sha256)
    content["kind"], content["cutoff"]["chosenBy"] = "EVENT", "EVENT"
    content |= {"status": "UNKNOWN", "nextDue": earlier["nextDue"]}
    content["validUntil"] = content["cutoff"]["asOf"]
    aaplx, nvdax, tslax = content["tokens"]
    aaplx["mint"] = mint("0", "HALTED", "A fire in the vault")
    shut = mint("0", "REDEEM_ONLY", "Less shut than last stated, which two persons have to say")
    content["tokens"] = [aaplx, tslax]
    content["notRestated"] = [
        verify_offline.last_stated(earlier, sha256)["NVDAx"]
        | {
            "periodLow": low(10018, "2026-11-20T21:30:00Z"),
            "mint": shut,
            "reason": "It is better than last stated, which two persons have to say",
        }
    ]
    assert nvdax["status"] == "COVERED"
    return by_itself(content)


def by_itself(content: Document) -> Document:
    """The content as it is published without anybody's approval."""
    document = copy.deepcopy(content)
    made = {"role": "System", "ref": "attestation.attest_events", "at": PUBLISHED}
    document["controls"] |= {"preparedBy": made, "approvedBy": []}
    document["published"] = PUBLISHED
    document["controls"]["contentSha256"] = verify_offline.content_sha256(document)
    return document


def correction(earlier: Document, sha256: str) -> Document:
    """The statement after `earlier`, which corrects it."""
    content = following(earlier, sha256)
    content["kind"] = "CORRECTION"
    content["supersedes"] = {
        "sequence": earlier["sequence"],
        "sha256": sha256,
        "reason": "The custodian restated its position of 20 November",
    }
    return approved(content)


VARIANTS = {
    "covered": covered,
    "in transit": in_transit,
    "short": short,
    "unknown": unknown,
}
