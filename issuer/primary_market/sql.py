"""What PostgreSQL itself refuses of requests and deposits."""

from typing import Final

#: What was asked for, by whom and for whom never changes: an approval stands on it. What a token
#: stands for changes with a split that is in the books, and the request with it. What has ended
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
         OLD.client_reference, OLD.requested_by, OLD.requested_at, OLD.expires_at)
        IS DISTINCT FROM
        (NEW.id, NEW.participant_id, NEW.token_id, NEW.deployment_id, NEW.wallet_id, NEW.quantity,
         NEW.client_reference, NEW.requested_by, NEW.requested_at, NEW.expires_at)
    ) EXECUTE FUNCTION issuance_terms_unchangeable();
CREATE TRIGGER issuance_never_deleted BEFORE DELETE ON primary_market_issuancerequest
    FOR EACH ROW EXECUTE FUNCTION issuance_terms_unchangeable();

CREATE FUNCTION terms_change_with_a_booked_split() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM instruments_split
         WHERE token_id = NEW.token_id AND booked_at IS NOT NULL
           AND effective_at >= OLD.requested_at
    ) THEN
        RAISE EXCEPTION 'no split of the token is booked since the request'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER issuance_requoted_with_a_booked_split
    BEFORE UPDATE ON primary_market_issuancerequest
    FOR EACH ROW WHEN (
        (OLD.multiplier, OLD.shares) IS DISTINCT FROM (NEW.multiplier, NEW.shares)
    ) EXECUTE FUNCTION terms_change_with_a_booked_split();

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
DROP TRIGGER issuance_requoted_with_a_booked_split ON primary_market_issuancerequest;
DROP FUNCTION terms_change_with_a_booked_split;
DROP TRIGGER issuance_terms_unchangeable ON primary_market_issuancerequest;
DROP TRIGGER issuance_never_deleted ON primary_market_issuancerequest;
DROP FUNCTION issuance_terms_unchangeable;
DROP TRIGGER issuance_ended_stays_ended ON primary_market_issuancerequest;
DROP FUNCTION issuance_ended_stays_ended;
"""

#: As for issuances. What ended before its tokens were burned may be returned; no more than that.
CREATE_REDEMPTION_CHECKS: Final = """
CREATE FUNCTION redemption_terms_unchangeable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a redemption request keeps its terms'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER redemption_terms_unchangeable BEFORE UPDATE ON primary_market_redemptionrequest
    FOR EACH ROW WHEN (
        (OLD.id, OLD.participant_id, OLD.token_id, OLD.deployment_id, OLD.wallet_id, OLD.quantity,
         OLD.minimum, OLD.deposit_address, OLD.client_reference, OLD.requested_by,
         OLD.requested_at, OLD.expires_at)
        IS DISTINCT FROM
        (NEW.id, NEW.participant_id, NEW.token_id, NEW.deployment_id, NEW.wallet_id, NEW.quantity,
         NEW.minimum, NEW.deposit_address, NEW.client_reference, NEW.requested_by,
         NEW.requested_at, NEW.expires_at)
    ) EXECUTE FUNCTION redemption_terms_unchangeable();
CREATE TRIGGER redemption_never_deleted BEFORE DELETE ON primary_market_redemptionrequest
    FOR EACH ROW EXECUTE FUNCTION redemption_terms_unchangeable();
CREATE TRIGGER redemption_requoted_with_a_booked_split
    BEFORE UPDATE ON primary_market_redemptionrequest
    FOR EACH ROW WHEN (
        (OLD.multiplier, OLD.shares) IS DISTINCT FROM (NEW.multiplier, NEW.shares)
    ) EXECUTE FUNCTION terms_change_with_a_booked_split();

CREATE FUNCTION redemption_ended_stays_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a redemption request that has ended stays as it ended'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER redemption_ended_stays_ended BEFORE UPDATE ON primary_market_redemptionrequest
    FOR EACH ROW WHEN (
        OLD.state IN ('COMPLETED', 'RETURNED')
        OR OLD.state IN ('REJECTED', 'CANCELLED', 'EXPIRED') AND NEW.state <> 'RETURNED'
    ) EXECUTE FUNCTION redemption_ended_stays_ended();
"""
DROP_REDEMPTION_CHECKS: Final = """
DROP TRIGGER redemption_terms_unchangeable ON primary_market_redemptionrequest;
DROP TRIGGER redemption_never_deleted ON primary_market_redemptionrequest;
DROP FUNCTION redemption_terms_unchangeable;
DROP TRIGGER redemption_requoted_with_a_booked_split ON primary_market_redemptionrequest;
DROP TRIGGER redemption_ended_stays_ended ON primary_market_redemptionrequest;
DROP FUNCTION redemption_ended_stays_ended;
"""

#: A burn stands on tokens that came. At the end of each transaction, what a request is said to
#: have received is what of its deposits is counted for it; which deposit it was never changes.
CREATE_DEPOSIT_CHECKS: Final = """
CREATE FUNCTION redemption_received_what_came() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    request uuid := CASE TG_TABLE_NAME
        WHEN 'primary_market_deposit' THEN (to_jsonb(NEW)->>'redemption_id')::uuid
        ELSE NEW.id END;
BEGIN
    IF (SELECT received FROM primary_market_redemptionrequest WHERE id = request) <>
       (SELECT coalesce(sum(matched), 0) FROM primary_market_deposit WHERE redemption_id = request)
    THEN
        RAISE EXCEPTION 'a redemption has received what its deposits add up to'
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER redemption_received_what_came
    AFTER INSERT OR UPDATE ON primary_market_redemptionrequest
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION redemption_received_what_came();
CREATE CONSTRAINT TRIGGER deposit_counted_where_it_is_matched
    AFTER INSERT OR UPDATE ON primary_market_deposit
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION redemption_received_what_came();

CREATE FUNCTION deposit_keeps_what_came() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a deposit stays what came, and with whom it was matched'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER deposit_keeps_what_came BEFORE UPDATE ON primary_market_deposit
    FOR EACH ROW WHEN (
        (OLD.id, OLD.transfer_id, OLD.quantity, OLD.recorded_at)
        IS DISTINCT FROM (NEW.id, NEW.transfer_id, NEW.quantity, NEW.recorded_at)
        OR OLD.redemption_id IS NOT NULL
        AND (OLD.redemption_id, OLD.matched) IS DISTINCT FROM (NEW.redemption_id, NEW.matched)
        OR NEW.returned < OLD.returned
    ) EXECUTE FUNCTION deposit_keeps_what_came();
CREATE TRIGGER deposit_never_deleted BEFORE DELETE ON primary_market_deposit
    FOR EACH ROW EXECUTE FUNCTION deposit_keeps_what_came();
"""
DROP_DEPOSIT_CHECKS: Final = """
DROP TRIGGER redemption_received_what_came ON primary_market_redemptionrequest;
DROP TRIGGER deposit_counted_where_it_is_matched ON primary_market_deposit;
DROP FUNCTION redemption_received_what_came;
DROP TRIGGER deposit_keeps_what_came ON primary_market_deposit;
DROP TRIGGER deposit_never_deleted ON primary_market_deposit;
DROP FUNCTION deposit_keeps_what_came;
"""
