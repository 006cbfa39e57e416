-- Hits that were stored under one id may belong to several sessions, where a late hit has split one: from starts[n] on
-- to ids[n]. Both are empty where they belong to one.

ALTER TABLE session_moves_rows ADD COLUMN IF NOT EXISTS starts Array(DateTime64(3, 'UTC'));

ALTER TABLE session_moves_rows ADD COLUMN IF NOT EXISTS ids Array(String);

CREATE OR REPLACE VIEW hits AS
SELECT
    h.hit_id AS hit_id,
    h.site AS site,
    h.event AS event,
    h.visitor_id AS visitor_id,
    h.user_id AS user_id,
    if(
        h.user_id != '' OR empty(o.users),
        h.person_id,
        o.users[greatest(1, arrayCount(time -> time <= h.event_time, o.since))]
    ) AS person_id,
    h.event_time AS event_time,
    h.received_time AS received_time,
    h.url AS url,
    h.referrer AS referrer,
    h.title AS title,
    h.channel AS channel,
    h.campaign_source AS campaign_source,
    h.campaign_medium AS campaign_medium,
    h.campaign_name AS campaign_name,
    h.campaign_term AS campaign_term,
    h.campaign_content AS campaign_content,
    h.campaign_id AS campaign_id,
    if(
        h.revenue_micros IS NULL,
        NULL,
        reinterpret(assumeNotNull(h.revenue_micros), 'Decimal(18, 6)')
    ) AS revenue,
    h.currency AS currency,
    h.order_id AS order_id,
    h.score AS score,
    h.scale AS scale,
    h.device AS device,
    h.browser AS browser,
    h.os AS os,
    h.country AS country,
    h.language AS language,
    h.bot AS bot,
    h.outcome AS outcome,
    ifNull(
        nullIf(if(empty(m.ids), m.session_id, m.ids[greatest(1, arrayCount(start -> start <= h.event_time, m.starts))]), ''),
        h.session_id
    ) AS session_id,
    h.props AS props,
    h.items AS items,
    h.screen AS screen,
    h.goal AS goal,
    h.clock_clamped AS clock_clamped,
    h.source_partition AS source_partition,
    h.source_offset AS source_offset
FROM hits_rows AS h FINAL
LEFT ANY JOIN (SELECT site, old_id, session_id, starts, ids FROM session_moves_rows FINAL) AS m
    ON m.site = h.site AND m.old_id = h.session_id
LEFT ANY JOIN (SELECT site, visitor_id, users, since FROM links_rows FINAL) AS o
    ON o.site = h.site AND o.visitor_id = h.visitor_id
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW transitions AS
SELECT
    t.site AS site,
    t.person_id AS person_id,
    t.model AS model,
    t.from_stage AS from_stage,
    t.to_stage AS to_stage,
    t.kind AS kind,
    t.time AS time,
    t.dwell_ms AS dwell_ms,
    t.cause_event AS cause_event,
    t.cause_url AS cause_url,
    t.cause_channel AS cause_channel,
    ifNull(
        nullIf(if(empty(m.ids), m.session_id, m.ids[greatest(1, arrayCount(start -> start <= t.time, m.starts))]), ''),
        t.cause_session_id
    ) AS cause_session_id,
    t.ordinal AS ordinal
FROM transitions_rows AS t FINAL
LEFT ANY JOIN (SELECT site, old_id, session_id, starts, ids FROM session_moves_rows FINAL) AS m
    ON m.site = t.site AND m.old_id = t.cause_session_id
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW attribution AS
SELECT
    a.site AS site, a.person_id AS person_id, a.time AS time, a.event AS event, a.order_id AS order_id,
    said.1 AS model,
    a.touch_number AS touch_number, a.touches AS touches,
    a.touch_time AS touch_time,
    ifNull(
        nullIf(if(empty(m.ids), m.session_id, m.ids[greatest(1, arrayCount(start -> start <= a.touch_time, m.starts))]), ''),
        a.session_id
    ) AS session_id,
    a.channel AS channel,
    s.campaign_source AS campaign_source, s.campaign_medium AS campaign_medium, s.campaign_name AS campaign_name,
    said.2 / 1000000 AS credit,
    reinterpret(said.3, 'Decimal(18, 6)') AS revenue,
    a.currency AS currency,
    a.copy AS copy
FROM attribution_rows AS a FINAL
LEFT ANY JOIN (SELECT site, old_id, session_id, starts, ids FROM session_moves_rows FINAL) AS m
    ON m.site = a.site AND m.old_id = a.session_id
LEFT ANY JOIN
(
    SELECT site, session_id, campaign_source, campaign_medium, campaign_name FROM sessions_rows FINAL
) AS s ON s.site = a.site AND s.session_id = a.session_id
ARRAY JOIN
    [
        ('first_touch', a.first_touch_ppm, a.first_touch_micros),
        ('last_touch', a.last_touch_ppm, a.last_touch_micros),
        ('last_non_direct', a.last_non_direct_ppm, a.last_non_direct_micros),
        ('linear', a.linear_ppm, a.linear_micros),
        ('position_based', a.position_based_ppm, a.position_based_micros),
        ('time_decay', a.time_decay_ppm, a.time_decay_micros)
    ] AS said
SETTINGS do_not_merge_across_partitions_select_final = 1, join_use_nulls = 0;
