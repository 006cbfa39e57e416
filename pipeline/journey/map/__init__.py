"""The journey map: a sheet for the wall, drawn from the store. Facts, words of three languages, and the drawing.

``facts`` and ``campaigns`` are what it says, in a ``tongue``. ``sheet`` and ``campaign_sheet`` draw it on a ``canvas``,
with ``parts`` that both have, the ``flow`` between stages, and a ``theme``. ``page`` makes HTML and SVG of that;
``plain`` is Markdown and CSV.
"""
