"""The life cycle of a request, as a table."""

from issuer.foundation.states import Transition
from issuer.primary_market.services._issuance_steps import EVENTS
from issuer.primary_market.states import FINAL_STATES, IssuanceState, IssuanceStep


class TestIssuanceStep:
    def test_only_ended_requests_are_left_by_no_step(self) -> None:
        assert {
            IssuanceState.COMPLETED,
            IssuanceState.REJECTED,
            IssuanceState.CANCELLED,
            IssuanceState.EXPIRED,
        } == FINAL_STATES

    def test_a_signed_mint_ends_on_chain_only(self) -> None:
        leaving = {
            step
            for step in IssuanceStep
            if IssuanceState.MINTING in _transition(step).origins
            and _transition(step).destination != IssuanceState.MINTING
        }

        assert leaving == {
            IssuanceStep.REVERT_MINT,
            IssuanceStep.DROP_MINT,
            IssuanceStep.CANCEL_MINT,
            IssuanceStep.COMPLETE,
        }

    def test_no_step_but_the_signature_leads_to_minting(self) -> None:
        leading = {
            step
            for step in IssuanceStep
            if _transition(step).destination == IssuanceState.MINTING
            and IssuanceState.MINTING not in _transition(step).origins
        }

        assert leading == {IssuanceStep.SIGN_MINT}

    def test_new_terms_leave_a_signed_mint_where_it_is(self) -> None:
        requote = _transition(IssuanceStep.REQUOTE_MINTING)

        assert requote.origins == {requote.destination} == {IssuanceState.MINTING}

    def test_shares_that_have_come_are_never_rejected_cancelled_or_expired(self) -> None:
        for step in (IssuanceStep.REJECT, IssuanceStep.CANCEL, IssuanceStep.EXPIRE):
            assert _transition(step).origins == {IssuanceState.REQUESTED, IssuanceState.ACCEPTED}

    def test_every_step_tells_others_what_has_happened(self) -> None:
        assert set(EVENTS) == set(IssuanceStep)


def _transition(step: IssuanceStep) -> Transition[IssuanceState]:
    return step.value
