"""What PostgreSQL itself refuses of requests."""

from typing import Final

#: What was asked for, by whom and for whom never changes: an approval stands on it. What has ended
#: stays ended.
CREATE_ISSUANCE_CHECKS: Final = """
CREATE FUNCTION issuance_terms_unchangeable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an issuance request keeps its terms'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER issuance_terms_unchangeable BEFORE UPDATE ON primary_market_issuancerequest
    FOR EACH ROW WHEN (
        (OLD.id, OLD.participant_id, OLD.token_id, OLD.deployment_id, OLD.wallet_id, OLD.quantity,
         OLD.multiplier, OLD.shares, OLD.client_reference, OLD.requested_by, OLD.requested_at,
         OLD.expires_at)
        IS DISTINCT FROM
        (NEW.id, NEW.participant_id, NEW.token_id, NEW.deployment_id, NEW.wallet_id, NEW.quantity,
         NEW.multiplier, NEW.shares, NEW.client_reference, NEW.requested_by, NEW.requested_at,
         NEW.expires_at)
    ) EXECUTE FUNCTION issuance_terms_unchangeable();
CREATE TRIGGER issuance_never_deleted BEFORE DELETE ON primary_market_issuancerequest
    FOR EACH ROW EXECUTE FUNCTION issuance_terms_unchangeable();

CREATE FUNCTION issuance_ended_stays_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an issuance request that has ended stays as it ended'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER issuance_ended_stays_ended BEFORE UPDATE ON primary_market_issuancerequest
    FOR EACH ROW WHEN (OLD.state IN ('COMPLETED', 'REJECTED', 'CANCELLED', 'EXPIRED'))
    EXECUTE FUNCTION issuance_ended_stays_ended();
"""
DROP_ISSUANCE_CHECKS: Final = """
DROP TRIGGER issuance_terms_unchangeable ON primary_market_issuancerequest;
DROP TRIGGER issuance_never_deleted ON primary_market_issuancerequest;
DROP FUNCTION issuance_terms_unchangeable;
DROP TRIGGER issuance_ended_stays_ended ON primary_market_issuancerequest;
DROP FUNCTION issuance_ended_stays_ended;
"""
