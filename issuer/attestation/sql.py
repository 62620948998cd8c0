"""What PostgreSQL refuses in this room beyond constraints."""

from typing import Final

#: Once it is there, what an attestation says never changes, and no attestation goes away.
FREEZE: Final = """
CREATE FUNCTION refuse_change_of_attestation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE'
       OR (NEW.id, NEW.program_id, NEW.run_id, NEW.sequence, NEW.content, NEW.content_sha256,
           NEW.previous_id, NEW.status, NEW.as_of, NEW.valid_until, NEW.frozen_at)
          IS DISTINCT FROM
          (OLD.id, OLD.program_id, OLD.run_id, OLD.sequence, OLD.content, OLD.content_sha256,
           OLD.previous_id, OLD.status, OLD.as_of, OLD.valid_until, OLD.frozen_at)
       OR OLD.document IS NOT NULL
          AND (NEW.document, NEW.sha256) IS DISTINCT FROM (OLD.document, OLD.sha256)
       OR OLD.published_at IS NOT NULL AND NEW.published_at IS DISTINCT FROM OLD.published_at
    THEN
        RAISE EXCEPTION 'an attestation never changes'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER attestation_never_changes BEFORE UPDATE OR DELETE ON attestation_attestation
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_attestation();
"""
UNFREEZE: Final = """
DROP TRIGGER attestation_never_changes ON attestation_attestation;
DROP FUNCTION refuse_change_of_attestation();
"""

#: Each hash is of the bytes beside it, whoever wrote them.
HASHES: Final = """
ALTER TABLE attestation_attestation ADD CONSTRAINT attestation_hashes_are_of_its_bytes CHECK (
    content_sha256 = encode(sha256(content), 'hex')
    AND (document IS NULL OR sha256 = encode(sha256(document), 'hex'))
);
ALTER TABLE attestation_exhibit ADD CONSTRAINT exhibit_hash_is_of_its_bytes CHECK (
    sha256 = encode(sha256(content), 'hex')
);
"""
NO_HASHES: Final = """
ALTER TABLE attestation_attestation DROP CONSTRAINT attestation_hashes_are_of_its_bytes;
ALTER TABLE attestation_exhibit DROP CONSTRAINT exhibit_hash_is_of_its_bytes;
"""
