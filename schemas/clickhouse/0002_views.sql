-- What readers use: one row per thing. FINAL drops duplicates, older versions and withdrawn rows; partitions need
-- not be merged with each other for it, since all versions of a row are in one.

-- A hit keeps the session it was stored with; session_moves_rows tells where that session went. It belongs to its user,
-- or else to the owner of its visitor who was the last to turn up by then, or the first; links_rows has them by time.
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
    ifNull(nullIf(m.session_id, ''), h.session_id) AS session_id,
    h.props AS props,
    h.items AS items,
    h.screen AS screen,
    h.goal AS goal,
    h.clock_clamped AS clock_clamped,
    h.source_partition AS source_partition,
    h.source_offset AS source_offset
FROM hits_rows AS h FINAL
LEFT ANY JOIN (SELECT site, old_id, session_id FROM session_moves_rows FINAL) AS m
    ON m.site = h.site AND m.old_id = h.session_id
LEFT ANY JOIN (SELECT site, visitor_id, users, since FROM links_rows FINAL) AS o
    ON o.site = h.site AND o.visitor_id = h.visitor_id
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW sessions AS
SELECT
    s.session_id AS session_id,
    s.site AS site,
    s.visitor_id AS visitor_id,
    s.user_id AS user_id,
    if(
        s.user_id != '' OR empty(o.users),
        s.person_id,
        o.users[greatest(1, arrayCount(time -> time <= s.start_time, o.since))]
    ) AS person_id,
    s.start_time AS start_time,
    s.end_time AS end_time,
    s.duration_ms AS duration_ms,
    s.hits AS hits,
    s.page_views AS page_views,
    s.entry_url AS entry_url,
    s.exit_url AS exit_url,
    s.referrer AS referrer,
    s.channel AS channel,
    s.campaign_source AS campaign_source,
    s.campaign_medium AS campaign_medium,
    s.campaign_name AS campaign_name,
    s.campaign_term AS campaign_term,
    s.campaign_content AS campaign_content,
    s.campaign_id AS campaign_id,
    s.device AS device,
    s.browser AS browser,
    s.os AS os,
    s.country AS country,
    s.language AS language,
    s.bounced AS bounced,
    s.converted AS converted,
    s.conversions AS conversions,
    reinterpret(s.revenue_micros, 'Decimal(18, 6)') AS revenue,
    s.closed AS closed,
    s.version AS version
FROM sessions_rows AS s FINAL
LEFT ANY JOIN (SELECT site, visitor_id, users, since FROM links_rows FINAL) AS o
    ON o.site = s.site AND o.visitor_id = s.visitor_id
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
    ifNull(nullIf(m.session_id, ''), t.cause_session_id) AS cause_session_id,
    t.ordinal AS ordinal
FROM transitions_rows AS t FINAL
LEFT ANY JOIN (SELECT site, old_id, session_id FROM session_moves_rows FINAL) AS m
    ON m.site = t.site AND m.old_id = t.cause_session_id
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW signals AS
SELECT site, person_id, reason, score, state, time, evidence, ordinal
FROM signals_rows FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW links AS
SELECT site, visitor_id, user_id, since
FROM (SELECT site, visitor_id, users, links_rows.since AS times FROM links_rows FINAL)
ARRAY JOIN users AS user_id, times AS since;

-- A pane that fell back to zero says nothing, and whether its row exists depends on what arrived first.
CREATE OR REPLACE VIEW counters AS
SELECT
    site, channel, pane_start, pane_ms, sessions, counted, bounced, converted, duration_ms,
    reinterpret(revenue_micros, 'Decimal(18, 6)') AS revenue,
    version
FROM counters_rows FINAL
WHERE sessions != 0
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW dead_letters AS
SELECT received_time, site, reason, field, message, raw, topic, `partition`, `offset`
FROM dead_letters_rows FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW ledger AS
SELECT site, outcome, sum(ledger_rows.hits) AS hits
FROM ledger_rows FINAL
GROUP BY site, outcome
HAVING hits != 0;

CREATE OR REPLACE VIEW stages AS
SELECT model, stage, position
FROM stages_rows FINAL
WHERE position != 0;

-- A conversion has the channel and campaign of its session; one that happened outside of any has its own.
CREATE OR REPLACE VIEW conversions AS
SELECT
    h.site AS site,
    h.person_id AS person_id,
    h.visitor_id AS visitor_id,
    h.user_id AS user_id,
    h.event_time AS time,
    h.event AS event,
    h.url AS url,
    h.session_id AS session_id,
    if(s.session_id = '', h.channel, s.channel) AS channel,
    if(s.session_id = '', h.campaign_source, s.campaign_source) AS campaign_source,
    if(s.session_id = '', h.campaign_medium, s.campaign_medium) AS campaign_medium,
    if(s.session_id = '', h.campaign_name, s.campaign_name) AS campaign_name,
    h.revenue AS revenue,
    h.currency AS currency,
    h.order_id AS order_id,
    h.hit_id AS hit_id,
    h.source_partition AS source_partition,
    h.source_offset AS source_offset
FROM (SELECT * FROM hits WHERE goal = 1 AND outcome IN ('sessionized', 'background', 'late')) AS h
LEFT ANY JOIN sessions AS s ON s.site = h.site AND s.session_id = h.session_id
SETTINGS join_use_nulls = 0;

-- Every session of the person that began in the 30 days before a conversion is a touch, once the conversion's own session
-- has closed. Credits of one conversion and one model add up to 1, and revenue to what it brought less its refunds.
CREATE OR REPLACE VIEW attribution AS
SELECT
    a.site AS site, a.person_id AS person_id, a.time AS time, a.event AS event, a.order_id AS order_id,
    said.1 AS model,
    a.touch_number AS touch_number, a.touches AS touches,
    a.touch_time AS touch_time,
    ifNull(nullIf(m.session_id, ''), a.session_id) AS session_id,
    a.channel AS channel,
    s.campaign_source AS campaign_source, s.campaign_medium AS campaign_medium, s.campaign_name AS campaign_name,
    said.2 / 1000000 AS credit,
    reinterpret(said.3, 'Decimal(18, 6)') AS revenue,
    a.currency AS currency,
    a.copy AS copy
FROM attribution_rows AS a FINAL
LEFT ANY JOIN (SELECT site, old_id, session_id FROM session_moves_rows FINAL) AS m
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

-- normalised_score: on the common scale of its metric, 1 to 10 for csat and ces, 0 to 10 for nps; NULL where the
-- score is outside of its scale.
CREATE OR REPLACE VIEW survey_responses AS
WITH
    JSONExtractString(props, 'metric') AS metric,
    if(metric = 'nps', 0, 1) AS lowest,
    ifNull(scale, 10) AS highest,
    metric IN ('csat', 'ces', 'nps') AND highest > lowest AND score BETWEEN lowest AND highest AS is_valid
SELECT
    site, person_id, visitor_id, user_id, event_time AS time, metric, score, scale,
    if(is_valid, lowest + (score - lowest) * (10 - lowest) / (highest - lowest), NULL) AS normalised_score,
    url, channel, session_id, hit_id, props, source_partition, source_offset
FROM hits
WHERE event = 'survey_response' AND outcome IN ('sessionized', 'background', 'late');

-- action: sent, delivered, open, bounce, complaint, unsubscribe.
CREATE OR REPLACE VIEW emails AS
SELECT
    site, person_id, visitor_id, user_id, event_time AS time,
    substring(event, 7) AS action,
    campaign_source, campaign_medium, campaign_name, campaign_content, campaign_id,
    url, hit_id, props, source_partition, source_offset
FROM hits
WHERE startsWith(event, 'email_') AND outcome IN ('sessionized', 'background', 'late');

CREATE OR REPLACE VIEW costs AS
SELECT
    site, event_time AS time, channel,
    campaign_source, campaign_medium, campaign_name, campaign_term, campaign_content, campaign_id,
    revenue AS cost, currency, hit_id, props, source_partition, source_offset
FROM hits
WHERE event = 'ad_cost' AND outcome IN ('sessionized', 'background', 'late');

-- revenue: of the person's conversions, in whatever currencies they were. Stage maps: model -> stage; a journey that
-- has lapsed is in none.
CREATE OR REPLACE VIEW persons AS
WITH
    seen AS
    (
        SELECT
            site,
            person_id,
            maxIf((event_time, user_id), user_id != '').2 AS user_id,
            arraySort(groupUniqArrayIf(visitor_id, visitor_id != '')) AS visitor_ids,
            min(event_time) AS first_seen,
            max(event_time) AS last_seen,
            countIf(event = 'purchase') AS orders,
            sumIf(revenue, goal = 1) AS revenue
        FROM hits
        WHERE outcome IN ('sessionized', 'background', 'late')
        GROUP BY site, person_id
    ),
    visits AS
    (
        SELECT site, person_id, count() AS sessions FROM sessions GROUP BY site, person_id
    ),
    reached AS
    (
        SELECT
            t.site AS site,
            t.person_id AS person_id,
            t.model AS model,
            argMax(t.to_stage, (t.time, t.ordinal)) AS stage,
            argMax(t.to_stage, (s.position, t.time, t.ordinal)) AS highest
        FROM transitions AS t
        LEFT ANY JOIN stages AS s ON s.model = t.model AND s.stage = t.to_stage
        GROUP BY t.site, t.person_id, t.model
    ),
    staged AS
    (
        SELECT
            site,
            person_id,
            CAST(
                arraySort(groupArrayIf((toString(model), toString(stage)), stage != '')), 'Map(String, String)'
            ) AS stages,
            CAST(
                arraySort(groupArray((toString(model), toString(highest)))), 'Map(String, String)'
            ) AS highest_stages
        FROM reached
        GROUP BY site, person_id
    ),
    alarms AS
    (
        SELECT site, person_id, reason, argMax((state, score), (time, ordinal)) AS latest
        FROM signals
        GROUP BY site, person_id, reason
        HAVING latest.1 = 'raised'
    ),
    risks AS
    (
        SELECT
            site,
            person_id,
            least(arraySum(arraySort(groupArray(latest.2))), 1) AS churn_score,
            arraySort(groupArray(toString(reason))) AS churn_reasons
        FROM alarms
        GROUP BY site, person_id
    )
SELECT
    seen.site AS site,
    seen.person_id AS person_id,
    seen.user_id AS user_id,
    seen.visitor_ids AS visitor_ids,
    seen.first_seen AS first_seen,
    seen.last_seen AS last_seen,
    visits.sessions AS sessions,
    seen.orders AS orders,
    ifNull(seen.revenue, 0) AS revenue,
    staged.stages AS stages,
    staged.highest_stages AS highest_stages,
    risks.churn_score AS churn_score,
    risks.churn_reasons AS churn_reasons
FROM seen
LEFT ANY JOIN visits ON visits.site = seen.site AND visits.person_id = seen.person_id
LEFT ANY JOIN staged ON staged.site = seen.site AND staged.person_id = seen.person_id
LEFT ANY JOIN risks ON risks.site = seen.site AND risks.person_id = seen.person_id
SETTINGS join_use_nulls = 0;
