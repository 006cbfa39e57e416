-- The alarms of 0009 again: what is usual is a mean of visits and not of hours, and of 200 or more.

-- Session time, two alarms, by the method of the alert rules (deploy/prometheus/rules), on the history of the panes.
-- drop: a whole hour whose mean visit took less than half of what is usual, with 200 visits or more. Usual: the mean of
-- the visits of the same hour one, two and three weeks before, if there were 200; else of those of the 24 hours before,
-- if there were 200; else nothing is usual yet.
-- fading: the mean of seven days' means fell by 3 % or more in each of three weeks in a row, and by 15 % in all.
-- One row per alarm: adjoining hours, or days, are one. seconds, usual_seconds: where it was lowest against the usual.
-- is_on: it lasts to the site's last whole hour, or day. Hours and days are UTC, and time is that of sessions' ends.
CREATE OR REPLACE VIEW session_time_alarms AS
WITH
    hours AS
    (
        SELECT
            site, intDiv(toUnixTimestamp64Milli(pane_start), 3600000) AS hour,
            sum(counters.sessions) AS visits, sum(counters.duration_ms) AS ms, ms / visits / 1000 AS mean_seconds
        FROM counters
        GROUP BY site, hour
        HAVING visits > 0
    ),
    ends AS
    (
        SELECT site, max(toUnixTimestamp64Milli(pane_start) + pane_ms) AS latest_ms FROM counters GROUP BY site
    ),
    hours_before AS
    (
        SELECT
            *,
            sum(ms) OVER day_before AS ms_before, sum(visits) OVER day_before AS visits_before
        FROM hours
        WINDOW day_before AS (PARTITION BY site ORDER BY hour RANGE BETWEEN 24 PRECEDING AND 1 PRECEDING)
    ),
    weeks_before AS
    (
        SELECT site, hour + 168 * week AS hour, sum(w.ms) AS ms, sum(w.visits) AS visits
        FROM (SELECT *, arrayJoin([1, 2, 3]) AS week FROM hours) AS w
        GROUP BY site, hour
        HAVING visits >= 200
    ),
    drops AS
    (
        SELECT
            h.site AS site, 'drop' AS kind, 3600 AS step, h.hour AS place, intDiv(e.latest_ms, 3600000) - 1 AS last_place,
            h.mean_seconds AS mean_seconds, h.visits AS visits,
            multiIf(
                w.visits IS NOT NULL, w.ms / w.visits / 1000,
                h.visits_before >= 200, h.ms_before / h.visits_before / 1000,
                NULL
            ) AS usual
        FROM hours_before AS h
        INNER JOIN ends AS e ON e.site = h.site
        LEFT ANY JOIN weeks_before AS w ON w.site = h.site AND w.hour = h.hour
        WHERE h.visits >= 200 AND place <= last_place AND mean_seconds < 0.5 * usual
    ),
    days AS
    (
        SELECT site, intDiv(hour, 24) AS day, sum(ms) / sum(visits) / 1000 AS day_seconds, sum(visits) AS day_visits
        FROM hours
        GROUP BY site, day
    ),
    weeks AS
    (
        SELECT
            site, day, avg(day_seconds) OVER week AS mean_seconds, sum(day_visits) OVER week AS visits,
            count() OVER week AS known_days
        FROM days
        WINDOW week AS (PARTITION BY site ORDER BY day RANGE BETWEEN 6 PRECEDING AND CURRENT ROW)
    ),
    fadings AS
    (
        SELECT
            w.site AS site, 'fading' AS kind, 86400 AS step, w.day AS place, intDiv(e.latest_ms, 86400000) - 1 AS last_place,
            w.mean_seconds AS mean_seconds, w.visits AS visits, w3.mean_seconds AS usual
        FROM weeks AS w
        INNER JOIN ends AS e ON e.site = w.site
        INNER JOIN (SELECT *, day + 7 AS later FROM weeks) AS w1 ON w1.site = w.site AND w1.later = w.day
        INNER JOIN (SELECT *, day + 14 AS later FROM weeks) AS w2 ON w2.site = w.site AND w2.later = w.day
        INNER JOIN (SELECT *, day + 21 AS later FROM weeks WHERE known_days = 7) AS w3 ON w3.site = w.site AND w3.later = w.day
        WHERE place <= last_place AND w.mean_seconds < 0.85 * w3.mean_seconds
            AND w.mean_seconds < 0.97 * w1.mean_seconds AND w1.mean_seconds < 0.97 * w2.mean_seconds
            AND w2.mean_seconds < 0.97 * w3.mean_seconds
    ),
    alarms AS
    (
        SELECT *, place - row_number() OVER (PARTITION BY site, kind ORDER BY place) AS island
        FROM (SELECT * FROM drops UNION ALL SELECT * FROM fadings)
    )
SELECT
    site, kind,
    toDateTime64(min(place) * any(step), 3, 'UTC') AS began,
    toDateTime64((max(place) + 1) * any(step), 3, 'UTC') AS ended,
    argMin(mean_seconds, mean_seconds / usual) AS seconds,
    argMin(usual, mean_seconds / usual) AS usual_seconds,
    max(visits) AS sessions,
    max(place) = any(last_place) AS is_on
FROM alarms
GROUP BY site, kind, island
SETTINGS join_use_nulls = 1;
