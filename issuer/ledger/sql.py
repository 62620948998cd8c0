"""Posting in one call, and what PostgreSQL itself refuses of the books."""

from typing import Final

#: Posts all lines or none of them, and answers with the transfers, or with one refusal.
#:
#: The accounts are locked in the order of their ids, so that opposite postings cannot wait for
#: each other, and everything else is read after that: the balances, the last booking, and
#: whether a reference was posted before. Nothing is booked before what was booked last.
CREATE_LEDGER_POST: Final = """
CREATE FUNCTION ledger_post(
    p_references text[],
    p_lines smallint[],
    p_debits text[],
    p_credits text[],
    p_quantities numeric[],
    p_effective_at timestamptz[],
    p_transfer_ids uuid[],
    p_debit_entry_ids uuid[],
    p_credit_entry_ids uuid[],
    p_posted_by text,
    p_at timestamptz
) RETURNS TABLE (
    refusal text,
    facts jsonb,
    reference text,
    line smallint,
    transfer_id uuid,
    booked_at timestamptz
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_booked_at timestamptz;
    v_repeated text[];
BEGIN
    PERFORM FROM ledger_account WHERE code = ANY (p_debits || p_credits)
        ORDER BY id FOR NO KEY UPDATE;

    SELECT code INTO reference
        FROM unnest(p_debits || p_credits) AS asked (code)
        WHERE NOT EXISTS (SELECT FROM ledger_account WHERE ledger_account.code = asked.code)
        LIMIT 1;
    IF FOUND THEN
        RETURN QUERY SELECT 'missing', jsonb_build_object('account', reference),
            NULL::text, NULL::smallint, NULL::uuid, NULL::timestamptz;
        RETURN;
    END IF;

    RETURN QUERY
        SELECT 'units-differ',
            jsonb_build_object(
                'debit', debit.code, 'debit_unit', debit.unit,
                'credit', credit.code, 'credit_unit', credit.unit),
            NULL::text, NULL::smallint, NULL::uuid, NULL::timestamptz
        FROM unnest(p_debits, p_credits) AS asked (debit, credit)
        JOIN ledger_account debit ON debit.code = asked.debit
        JOIN ledger_account credit ON credit.code = asked.credit
        WHERE debit.unit <> credit.unit
        LIMIT 1;
    IF FOUND THEN
        RETURN;
    END IF;

    SELECT array_agg(DISTINCT posted.reference) INTO v_repeated
        FROM ledger_transfer posted WHERE posted.reference = ANY (p_references);
    IF v_repeated IS NOT NULL THEN
        RETURN QUERY
            SELECT 'reference-reused', jsonb_build_object('reference',
                    coalesce(asked.reference, posted.reference)),
                NULL::text, NULL::smallint, NULL::uuid, NULL::timestamptz
            FROM (
                SELECT * FROM unnest(
                    p_references, p_lines, p_debits, p_credits, p_quantities, p_effective_at
                ) AS a (reference, line, debit, credit, quantity, effective_at)
                WHERE a.reference = ANY (v_repeated)
            ) asked
            FULL JOIN (
                SELECT t.reference, t.line, debit.code AS debit, credit.code AS credit,
                    t.quantity, t.effective_at
                FROM ledger_transfer t
                JOIN ledger_account debit ON debit.id = t.debit_account_id
                JOIN ledger_account credit ON credit.id = t.credit_account_id
                WHERE t.reference = ANY (v_repeated)
            ) posted USING (reference, line, debit, credit, quantity, effective_at)
            WHERE asked.reference IS NULL OR posted.reference IS NULL
            LIMIT 1;
        IF FOUND THEN
            RETURN;
        END IF;
    END IF;

    SELECT greatest(p_at, max(newest.booked_at)) INTO v_booked_at
        FROM ledger_account account
        JOIN ledger_entry newest
            ON newest.account_id = account.id AND newest.version = account.version
        WHERE account.code = ANY (p_debits || p_credits);

    -- One statement, so that the guards on the three tables see all of it at its end.
    WITH asked AS MATERIALIZED (
        SELECT a.*, debit.id AS debit_id, credit.id AS credit_id, debit.unit
        FROM unnest(
            p_references, p_lines, p_debits, p_credits, p_quantities, p_effective_at,
            p_transfer_ids, p_debit_entry_ids, p_credit_entry_ids
        ) WITH ORDINALITY AS a (
            reference, line, debit, credit, quantity, effective_at,
            transfer_id, debit_entry_id, credit_entry_id, position)
        JOIN ledger_account debit ON debit.code = a.debit
        JOIN ledger_account credit ON credit.code = a.credit
        WHERE v_repeated IS NULL OR a.reference <> ALL (v_repeated)
    ), leg AS (
        SELECT position, debit_entry_id AS id, transfer_id, debit_id AS account_id,
            'DEBIT' AS side, quantity FROM asked
        UNION ALL
        SELECT position, credit_entry_id, transfer_id, credit_id, 'CREDIT', quantity FROM asked
    ), entry AS MATERIALIZED (
        SELECT leg.*,
            account.balance + sum(
                CASE leg.side WHEN account.side THEN leg.quantity ELSE -leg.quantity END
            ) OVER running AS balance,
            account.version + row_number() OVER running AS version
        FROM leg JOIN ledger_account account ON account.id = leg.account_id
        WINDOW running AS (PARTITION BY leg.account_id ORDER BY leg.position ROWS
            BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ), overdrawn AS MATERIALIZED (
        SELECT * FROM entry WHERE balance < 0 ORDER BY position LIMIT 1
    ), transfers AS (
        INSERT INTO ledger_transfer (id, reference, line, debit_account_id, credit_account_id,
            unit, quantity, effective_at, booked_at, posted_by)
        SELECT transfer_id, reference, line, debit_id, credit_id,
            unit, quantity, effective_at, v_booked_at, p_posted_by
        FROM asked WHERE NOT EXISTS (SELECT FROM overdrawn)
    ), entries AS (
        INSERT INTO ledger_entry (id, transfer_id, account_id, side, quantity, balance, version,
            booked_at)
        SELECT id, transfer_id, account_id, side, quantity, balance, version, v_booked_at
        FROM entry WHERE NOT EXISTS (SELECT FROM overdrawn)
    ), accounts AS (
        UPDATE ledger_account account SET balance = newest.balance, version = newest.version
        FROM (
            SELECT DISTINCT ON (account_id) account_id, balance, version
            FROM entry ORDER BY account_id, version DESC
        ) newest
        WHERE account.id = newest.account_id AND NOT EXISTS (SELECT FROM overdrawn)
    )
    SELECT jsonb_build_object(
            'account', account.code,
            'balance', (overdrawn.balance + overdrawn.quantity)::text,
            'quantity', overdrawn.quantity::text)
        INTO facts
        FROM overdrawn JOIN ledger_account account ON account.id = overdrawn.account_id;
    IF FOUND THEN
        RETURN QUERY SELECT 'overdrawn', facts,
            NULL::text, NULL::smallint, NULL::uuid, NULL::timestamptz;
        RETURN;
    END IF;

    RETURN QUERY
        SELECT NULL, NULL::jsonb, t.reference::text, t.line, t.id, t.booked_at
        FROM ledger_transfer t WHERE t.reference = ANY (p_references)
        ORDER BY array_position(p_references, t.reference::text), t.line;
END $$;
"""
DROP_LEDGER_POST: Final = "DROP FUNCTION ledger_post;"

#: An account opens empty and keeps what it is; afterwards only entries move it.
CREATE_ACCOUNT_GUARDS: Final = """
CREATE FUNCTION account_opens_empty() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'account % would open with a balance', NEW.code
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER account_opens_empty BEFORE INSERT ON ledger_account
    FOR EACH ROW WHEN (NEW.balance <> 0 OR NEW.version <> 0)
    EXECUTE FUNCTION account_opens_empty();

CREATE FUNCTION account_unchangeable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'account % keeps what it is', OLD.code
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER account_identity_unchangeable
    BEFORE UPDATE OF id, code, unit, side, opened_at ON ledger_account
    FOR EACH ROW EXECUTE FUNCTION account_unchangeable();
CREATE TRIGGER account_never_deleted BEFORE DELETE ON ledger_account
    FOR EACH ROW EXECUTE FUNCTION account_unchangeable();

CREATE FUNCTION account_balance_follows_its_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stray text;
BEGIN
    SELECT account.code INTO stray FROM fresh account
        WHERE NOT EXISTS (
            SELECT FROM ledger_entry newest WHERE newest.account_id = account.id
                AND newest.version = account.version AND newest.balance = account.balance
        ) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the balance of % is not what its newest entry left', stray
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER account_balance_follows_its_entries AFTER UPDATE ON ledger_account
    REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION account_balance_follows_its_entries();
"""
DROP_ACCOUNT_GUARDS: Final = """
DROP TRIGGER account_opens_empty ON ledger_account;
DROP FUNCTION account_opens_empty;
DROP TRIGGER account_identity_unchangeable ON ledger_account;
DROP TRIGGER account_never_deleted ON ledger_account;
DROP FUNCTION account_unchangeable;
DROP TRIGGER account_balance_follows_its_entries ON ledger_account;
DROP FUNCTION account_balance_follows_its_entries;
"""

#: A transfer has its two entries from the statement that writes it on; each entry continues the
#: one before it on its account, and the account says so.
CREATE_ENTRY_GUARDS: Final = """
CREATE FUNCTION transfer_has_two_entries_of_its_unit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stray text;
BEGIN
    SELECT transfer.reference INTO stray FROM fresh transfer
        JOIN ledger_account debit ON debit.id = transfer.debit_account_id
        JOIN ledger_account credit ON credit.id = transfer.credit_account_id
        WHERE debit.unit <> transfer.unit OR credit.unit <> transfer.unit
            OR (SELECT count(*) FROM ledger_entry WHERE transfer_id = transfer.id) <> 2
        LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transfer % is not entered in two accounts of its unit', stray
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER transfer_has_two_entries_of_its_unit AFTER INSERT ON ledger_transfer
    REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION transfer_has_two_entries_of_its_unit();

CREATE FUNCTION entries_balance_their_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stray text;
BEGIN
    SELECT entry.id INTO stray FROM fresh entry
        LEFT JOIN ledger_transfer transfer ON transfer.id = entry.transfer_id
        WHERE transfer.id IS NULL
            OR entry.quantity <> transfer.quantity
            OR entry.booked_at <> transfer.booked_at
            OR entry.account_id <> CASE entry.side
                WHEN 'DEBIT' THEN transfer.debit_account_id
                ELSE transfer.credit_account_id END
            OR NOT EXISTS (
                SELECT FROM ledger_entry other WHERE other.transfer_id = entry.transfer_id
                    AND other.side <> entry.side AND other.quantity = entry.quantity)
        LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % and its transfer are not in balance', stray
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER entries_balance_their_transfer AFTER INSERT ON ledger_entry
    REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION entries_balance_their_transfer();

CREATE FUNCTION entry_continues_its_account() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stray text;
BEGIN
    SELECT entry.id INTO stray FROM fresh entry
        JOIN ledger_account account ON account.id = entry.account_id
        LEFT JOIN ledger_entry previous
            ON previous.account_id = entry.account_id AND previous.version = entry.version - 1
        WHERE entry.version > account.version
            OR previous.id IS NULL AND entry.version <> 1
            OR previous.booked_at > entry.booked_at
            OR entry.balance <> coalesce(previous.balance, 0)
                + CASE entry.side WHEN account.side THEN entry.quantity ELSE -entry.quantity END
        LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % does not continue its account', stray
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER entry_continues_its_account AFTER INSERT ON ledger_entry
    REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION entry_continues_its_account();
"""
DROP_ENTRY_GUARDS: Final = """
DROP TRIGGER transfer_has_two_entries_of_its_unit ON ledger_transfer;
DROP FUNCTION transfer_has_two_entries_of_its_unit;
DROP TRIGGER entries_balance_their_transfer ON ledger_entry;
DROP FUNCTION entries_balance_their_transfer;
DROP TRIGGER entry_continues_its_account ON ledger_entry;
DROP FUNCTION entry_continues_its_account;
"""

#: Updates of balances stay on the page, and out of the indexes (HOT).
LEAVE_ROOM_FOR_BALANCES: Final = "ALTER TABLE ledger_account SET (fillfactor = 70);"
FORGET_ROOM_FOR_BALANCES: Final = "ALTER TABLE ledger_account RESET (fillfactor);"
