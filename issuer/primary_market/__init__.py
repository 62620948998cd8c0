"""Requests to issue and to redeem."""
