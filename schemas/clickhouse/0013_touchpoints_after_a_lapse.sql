-- The touchpoints of 0010 again: who had left by a lapse is in no stage until one is entered again.

-- One row per hit and stage model. stage: where the person was when the hit came, the stage that this very hit led to
-- not yet; the first hit of a journey, or of a return, belongs to the stage it opened; '' between a lapse and a return.
-- left_kind, left_time: how and when that stay ended. content: what kind of content it was, '' for none that a rule
-- knows. Channel and campaign are the session's.
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
        SELECT site, person_id, model, arraySort(groupArray((entered_time, stage, left_kind, left_time))) AS known
        FROM
        (
            SELECT
                site, person_id, toString(model) AS model, entered_time,
                argMax(stage_visits.stage, ordinal) AS stage,
                argMax(stage_visits.left_kind, ordinal) AS left_kind,
                argMax(ifNull(stage_visits.left_time, toDateTime64('2299-01-01', 3, 'UTC')), ordinal) AS left_time
            FROM stage_visits
            GROUP BY site, person_id, model, entered_time
        )
        GROUP BY site, person_id, model
    ),
    arrayLast(one -> one.1 < v.event_time, y.known) AS before,
    before.2 != '' AND NOT (before.3 = 'lapse' AND before.4 < v.event_time) AS is_there,
    if(is_there, before, arrayLast(one -> one.1 = v.event_time, y.known)) AS stay
SELECT
    v.site AS site, v.person_id AS person_id, v.model AS model,
    stay.2 AS stage,
    v.event_time AS time, v.event AS event, v.url AS url,
    if(s.session_id = '', v.channel, s.channel) AS channel,
    if(s.session_id = '', v.campaign_name, s.campaign_name) AS campaign_name,
    v.content AS content, v.session_id AS session_id, v.goal AS goal, v.revenue AS revenue, v.score AS score,
    stay.3 AS left_kind, stay.4 AS left_time,
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
LEFT ANY JOIN stays AS y ON y.site = v.site AND y.person_id = v.person_id AND y.model = v.model
LEFT ANY JOIN sessions AS s ON s.site = v.site AND s.session_id = v.session_id
SETTINGS join_use_nulls = 0;
