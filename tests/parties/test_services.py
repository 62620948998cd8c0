import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from issuer.audit.models import AuditEvent
from issuer.events.models import Event
from issuer.foundation.actors import Actor, ActorKind, system
from issuer.foundation.errors import DomainError, IllegalTransition, Malformed
from issuer.foundation.identifiers import uuid7
from issuer.parties import errors, services
from issuer.parties.models import (
    AuthorizedParticipant,
    Criteria,
    Custodian,
    LegalEntity,
    Program,
    Wallet,
    WalletChallenge,
)
from issuer.parties.states import WalletState
from tests.make import parties as make

pytestmark = pytest.mark.django_db

ACTOR: Final = system("tests")
PARTNER: Final = Actor(ActorKind.PARTNER, "key-1")
HOLDER: Final = Account.from_key("0x" + "11" * 32)
APPLE_LEI: Final = "HWUPKR0MPOU8FGXBT394"


def sign(challenge: WalletChallenge, *, key: str = HOLDER.key.hex()) -> str:
    signable = encode_defunct(text=challenge.message)
    return "0x" + bytes(Account.sign_message(signable, private_key=key).signature).hex()


def challenge(participant: AuthorizedParticipant, at: datetime) -> WalletChallenge:
    return services.challenge_wallet(
        participant=participant,
        namespace="eip155",
        address=HOLDER.address,
        actor=PARTNER,
        at=at,
    )


class TestRegisterLegalEntity:
    def test_registers_it_with_a_history_that_tells_the_houses_time(self, at: datetime) -> None:
        entity = services.register_legal_entity(
            name="Apple Inc.", lei=APPLE_LEI, jurisdiction="US", actor=ACTOR, at=at
        )

        history = entity.history.get()
        assert (history.history_date, history.history_change_reason) == (at, "SYSTEM:tests")
        event = AuditEvent.objects.get()
        assert (event.action, event.subject_id) == ("legal_entity.register", entity.pk)
        assert event.facts == {"lei": APPLE_LEI}

    @pytest.mark.parametrize(
        ("lei", "jurisdiction"),
        [
            pytest.param("HWUPKR0MPOU8FGXBT395", "US", id="wrong check digits"),
            pytest.param(APPLE_LEI, "U1", id="no country"),
            pytest.param(APPLE_LEI, "us", id="small letters"),
        ],
    )
    def test_refuses_what_its_standard_does_not_know(
        self, lei: str, jurisdiction: str, at: datetime
    ) -> None:
        with pytest.raises(Malformed):
            services.register_legal_entity(
                name="Apple Inc.", lei=lei, jurisdiction=jurisdiction, actor=ACTOR, at=at
            )

        assert not LegalEntity.objects.exists()
        assert not AuditEvent.objects.exists()

    def test_refuses_an_lei_twice(self, at: datetime) -> None:
        known = make.legal_entity()

        with pytest.raises(errors.PartyKnown):
            services.register_legal_entity(
                name="Another", lei=known.lei, jurisdiction="US", actor=ACTOR, at=at
            )

        assert LegalEntity.objects.get() == known
        assert not AuditEvent.objects.exists()


class TestRegisterProgram:
    def test_registers_it(self, at: datetime) -> None:
        spv, arranger, agent = make.legal_entity(), make.legal_entity(), make.legal_entity()

        program = services.register_program(
            code="main",
            name="Main",
            spv=spv,
            arranger=arranger,
            security_agent=agent,
            actor=ACTOR,
            at=at,
        )

        program.refresh_from_db()
        assert (program.spv, program.arranger, program.security_agent) == (spv, arranger, agent)
        assert AuditEvent.objects.get().facts == {"code": "main"}

    def test_refuses_a_security_agent_that_is_the_spv(self, at: datetime) -> None:
        spv = make.legal_entity()

        with pytest.raises(errors.SecurityAgentNotIndependent):
            services.register_program(
                code="main",
                name="Main",
                spv=spv,
                arranger=spv,
                security_agent=spv,
                actor=ACTOR,
                at=at,
            )

        assert not Program.objects.exists()
        assert not AuditEvent.objects.exists()

    def test_refuses_a_code_twice(self, at: datetime) -> None:
        known = make.program()

        with pytest.raises(errors.PartyKnown):
            services.register_program(
                code=known.code,
                name="Another",
                spv=known.spv,
                arranger=known.arranger,
                security_agent=known.security_agent,
                actor=ACTOR,
                at=at,
            )

        assert Program.objects.get() == known


class TestPublishCriteria:
    def test_publishes_them_with_their_hash(self, at: datetime) -> None:
        criteria = services.publish_criteria(
            program=make.program(),
            name="Reserve criteria",
            version="1.0",
            text="Shares first.",
            actor=ACTOR,
            at=at,
        )

        assert criteria.sha256 == hashlib.sha256(b"Shares first.").hexdigest()
        assert criteria.published_at == at
        assert AuditEvent.objects.get().facts == {"version": "1.0", "sha256": criteria.sha256}

    def test_refuses_a_version_that_is_out(self, at: datetime) -> None:
        out = make.criteria(version="1.0")

        with pytest.raises(errors.CriteriaPublished):
            services.publish_criteria(
                program=out.program,
                name="Reserve criteria",
                version="1.0",
                text="Shares later.",
                actor=ACTOR,
                at=at,
            )

        assert Criteria.objects.get() == out


class TestRegisterCustodian:
    def test_registers_it(self, at: datetime) -> None:
        entity = make.legal_entity()

        custodian = services.register_custodian(code="bank", entity=entity, actor=ACTOR, at=at)

        assert Custodian.objects.get(entity=entity) == custodian
        assert AuditEvent.objects.get().facts == {"code": "bank"}

    @pytest.mark.parametrize("same", ["code", "entity"])
    def test_refuses_a_code_or_an_entity_twice(self, same: str, at: datetime) -> None:
        known = make.custodian()
        code = known.code if same == "code" else "another"
        entity = known.entity if same == "entity" else make.legal_entity()

        with pytest.raises(errors.PartyKnown):
            services.register_custodian(code=code, entity=entity, actor=ACTOR, at=at)

        assert Custodian.objects.get() == known


class TestRegisterParticipant:
    def test_registers_it(self, at: datetime) -> None:
        entity, program = make.legal_entity(), make.program()

        participant = services.register_participant(
            code="kraken", entity=entity, program=program, actor=ACTOR, at=at
        )

        assert AuthorizedParticipant.objects.get(program=program) == participant
        assert AuditEvent.objects.get().facts == {"code": "kraken", "program": program.code}

    @pytest.mark.parametrize("same", ["code", "entity"])
    def test_refuses_a_code_twice_and_an_entity_twice_in_a_program(
        self, same: str, at: datetime
    ) -> None:
        known = make.participant()

        with pytest.raises(errors.PartyKnown):
            services.register_participant(
                code=known.code if same == "code" else "another",
                entity=known.entity if same == "entity" else make.legal_entity(),
                program=known.program,
                actor=ACTOR,
                at=at,
            )

        assert AuthorizedParticipant.objects.get() == known


class TestChallengeWallet:
    def test_writes_a_message_that_names_both_sides_and_ends_in_ten_minutes(
        self, at: datetime
    ) -> None:
        participant = make.participant()

        issued = challenge(participant, at)

        lines = issued.message.splitlines()
        assert lines[0] == (
            f"{participant.program.spv.name} asks you to prove that you control this address,"
            " at http://127.0.0.1:8000."
        )
        assert f"Participant: {participant.entity.name} ({participant.entity.lei})" in lines
        assert f"Address: eip155:{HOLDER.address}" in lines
        assert "Expires at: 2026-11-20T15:10:00.000000Z" in lines
        assert issued.expires_at == at + timedelta(minutes=10)

    def test_never_writes_the_same_message_twice(self, at: datetime) -> None:
        participant = make.participant()

        assert challenge(participant, at).message != challenge(participant, at).message

    @pytest.mark.parametrize(
        ("namespace", "address", "refusal"),
        [
            pytest.param("solana", HOLDER.address, errors.NamespaceUnsupported, id="namespace"),
            pytest.param("eip155", HOLDER.address.lower(), Malformed, id="no checksum"),
        ],
    )
    def test_refuses_an_address_that_cannot_be_proved(
        self, namespace: str, address: str, refusal: type[DomainError], at: datetime
    ) -> None:
        participant = make.participant()

        with pytest.raises(refusal):
            services.challenge_wallet(
                participant=participant, namespace=namespace, address=address, actor=PARTNER, at=at
            )

        assert not WalletChallenge.objects.exists()
        assert not AuditEvent.objects.exists()


def bind(issued: WalletChallenge, signature: str, at: datetime, **changes: Any) -> Wallet:
    arguments: dict[str, Any] = {
        "challenge_id": issued.pk,
        "participant": issued.participant,
    } | changes
    return services.bind_wallet(signature=signature, actor=PARTNER, at=at, **arguments)


class TestBindWallet:
    def test_binds_the_address_to_the_participant(self, at: datetime) -> None:
        issued = challenge(make.participant(), at)

        wallet = bind(issued, sign(issued), at + timedelta(minutes=10))

        wallet.refresh_from_db()
        assert (wallet.participant, wallet.namespace) == (issued.participant, "eip155")
        assert (wallet.address, wallet.state) == (HOLDER.address, WalletState.BOUND)
        issued.refresh_from_db()
        assert issued.used_at == at + timedelta(minutes=10)
        facts = {
            "participant": issued.participant.code,
            "namespace": "eip155",
            "address": HOLDER.address,
        }
        event = AuditEvent.objects.get(action="wallet.bind")
        assert event.facts == {**facts, "challenge": str(issued.pk)}
        told = Event.objects.get()
        assert (told.type, told.subject_id, told.data) == ("wallet.bound", wallet.pk, facts)

    @pytest.mark.parametrize(
        ("attempt", "refusal"),
        [
            pytest.param(
                lambda issued, at: bind(issued, sign(issued), at + timedelta(seconds=601)),
                errors.ChallengeExpired,
                id="too late",
            ),
            pytest.param(
                lambda issued, at: bind(issued, sign(issued, key="0x" + "22" * 32), at),
                errors.SignatureMismatch,
                id="another key",
            ),
            pytest.param(
                lambda issued, at: bind(issued, "0x", at), errors.SignatureMalformed, id="malformed"
            ),
            pytest.param(
                lambda issued, at: bind(issued, sign(issued), at, participant=make.participant()),
                errors.ChallengeMissing,
                id="another participant's challenge",
            ),
            pytest.param(
                lambda issued, at: bind(issued, sign(issued), at, challenge_id=uuid7()),
                errors.ChallengeMissing,
                id="no challenge",
            ),
        ],
    )
    def test_refuses_and_writes_nothing(
        self,
        attempt: Callable[[WalletChallenge, datetime], object],
        refusal: type[DomainError],
        at: datetime,
    ) -> None:
        issued = challenge(make.participant(), at)

        with pytest.raises(refusal):
            attempt(issued, at)

        issued.refresh_from_db()
        assert issued.used_at is None
        assert not Wallet.objects.exists()
        assert not Event.objects.exists()
        assert AuditEvent.objects.get().action == "wallet.challenge"

    def test_refuses_a_challenge_twice(self, at: datetime) -> None:
        issued = challenge(make.participant(), at)
        wallet = bind(issued, sign(issued), at)
        services.revoke_wallet(wallet, reason="The key was lost.", actor=ACTOR, at=at)

        with pytest.raises(errors.ChallengeUsed):
            bind(issued, sign(issued), at)

        assert Wallet.objects.get().state == WalletState.REVOKED

    def test_refuses_an_address_that_the_participant_has_bound(self, at: datetime) -> None:
        participant = make.participant()
        make.wallet(participant, address=HOLDER.address)
        issued = challenge(participant, at)

        with pytest.raises(errors.WalletBound):
            bind(issued, sign(issued), at)

        assert Wallet.objects.count() == 1

    def test_refuses_an_address_that_another_participant_has_bound(self, at: datetime) -> None:
        make.wallet(address=HOLDER.address)
        issued = challenge(make.participant(), at)

        with pytest.raises(errors.WalletBoundElsewhere):
            bind(issued, sign(issued), at)

        assert Wallet.objects.count() == 1
        issued.refresh_from_db()
        assert issued.used_at is None


class TestRevokeWallet:
    def test_ends_the_binding_so_that_another_may_follow(self, at: datetime) -> None:
        wallet = make.wallet(address=HOLDER.address)

        services.revoke_wallet(wallet, reason="The key was lost.", actor=ACTOR, at=at)

        wallet.refresh_from_db()
        assert (wallet.state, wallet.revoked_at) == (WalletState.REVOKED, at)
        assert wallet.revocation_reason == "The key was lost."
        assert AuditEvent.objects.get().facts == {"reason": "The key was lost."}
        assert Event.objects.get().type == "wallet.revoked"
        issued = challenge(make.participant(), at)
        assert bind(issued, sign(issued), at).state == WalletState.BOUND

    def test_refuses_a_wallet_that_was_revoked(self, at: datetime) -> None:
        wallet = make.wallet()
        services.revoke_wallet(wallet, reason="The key was lost.", actor=ACTOR, at=at)

        with pytest.raises(IllegalTransition):
            services.revoke_wallet(wallet, reason="Again.", actor=ACTOR, at=at)

        wallet.refresh_from_db()
        assert wallet.revocation_reason == "The key was lost."
        assert AuditEvent.objects.count() == 1
