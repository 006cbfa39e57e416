-- Stays in stages, flows between them, the funnel beside them, touchpoints and content.

ALTER TABLE stages_rows ADD COLUMN IF NOT EXISTS lapse_days UInt32 DEFAULT 0;

CREATE OR REPLACE VIEW stages AS
SELECT model, stage, position, lapse_days
FROM stages_rows FINAL
WHERE position != 0;

-- Which kind of content a page or an event is: the built-in rules and those of the setting `content`, which come first.
-- `event` empty: views of pages whose path is LIKE `path`.
CREATE TABLE IF NOT EXISTS content_rules_rows
(
    position UInt32,
    content LowCardinality(String),
    event LowCardinality(String),
    path String,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY position
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE OR REPLACE VIEW content_rules AS
SELECT position, content, event, path
FROM content_rules_rows FINAL
WHERE content != '';

-- One row per stay of a person in a stage. left_kind: how the stay ended (advance, regress, lapse, loop), 'silence'
-- where the person has been silent for longer than the model's lapse time, '' where the person is there now.
-- What the business does (sends, ships, bills) is no sign of life.
CREATE OR REPLACE VIEW stage_visits AS
WITH
    alive AS
    (
        SELECT site, person_id, max(event_time) AS last_seen
        FROM hits
        WHERE outcome IN ('sessionized', 'background', 'late') AND event NOT IN
            ('email_sent', 'email_delivered', 'email_bounce', 'order_shipped', 'payment_failed', 'ad_cost', 'identify')
        GROUP BY site, person_id
    ),
    latest AS
    (
        SELECT site, max(last_seen) AS latest_time FROM alive GROUP BY site
    ),
    steps AS
    (
        SELECT
            *,
            leadInFrame(time) OVER person AS next_time,
            leadInFrame(toString(to_stage)) OVER person AS next_to,
            leadInFrame(toString(kind)) OVER person AS next_kind
        FROM transitions
        WINDOW person AS (
            PARTITION BY site, model, person_id ORDER BY time, ordinal
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        )
    )
SELECT
    t.site AS site, t.person_id AS person_id, t.model AS model,
    toString(t.to_stage) AS stage, s.position AS position, t.ordinal AS ordinal,
    toString(t.kind) AS entered_kind, toString(t.from_stage) AS previous_stage, t.time AS entered_time,
    multiIf(
        t.next_kind != '', t.next_kind,
        s.lapse_days > 0 AND dateDiff('millisecond', a.last_seen, l.latest_time) > s.lapse_days * 86400000, 'silence',
        ''
    ) AS left_kind,
    if(t.next_kind = 'lapse', '', t.next_to) AS next_stage,
    left_kind IN ('lapse', 'silence') AS exited,
    multiIf(
        left_kind = '', NULL,
        left_kind = 'silence', greatest(a.last_seen, t.time),
        t.next_time
    ) AS left_time,
    if(left_time IS NULL, NULL, dateDiff('millisecond', t.time, left_time)) AS dwell_ms,
    t.cause_event AS cause_event, t.cause_url AS cause_url, t.cause_channel AS cause_channel,
    t.cause_session_id AS cause_session_id
FROM (SELECT * FROM steps WHERE to_stage != '' AND kind != 'lapse') AS t
LEFT ANY JOIN stages AS s ON s.model = t.model AND s.stage = t.to_stage
LEFT ANY JOIN alive AS a ON a.site = t.site AND a.person_id = t.person_id
LEFT ANY JOIN latest AS l ON l.site = t.site
SETTINGS join_use_nulls = 0;

-- How people move: from_stage '' is the way in, to_stage '' the way out. skipped: stages jumped over on the way up.
CREATE OR REPLACE VIEW stage_flows AS
WITH moves AS
    (
        SELECT site, model, previous_stage AS from_stage, stage AS to_stage, entered_kind AS kind, person_id, NULL AS dwell_ms
        FROM stage_visits
        WHERE previous_stage = ''
        UNION ALL
        SELECT site, model, stage AS from_stage, next_stage AS to_stage, left_kind AS kind, person_id, dwell_ms
        FROM stage_visits
        WHERE left_kind != ''
    )
SELECT
    m.site AS site, m.model AS model, m.from_stage AS from_stage, m.to_stage AS to_stage, m.kind AS kind,
    count() AS moves,
    uniqExact(m.person_id) AS persons,
    if(m.kind IN ('enter', 'advance'), greatest(toInt64(any(t.position)) - toInt64(any(f.position)) - 1, 0), 0) AS skipped,
    avg(m.dwell_ms) / 1000 AS mean_dwell_seconds,
    quantileExact(m.dwell_ms) / 1000 AS median_dwell_seconds
FROM moves AS m
LEFT ANY JOIN stages AS f ON f.model = m.model AND f.stage = m.from_stage
LEFT ANY JOIN stages AS t ON t.model = m.model AND t.stage = m.to_stage
GROUP BY site, model, from_stage, to_stage, kind
SETTINGS join_use_nulls = 0;

CREATE OR REPLACE VIEW stage_figures AS
SELECT
    site, model, stage, any(stage_visits.position) AS position,
    uniqExact(person_id) AS persons,
    count() AS visits,
    uniqExactIf(person_id, left_kind = '') AS persons_now,
    uniqExactIf(person_id, left_kind = 'advance') AS persons_advanced,
    uniqExactIf(person_id, left_kind = 'regress') AS persons_regressed,
    uniqExactIf(person_id, exited) AS persons_exited,
    persons_exited / persons AS exit_ratio,
    persons_advanced / persons AS advance_ratio,
    avg(stage_visits.dwell_ms) / 1000 AS mean_dwell_seconds,
    quantileExact(stage_visits.dwell_ms) / 1000 AS median_dwell_seconds
FROM stage_visits
GROUP BY site, model, stage;

-- The linear funnel beside what people did. reached: persons whose highest stage is this one or a later one, as a
-- funnel counts; entered: those who ever were in it. skipped: reached, but never entered.
CREATE OR REPLACE VIEW stage_funnel AS
WITH
    persons AS
    (
        SELECT
            site, model, person_id, max(position) AS highest, groupUniqArray(position) AS entered,
            groupUniqArrayIf(position, left_kind = 'regress') AS moved_back,
            groupUniqArrayIf(position, exited) AS exited
        FROM stage_visits
        GROUP BY site, model, person_id
    ),
    counted AS
    (
        SELECT
            p.site AS site, p.model AS model, s.stage AS stage, s.position AS position,
            countIf(p.highest >= s.position) AS reached,
            countIf(has(p.entered, s.position)) AS entered,
            countIf(has(p.moved_back, s.position)) AS moved_back,
            countIf(has(p.exited, s.position)) AS exited
        FROM persons AS p
        INNER JOIN stages AS s ON s.model = p.model
        GROUP BY site, model, stage, position
    )
SELECT
    *,
    reached - entered AS skipped,
    lagInFrame(toNullable(reached), 1, NULL) OVER steps AS reached_before,
    if(reached_before > 0, reached / reached_before, NULL) AS step_ratio
FROM counted
WINDOW steps AS (PARTITION BY site, model ORDER BY position ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW);

-- One row per hit and stage model. stage: where the person was when the hit came, the stage that this very hit led to
-- not yet; the first hit of a journey belongs to the stage it opened. left_kind, left_time: how and when that stay
-- ended. content: what kind of content it was, '' for none that a rule knows. Channel and campaign are the session's.
CREATE OR REPLACE VIEW touchpoints AS
WITH
    views AS
    (
        SELECT
            site, person_id, event_time, event, url, channel, campaign_name, session_id, goal, revenue, score,
            JSONExtractString(props, 'content') AS named,
            if(event IN ('page_view', 'screen_view'), path(url), '') AS page,
            source_partition, source_offset
        FROM hits
        WHERE outcome IN ('sessionized', 'background', 'late')
    ),
    rules AS
    (
        SELECT arraySort(groupArray((position, toString(content), toString(event), path))) AS ordered FROM content_rules
    ),
    kinds AS
    (
        SELECT
            event, page,
            arrayFirst(
                rule -> if(rule.3 = '', page != '' AND page LIKE rule.4, rule.3 = event), ordered
            ).2 AS content
        FROM (SELECT DISTINCT event, page FROM views) AS pages
        CROSS JOIN rules
    ),
    stays AS
    (
        SELECT
            site, person_id, toString(model) AS model, entered_time,
            argMax(stage_visits.stage, ordinal) AS stage,
            argMax(stage_visits.left_kind, ordinal) AS left_kind,
            argMax(ifNull(stage_visits.left_time, toDateTime64('2299-01-01', 3, 'UTC')), ordinal) AS left_time
        FROM stage_visits
        GROUP BY site, person_id, model, entered_time
    )
SELECT
    v.site AS site, v.person_id AS person_id, v.model AS model,
    if(before.stage = '', after.stage, before.stage) AS stage,
    v.event_time AS time, v.event AS event, v.url AS url,
    if(s.session_id = '', v.channel, s.channel) AS channel,
    if(s.session_id = '', v.campaign_name, s.campaign_name) AS campaign_name,
    v.content AS content, v.session_id AS session_id, v.goal AS goal, v.revenue AS revenue, v.score AS score,
    if(before.stage = '', after.left_kind, before.left_kind) AS left_kind,
    if(before.stage = '', after.left_time, before.left_time) AS left_time,
    v.source_partition AS source_partition, v.source_offset AS source_offset
FROM
(
    SELECT
        w.site AS site, w.person_id AS person_id, w.event_time AS event_time, w.event AS event, w.url AS url,
        w.channel AS channel, w.campaign_name AS campaign_name, w.session_id AS session_id, w.goal AS goal,
        w.revenue AS revenue, w.score AS score, if(w.named != '', w.named, k.content) AS content, m.model AS model,
        w.source_partition AS source_partition, w.source_offset AS source_offset
    FROM views AS w
    LEFT ANY JOIN kinds AS k ON k.event = w.event AND k.page = w.page
    CROSS JOIN (SELECT DISTINCT toString(model) AS model FROM stages) AS m
) AS v
ASOF LEFT JOIN stays AS after
    ON after.site = v.site AND after.person_id = v.person_id AND after.model = v.model AND after.entered_time <= v.event_time
ASOF LEFT JOIN stays AS before
    ON before.site = v.site AND before.person_id = v.person_id AND before.model = v.model AND before.entered_time < v.event_time
LEFT ANY JOIN sessions AS s ON s.site = v.site AND s.session_id = v.session_id
SETTINGS join_use_nulls = 0;

-- Of the persons who met a kind of content while in a stage, how many moved on from it within seven days; beside it
-- the share of all persons of that stage who ever moved on.
CREATE OR REPLACE VIEW content_effects AS
WITH
    met AS
    (
        SELECT
            site, model, stage, content, person_id,
            max(left_kind = 'advance' AND left_time <= time + INTERVAL 7 DAY) AS moved_on,
            count() AS touches
        FROM touchpoints
        WHERE content != '' AND stage != ''
        GROUP BY site, model, stage, content, person_id
    )
SELECT
    m.site AS site, m.model AS model, m.stage AS stage, any(f.position) AS position, m.content AS content,
    sum(m.touches) AS touches,
    count() AS persons,
    countIf(m.moved_on) AS persons_moved_on,
    persons_moved_on / persons AS moved_on_ratio,
    any(f.advance_ratio) AS stage_advance_ratio
FROM met AS m
LEFT ANY JOIN stage_figures AS f ON f.site = m.site AND f.model = m.model AND f.stage = m.stage
GROUP BY site, model, stage, content
SETTINGS join_use_nulls = 0;
