-- Goals that are pages have names: the globs of the settings and of the registry of sites, as told at each start. Before,
-- all were the one goal `page_view`; and a goal that was asked for and never reached was not shown.

-- `site` empty: of each site without own ones. Views of pages whose path is LIKE `path`; the first that fits names them.
CREATE TABLE IF NOT EXISTS goal_pages_rows
(
    position UInt32,
    site String,
    goal String,
    path String,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY position
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE OR REPLACE VIEW goal_pages AS
SELECT position, site, goal, path
FROM goal_pages_rows FINAL
WHERE goal != '';

-- As in 0002, with the name of the goal: the event, or the glob of the page; a page that no glob of today fits is `page_view`.
CREATE OR REPLACE VIEW conversions AS
WITH
    (SELECT arraySort(groupArray((position, site, goal, path))) FROM goal_pages) AS pages,
    if(path(h.url) = '', '/', path(h.url)) AS page,
    arrayFirst(one -> one.2 IN ('', h.site) AND page LIKE one.4, pages).3 AS named
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
    h.source_offset AS source_offset,
    if(h.event IN ('page_view', 'screen_view') AND h.url != '' AND named != '', named, h.event) AS goal
FROM (SELECT * FROM hits WHERE goal = 1 AND outcome IN ('sessionized', 'background', 'late')) AS h
LEFT ANY JOIN sessions AS s ON s.site = h.site AND s.session_id = h.session_id
SETTINGS join_use_nulls = 0;

-- As in 0005: persons who saw a call to action (props.cta, or GA4's promotion), clicked it, and then reached the goal it
-- names (props.goal: an event, or the glob of a page), or any goal where it names none.
CREATE OR REPLACE VIEW calls_to_action AS
WITH
    seen AS
    (
        SELECT
            site, person_id,
            if(
                JSONExtractString(props, 'cta') != '', JSONExtractString(props, 'cta'),
                if(
                    JSONExtractString(props, 'promotion_name') != '',
                    JSONExtractString(props, 'promotion_name'), JSONExtractString(props, 'promotion_id')
                )
            ) AS cta,
            JSONExtractString(props, 'goal') AS aim,
            min(event_time) AS first_time,
            max(event IN ('cta_click', 'select_promotion', 'click')) AS clicked
        FROM hits
        WHERE outcome IN ('sessionized', 'background', 'late')
            AND (JSONHas(props, 'cta') OR event IN ('view_promotion', 'select_promotion'))
        GROUP BY site, person_id, cta, aim
        HAVING cta != ''
    ),
    reached AS
    (
        SELECT site, person_id, groupArray((goal, time)) AS goals FROM conversions GROUP BY site, person_id
    )
SELECT
    s.site AS site, s.cta AS cta, s.aim AS goal,
    count() AS persons,
    countIf(s.clicked) AS persons_clicked,
    countIf(arrayExists(g -> g.2 >= s.first_time AND (s.aim = '' OR g.1 = s.aim), r.goals)) AS persons_converted,
    persons_clicked / persons AS click_ratio,
    persons_converted / persons AS goal_ratio
FROM seen AS s
LEFT ANY JOIN reached AS r ON r.site = s.site AND r.person_id = s.person_id
GROUP BY site, cta, goal
SETTINGS join_use_nulls = 0;

-- Per goal that was reached or asked for: of all sessions, and of the persons who saw a call to action of it (NULL where
-- none is known). Who saw two of them is one person.
CREATE OR REPLACE VIEW goal_rates AS
WITH
    visits AS
    (
        SELECT site, count() AS sessions FROM sessions GROUP BY site
    ),
    seen AS
    (
        SELECT site, person_id, JSONExtractString(props, 'goal') AS aim, min(event_time) AS first_time
        FROM hits
        WHERE outcome IN ('sessionized', 'background', 'late')
            AND (JSONHas(props, 'cta') OR event IN ('view_promotion', 'select_promotion'))
            AND arrayExists(
                name -> JSONExtractString(props, name) != '', ['cta', 'promotion_name', 'promotion_id']
            )
        GROUP BY site, person_id, aim
        HAVING aim != ''
    ),
    reached AS
    (
        SELECT
            site, person_id, goal, max(time) AS last_time, count() AS conversions,
            groupUniqArrayIf(session_id, session_id != '') AS session_ids
        FROM conversions
        GROUP BY site, person_id, goal
    ),
    asked AS
    (
        SELECT s.site AS site, s.aim AS goal, count() AS persons, countIf(r.last_time >= s.first_time) AS converted
        FROM seen AS s
        LEFT ANY JOIN reached AS r ON r.site = s.site AND r.person_id = s.person_id AND r.goal = s.aim
        GROUP BY site, goal
    ),
    done AS
    (
        SELECT
            site, goal, sum(reached.conversions) AS conversions, count() AS persons,
            uniqExactArray(session_ids) AS sessions
        FROM reached
        GROUP BY site, goal
    )
SELECT
    g.site AS site, g.goal AS goal,
    d.conversions AS conversions, d.persons AS persons, d.sessions AS sessions,
    v.sessions AS site_sessions,
    if(site_sessions = 0, NULL, sessions / site_sessions) AS session_ratio,
    a.persons AS persons_asked,
    if(persons_asked = 0, NULL, a.converted / persons_asked) AS goal_ratio
FROM (SELECT site, goal FROM done UNION DISTINCT SELECT site, goal FROM asked) AS g
LEFT ANY JOIN done AS d ON d.site = g.site AND d.goal = g.goal
LEFT ANY JOIN visits AS v ON v.site = g.site
LEFT ANY JOIN asked AS a ON a.site = g.site AND a.goal = g.goal
SETTINGS join_use_nulls = 0;
