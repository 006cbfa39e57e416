"""What a person sees first: bundled real data, a synthetic shop and load, and the summary of a run.

``simulator`` makes the hits of the ``shop``: it has the archetypes, each customer has a ``life`` and comes by
``touchpoints``; ``catalogue`` has the words, ``truth`` what is so. ``load``: many visitors, fast. ``visitors`` come
now, to a collector that runs. ``summary``: what a run found.
"""
