"""Reach on the walking network: times from stations to houses."""
