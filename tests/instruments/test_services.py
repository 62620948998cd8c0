from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import pytest

from issuer.audit.models import AuditEvent
from issuer.events.models import Event
from issuer.foundation.actors import system
from issuer.foundation.errors import DomainError, Malformed
from issuer.instruments import errors, selectors, services
from issuer.instruments.models import (
    ControlledAddress,
    ControlledRole,
    Deployment,
    Multiplier,
    Network,
    Security,
    Token,
)
from issuer.ledger.models import Account, Side
from tests.make import instruments as make
from tests.make import parties

pytestmark = pytest.mark.django_db

ACTOR: Final = system("tests")
APPLE: Final[dict[str, Any]] = {
    "isin": "US0378331005",
    "cusip": "037833100",
    "figi": "BBG000B9XRY4",
    "ticker": "AAPL",
    "mic": "XNAS",
    "name": "Apple Inc.",
}


class TestRegisterSecurity:
    def test_registers_it(self, at: datetime) -> None:
        security = services.register_security(**APPLE, actor=ACTOR, at=at)

        security.refresh_from_db()
        assert {name: getattr(security, name) for name in APPLE} == APPLE
        assert security.history.get().history_date == at
        assert AuditEvent.objects.get().facts == {"isin": "US0378331005"}

    def test_does_without_cusip_and_figi(self, at: datetime) -> None:
        security = services.register_security(
            **APPLE | {"cusip": "", "figi": ""}, actor=ACTOR, at=at
        )

        assert (security.cusip, security.figi) == ("", "")

    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({"isin": "US0378331006"}, id="check digit of the ISIN"),
            pytest.param({"isin": "us0378331005"}, id="small letters"),
            pytest.param({"cusip": "037833101"}, id="check digit of the CUSIP"),
            pytest.param({"figi": "BBG000B9XRY5"}, id="check digit of the FIGI"),
        ],
    )
    def test_refuses_a_malformed_identifier(self, changes: dict[str, Any], at: datetime) -> None:
        with pytest.raises(Malformed):
            services.register_security(**APPLE | changes, actor=ACTOR, at=at)

        assert not Security.objects.exists()
        assert not AuditEvent.objects.exists()

    @pytest.mark.parametrize("changes", [{"ticker": "OTHER"}, {"isin": "US88160R1014"}])
    def test_refuses_an_isin_twice_and_a_ticker_twice_on_a_market(
        self, changes: dict[str, Any], at: datetime
    ) -> None:
        services.register_security(**APPLE, actor=ACTOR, at=at)

        with pytest.raises(errors.InstrumentKnown):
            services.register_security(**APPLE | changes, actor=ACTOR, at=at)

        assert Security.objects.count() == 1
        assert AuditEvent.objects.count() == 1


def register_token(at: datetime, **changes: Any) -> Token:
    arguments: dict[str, Any] = {"symbol": "AAPLx", "name": "Apple", "isin": make.isin("CH")}
    arguments |= {"actor": ACTOR, "at": at} | changes
    if "program" not in arguments:
        arguments["program"] = parties.program()
    if "security" not in arguments:
        arguments["security"] = make.security()
    return services.register_token(**arguments)


class TestRegisterToken:
    def test_registers_it_and_opens_its_accounts(self, at: datetime) -> None:
        token = register_token(at)

        token.refresh_from_db()
        assert (token.symbol, token.issuance_open, token.statement_due_hours) == ("AAPLx", True, 26)
        shares = token.security.isin
        assert set(Account.objects.values_list("code", "unit", "side")) == {
            ("AAPLx/tokens/issued", "AAPLx", Side.DEBIT),
            ("AAPLx/tokens/outstanding", "AAPLx", Side.CREDIT),
            ("AAPLx/shares/awaited", shares, Side.CREDIT),
            ("AAPLx/shares/paid-not-minted", shares, Side.CREDIT),
            ("AAPLx/shares/owed-on-tokens", shares, Side.CREDIT),
            ("AAPLx/shares/burned-not-delivered", shares, Side.CREDIT),
            ("AAPLx/shares/own", shares, Side.CREDIT),
        }
        event = AuditEvent.objects.get(action="token.register")
        assert event.facts == {"symbol": "AAPLx", "isin": token.isin}

    @pytest.mark.parametrize(
        ("changes", "refusal"),
        [
            pytest.param({"isin": "CH0000000000"}, Malformed, id="check digit"),
            pytest.param({"symbol": "AAPL/x"}, Malformed, id="not plain"),
        ],
    )
    def test_refuses_what_is_malformed(
        self, changes: dict[str, Any], refusal: type[DomainError], at: datetime
    ) -> None:
        with pytest.raises(refusal):
            register_token(at, **changes)

        assert not Token.objects.exists()
        assert not Account.objects.exists()
        assert not AuditEvent.objects.exists()

    @pytest.mark.parametrize("same", ["symbol", "isin"])
    def test_refuses_a_symbol_or_an_isin_twice(self, same: str, at: datetime) -> None:
        known = make.token()

        with pytest.raises(errors.InstrumentKnown):
            register_token(at, **{same: getattr(known, same)})

        assert Token.objects.get() == known


class TestRegisterNetwork:
    def test_registers_it(self, at: datetime) -> None:
        network = services.register_network(
            caip2="eip155:1", name="Ethereum", final_age_max_seconds=1200, actor=ACTOR, at=at
        )

        network.refresh_from_db()
        assert (network.namespace, network.final_age_max_seconds) == ("eip155", 1200)
        assert AuditEvent.objects.get().facts == {"caip2": "eip155:1"}

    def test_refuses_what_is_no_chain_id(self, at: datetime) -> None:
        with pytest.raises(Malformed):
            services.register_network(caip2="ethereum", name="Ethereum", actor=ACTOR, at=at)

        assert not Network.objects.exists()

    def test_refuses_a_chain_twice(self, at: datetime) -> None:
        known = make.network()

        with pytest.raises(errors.InstrumentKnown):
            services.register_network(caip2=known.caip2, name="Another", actor=ACTOR, at=at)

        assert Network.objects.get() == known


def register_deployment(at: datetime, **changes: Any) -> Deployment:
    arguments: dict[str, Any] = {"address": parties.evm_address(), "deployed_block": 7}
    arguments |= {"actor": ACTOR, "at": at} | changes
    if "token" not in arguments:
        arguments["token"] = make.token()
    if "network" not in arguments:
        arguments["network"] = make.network()
    return services.register_deployment(**arguments)


class TestRegisterDeployment:
    def test_registers_it_with_a_multiplier_from_now_on(self, at: datetime) -> None:
        deployment = register_deployment(at, multiplier=Decimal("1.05"))

        multiplier = Multiplier.objects.get(deployment=deployment)
        assert multiplier.value == Decimal("1.05")
        assert (multiplier.effective.lower, multiplier.effective.upper) == (at, None)
        assert deployment.caip10 == f"{deployment.network.caip2}:{deployment.address}"
        event = AuditEvent.objects.get(action="deployment.register")
        assert event.facts == {"caip10": deployment.caip10, "multiplier": "1.05"}

    @pytest.mark.parametrize(
        ("changes", "refusal"),
        [
            pytest.param({"decimals": 19}, errors.DecimalsUnsupported, id="too fine"),
            pytest.param({"multiplier": Decimal(0)}, errors.MultiplierNotPositive, id="zero"),
            pytest.param({"multiplier": Decimal(-1)}, errors.MultiplierNotPositive, id="negative"),
            pytest.param({"address": "0x" + "ab" * 20}, Malformed, id="no checksum"),
        ],
    )
    def test_refuses_and_writes_nothing(
        self, changes: dict[str, Any], refusal: type[DomainError], at: datetime
    ) -> None:
        with pytest.raises(refusal):
            register_deployment(at, **changes)

        assert not Deployment.objects.exists()
        assert not Multiplier.objects.exists()

    def test_refuses_an_address_twice_on_a_network(self, at: datetime) -> None:
        known = make.deployment()

        with pytest.raises(errors.InstrumentKnown):
            register_deployment(at, network=known.network, address=known.address)

        assert Deployment.objects.get() == known

    def test_refuses_a_token_twice_on_a_network(self, at: datetime) -> None:
        known = make.deployment()

        with pytest.raises(errors.InstrumentKnown):
            register_deployment(at, network=known.network, token=known.token)

        assert Deployment.objects.get() == known
        assert Multiplier.objects.count() == 1


class TestRegisterControlledAddress:
    def test_declares_it_with_its_reason(self, at: datetime) -> None:
        network, address = make.network(), parties.evm_address()

        controlled = services.register_controlled_address(
            network=network,
            address=address,
            role=ControlledRole.TREASURY,
            reason="Minted ahead of demand.",
            actor=ACTOR,
            at=at,
        )

        assert str(controlled) == f"Treasury {address}"
        assert AuditEvent.objects.get().facts == {
            "caip10": f"{network.caip2}:{address}",
            "role": "TREASURY",
            "reason": "Minted ahead of demand.",
        }

    def test_refuses_an_address_twice(self, at: datetime) -> None:
        known = make.controlled_address()

        with pytest.raises(errors.InstrumentKnown):
            services.register_controlled_address(
                network=known.network,
                address=known.address,
                role=ControlledRole.TEST,
                reason="Tests.",
                actor=ACTOR,
                at=at,
            )

        assert ControlledAddress.objects.get() == known


class TestSuspendIssuance:
    def test_closes_it_and_says_why(self, at: datetime) -> None:
        token = make.token()

        services.suspend_issuance(token, reason="A split is near.", actor=ACTOR, at=at)

        token.refresh_from_db()
        assert not token.issuance_open
        latest = token.history.latest()
        assert (latest.history_date, latest.issuance_open) == (at, False)
        event = AuditEvent.objects.get(action="token.suspend_issuance")
        assert event.facts == {"reason": "A split is near."}
        assert Event.objects.get().type == "token.issuance_suspended"

    def test_does_nothing_twice(self, at: datetime) -> None:
        token = make.token()
        services.suspend_issuance(token, reason="A split is near.", actor=ACTOR, at=at)

        services.suspend_issuance(token, reason="Again.", actor=ACTOR, at=at)

        assert Event.objects.count() == 1


class TestResumeIssuance:
    def test_opens_it_again(self, at: datetime) -> None:
        token = make.token()
        services.suspend_issuance(token, reason="A split is near.", actor=ACTOR, at=at)

        services.resume_issuance(token, reason="The split is done.", actor=ACTOR, at=at)

        assert selectors.tokens_of(token.program).get().issuance_open
        types = list(Event.objects.order_by("sequence").values_list("type", flat=True))
        assert types == ["token.issuance_suspended", "token.issuance_resumed"]
