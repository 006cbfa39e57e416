"""Persons: whose a touchpoint is, whether somebody is about to leave, and which touches led to a conversion."""
