"""What PostgreSQL refuses in this room beyond constraints."""

from typing import Final

#: Once it is there, what an attestation says never changes, and no attestation goes away.
FREEZE: Final = """
CREATE FUNCTION refuse_change_of_attestation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE'
       OR (NEW.id, NEW.program_id, NEW.run_id, NEW.sequence, NEW.content, NEW.content_sha256,
           NEW.previous_id, NEW.status, NEW.as_of, NEW.valid_until, NEW.frozen_at, NEW.kind,
           NEW.corrects_id, NEW.correction_reason)
          IS DISTINCT FROM
          (OLD.id, OLD.program_id, OLD.run_id, OLD.sequence, OLD.content, OLD.content_sha256,
           OLD.previous_id, OLD.status, OLD.as_of, OLD.valid_until, OLD.frozen_at, OLD.kind,
           OLD.corrects_id, OLD.correction_reason)
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

#: What nobody approved goes out only as an EVENT that is no better than the statement before it.
#: This is how the first migration made it: nothing could be carried, and SHORT and UNKNOWN were
#: equally bad.
NO_BETTER: Final = """
CREATE FUNCTION refuse_better_without_people() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    said jsonb;
    before jsonb;
    promised timestamptz;
    better text;
BEGIN
    IF NEW.document IS NULL THEN
        RETURN NEW;
    END IF;
    said := convert_from(NEW.document, 'UTF8')::jsonb;
    IF said ->> 'kind' IS DISTINCT FROM NEW.kind
       OR coalesce(jsonb_array_length(said #> '{controls,approvedBy}'), 0) = 0
          IS DISTINCT FROM (NEW.kind = 'EVENT')
    THEN
        RAISE EXCEPTION 'only an event is stated without approval'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    IF NEW.kind <> 'EVENT' THEN
        RETURN NEW;
    END IF;
    SELECT convert_from(document, 'UTF8')::jsonb, valid_until INTO before, promised
      FROM attestation_attestation WHERE id = NEW.previous_id;
    WITH badness (word, rank) AS (
        VALUES ('COVERED', 0), ('IN_TRANSIT', 1), ('SHORT', 2), ('UNKNOWN', 2),
               ('OPEN', 0), ('REDEEM_ONLY', 1), ('HALTED', 2)
    ), token AS (
        SELECT part ->> 'symbol' AS symbol, badness.rank AS answer,
               part #> '{mint,headroom}' AS chains, stated.which
          FROM (VALUES ('then', before), ('now', said)) AS stated (which, document)
         CROSS JOIN jsonb_array_elements(stated.document -> 'tokens') AS part
          LEFT JOIN badness ON badness.word = part ->> 'status'
    )
    SELECT string_agg(symbol, ', ') INTO better
      FROM (SELECT * FROM token WHERE which = 'then') AS one
      FULL JOIN (SELECT * FROM token WHERE which = 'now') AS other USING (symbol)
     WHERE (other.answer >= one.answer) IS NOT TRUE
        OR EXISTS (
            SELECT FROM jsonb_array_elements(other.chains) AS chain
              LEFT JOIN jsonb_array_elements(one.chains) AS earlier
                     ON earlier ->> 'chain' = chain ->> 'chain'
              LEFT JOIN badness AS gate ON gate.word = chain ->> 'state'
              LEFT JOIN badness AS earlier_gate ON earlier_gate.word = earlier ->> 'state'
             WHERE ((chain ->> 'tokens')::numeric <= coalesce((earlier ->> 'tokens')::numeric, 0)
                    AND gate.rank >= coalesce(earlier_gate.rank, 0)) IS NOT TRUE);
    IF better IS NOT NULL OR NEW.valid_until > greatest(promised, NEW.as_of) THEN
        RAISE EXCEPTION 'stated without people, yet better than before: %', better
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER attestation_without_people_is_no_better
    BEFORE INSERT OR UPDATE OF document, kind ON attestation_attestation
    FOR EACH ROW EXECUTE FUNCTION refuse_better_without_people();
"""
ANY_BETTER: Final = """
DROP TRIGGER attestation_without_people_is_no_better ON attestation_attestation;
DROP FUNCTION refuse_better_without_people();
"""

#: What nobody approved goes out only as an EVENT that is no better than the statement before it.
#: From best to worst, answers are COVERED, IN_TRANSIT, UNKNOWN, SHORT, and SHORT by more.
#: What it states anew is no better than last stated, what it carries is as last stated, and the
#: whole is as bad as the worst of both; no chain is less shut or has more headroom, and nothing is
#: valid for longer. Only an EVENT carries anything.
CARRIED_OR_NO_BETTER: Final = """
CREATE OR REPLACE FUNCTION refuse_better_without_people() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    said jsonb;
    previous record;
    better text;
    worst text;
BEGIN
    IF NEW.document IS NULL THEN
        RETURN NEW;
    END IF;
    said := convert_from(NEW.document, 'UTF8')::jsonb;
    IF said ->> 'kind' IS DISTINCT FROM NEW.kind
       OR coalesce(jsonb_array_length(said #> '{controls,approvedBy}'), 0) = 0
          IS DISTINCT FROM (NEW.kind = 'EVENT')
    THEN
        RAISE EXCEPTION 'only an event is stated without approval'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    IF NEW.kind <> 'EVENT' THEN
        IF coalesce(jsonb_array_length(said -> 'notRestated'), 0) > 0 THEN
            RAISE EXCEPTION 'people state every token anew'
                USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
        END IF;
        RETURN NEW;
    END IF;
    SELECT convert_from(document, 'UTF8')::jsonb AS said, sequence, sha256, valid_until
      INTO previous
      FROM attestation_attestation WHERE id = NEW.previous_id;
    WITH place (word, rank) AS (
        VALUES ('COVERED', 0), ('IN_TRANSIT', 1), ('UNKNOWN', 2), ('SHORT', 3),
               ('OPEN', 0), ('REDEEM_ONLY', 1), ('HALTED', 2)
    ), statement (which, document, origin) AS (
        VALUES ('now', said, NULL::jsonb),
               ('then', previous.said, jsonb_build_object(
                   'sequence', previous.sequence,
                   'sha256', previous.sha256,
                   'asOf', previous.said #>> '{cutoff,asOf}'))
    ), token AS (
        SELECT which, part ->> 'symbol' AS symbol, true AS anew, part ->> 'status' AS status,
               CASE WHEN part ->> 'status' = 'SHORT' THEN (
                        SELECT -sum((line ->> 'qty')::numeric)
                          FROM jsonb_array_elements(part -> 'reconciliation') AS line
                         WHERE line ->> 'code' IN ('C6', 'C8'))
                    ELSE 0 END AS lacking,
               origin, part #> '{mint,headroom}' AS chains
          FROM statement CROSS JOIN jsonb_array_elements(document -> 'tokens') AS part
         UNION ALL
        SELECT which, part ->> 'symbol', false, part ->> 'status',
               coalesce((part ->> 'lackingShares')::numeric, 0),
               part -> 'stated', part #> '{mint,headroom}'
          FROM statement
         CROSS JOIN jsonb_array_elements(coalesce(document -> 'notRestated', '[]')) AS part
    ), answer AS (
        SELECT token.*, rank, count(*) OVER (PARTITION BY which, symbol) AS times
          FROM token LEFT JOIN place ON word = status
    )
    SELECT (SELECT string_agg(symbol, ', ')
              FROM (SELECT * FROM answer WHERE which = 'then') AS one
              FULL JOIN (SELECT * FROM answer WHERE which = 'now') AS other USING (symbol)
             WHERE CASE WHEN other.anew
                        THEN (other.rank, other.lacking) >= (one.rank, one.lacking)
                        ELSE (other.rank, other.lacking, other.origin)
                             = (one.rank, one.lacking, one.origin) END IS NOT TRUE
                OR other.times > 1
                OR EXISTS (
                    SELECT FROM jsonb_array_elements(other.chains) AS chain
                      LEFT JOIN jsonb_array_elements(one.chains) AS earlier
                             ON earlier ->> 'chain' = chain ->> 'chain'
                      LEFT JOIN place AS gate ON gate.word = chain ->> 'state'
                      LEFT JOIN place AS earlier_gate ON earlier_gate.word = earlier ->> 'state'
                     WHERE ((chain ->> 'tokens')::numeric
                                <= coalesce((earlier ->> 'tokens')::numeric, 0)
                            AND gate.rank >= coalesce(earlier_gate.rank, 0)) IS NOT TRUE)),
           (SELECT status FROM answer WHERE which = 'now' ORDER BY rank DESC LIMIT 1)
      INTO better, worst;
    IF better IS NOT NULL
       OR (NEW.status, said ->> 'status') IS DISTINCT FROM (worst, worst)
       OR NEW.valid_until > greatest(previous.valid_until, NEW.as_of)
    THEN
        RAISE EXCEPTION 'stated without people, yet better than before: %',
            coalesce(better, 'the whole')
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
"""
#: The function as it was before.
ALL_NO_BETTER: Final = NO_BETTER.partition("CREATE TRIGGER")[0].replace(
    "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"
)

#: As before, and a chain that was named stays named: else dropping a shut one would open it. The
#: state of a token is the tightest of its chains, and no less shut than last stated.
NO_CHAIN_DROPPED: Final = """
CREATE OR REPLACE FUNCTION refuse_better_without_people() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    said jsonb;
    previous record;
    better text;
    worst text;
BEGIN
    IF NEW.document IS NULL THEN
        RETURN NEW;
    END IF;
    said := convert_from(NEW.document, 'UTF8')::jsonb;
    IF said ->> 'kind' IS DISTINCT FROM NEW.kind
       OR coalesce(jsonb_array_length(said #> '{controls,approvedBy}'), 0) = 0
          IS DISTINCT FROM (NEW.kind = 'EVENT')
    THEN
        RAISE EXCEPTION 'only an event is stated without approval'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    IF NEW.kind <> 'EVENT' THEN
        IF coalesce(jsonb_array_length(said -> 'notRestated'), 0) > 0 THEN
            RAISE EXCEPTION 'people state every token anew'
                USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
        END IF;
        RETURN NEW;
    END IF;
    SELECT convert_from(document, 'UTF8')::jsonb AS said, sequence, sha256, valid_until
      INTO previous
      FROM attestation_attestation WHERE id = NEW.previous_id;
    WITH place (word, rank) AS (
        VALUES ('COVERED', 0), ('IN_TRANSIT', 1), ('UNKNOWN', 2), ('SHORT', 3),
               ('OPEN', 0), ('REDEEM_ONLY', 1), ('HALTED', 2)
    ), statement (which, document, origin) AS (
        VALUES ('now', said, NULL::jsonb),
               ('then', previous.said, jsonb_build_object(
                   'sequence', previous.sequence,
                   'sha256', previous.sha256,
                   'asOf', previous.said #>> '{cutoff,asOf}'))
    ), token AS (
        SELECT which, part ->> 'symbol' AS symbol, true AS anew, part ->> 'status' AS status,
               CASE WHEN part ->> 'status' = 'SHORT' THEN (
                        SELECT -sum((line ->> 'qty')::numeric)
                          FROM jsonb_array_elements(part -> 'reconciliation') AS line
                         WHERE line ->> 'code' IN ('C6', 'C8'))
                    ELSE 0 END AS lacking,
               origin, part #> '{mint,headroom}' AS chains, part #>> '{mint,state}' AS shut
          FROM statement CROSS JOIN jsonb_array_elements(document -> 'tokens') AS part
         UNION ALL
        SELECT which, part ->> 'symbol', false, part ->> 'status',
               coalesce((part ->> 'lackingShares')::numeric, 0),
               part -> 'stated', part #> '{mint,headroom}', part #>> '{mint,state}'
          FROM statement
         CROSS JOIN jsonb_array_elements(coalesce(document -> 'notRestated', '[]')) AS part
    ), answer AS (
        SELECT token.*, place.rank, state.rank AS shut_rank,
               count(*) OVER (PARTITION BY which, symbol) AS times
          FROM token
          LEFT JOIN place ON place.word = status
          LEFT JOIN place AS state ON state.word = shut
    )
    SELECT (SELECT string_agg(symbol, ', ')
              FROM (SELECT * FROM answer WHERE which = 'then') AS one
              FULL JOIN (SELECT * FROM answer WHERE which = 'now') AS other USING (symbol)
             WHERE CASE WHEN other.anew
                        THEN (other.rank, other.lacking) >= (one.rank, one.lacking)
                        ELSE (other.rank, other.lacking, other.origin)
                             = (one.rank, one.lacking, one.origin) END IS NOT TRUE
                OR other.times > 1
                OR (other.shut_rank >= one.shut_rank) IS NOT TRUE
                OR EXISTS (
                    SELECT FROM jsonb_array_elements(one.chains) AS earlier
                     WHERE NOT EXISTS (
                         SELECT FROM jsonb_array_elements(other.chains) AS chain
                          WHERE chain ->> 'chain' = earlier ->> 'chain'))
                OR EXISTS (
                    SELECT FROM jsonb_array_elements(other.chains) AS chain
                      LEFT JOIN place AS gate ON gate.word = chain ->> 'state'
                    HAVING max(gate.rank) <> other.shut_rank
                        OR count(*) <> count(DISTINCT chain ->> 'chain'))
                OR EXISTS (
                    SELECT FROM jsonb_array_elements(other.chains) AS chain
                      LEFT JOIN jsonb_array_elements(one.chains) AS earlier
                             ON earlier ->> 'chain' = chain ->> 'chain'
                      LEFT JOIN place AS gate ON gate.word = chain ->> 'state'
                      LEFT JOIN place AS earlier_gate ON earlier_gate.word = earlier ->> 'state'
                     WHERE ((chain ->> 'tokens')::numeric
                                <= coalesce((earlier ->> 'tokens')::numeric, 0)
                            AND gate.rank >= coalesce(earlier_gate.rank, 0)) IS NOT TRUE)),
           (SELECT status FROM answer WHERE which = 'now' ORDER BY rank DESC LIMIT 1)
      INTO better, worst;
    IF better IS NOT NULL
       OR (NEW.status, said ->> 'status') IS DISTINCT FROM (worst, worst)
       OR NEW.valid_until > greatest(previous.valid_until, NEW.as_of)
    THEN
        RAISE EXCEPTION 'stated without people, yet better than before: %',
            coalesce(better, 'the whole')
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
"""
