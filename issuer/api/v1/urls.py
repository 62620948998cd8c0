"""Which resource is at which address."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView

from issuer.api.v1 import attestations, issuances, redemptions, reserves, tokens, wallets

urlpatterns = [
    path("tokens", tokens.TokenList.as_view(), name="tokens"),
    path("tokens/<str:symbol>", tokens.TokenDetail.as_view(), name="token"),
    path("wallets", wallets.WalletList.as_view(), name="wallets"),
    path("wallets/challenges", wallets.ChallengeList.as_view(), name="wallet-challenges"),
    path("issuances", issuances.IssuanceList.as_view(), name="issuances"),
    path("issuances/<uuid:issuance_id>", issuances.IssuanceDetail.as_view(), name="issuance"),
    path(
        "issuances/<uuid:issuance_id>/cancel",
        issuances.IssuanceCancellation.as_view(),
        name="issuance-cancel",
    ),
    path("redemptions", redemptions.RedemptionList.as_view(), name="redemptions"),
    path(
        "redemptions/<uuid:redemption_id>",
        redemptions.RedemptionDetail.as_view(),
        name="redemption",
    ),
    path(
        "redemptions/<uuid:redemption_id>/cancel",
        redemptions.RedemptionCancellation.as_view(),
        name="redemption-cancel",
    ),
    path("reserves", reserves.ReserveList.as_view(), name="reserves"),
    path("reserves/<str:symbol>", reserves.ReserveDetail.as_view(), name="reserve"),
    path("attestations", attestations.AttestationList.as_view(), name="attestations"),
    path(
        "attestations/<uuid:attestation_id>",
        attestations.AttestationDetail.as_view(),
        name="attestation",
    ),
    path(
        "attestations/<uuid:attestation_id>/document",
        attestations.AttestationDocument.as_view(),
        name="attestation-document",
    ),
    path(
        "attestations/<uuid:attestation_id>/pdf",
        attestations.AttestationPdf.as_view(),
        name="attestation-pdf",
    ),
    path(
        "attestations/<uuid:attestation_id>/package",
        attestations.AttestationPackage.as_view(),
        name="attestation-package",
    ),
    path("schema", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularRedocView.as_view(url_name="api:schema"), name="docs"),
]
