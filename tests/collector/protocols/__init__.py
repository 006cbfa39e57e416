"""Tests of the protocols of other trackers."""
