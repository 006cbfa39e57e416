"""What a person sees first: bundled real data, a synthetic shop, a synthetic load, and the summary of a run."""
