"""What PostgreSQL itself refuses of proposals and approvals."""

from typing import Final

#: An approval is by another person, of the very payload, and of a proposal that is open. The row
#: of the proposal stays locked until the transaction ends, so that it is not closed meanwhile.
CREATE_APPROVAL_CHECKS: Final = """
CREATE FUNCTION approval_by_another_person() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    proposed approvals_proposal;
BEGIN
    SELECT * INTO proposed FROM approvals_proposal WHERE id = NEW.proposal_id FOR UPDATE;
    IF NEW.approver_id = proposed.proposer_id THEN
        RAISE EXCEPTION 'who proposed may not approve'
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER approval_by_another_person BEFORE INSERT ON approvals_approval
    FOR EACH ROW EXECUTE FUNCTION approval_by_another_person();

CREATE FUNCTION approval_of_this_payload() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    proposed approvals_proposal;
BEGIN
    SELECT * INTO proposed FROM approvals_proposal WHERE id = NEW.proposal_id FOR UPDATE;
    IF NEW.payload_hash IS DISTINCT FROM proposed.payload_hash THEN
        RAISE EXCEPTION 'what is approved is not what was proposed'
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER approval_of_this_payload BEFORE INSERT ON approvals_approval
    FOR EACH ROW EXECUTE FUNCTION approval_of_this_payload();

CREATE FUNCTION approval_of_an_open_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    proposed approvals_proposal;
BEGIN
    SELECT * INTO proposed FROM approvals_proposal WHERE id = NEW.proposal_id FOR UPDATE;
    IF proposed.state IS DISTINCT FROM 'OPEN' THEN
        RAISE EXCEPTION 'only an open proposal can be approved'
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER approval_of_an_open_proposal BEFORE INSERT ON approvals_approval
    FOR EACH ROW EXECUTE FUNCTION approval_of_an_open_proposal();
"""
DROP_APPROVAL_CHECKS: Final = """
DROP TRIGGER approval_by_another_person ON approvals_approval;
DROP FUNCTION approval_by_another_person;
DROP TRIGGER approval_of_this_payload ON approvals_approval;
DROP FUNCTION approval_of_this_payload;
DROP TRIGGER approval_of_an_open_proposal ON approvals_approval;
DROP FUNCTION approval_of_an_open_proposal;
"""

#: A proposal keeps what it proposes, by whom and when; once closed it stays as it was closed, and
#: it is confirmed by an approval only.
CREATE_PROPOSAL_CHECKS: Final = """
CREATE FUNCTION proposal_content_unchangeable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a proposal keeps what it proposes'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER proposal_content_unchangeable BEFORE UPDATE ON approvals_proposal
    FOR EACH ROW WHEN (
        (OLD.id, OLD.action, OLD.subject_type, OLD.subject_id, OLD.payload, OLD.payload_hash,
         OLD.proposed_by, OLD.proposer_id, OLD.proposed_at)
        IS DISTINCT FROM
        (NEW.id, NEW.action, NEW.subject_type, NEW.subject_id, NEW.payload, NEW.payload_hash,
         NEW.proposed_by, NEW.proposer_id, NEW.proposed_at)
    ) EXECUTE FUNCTION proposal_content_unchangeable();
CREATE TRIGGER proposal_never_deleted BEFORE DELETE ON approvals_proposal
    FOR EACH ROW EXECUTE FUNCTION proposal_content_unchangeable();

CREATE FUNCTION proposal_closed_stays_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a closed proposal stays as it was closed'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER proposal_closed_stays_closed BEFORE UPDATE ON approvals_proposal
    FOR EACH ROW WHEN (OLD.state <> 'OPEN') EXECUTE FUNCTION proposal_closed_stays_closed();

CREATE FUNCTION proposal_confirmed_by_an_approval() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM approvals_approval WHERE proposal_id = NEW.id) THEN
        RAISE EXCEPTION 'only an approval confirms a proposal'
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER proposal_confirmed_by_an_approval BEFORE INSERT OR UPDATE ON approvals_proposal
    FOR EACH ROW WHEN (NEW.state = 'CONFIRMED')
    EXECUTE FUNCTION proposal_confirmed_by_an_approval();
"""
DROP_PROPOSAL_CHECKS: Final = """
DROP TRIGGER proposal_content_unchangeable ON approvals_proposal;
DROP TRIGGER proposal_never_deleted ON approvals_proposal;
DROP FUNCTION proposal_content_unchangeable;
DROP TRIGGER proposal_closed_stays_closed ON approvals_proposal;
DROP FUNCTION proposal_closed_stays_closed;
DROP TRIGGER proposal_confirmed_by_an_approval ON approvals_proposal;
DROP FUNCTION proposal_confirmed_by_an_approval;
"""
