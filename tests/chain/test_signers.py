"""Who signs for us, for what, and until when."""

from datetime import datetime, timedelta

import pytest
from django.db import transaction

from issuer.audit.models import AuditEvent
from issuer.chain import selectors, services
from issuer.chain.errors import SignerInUse, SignerMismatch, SignerMissing, SignerRetired
from issuer.chain.models import SignerAccount, TransactionIntent
from issuer.chain.states import IntentKind, SignerPurpose
from issuer.foundation.actors import Actor
from issuer.instruments.models import Network
from tests.make import chain as make
from tests.make import instruments

pytestmark = pytest.mark.django_db

MINTER, BURNER = SignerPurpose.MINTER, SignerPurpose.BURNER
ALICE = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
BOB = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"


class Office:
    """The services, told the same network, actor and time."""

    def __init__(self, actor: Actor, at: datetime) -> None:
        self.network, self.actor, self.at = instruments.network(), actor, at

    def appoint(
        self, address: str, purpose: SignerPurpose = MINTER, network: Network | None = None
    ) -> SignerAccount:
        return services.appoint_signer(
            network=network or self.network,
            purpose=purpose,
            address=address,
            actor=self.actor,
            at=self.at,
        )

    def retire(self, purpose: SignerPurpose = MINTER) -> SignerAccount:
        return services.retire_signer(
            network=self.network,
            purpose=purpose,
            reason="Its key was stolen.",
            actor=self.actor,
            at=self.at + timedelta(hours=1),
        )


@pytest.fixture
def office(system: Actor, at: datetime) -> Office:
    return Office(system, at)


class TestAppointSigner:
    def test_says_who_signs(self, office: Office, at: datetime) -> None:
        account = office.appoint(ALICE.lower())

        assert selectors.signer_in_use(office.network, MINTER) == account
        assert (account.address, account.appointed_at, account.next_nonce) == (ALICE, at, 0)
        event = AuditEvent.objects.get(action="signer.appoint")
        assert event.facts == {
            "network": office.network.caip2,
            "purpose": "MINTER",
            "address": ALICE,
        }

    def test_changes_nothing_for_the_one_in_use(self, office: Office) -> None:
        account = office.appoint(ALICE)

        assert office.appoint(ALICE.lower()) == account

        assert SignerAccount.objects.count() == 1
        assert AuditEvent.objects.filter(action="signer.appoint").count() == 1

    def test_refuses_a_second_one_for_the_purpose(self, office: Office) -> None:
        account = office.appoint(ALICE)

        with pytest.raises(SignerInUse):
            office.appoint(BOB)

        assert SignerAccount.objects.get() == account

    def test_refuses_a_second_purpose_for_an_account(self, office: Office) -> None:
        office.appoint(ALICE)

        with pytest.raises(SignerInUse):
            office.appoint(ALICE, BURNER)

        assert SignerAccount.objects.count() == 1

    @pytest.mark.parametrize("purpose", [MINTER, BURNER])
    def test_refuses_one_that_was_retired(self, office: Office, purpose: SignerPurpose) -> None:
        office.appoint(ALICE)
        office.retire()

        with pytest.raises(SignerRetired, match="Its key was stolen"):
            office.appoint(ALICE, purpose)

        assert SignerAccount.objects.count() == 1

    def test_is_of_one_network(self, office: Office) -> None:
        here = office.appoint(ALICE)
        there = office.appoint(ALICE, BURNER, instruments.network())

        assert here != there
        assert list(selectors.signers_of(office.network)) == [here]


class TestRetireSigner:
    def test_says_when_and_why(self, office: Office, at: datetime) -> None:
        account = office.appoint(ALICE)

        retired = office.retire()

        assert retired == account
        assert (retired.retired_at, retired.retired_reason) == (
            at + timedelta(hours=1),
            "Its key was stolen.",
        )
        assert selectors.signer_in_use(office.network, MINTER) is None
        event = AuditEvent.objects.get(action="signer.retire")
        assert (event.facts["address"], event.facts["reason"]) == (ALICE, "Its key was stolen.")

    def test_makes_room_for_a_successor(self, office: Office) -> None:
        first = office.appoint(ALICE)
        office.retire()

        second = office.appoint(BOB)

        assert selectors.signer_in_use(office.network, MINTER) == second
        assert list(selectors.signers_of(office.network)) == [second, first]

    def test_refuses_where_nobody_signs(self, office: Office) -> None:
        office.appoint(ALICE)

        with pytest.raises(SignerMissing):
            office.retire(BURNER)

        assert selectors.signer_in_use(office.network, MINTER) is not None


class TestSigning:
    """What `sign` asks of the account."""

    def sign(self, office: Office, kind: IntentKind, key: str = make.MINTER_KEY) -> None:
        deployment = instruments.deployment(network_=office.network)
        with transaction.atomic():
            services.sign(
                deployment=deployment,
                call=make.call_of(kind),
                request_id=deployment.pk,
                signer=make.signer(key),
                prepared=services.Prepared(fees=make.FEES, chain_nonce=0),
                actor=office.actor,
                at=office.at,
            )

    def test_refuses_one_that_nobody_appointed(self, office: Office) -> None:
        with pytest.raises(SignerMismatch, match="not appointed as minter"):
            self.sign(office, IntentKind.MINT)

        assert not TransactionIntent.objects.exists()

    def test_refuses_the_account_of_another_purpose(self, office: Office) -> None:
        make.signer_account(office.network)

        with pytest.raises(SignerMismatch, match="not appointed as pauser"):
            self.sign(office, IntentKind.PAUSE)

        assert not TransactionIntent.objects.exists()

    def test_refuses_one_that_is_retired(self, office: Office) -> None:
        office.appoint(make.signer().address)
        office.retire()

        with pytest.raises(SignerRetired):
            self.sign(office, IntentKind.MINT)

        assert not TransactionIntent.objects.exists()
        assert SignerAccount.objects.get().next_nonce == 0

    def test_refuses_to_burn_what_another_holds(self, office: Office) -> None:
        make.signer_account(office.network, BURNER)
        office.appoint(make.signer().address)

        with pytest.raises(SignerMismatch, match="cannot burn"):
            self.sign(office, IntentKind.BURN)

        assert not TransactionIntent.objects.exists()

    @pytest.mark.parametrize("kind", IntentKind)
    def test_lets_the_account_of_the_purpose_sign(self, office: Office, kind: IntentKind) -> None:
        purpose = make.call_of(kind).purpose
        account = make.signer_account(office.network, purpose)

        self.sign(office, kind, make.KEYS[purpose])

        intent = TransactionIntent.objects.get()
        assert (intent.kind, intent.signer_account) == (kind, account)
        gates = {IntentKind.MINT: ("OPEN", 3)}
        gates |= dict.fromkeys((IntentKind.BURN, IntentKind.RETURN), ("REDEEM_ONLY", 3))
        assert (intent.gate_needed, len(intent.gate_scopes)) == gates.get(kind, ("", 0))
