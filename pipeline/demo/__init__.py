"""What a person sees first: bundled real data, a synthetic shop and load, and the summary of a run."""
