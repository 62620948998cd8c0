"""The books against the custodian against the chain."""
