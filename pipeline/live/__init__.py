"""The live page: what is happening now, in a browser, by server-sent events.

``snapshot`` says what there is to see, ``vitals`` how the pipeline fares, ``questions`` what the store is asked,
through the ``archive``. ``hub`` shares one answer among all who look, ``guard`` decides who may, ``server`` is the
HTTP side of it, ``about`` what it tells once. ``files`` has the page itself, which lies in static/.
"""
