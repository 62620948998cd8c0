"""Refusals of this room."""

from issuer.foundation import errors


class TrailOfAnotherCluster(errors.Unavailable):
    """The trail ends in a transaction that this PostgreSQL has not reached yet."""

    code = "trail-of-another-cluster"
    title = "The audit trail comes from another database cluster"
