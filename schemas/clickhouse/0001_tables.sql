-- Base tables. A row is named by its ORDER BY; the newest version holds and `withdrawn` takes it away.
-- Each partition key is a function of the ORDER BY, so that all versions of a row meet in one partition.
-- Read the views of 0002_views.sql, not these: only FINAL is free of duplicates and of withdrawn rows.
--
-- Writing is what these tables do most, and merging is most of writing (docs/store.md has the figures). So no
-- LowCardinality: merges pay for each dictionary. Small parts are compact: one file instead of one per column. Merges
-- take ten parts instead of five, so each row is merged less often. No statistics: every query goes by the key.

CREATE TABLE IF NOT EXISTS hits_rows
(
    hit_id String,
    site String,
    event String,
    visitor_id String,
    user_id String,
    person_id String,
    event_time DateTime64(3, 'UTC'),
    received_time DateTime64(3, 'UTC'),
    url String,
    referrer String,
    title String,
    channel String,
    campaign_source String,
    campaign_medium String,
    campaign_name String,
    campaign_term String,
    campaign_content String,
    campaign_id String,
    revenue_micros Nullable(Int64),
    currency String,
    order_id String,
    score Nullable(Float64),
    scale Nullable(Float64),
    device String,
    browser String,
    os String,
    country String,
    language String,
    screen String,
    bot UInt8,
    outcome String,
    goal UInt8,
    clock_clamped UInt8,
    session_id String,
    items String,
    props String,
    source_partition UInt32,
    source_offset UInt64
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(event_time)
ORDER BY (site, event_time, source_partition, source_offset)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 100000000, merge_selector_base = 10, auto_statistics_types = '';

CREATE TABLE IF NOT EXISTS sessions_rows
(
    session_id String,
    site String,
    visitor_id String,
    user_id String,
    person_id String,
    start_time DateTime64(3, 'UTC'),
    end_time DateTime64(3, 'UTC'),
    duration_ms Int64,
    hits UInt64,
    page_views UInt64,
    entry_url String,
    exit_url String,
    referrer String,
    channel String,
    campaign_source String,
    campaign_medium String,
    campaign_name String,
    campaign_term String,
    campaign_content String,
    campaign_id String,
    device String,
    browser String,
    os String,
    country String,
    language String,
    bounced UInt8,
    converted UInt8,
    conversions UInt64,
    revenue_micros Int64,
    closed UInt8,
    withdrawn UInt8,
    version UInt64
)
ENGINE = ReplacingMergeTree(version, withdrawn)
PARTITION BY toYYYYMM(start_time)
ORDER BY (site, start_time, session_id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 100000000, merge_selector_base = 10, auto_statistics_types = '';

CREATE TABLE IF NOT EXISTS session_moves_rows
(
    site String,
    old_id String,
    session_id String,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (site, old_id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 100000000, merge_selector_base = 10, auto_statistics_types = '';

CREATE TABLE IF NOT EXISTS transitions_rows
(
    site String,
    person_id String,
    model String,
    from_stage String,
    to_stage String,
    kind String,
    time DateTime64(3, 'UTC'),
    ordinal UInt32,
    dwell_ms Int64,
    cause_event String,
    cause_url String,
    cause_channel String,
    cause_session_id String,
    withdrawn UInt8,
    version UInt64
)
ENGINE = ReplacingMergeTree(version, withdrawn)
PARTITION BY toYYYYMM(time)
ORDER BY (site, model, time, person_id, ordinal)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 100000000, merge_selector_base = 10, auto_statistics_types = '';

CREATE TABLE IF NOT EXISTS signals_rows
(
    site String,
    person_id String,
    reason String,
    score Float64,
    state String,
    time DateTime64(3, 'UTC'),
    ordinal UInt32,
    evidence String,
    withdrawn UInt8,
    version UInt64
)
ENGINE = ReplacingMergeTree(version, withdrawn)
PARTITION BY toYYYYMM(time)
ORDER BY (site, time, person_id, reason, ordinal)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 100000000, merge_selector_base = 10, auto_statistics_types = '';

-- Credits in millionths and shares of the money in micros, one column for each model.
CREATE TABLE IF NOT EXISTS attribution_rows
(
    site String,
    person_id String,
    time DateTime64(3, 'UTC'),
    event String,
    order_id String,
    copy UInt32,
    touch_number UInt32,
    touches UInt32,
    touch_time DateTime64(3, 'UTC'),
    session_id String,
    channel String,
    currency String,
    first_touch_ppm Int64,
    last_touch_ppm Int64,
    last_non_direct_ppm Int64,
    linear_ppm Int64,
    position_based_ppm Int64,
    time_decay_ppm Int64,
    first_touch_micros Int64,
    last_touch_micros Int64,
    last_non_direct_micros Int64,
    linear_micros Int64,
    position_based_micros Int64,
    time_decay_micros Int64,
    withdrawn UInt8,
    version UInt64
)
ENGINE = ReplacingMergeTree(version, withdrawn)
PARTITION BY toYYYYMM(time)
ORDER BY (site, time, person_id, event, order_id, copy, touch_number)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 100000000, merge_selector_base = 10, auto_statistics_types = '';

-- Whose a visitor's hits without a user are: its owners and since when, by time; none where all were taken away.
CREATE TABLE IF NOT EXISTS links_rows
(
    site String,
    visitor_id String,
    users Array(String),
    since Array(DateTime64(3, 'UTC')),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (site, visitor_id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 100000000, merge_selector_base = 10, auto_statistics_types = '';

CREATE TABLE IF NOT EXISTS counters_rows
(
    site String,
    channel String,
    pane_start DateTime64(3, 'UTC'),
    pane_ms UInt32,
    sessions Int64,
    counted Int64,
    bounced Int64,
    converted Int64,
    duration_ms Int64,
    revenue_micros Int64,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(pane_start)
ORDER BY (site, pane_start, channel)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 100000000, merge_selector_base = 10, auto_statistics_types = '';

CREATE TABLE IF NOT EXISTS dead_letters_rows
(
    topic String,
    `partition` UInt32,
    `offset` UInt64,
    reason String,
    field String,
    message String,
    site String,
    received_time DateTime64(3, 'UTC'),
    raw String
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_time)
ORDER BY (received_time, topic, `partition`, `offset`)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 100000000, merge_selector_base = 10, auto_statistics_types = '';

CREATE TABLE IF NOT EXISTS ledger_rows
(
    `partition` UInt32,
    site String,
    outcome String,
    hits UInt64,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (site, outcome, `partition`)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 100000000, merge_selector_base = 10, auto_statistics_types = '';

-- The order of the stages of each model, as loaded from the model files: what "highest" means.
CREATE TABLE IF NOT EXISTS stages_rows
(
    model String,
    stage String,
    position UInt32,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (model, stage)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 100000000, merge_selector_base = 10, auto_statistics_types = '';
