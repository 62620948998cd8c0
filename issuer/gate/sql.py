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

CREATE_HOLD_RESUMED_BY_ITS_OWN: Final = """
CREATE FUNCTION gate_hold_refuse_strange_resumption() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM gate_resumption AS resumption
         WHERE resumption.id = NEW.resumption_id
           AND resumption.scope_id = NEW.scope_id
           AND resumption.reconciled_as_of > NEW.placed_at
    ) THEN
        RAISE EXCEPTION 'a hold ends by a resumption of its own gate that reconciled after it'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER hold_is_resumed_after_it_was_reconciled
    BEFORE INSERT OR UPDATE OF resumption_id ON gate_hold
    FOR EACH ROW WHEN (NEW.resumption_id IS NOT NULL)
    EXECUTE FUNCTION gate_hold_refuse_strange_resumption();
"""

DROP_HOLD_RESUMED_BY_ITS_OWN: Final = """
DROP TRIGGER hold_is_resumed_after_it_was_reconciled ON gate_hold;
DROP FUNCTION gate_hold_refuse_strange_resumption();
"""

DROP_HOLD_ONLY_RELEASED: Final = """
DROP TRIGGER hold_is_only_released ON gate_hold;
DROP FUNCTION gate_hold_refuse_rewriting();
"""
