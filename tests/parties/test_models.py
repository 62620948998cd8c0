"""What PostgreSQL refuses, past all Python."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from issuer.foundation.actors import system
from issuer.parties import services
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
from tests.violations import refused_by

pytestmark = pytest.mark.django_db
AT = make.BEFORE


def challenge() -> WalletChallenge:
    return services.challenge_wallet(
        participant=make.participant(),
        namespace="eip155",
        address=make.evm_address(),
        actor=system("tests"),
        at=AT,
    )


def unname_an_entity() -> None:
    LegalEntity.objects.filter(pk=make.legal_entity().pk).update(name="")


def misspell_an_lei() -> None:
    LegalEntity.objects.filter(pk=make.legal_entity().pk).update(lei="529900-LOWER")


def invent_a_country() -> None:
    LegalEntity.objects.filter(pk=make.legal_entity().pk).update(jurisdiction="1X")


def share_an_lei() -> None:
    LegalEntity.objects.filter(pk=make.legal_entity().pk).update(lei=make.legal_entity().lei)


def pledge_to_oneself() -> None:
    program = make.program()
    Program.objects.filter(pk=program.pk).update(security_agent=program.spv)


def share_a_program_code() -> None:
    Program.objects.filter(pk=make.program().pk).update(code=make.program().code)


def publish_a_version_twice() -> None:
    criteria = make.criteria()
    Criteria.objects.bulk_create(
        [
            Criteria(
                program=criteria.program,
                name="Another",
                version=criteria.version,
                text="Other",
                sha256="0" * 64,
                published_at=AT,
            )
        ]
    )


def publish_without_a_hash() -> None:
    Criteria.objects.bulk_create(
        [Criteria(program=make.program(), version="2", sha256="none", published_at=AT)]
    )


def share_a_custodian_code() -> None:
    Custodian.objects.filter(pk=make.custodian().pk).update(code=make.custodian().code)


def hold_shares_twice() -> None:
    Custodian.objects.filter(pk=make.custodian().pk).update(entity=make.custodian().entity)


def share_a_participant_code() -> None:
    one, other = make.participant(), make.participant()
    AuthorizedParticipant.objects.filter(pk=one.pk).update(code=other.code)


def take_part_twice() -> None:
    one, other = make.participant(), make.participant()
    AuthorizedParticipant.objects.filter(pk=one.pk).update(
        entity=other.entity, program=other.program
    )


def invent_a_state() -> None:
    Wallet.objects.filter(pk=make.wallet().pk).update(state="LOST")


def bind_an_address_twice() -> None:
    Wallet.objects.filter(pk=make.wallet().pk).update(address=make.wallet().address)


def misspell_an_address() -> None:
    Wallet.objects.filter(pk=make.wallet().pk).update(address="0xabc")


def revoke_without_a_reason() -> None:
    Wallet.objects.filter(pk=make.wallet().pk).update(state=WalletState.REVOKED, revoked_at=AT)


def revoke_without_a_time() -> None:
    Wallet.objects.filter(pk=make.wallet().pk).update(
        state=WalletState.REVOKED, revocation_reason="Lost."
    )


def keep_a_reason_without_revoking() -> None:
    Wallet.objects.filter(pk=make.wallet().pk).update(revocation_reason="Lost.")


def expire_before_issue() -> None:
    WalletChallenge.objects.filter(pk=challenge().pk).update(expires_at=AT)


def use_too_late() -> None:
    late = AT + timedelta(minutes=10, microseconds=1)
    WalletChallenge.objects.filter(pk=challenge().pk).update(used_at=late)


def use_too_early() -> None:
    early = AT - timedelta(microseconds=1)
    WalletChallenge.objects.filter(pk=challenge().pk).update(used_at=early)


def rewrite_criteria() -> None:
    Criteria.objects.filter(pk=make.criteria().pk).update(text="Shares later.")


def withdraw_criteria() -> None:
    Criteria.objects.filter(pk=make.criteria().pk).delete()


@pytest.mark.parametrize(
    ("violate", "constraint"),
    [
        (unname_an_entity, "legal_entity_has_a_name"),
        (misspell_an_lei, "legal_entity_has_an_lei"),
        (invent_a_country, "legal_entity_has_a_jurisdiction"),
        (share_an_lei, "parties_legalentity_lei_key"),
        (pledge_to_oneself, "security_agent_is_not_the_spv"),
        (share_a_program_code, "parties_program_code_key"),
        (publish_a_version_twice, "criteria_version_once_per_program"),
        (publish_without_a_hash, "criteria_hash_is_sha256"),
        (rewrite_criteria, "parties_criteria_append_only"),
        (withdraw_criteria, "parties_criteria_append_only"),
        (share_a_custodian_code, "parties_custodian_code_key"),
        (hold_shares_twice, "parties_custodian_entity_id_key"),
        (share_a_participant_code, "parties_authorizedparticipant_code_key"),
        (take_part_twice, "participant_once_per_program"),
        (invent_a_state, "wallet_state_known"),
        (bind_an_address_twice, "wallet_bound_to_one_participant"),
        (misspell_an_address, "wallet_address_fits_its_namespace"),
        (revoke_without_a_reason, "wallet_revoked_has_time_and_reason"),
        (revoke_without_a_time, "wallet_revoked_has_time_and_reason"),
        (keep_a_reason_without_revoking, "wallet_revoked_has_time_and_reason"),
        (expire_before_issue, "wallet_challenge_expires_after_issue"),
        (use_too_late, "wallet_challenge_used_in_time"),
        (use_too_early, "wallet_challenge_used_in_time"),
    ],
)
def test_postgresql_refuses_to(violate: Callable[[], None], constraint: str) -> None:
    with refused_by(constraint):
        violate()


class TestStr:
    def test_tells_people_what_a_row_is(self, at: datetime) -> None:
        criteria, custodian, wallet = make.criteria(), make.custodian(), make.wallet()

        assert str(criteria) == "Reserve criteria 1.0"
        assert str(criteria.program) == criteria.program.name
        assert str(custodian) == custodian.entity.name
        assert str(wallet) == f"eip155:{wallet.address}"
        assert str(challenge()).startswith("Challenge for 0x")
