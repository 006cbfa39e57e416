"""Real trackers against a real collector. ``package.json`` names them; ``npm ci`` in this folder installs them."""
