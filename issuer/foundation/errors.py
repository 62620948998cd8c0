"""Anticipated refusals: five kinds that the doors know how to tell, and those of every room."""

from typing import ClassVar


class DomainError(Exception):
    """An anticipated refusal.

    `code` is a stable kebab-case identifier that partners may branch on; `facts` are JSON-ready
    values that explain this occurrence and carry no secrets and no personal data.
    """

    code: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, detail: str, **facts: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts


class Forbidden(DomainError):
    """The actor may not do this, now or later."""


class Missing(DomainError):
    """The thing does not exist, or the actor may not know that it does."""


class Conflict(DomainError):
    """The thing is not in a state that allows this."""


class Rejected(DomainError):
    """The request is well-formed but breaks a business rule."""


class Unavailable(DomainError):
    """Something outside the house did not answer; the same call may succeed later."""


class IllegalTransition(Conflict):
    """A step was tried from a state that it does not start from."""

    code = "illegal-transition"
    title = "The step cannot be taken from this state"


class Malformed(Rejected):
    """A value is not of the form that its standard prescribes."""

    code = "malformed-value"
    title = "A value does not have the form that its standard prescribes"
