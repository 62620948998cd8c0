"""Builds the demo world: the parties, the instruments, the contracts and what the SPV owns."""

import shutil
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.db import transaction
from eth_account import Account
from eth_account.messages import encode_defunct

from issuer.api import services as keys
from issuer.api.models import Scope
from issuer.attestation import services as attestation
from issuer.attestation import signers
from issuer.custody import services as custody
from issuer.custody.models import Purpose
from issuer.foundation import actors, calendars
from issuer.foundation.actors import Actor
from issuer.instruments import services as instruments
from issuer.instruments.models import Token
from issuer.kyc import services as kyc
from issuer.kyc.models import MediaType, RiskRating
from issuer.parties import services as parties
from issuer.parties.models import AuthorizedParticipant, Custodian, LegalEntity, Program
from issuer.people import services as people
from issuer.people.actors import actor_of
from issuer.people.models import User
from issuer.sandbox import cast, contracts, market_clock
from issuer.sandbox.chains import CHAINS, DemoChain
from issuer.sandbox.contracts import Contracts
from issuer.sandbox.custodian import DemoCustodian

ACTOR: Final = actors.system("sandbox")
OWN_SHARES: Final = Decimal(2)

CRITERIA_TEXT: Final = """\
1. Every token is owed as many shares as its multiplier says. What is owed is rounded up.
2. Only settled shares count, in segregated accounts pledged to the security agent, without what is
   on its way out, lent, or blocked by anybody else. What is held is rounded down.
3. Of chain and register the larger is owed; of custodian and books the smaller is held.
4. A source that is missing, stale or in disagreement makes the answer UNKNOWN, never a number.
5. Shares under way are disclosed and back nothing until they have settled.
Adapted from the criteria of the AICPA for fiat-pegged tokens (2025), for shares.
"""


def build() -> str:
    """Build the world, unless it stands; return what there is to say of it."""
    if Program.objects.filter(code=cast.PROGRAM_CODE).exists():
        return "there"
    day = market_clock.first_story_day()
    market_clock.advance_to(datetime.combine(day, market_clock.OPEN_AT))
    at = datetime.combine(day, market_clock.OPEN_AT)
    deployed = {chain: contracts.deploy(chain, at=at) for chain in CHAINS}
    with transaction.atomic():
        _populate(deployed, day=day, at=at)
    return f"built; it is {at:%A %Y-%m-%d %H:%M}Z"


def throw_away() -> str:
    """Remove the world of an earlier start; what runs keeps its lock, its logs and its files."""
    for name in ("postgresql", "beat", "sandbox", "custody", "package", "keys.json"):
        path = settings.DATA_DIR / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return "thrown away"


def _populate(deployed: Mapping[DemoChain, Contracts], *, day: date, at: datetime) -> None:
    users = {
        member.username: people.register_user(
            person_name=member.name,
            username=member.username,
            password=member.password,
            roles=member.roles,
            actor=ACTOR,
            at=at,
        )
        for member in cast.STAFF
    }
    program, custodian = _program(at=at)
    attestation.register_key(
        public_key=signers.configured().public_key, valid_from=at, actor=ACTOR, at=at
    )
    before = datetime.combine(calendars.last_session(day - timedelta(days=1)), market_clock.OPEN_AT)
    tokens = _tokens(program, custodian, deployed, at=before)
    _partner(program, users, at=at)
    _lapsed_partner(program, users, at=at)
    _own_shares(tokens[cast.PRODUCTS[0].symbol], custodian, traded=before, at=at)


def _program(*, at: datetime) -> tuple[Program, Custodian]:
    spv, arranger, agent, bank = (
        _company(company, at=at)
        for company in (cast.SPV, cast.ARRANGER, cast.SECURITY_AGENT, cast.CUSTODIAN)
    )
    program = parties.register_program(
        code=cast.PROGRAM_CODE,
        name="Glass Ledger tokenized shares",
        spv=spv,
        arranger=arranger,
        security_agent=agent,
        actor=ACTOR,
        at=at,
    )
    parties.publish_criteria(
        program=program,
        name="Reserve criteria",
        version="1.0",
        text=CRITERIA_TEXT,
        actor=ACTOR,
        at=at,
    )
    custodian = parties.register_custodian(
        code=cast.CUSTODIAN_CODE, entity=bank, actor=ACTOR, at=at
    )
    return program, custodian


def _company(company: cast.Company, *, at: datetime) -> LegalEntity:
    return parties.register_legal_entity(
        name=company.name,
        lei=company.lei,
        jurisdiction=company.jurisdiction,
        actor=ACTOR,
        at=at,
    )


def _tokens(
    program: Program,
    custodian: Custodian,
    deployed: Mapping[DemoChain, Contracts],
    *,
    at: datetime,
) -> Mapping[str, Token]:
    networks = {chain: contracts.register_network(chain, actor=ACTOR, at=at) for chain in deployed}
    tokens = {}
    for product in cast.PRODUCTS:
        security = instruments.register_security(
            isin=product.share_isin,
            cusip=product.cusip,
            figi=product.figi,
            ticker=product.ticker,
            mic="XNAS",
            name=product.share_name,
            actor=ACTOR,
            at=at,
        )
        token = instruments.register_token(
            program=program,
            symbol=product.symbol,
            name=product.name,
            isin=product.isin,
            security=security,
            actor=ACTOR,
            at=at,
        )
        for chain, network in networks.items():
            address, block = deployed[chain][product.symbol]
            instruments.register_deployment(
                token=token,
                network=network,
                address=address,
                deployed_block=block,
                actor=ACTOR,
                at=at,
            )
        custody.open_custody_account(
            token=token,
            custodian=custodian,
            reference=product.account,
            actor=ACTOR,
            at=at,
        )
        tokens[product.symbol] = token
    return tokens


def _partner(program: Program, users: Mapping[str, User], *, at: datetime) -> None:
    """The partner of the story: known and cleared, with a key; it binds its wallet itself."""
    participant = parties.register_participant(
        code=cast.PARTNER_CODE,
        entity=_company(cast.PARTNER, at=at),
        program=program,
        actor=ACTOR,
        at=at,
    )
    _clear(participant, users, valid_until=at.date() + timedelta(days=365), at=at)
    _issue_key(participant, users, at=at)


def _lapsed_partner(program: Program, users: Mapping[str, User], *, at: datetime) -> None:
    """A partner whose KYC ran out last week, to be refused."""
    cleared_at = at - timedelta(days=372)
    participant = parties.register_participant(
        code=cast.LAPSED_CODE,
        entity=_company(cast.LAPSED, at=cleared_at),
        program=program,
        actor=ACTOR,
        at=cleared_at,
    )
    _clear(participant, users, valid_until=at.date() - timedelta(days=7), at=cleared_at)
    bind_wallet(participant, cast.LAPSED_CODE, at=cleared_at)
    _issue_key(participant, users, at=at)


def _clear(
    participant: AuthorizedParticipant,
    users: Mapping[str, User],
    *,
    valid_until: date,
    at: datetime,
) -> None:
    """Take the participant's KYC case from new to approved, as the compliance officer does."""
    compliance = actor_of(users[cast.COMPLIANCE.username])
    case = kyc.open_case(entity=participant.entity, actor=compliance, at=at)
    kyc.start(case.pk, actor=compliance, at=at)
    for kind, text in (
        ("certificate-of-incorporation", "Certificate of incorporation of"),
        ("ownership-chart", "Ownership chart of"),
    ):
        kyc.add_evidence(
            case.pk,
            kind=kind,
            media_type=MediaType.PDF,
            content=_document(f"{text} {participant.entity.name}"),
            actor=compliance,
            at=at,
        )
    kyc.submit(case.pk, actor=compliance, at=at)
    kyc.approve(
        case.pk, valid_until=valid_until, risk_rating=RiskRating.MEDIUM, actor=compliance, at=at
    )


def _document(title: str) -> bytes:
    """Return a page such as a company would send in."""
    import weasyprint  # as heavy as all the rest, and needed once

    pdf: bytes = weasyprint.HTML(string=f"<title>{title}</title><h1>{title}</h1>").write_pdf()
    return pdf


def _issue_key(
    participant: AuthorizedParticipant, users: Mapping[str, User], *, at: datetime
) -> None:
    _, shown_once = keys.issue_key(
        participant=participant,
        label="Trading desk",
        scopes=[Scope.READ, Scope.TRADE],
        expires_at=at + timedelta(days=365),
        actor=actor_of(users[cast.OFFICER.username]),
        at=at,
    )
    cast.keep_partner_key(participant.code, shown_once)


def bind_wallet(participant: AuthorizedParticipant, code: str, *, at: datetime) -> None:
    """Bind a participant's wallet by its signature, as the API does."""
    actor = Actor(actors.ActorKind.PARTNER, f"sandbox:{code}")
    account = Account.from_key(cast.wallet_key(code))
    challenge = parties.challenge_wallet(
        participant=participant,
        namespace="eip155",
        address=account.address,
        actor=actor,
        at=at,
    )
    signed = account.sign_message(encode_defunct(text=challenge.message))
    parties.bind_wallet(
        challenge_id=challenge.pk,
        participant=participant,
        signature=f"0x{signed.signature.hex()}",
        actor=actor,
        at=at,
    )


def _own_shares(token: Token, custodian: Custodian, *, traded: datetime, at: datetime) -> None:
    """The SPV's own two shares: instructed, settled, and shown by the custodian's statement."""
    account = token.custody_accounts.get()
    custody.instruct_receipt(
        account=account,
        purpose=Purpose.OWN_SHARES,
        quantity=OWN_SHARES,
        trade_date=traded.date(),
        settlement_date=traded.date(),
        delivering_party=cast.ARRANGER.name,
        actor=ACTOR,
        at=traded,
    )
    demo_custodian = DemoCustodian.of_settings()
    demo_custodian.begin(traded.date())
    demo_custodian.expect(
        account=account.reference,
        quantity=OWN_SHARES,
        trade_date=traded.date(),
        settlement_date=traded.date(),
    )
    file_name, raw = demo_custodian.statement(traded.date())
    custody.receive_statement(custodian=custodian, file_name=file_name, raw=raw, actor=ACTOR, at=at)
