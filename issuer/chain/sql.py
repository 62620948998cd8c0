"""What PostgreSQL refuses of intents, and no constraint of one row can say."""

from typing import Final

#: What an intent is for is settled when it is signed; only its state, event and failure move.
CREATE_INTENT_GUARD: Final = """
CREATE FUNCTION keep_transaction_intent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE'
       OR (NEW.id, NEW.deployment_id, NEW.signer_account_id, NEW.request_id, NEW.recipient,
           NEW.base_units, NEW.nonce, NEW.calldata_hash, NEW.gas_limit, NEW.gate_scopes,
           NEW.signed_at)
          IS DISTINCT FROM
          (OLD.id, OLD.deployment_id, OLD.signer_account_id, OLD.request_id, OLD.recipient,
           OLD.base_units, OLD.nonce, OLD.calldata_hash, OLD.gas_limit, OLD.gate_scopes,
           OLD.signed_at)
    THEN
        RAISE EXCEPTION 'a transaction intent keeps what it was signed for'
            USING ERRCODE = 'restrict_violation',
                  CONSTRAINT = 'transaction_intent_content_unchangeable';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER transaction_intent_content_unchangeable
    BEFORE UPDATE OR DELETE ON chain_transactionintent FOR EACH ROW EXECUTE FUNCTION keep_transaction_intent();
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
