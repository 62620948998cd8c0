"""Wallets: the addresses that tokens may be issued to, proved by signature."""

from http import HTTPStatus
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from issuer.api.authentication import caller_of
from issuer.api.documentation import reads, writes
from issuer.api.fields import Input, StrictCharField
from issuer.api.idempotency import idempotent
from issuer.api.pagination import PAGE_PARAMETERS, PageOutput
from issuer.api.views import PartnerView, page_of
from issuer.foundation import canonical, clock
from issuer.foundation.errors import Malformed
from issuer.parties import errors, services
from issuer.parties.models import Wallet, WalletChallenge
from issuer.parties.states import WalletState


class ChallengeInput(Input):
    """The address that is to be proved."""

    namespace = StrictCharField(max_length=8, help_text="CAIP-2 namespace, such as eip155.")
    address = StrictCharField(max_length=64, help_text="EVM: with its EIP-55 checksum.")


class ChallengeOutput(serializers.Serializer):
    """The message to sign."""

    id = serializers.UUIDField()
    namespace = serializers.CharField()
    address = serializers.CharField()
    message = serializers.CharField(help_text="To sign as it is (EIP-191 personal message).")
    expires_at = serializers.DateTimeField()


class WalletInput(Input):
    """The signature of a challenge."""

    challenge = serializers.UUIDField()
    signature = StrictCharField(max_length=132, help_text="0x and 130 hex digits: r, s and v.")


class WalletOutput(serializers.Serializer):
    """An address that tokens may be issued to while it is bound."""

    id = serializers.UUIDField()
    namespace = serializers.CharField()
    address = serializers.CharField()
    state = serializers.ChoiceField(WalletState.choices)
    bound_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    revocation_reason = serializers.CharField(allow_blank=True)


class WalletPage(PageOutput):
    """Wallets, the newest first."""

    results = WalletOutput(many=True)


class WalletList(PartnerView):
    """The wallets of the participant."""

    @reads("list_wallets", "List wallets", WalletPage, parameters=PAGE_PARAMETERS)
    def get(self, request: Request) -> Response:
        wallets = Wallet.objects.filter(participant=caller_of(request).participant)
        return page_of(wallets, request, self, output=_wallet_document)

    @writes(
        "bind_wallet",
        "Bind a wallet by the signature of its challenge",
        WalletInput,
        WalletOutput,
        refusals=[
            errors.ChallengeMissing,
            errors.ChallengeExpired,
            errors.ChallengeUsed,
            errors.SignatureMalformed,
            errors.SignatureMismatch,
            errors.WalletBound,
            errors.WalletBoundElsewhere,
        ],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        body = WalletInput(data=request.data)
        body.is_valid(raise_exception=True)
        caller = caller_of(request)
        wallet = services.bind_wallet(
            challenge_id=body.validated_data["challenge"],
            participant=caller.participant,
            signature=body.validated_data["signature"],
            actor=caller.actor,
            at=clock.now(),
        )
        return Response(_wallet_document(wallet), status=HTTPStatus.CREATED)


class ChallengeList(PartnerView):
    """Challenges to prove an address."""

    @writes(
        "challenge_wallet",
        "Ask for a challenge to prove an address",
        ChallengeInput,
        ChallengeOutput,
        refusals=[errors.NamespaceUnsupported, Malformed],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        body = ChallengeInput(data=request.data)
        body.is_valid(raise_exception=True)
        caller = caller_of(request)
        challenge = services.challenge_wallet(
            participant=caller.participant,
            actor=caller.actor,
            at=clock.now(),
            **body.validated_data,
        )
        return Response(_challenge_document(challenge), status=HTTPStatus.CREATED)


def _wallet_document(wallet: Wallet) -> dict[str, Any]:
    revoked_at = wallet.revoked_at
    return {
        "id": str(wallet.pk),
        "namespace": wallet.namespace,
        "address": wallet.address,
        "state": wallet.state,
        "bound_at": canonical.timestamp(wallet.bound_at),
        "revoked_at": None if revoked_at is None else canonical.timestamp(revoked_at),
        "revocation_reason": wallet.revocation_reason,
    }


def _challenge_document(challenge: WalletChallenge) -> dict[str, Any]:
    return {
        "id": str(challenge.pk),
        "namespace": challenge.namespace,
        "address": challenge.address,
        "message": challenge.message,
        "expires_at": canonical.timestamp(challenge.expires_at),
    }
