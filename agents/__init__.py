"""What touches the topics: one thin agent per hop, and no rules. In the order of the way:

``sessionizer`` (hits), ``journeys`` (evidence), ``counters`` (facts), ``store`` (all that ClickHouse keeps).
``app`` builds the Faust app from them; ``embedded`` runs it with collector and store in one process.
"""
