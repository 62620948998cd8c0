"""What PostgreSQL refuses of intents, and no constraint of one row can say."""

from typing import Final

#: What an intent is for is settled when it is signed; only its state, event and failure move.
CREATE_INTENT_GUARD: Final = """
CREATE FUNCTION keep_transaction_intent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE'
       OR (NEW.id, NEW.deployment_id, NEW.signer_account_id, NEW.kind, NEW.request_id, NEW.account,
           NEW.base_units, NEW.nonce, NEW.calldata, NEW.calldata_hash, NEW.gas_limit,
           NEW.gate_needed, NEW.gate_scopes, NEW.signed_at)
          IS DISTINCT FROM
          (OLD.id, OLD.deployment_id, OLD.signer_account_id, OLD.kind, OLD.request_id, OLD.account,
           OLD.base_units, OLD.nonce, OLD.calldata, OLD.calldata_hash, OLD.gas_limit,
           OLD.gate_needed, OLD.gate_scopes, OLD.signed_at)
    THEN
        RAISE EXCEPTION 'a transaction intent keeps what it was signed for'
            USING ERRCODE = 'restrict_violation',
                  CONSTRAINT = 'transaction_intent_content_unchangeable';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER transaction_intent_content_unchangeable
    BEFORE UPDATE OR DELETE ON chain_transactionintent
    FOR EACH ROW EXECUTE FUNCTION keep_transaction_intent();
"""
DROP_INTENT_GUARD: Final = """
DROP TRIGGER transaction_intent_content_unchangeable ON chain_transactionintent;
DROP FUNCTION keep_transaction_intent();
"""

#: Two transactions of one nonce exclude each other only if no third thing differs between them.
CREATE_ATTEMPT_GUARD: Final = """
CREATE FUNCTION match_transaction_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM chain_transactionintent
        WHERE id = NEW.intent_id
          AND calldata_hash = NEW.calldata_hash
          AND state IN ('SIGNED', 'BROADCAST')
    ) THEN
        RAISE EXCEPTION 'a transaction attempt repeats an intent that is still under way'
            USING ERRCODE = 'check_violation',
                  CONSTRAINT = 'transaction_attempt_repeats_its_intent';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER transaction_attempt_repeats_its_intent BEFORE INSERT ON chain_transactionattempt
    FOR EACH ROW EXECUTE FUNCTION match_transaction_attempt();
"""
DROP_ATTEMPT_GUARD: Final = """
DROP TRIGGER transaction_attempt_repeats_its_intent ON chain_transactionattempt;
DROP FUNCTION match_transaction_attempt();
"""

#: As above, with the serial of the request and, once it is there, why it is cancelled.
REPLACE_INTENT_GUARD: Final = """
CREATE OR REPLACE FUNCTION keep_transaction_intent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE'
       OR (NEW.id, NEW.deployment_id, NEW.signer_account_id, NEW.kind, NEW.request_id,
           NEW.request_serial, NEW.account, NEW.base_units, NEW.nonce, NEW.calldata,
           NEW.calldata_hash, NEW.gas_limit, NEW.gate_needed, NEW.gate_scopes, NEW.signed_at)
          IS DISTINCT FROM
          (OLD.id, OLD.deployment_id, OLD.signer_account_id, OLD.kind, OLD.request_id,
           OLD.request_serial, OLD.account, OLD.base_units, OLD.nonce, OLD.calldata,
           OLD.calldata_hash, OLD.gas_limit, OLD.gate_needed, OLD.gate_scopes, OLD.signed_at)
       OR OLD.cancel_reason <> '' AND NEW.cancel_reason <> OLD.cancel_reason
    THEN
        RAISE EXCEPTION 'a transaction intent keeps what it was signed for'
            USING ERRCODE = 'restrict_violation',
                  CONSTRAINT = 'transaction_intent_content_unchangeable';
    END IF;
    RETURN NEW;
END $$;
"""

#: As above; what cancels does nothing in the place of what a gate may stop, and is the last word.
REPLACE_ATTEMPT_GUARD: Final = """
CREATE OR REPLACE FUNCTION match_transaction_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.cancels AND NOT EXISTS (
        SELECT FROM chain_transactionintent
        WHERE id = NEW.intent_id
          AND gate_needed <> ''
          AND state IN ('CANCELLING', 'CANCEL_SENT')
    ) OR NOT NEW.cancels AND (
        NOT EXISTS (
            SELECT FROM chain_transactionintent
            WHERE id = NEW.intent_id
              AND calldata_hash = NEW.calldata_hash
              AND state IN ('SIGNED', 'BROADCAST')
        ) OR EXISTS (
            SELECT FROM chain_transactionattempt WHERE intent_id = NEW.intent_id AND cancels
        )
    ) THEN
        RAISE EXCEPTION 'a transaction attempt repeats an intent that is under way, or cancels it'
            USING ERRCODE = 'check_violation',
                  CONSTRAINT = 'transaction_attempt_repeats_its_intent';
    END IF;
    RETURN NEW;
END $$;
"""

#: An account keeps who it is, only retires once, and its nonces never go back.
CREATE_SIGNER_GUARD: Final = """
CREATE FUNCTION keep_signer_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE'
       OR (NEW.id, NEW.network_id, NEW.purpose, NEW.address, NEW.appointed_at)
          IS DISTINCT FROM
          (OLD.id, OLD.network_id, OLD.purpose, OLD.address, OLD.appointed_at)
       OR NEW.next_nonce < OLD.next_nonce
       OR OLD.retired_at IS NOT NULL
    THEN
        RAISE EXCEPTION 'a signer account keeps what it is, and once retired stays so'
            USING ERRCODE = 'restrict_violation',
                  CONSTRAINT = 'signer_account_keeps_what_it_is';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER signer_account_keeps_what_it_is
    BEFORE UPDATE OR DELETE ON chain_signeraccount
    FOR EACH ROW EXECUTE FUNCTION keep_signer_account();
"""
DROP_SIGNER_GUARD: Final = """
DROP TRIGGER signer_account_keeps_what_it_is ON chain_signeraccount;
DROP FUNCTION keep_signer_account();
"""

#: What two persons agreed on is what is carried out.
CREATE_ACT_GUARD: Final = """
CREATE FUNCTION keep_contract_act() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE'
       OR (NEW.id, NEW.network_id, NEW.kind, NEW.account, NEW.role, NEW.base_units,
           NEW.remedied_event_id, NEW.multiplier, NEW.effective_at, NEW.reason, NEW.proposed_by,
           NEW.proposed_at)
          IS DISTINCT FROM
          (OLD.id, OLD.network_id, OLD.kind, OLD.account, OLD.role, OLD.base_units,
           OLD.remedied_event_id, OLD.multiplier, OLD.effective_at, OLD.reason, OLD.proposed_by,
           OLD.proposed_at)
    THEN
        RAISE EXCEPTION 'a contract act keeps what was proposed'
            USING ERRCODE = 'restrict_violation',
                  CONSTRAINT = 'contract_act_content_unchangeable';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER contract_act_content_unchangeable
    BEFORE UPDATE OR DELETE ON chain_contractact
    FOR EACH ROW EXECUTE FUNCTION keep_contract_act();
"""
#: The same, of what an act is a part of, too.
EXTEND_ACT_GUARD: Final = """
CREATE OR REPLACE FUNCTION keep_contract_act() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE'
       OR (NEW.id, NEW.network_id, NEW.kind, NEW.account, NEW.role, NEW.base_units,
           NEW.remedied_event_id, NEW.multiplier, NEW.effective_at, NEW.reason, NEW.part_of_type,
           NEW.part_of_id, NEW.proposed_by, NEW.proposed_at)
          IS DISTINCT FROM
          (OLD.id, OLD.network_id, OLD.kind, OLD.account, OLD.role, OLD.base_units,
           OLD.remedied_event_id, OLD.multiplier, OLD.effective_at, OLD.reason, OLD.part_of_type,
           OLD.part_of_id, OLD.proposed_by, OLD.proposed_at)
    THEN
        RAISE EXCEPTION 'a contract act keeps what was proposed'
            USING ERRCODE = 'restrict_violation',
                  CONSTRAINT = 'contract_act_content_unchangeable';
    END IF;
    RETURN NEW;
END $$;
"""
RESTORE_ACT_GUARD: Final = """
CREATE OR REPLACE FUNCTION keep_contract_act() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE'
       OR (NEW.id, NEW.network_id, NEW.kind, NEW.account, NEW.role, NEW.base_units,
           NEW.remedied_event_id, NEW.multiplier, NEW.effective_at, NEW.reason, NEW.proposed_by,
           NEW.proposed_at)
          IS DISTINCT FROM
          (OLD.id, OLD.network_id, OLD.kind, OLD.account, OLD.role, OLD.base_units,
           OLD.remedied_event_id, OLD.multiplier, OLD.effective_at, OLD.reason, OLD.proposed_by,
           OLD.proposed_at)
    THEN
        RAISE EXCEPTION 'a contract act keeps what was proposed'
            USING ERRCODE = 'restrict_violation',
                  CONSTRAINT = 'contract_act_content_unchangeable';
    END IF;
    RETURN NEW;
END $$;
"""
DROP_ACT_GUARD: Final = """
DROP TRIGGER contract_act_content_unchangeable ON chain_contractact;
DROP FUNCTION keep_contract_act();
"""

#: A call is signed once, on its own deployment, for itself.
CREATE_CALL_GUARD: Final = """
CREATE FUNCTION keep_contract_call() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE'
       OR (NEW.id, NEW.act_id, NEW.deployment_id) IS DISTINCT FROM
          (OLD.id, OLD.act_id, OLD.deployment_id)
       OR OLD.intent_id IS NOT NULL AND NEW.intent_id IS DISTINCT FROM OLD.intent_id
       OR NEW.intent_id IS NOT NULL AND NOT EXISTS (
           SELECT FROM chain_transactionintent
           WHERE id = NEW.intent_id
             AND request_id = NEW.id
             AND deployment_id = NEW.deployment_id
       )
    THEN
        RAISE EXCEPTION 'a contract call is signed once, for itself'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'contract_call_signed_for_itself';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER contract_call_signed_for_itself
    BEFORE UPDATE OR DELETE ON chain_contractcall
    FOR EACH ROW EXECUTE FUNCTION keep_contract_call();
"""
DROP_CALL_GUARD: Final = """
DROP TRIGGER contract_call_signed_for_itself ON chain_contractcall;
DROP FUNCTION keep_contract_call();
"""
