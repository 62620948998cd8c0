"""What PostgreSQL refuses about gates, beyond what a CHECK can say."""

from typing import Final

CREATE_HOLD_ONLY_RELEASED: Final = """
CREATE FUNCTION gate_hold_refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE'
        AND OLD.released_at IS NULL
        AND (NEW.id, NEW.scope_id, NEW.effect, NEW.cause, NEW.reason, NEW.reference,
             NEW.placed_by, NEW.placed_at)
            IS NOT DISTINCT FROM
            (OLD.id, OLD.scope_id, OLD.effect, OLD.cause, OLD.reason, OLD.reference,
             OLD.placed_by, OLD.placed_at)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a hold is released, once, and not changed otherwise'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
END $$;

CREATE TRIGGER hold_is_only_released BEFORE UPDATE OR DELETE ON gate_hold
    FOR EACH ROW EXECUTE FUNCTION gate_hold_refuse_rewriting();
"""

DROP_HOLD_ONLY_RELEASED: Final = """
DROP TRIGGER hold_is_only_released ON gate_hold;
DROP FUNCTION gate_hold_refuse_rewriting();
"""
