"""Refusals of this room."""

from issuer.foundation import errors


class ProposalMissing(errors.Missing):
    """There is no such proposal."""

    code = "proposal-missing"
    title = "There is no such proposal"


class ProposalOpen(errors.Conflict):
    """The same is proposed already, and waits for another person."""

    code = "proposal-open"
    title = "This is proposed already"


class ProposalNotOpen(errors.Conflict):
    """A proposal was confirmed, declined or voided before."""

    code = "proposal-not-open"
    title = "The proposal is not open any more"


class ProposalChanged(errors.Conflict):
    """What would be approved is not what was proposed."""

    code = "proposal-changed"
    title = "What was proposed has changed"


class PersonRequired(errors.Forbidden):
    """Only a human being may propose, confirm or decline."""

    code = "person-required"
    title = "Only a person may do this"


class SamePerson(errors.Forbidden):
    """Whoever proposed may not confirm, by any login."""

    code = "same-person"
    title = "Another person has to confirm"
