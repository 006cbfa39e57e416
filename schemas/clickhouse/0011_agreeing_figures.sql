-- Views of 0003 to 0005 again, each in one thing otherwise: where two figures did not agree.

-- One row per order, as in 0003. A refund says what was given back; some senders say so with a minus.
CREATE OR REPLACE VIEW orders AS
WITH
    purchases AS
    (
        SELECT
            site,
            if(order_id = '', concat(toString(source_partition), '/', toString(source_offset)), order_id) AS order_key,
            argMin(
                (event_time, person_id, order_id, ifNull(revenue, 0), currency, session_id, channel),
                (event_time, person_id, ifNull(revenue, 0), currency, source_partition, source_offset)
            ) AS first
        FROM hits
        WHERE event = 'purchase' AND outcome IN ('sessionized', 'background', 'late')
        GROUP BY site, order_key
    ),
    refunds AS
    (
        SELECT site, order_id, sum(abs(ifNull(revenue, 0))) AS refunded
        FROM hits
        WHERE event = 'refund' AND order_id != '' AND outcome IN ('sessionized', 'background', 'late')
        GROUP BY site, order_id
    ),
    numbered AS
    (
        SELECT
            site,
            first.1 AS time, first.2 AS person_id, first.3 AS order_id, first.4 AS revenue, first.5 AS currency,
            first.6 AS session_id, first.7 AS hit_channel,
            row_number() OVER person AS order_number,
            lagInFrame(time) OVER person AS previous_time
        FROM purchases
        WINDOW person AS (
            PARTITION BY site, first.2 ORDER BY first.1, order_key ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        )
    )
SELECT
    n.site AS site, n.person_id AS person_id, n.time AS time, n.order_id AS order_id, n.order_number AS order_number,
    if(n.order_number = 1, NULL, dateDiff('millisecond', n.previous_time, n.time) / 86400000) AS days_since_previous,
    n.revenue AS revenue, r.refunded AS refunded, n.revenue - r.refunded AS net_revenue, n.currency AS currency,
    if(s.session_id = '', n.hit_channel, s.channel) AS channel,
    n.session_id AS session_id
FROM numbered AS n
LEFT ANY JOIN refunds AS r ON r.site = n.site AND r.order_id = n.order_id AND n.order_id != ''
LEFT ANY JOIN sessions AS s ON s.site = n.site AND s.session_id = n.session_id
SETTINGS join_use_nulls = 0;

-- One row per stay of a person in a stage. left_kind: how the stay ended (advance, regress, lapse, loop), 'silence'
-- where nothing at all was heard of the person for longer than the model's lapse time and no lapse is written yet, ''
-- where the person is there now: as the stream and the view `persons` say. Which hits are evidence is the models' affair.
CREATE OR REPLACE VIEW stage_visits AS
WITH
    alive AS
    (
        SELECT site, person_id, max(event_time) AS last_seen
        FROM hits
        WHERE outcome IN ('sessionized', 'background', 'late')
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

-- One row per e-mail and person, as in 0005: of one props.email_id or message_id that is a text or a whole number, and
-- not empty; or else of one campaign. So the stream counts them, too.
CREATE OR REPLACE VIEW email_messages AS
WITH
    actions AS
    (
        SELECT
            site, person_id,
            arrayMap(
                name -> multiIf(
                    JSONType(props, name) = 'String', JSONExtractString(props, name),
                    JSONType(props, name) IN ('Int64', 'UInt64'), JSONExtractRaw(props, name),
                    ''
                ),
                ['email_id', 'message_id']
            ) AS ids,
            arrayFirst(one -> one != '', [ids[1], ids[2], campaign_id, campaign_name]) AS email_id,
            event_time AS time, substring(event, 7) AS action, campaign_source, campaign_name,
            event = 'email_open' AND (
                bot = 1 OR browser IN ('GmailImageProxy', 'YahooMailProxy', 'Apple Mail Privacy')
                OR JSONExtractBool(props, 'machine')
            ) AS is_machine
        FROM hits
        WHERE startsWith(event, 'email_')
            AND (outcome IN ('sessionized', 'background', 'late') OR (outcome = 'bot' AND event = 'email_open'))
    ),
    messages AS
    (
        SELECT
            site, person_id, email_id,
            min(time) AS first_time,
            minIf(time, action = 'sent') AS sent_at,
            minIf(time, action = 'delivered') AS delivered_at,
            max((campaign_source, campaign_name)) AS campaign,
            max(action = 'sent') AS sent,
            max(action = 'delivered') AS delivered,
            max(action = 'open' AND NOT is_machine) AS opened,
            max(action = 'open' AND is_machine) AS machine_opened,
            max(action = 'click') AS clicked,
            max(action = 'bounce') AS bounced,
            max(action = 'complaint') AS complained,
            max(action = 'unsubscribe') AS unsubscribed
        FROM actions
        GROUP BY site, person_id, email_id
    ),
    visits AS
    (
        SELECT DISTINCT m.site AS site, m.person_id AS person_id, m.email_id AS email_id
        FROM (SELECT site, person_id, campaign_name, start_time FROM sessions WHERE channel = 'email') AS s
        ASOF INNER JOIN (SELECT site, person_id, email_id, campaign.2 AS campaign_name, first_time FROM messages) AS m
            ON m.site = s.site AND m.person_id = s.person_id AND m.campaign_name = s.campaign_name
            AND m.first_time <= s.start_time
    )
SELECT
    e.site AS site, e.person_id AS person_id, e.email_id AS email_id,
    multiIf(e.delivered, e.delivered_at, e.sent, e.sent_at, e.first_time) AS time,
    e.campaign.1 AS campaign_source, e.campaign.2 AS campaign_name,
    e.sent AS sent, e.delivered AS delivered, e.delivered OR NOT e.bounced AS arrived,
    e.clicked OR v.email_id != '' AS clicked,
    e.opened OR clicked AS opened,
    e.machine_opened AND NOT opened AS machine_opened,
    e.bounced AS bounced, e.complained AS complained, e.unsubscribed AS unsubscribed
FROM messages AS e
LEFT ANY JOIN visits AS v ON v.site = e.site AND v.person_id = e.person_id AND v.email_id = e.email_id
SETTINGS join_use_nulls = 0;

-- Per goal: of all sessions, and of the persons who saw a call to action of it (NULL where none is known). Who saw two
-- of them is one person.
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
        SELECT site, person_id, event, max(time) AS last_time FROM conversions GROUP BY site, person_id, event
    ),
    asked AS
    (
        SELECT s.site AS site, s.aim AS goal, count() AS persons, countIf(r.last_time >= s.first_time) AS converted
        FROM seen AS s
        LEFT ANY JOIN reached AS r ON r.site = s.site AND r.person_id = s.person_id AND r.event = s.aim
        GROUP BY site, goal
    )
SELECT
    c.site AS site, c.event AS goal,
    count() AS conversions,
    uniqExact(c.person_id) AS persons,
    uniqExactIf(c.session_id, c.session_id != '') AS sessions,
    any(v.sessions) AS site_sessions,
    if(site_sessions = 0, NULL, sessions / site_sessions) AS session_ratio,
    any(a.persons) AS persons_asked,
    if(persons_asked = 0, NULL, any(a.converted) / persons_asked) AS goal_ratio
FROM conversions AS c
LEFT ANY JOIN visits AS v ON v.site = c.site
LEFT ANY JOIN asked AS a ON a.site = c.site AND a.goal = c.event
GROUP BY site, goal
SETTINGS join_use_nulls = 0;
