-- Base tables. A row is named by its ORDER BY; the newest version holds and `withdrawn` takes it away.
-- Each partition key is a function of the ORDER BY, so that all versions of a row meet in one partition.
-- Read the views of 0002_views.sql, not these: only FINAL is free of duplicates and of withdrawn rows.

CREATE TABLE IF NOT EXISTS hits_rows
(
    hit_id String,
    site LowCardinality(String),
    event LowCardinality(String),
    visitor_id String,
    user_id String,
    person_id String,
    event_time DateTime64(3, 'UTC'),
    received_time DateTime64(3, 'UTC'),
    url String,
    referrer String,
    title String,
    channel LowCardinality(String),
    campaign_source LowCardinality(String),
    campaign_medium LowCardinality(String),
    campaign_name LowCardinality(String),
    campaign_term LowCardinality(String),
    campaign_content LowCardinality(String),
    campaign_id LowCardinality(String),
    revenue_micros Nullable(Int64),
    currency LowCardinality(String),
    order_id String,
    score Nullable(Float64),
    scale Nullable(Float64),
    device LowCardinality(String),
    browser LowCardinality(String),
    os LowCardinality(String),
    country LowCardinality(String),
    language LowCardinality(String),
    screen LowCardinality(String),
    bot UInt8,
    outcome LowCardinality(String),
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
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS sessions_rows
(
    session_id String,
    site LowCardinality(String),
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
    channel LowCardinality(String),
    campaign_source LowCardinality(String),
    campaign_medium LowCardinality(String),
    campaign_name LowCardinality(String),
    campaign_term LowCardinality(String),
    campaign_content LowCardinality(String),
    campaign_id LowCardinality(String),
    device LowCardinality(String),
    browser LowCardinality(String),
    os LowCardinality(String),
    country LowCardinality(String),
    language LowCardinality(String),
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
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS session_moves_rows
(
    site LowCardinality(String),
    old_id String,
    session_id String,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (site, old_id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS transitions_rows
(
    site LowCardinality(String),
    person_id String,
    model LowCardinality(String),
    from_stage LowCardinality(String),
    to_stage LowCardinality(String),
    kind LowCardinality(String),
    time DateTime64(3, 'UTC'),
    ordinal UInt32,
    dwell_ms Int64,
    cause_event LowCardinality(String),
    cause_url String,
    cause_channel LowCardinality(String),
    cause_session_id String,
    withdrawn UInt8,
    version UInt64
)
ENGINE = ReplacingMergeTree(version, withdrawn)
PARTITION BY toYYYYMM(time)
ORDER BY (site, model, time, person_id, ordinal)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS signals_rows
(
    site LowCardinality(String),
    person_id String,
    reason LowCardinality(String),
    score Float64,
    state LowCardinality(String),
    time DateTime64(3, 'UTC'),
    evidence String,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(time)
ORDER BY (site, time, person_id, reason, state)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS counters_rows
(
    site LowCardinality(String),
    channel LowCardinality(String),
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
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS dead_letters_rows
(
    topic LowCardinality(String),
    `partition` UInt32,
    `offset` UInt64,
    reason LowCardinality(String),
    field String,
    message String,
    site LowCardinality(String),
    received_time DateTime64(3, 'UTC'),
    raw String
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_time)
ORDER BY (received_time, topic, `partition`, `offset`)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS ledger_rows
(
    `partition` UInt32,
    site LowCardinality(String),
    outcome LowCardinality(String),
    hits UInt64,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (site, outcome, `partition`)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

-- The order of the stages of each model, as loaded from the model files: what "highest" means.
CREATE TABLE IF NOT EXISTS stages_rows
(
    model LowCardinality(String),
    stage LowCardinality(String),
    position UInt32,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (model, stage)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
