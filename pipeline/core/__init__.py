"""Pure decisions: state and input in, state and outputs out. No IO, no clock, no randomness; time is handed in."""
