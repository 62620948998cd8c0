"""Refusals of this door itself, whatever room lies behind it."""

from rest_framework import exceptions

from issuer.foundation import errors


class Unauthenticated(errors.DomainError):
    """Whoever asks has not shown who they are."""


class Unreadable(errors.DomainError):
    """The request lacks what every such request needs, or cannot be read."""


class TooLarge(errors.DomainError):
    """The request holds more than any request should."""


class KeyMissing(Unauthenticated):
    """The request carries no API key."""

    code = "key-missing"
    title = "An API key is needed"


class KeyInvalid(Unauthenticated):
    """The API key is none that was issued."""

    code = "key-invalid"
    title = "The API key is not valid"


class KeyExpired(Unauthenticated):
    """The API key was valid until a time that has passed."""

    code = "key-expired"
    title = "The API key has expired"


class KeyRevoked(Unauthenticated):
    """The API key was revoked."""

    code = "key-revoked"
    title = "The API key is revoked"


class ScopeMissing(errors.Forbidden):
    """The API key may not be used for this."""

    code = "scope-missing"
    title = "The API key lacks a scope"


class IdempotencyKeyMissing(Unreadable):
    """A request that changes something carries no usable Idempotency-Key."""

    code = "idempotency-key-missing"
    title = "An Idempotency-Key is needed"


class IdempotencyKeyReused(errors.Rejected):
    """The Idempotency-Key was sent before with another request."""

    code = "idempotency-key-reused"
    title = "The Idempotency-Key belongs to another request"


class Busy(errors.Unavailable):
    """Another request holds what this one waited for, for too long."""

    code = "busy"
    title = "Another request is in the way"


class RequestTooLarge(TooLarge):
    """The body of the request is larger than any that is taken here."""

    code = "request-too-large"
    title = "The request is too large"


class TokenMissing(errors.Missing):
    """There is no token of this symbol."""

    code = "token-missing"
    title = "There is no such token"


class TokenUnknown(errors.Rejected):
    """The body names a token that does not exist."""

    code = "token-unknown"
    title = "The token is not known"


class AttestationMissing(errors.Missing):
    """There is no such published attestation."""

    code = "attestation-missing"
    title = "There is no such attestation"


class KeyLifetimeRefused(errors.Rejected):
    """A key must end, and not too far from now."""

    code = "key-lifetime-refused"
    title = "The key cannot be valid until then"


class KeyRevokedBefore(errors.Conflict):
    """The key is revoked already."""

    code = "key-revoked-before"
    title = "The key is revoked already"


class ParameterError(exceptions.ValidationError):
    """A query parameter that is not valid; its place is a parameter, not a pointer."""
