"""What tells people and other systems: see docs/watching.md."""
