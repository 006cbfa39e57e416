"""Pure decisions: state and input in, state and outputs out. No IO, no clock, no randomness; time is handed in.

Sessionizer: the hop is ``intake``, what it says ``intake_unit``; ``intake_rules`` and ``site_rules`` say what holds.

* Records become columns: ``decode``, ``hit_fields``, ``event_time``, ``reading``, ``hit_columns``. ``duplicates`` knows
  the hit_ids, ``watermark`` how far time has come. ``plain_fields`` does the same with compiled modules where they
  could be built: ``plain`` (Cython: ``pieces.pxi``, ``rows.pxi``, ``texts.pxi``, ``parted.pxi``, ``crc.pxi``,
  ``scan.pxd``), ``digests``; ``numbers`` of distinct values, compiled ``numbering``. Records may be ``packed`` in one
  buffer; ``parting`` of many by their keys.
* ``look`` asks once about each distinct page, origin and device: ``channels`` (``campaigns``, ``referrers``),
  ``devices``, ``bots``, ``goals``.
* Sessions: ``segments`` of hits without a pause go to ``session_table``, in ``session_columns``. What is late or ties
  goes hit by hit: ``sessionizer``, ``session``. Where more than a pause cuts: ``split_table``, ``parts``. ``bounce``.
  ``closing``: what the counters and the persons are told of them.

Journeys: the hop is ``journeys``; ``evidence`` tells it which hits a stage model knows.

* Stage models: ``rules`` as they are written, ``model_check``, ``models``; ``plans``: what a kind of evidence does.
* ``moves`` folds the evidence of many persons at once, ``stage_fold`` that of one; both give the same. ``refolding``:
  what comes late or leaves.
* ``person_table`` keeps it; persons of whom nothing is heard are in ``silent``. ``homes``: whose a visitor's is.
* ``referrals`` begin a loop, ``stage_facts`` are for the counters. A history made anew: ``remaking``, ``recalling``.

Persons: the package ``persons``, and ``timers``. Counters: ``counters``, with their panes in ``windows``.

For all: ``ids`` (keys, partitions; of many ``keys``, compiled ``keying``), ``money``, ``scores``, ``globs``,
``toml_lines``; ``slots`` (rows of state as columns), ``coded`` (columns whose values repeat), ``sliced`` (messages of
bounded size); ``suppression`` (who was erased stays out), ``letters`` (dead ones, mended).
"""
