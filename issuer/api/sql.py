"""What PostgreSQL itself refuses of API keys."""

from typing import Final

#: A key keeps whose it is, its secret and what it is for; all that can still happen to it is its
#: revocation, once.
CREATE_KEY_CHECKS: Final = """
CREATE FUNCTION api_key_only_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an API key changes by its revocation only'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER api_key_only_revoked BEFORE UPDATE ON api_apikey
    FOR EACH ROW WHEN (
        OLD.revoked_at IS NOT NULL
        OR (OLD.id, OLD.participant_id, OLD.label, OLD.prefix, OLD.secret_hash, OLD.scopes,
            OLD.issued_by, OLD.issued_at, OLD.expires_at)
        IS DISTINCT FROM
        (NEW.id, NEW.participant_id, NEW.label, NEW.prefix, NEW.secret_hash, NEW.scopes,
         NEW.issued_by, NEW.issued_at, NEW.expires_at)
    ) EXECUTE FUNCTION api_key_only_revoked();
CREATE TRIGGER api_key_never_deleted BEFORE DELETE ON api_apikey
    FOR EACH ROW EXECUTE FUNCTION api_key_only_revoked();
"""
DROP_KEY_CHECKS: Final = """
DROP TRIGGER api_key_only_revoked ON api_apikey;
DROP TRIGGER api_key_never_deleted ON api_apikey;
DROP FUNCTION api_key_only_revoked;
"""
