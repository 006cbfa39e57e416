-- Satisfaction, e-mail, goals, calls to action, costs, and the channels side by side.

-- score: of csat and ces the mean on 1 to 10, of nps points from -100 to 100. Answers outside of their scale are out.
CREATE OR REPLACE VIEW satisfaction AS
SELECT
    site, toDate(time) AS day, metric,
    count() AS responses,
    sum(normalised_score) AS score_sum,
    countIf(normalised_score >= 8) AS satisfied,
    countIf(normalised_score >= 9) AS promoters,
    countIf(normalised_score <= 6) AS detractors,
    if(metric = 'nps', 100 * (toInt64(promoters) - toInt64(detractors)) / responses, score_sum / responses) AS score,
    satisfied / responses AS satisfied_ratio
FROM survey_responses
WHERE normalised_score IS NOT NULL
GROUP BY site, day, metric;

-- One row per e-mail and person: of one props.email_id or message_id, or else of one campaign. A click is an opening.
-- machine_opened: a scanner or a proxy loaded the pictures, as its user agent or the sender's service says. arrived:
-- delivered, or not known to have bounced. time: delivered, or else sent, or else first heard of.
CREATE OR REPLACE VIEW email_messages AS
WITH
    actions AS
    (
        SELECT
            site, person_id,
            multiIf(
                JSONHas(props, 'email_id'), trim(BOTH '"' FROM JSONExtractRaw(props, 'email_id')),
                JSONHas(props, 'message_id'), trim(BOTH '"' FROM JSONExtractRaw(props, 'message_id')),
                campaign_id != '', campaign_id,
                campaign_name
            ) AS email_id,
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

-- By the day of the e-mails.
CREATE OR REPLACE VIEW email_rates AS
SELECT
    site, toDate(time) AS day, campaign_name,
    countIf(email_messages.sent) AS sent,
    countIf(email_messages.delivered) AS delivered,
    countIf(email_messages.arrived) AS arrived,
    countIf(email_messages.opened) AS opened,
    countIf(email_messages.machine_opened) AS machine_opened,
    countIf(email_messages.clicked) AS clicked,
    countIf(email_messages.bounced) AS bounced,
    countIf(email_messages.complained) AS complained,
    countIf(email_messages.unsubscribed) AS unsubscribed,
    if(arrived = 0, NULL, opened / arrived) AS open_ratio,
    if(arrived = 0, NULL, clicked / arrived) AS click_ratio,
    if(sent = 0, NULL, bounced / sent) AS bounce_ratio,
    if(arrived = 0, NULL, complained / arrived) AS complaint_ratio
FROM email_messages
GROUP BY site, day, campaign_name;

-- Persons who saw a call to action (props.cta, or GA4's promotion), clicked it, and then reached the goal it names
-- (props.goal), or any goal where it names none.
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
        SELECT site, person_id, groupArray((toString(event), time)) AS goals FROM conversions GROUP BY site, person_id
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

-- Per goal: of all sessions, and of the persons who saw a call to action of it (NULL where none is known).
CREATE OR REPLACE VIEW goal_rates AS
WITH
    visits AS
    (
        SELECT site, count() AS sessions FROM sessions GROUP BY site
    ),
    asked AS
    (
        SELECT site, goal, sum(calls_to_action.persons) AS persons, sum(persons_converted) AS converted
        FROM calls_to_action
        WHERE goal != ''
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

-- What each attribution model says of a channel: credits of conversions and of revenue.
CREATE OR REPLACE VIEW channel_revenue AS
SELECT
    site, model, channel, currency,
    sum(credit) AS conversions,
    sumIf(credit, event = 'purchase') AS orders,
    sum(attribution.revenue) AS revenue
FROM attribution
GROUP BY site, model, channel, currency;

CREATE OR REPLACE VIEW acquisition_costs AS
WITH
    spent AS
    (
        SELECT site, channel, currency, sum(ifNull(costs.cost, 0)) AS cost FROM costs GROUP BY site, channel, currency
    ),
    credited AS
    (
        SELECT site, model, channel, sum(channel_revenue.conversions) AS conversions, sum(channel_revenue.orders) AS orders
        FROM channel_revenue
        GROUP BY site, model, channel
    )
SELECT
    s.site AS site, m.model AS model, s.channel AS channel, s.currency AS currency,
    s.cost AS cost, c.conversions AS conversions, c.orders AS orders, r.revenue AS revenue,
    if(conversions > 0, toFloat64(cost) / conversions, NULL) AS cost_per_acquisition,
    if(orders > 0, toFloat64(cost) / orders, NULL) AS cost_per_order,
    if(cost > 0, toFloat64(revenue) / toFloat64(cost), NULL) AS return_on_ad_spend
FROM spent AS s
CROSS JOIN (SELECT DISTINCT model FROM attribution) AS m
LEFT ANY JOIN credited AS c ON c.site = s.site AND c.model = m.model AND c.channel = s.channel
LEFT ANY JOIN channel_revenue AS r
    ON r.site = s.site AND r.model = m.model AND r.channel = s.channel AND r.currency = s.currency
SETTINGS join_use_nulls = 0;

-- Sums per day and channel: add them over days, then divide.
CREATE OR REPLACE VIEW channel_days AS
WITH
    visits AS
    (
        SELECT
            site, toDate(start_time) AS day, channel,
            count() AS sessions, countIf(s.page_views > 0) AS counted, countIf(s.bounced) AS bounced,
            countIf(s.converted) AS converted, sum(s.conversions) AS conversions, sum(s.duration_ms) AS duration_ms,
            sum(s.hits) AS hits, sum(s.page_views) AS page_views, sum(s.revenue) AS revenue
        FROM sessions AS s
        GROUP BY site, day, channel
    ),
    spent AS
    (
        SELECT site, toDate(time) AS day, channel, sum(ifNull(costs.cost, 0)) AS cost FROM costs GROUP BY site, day, channel
    )
SELECT
    if(v.site = '', c.site, v.site) AS site, if(v.site = '', c.day, v.day) AS day, if(v.site = '', c.channel, v.channel) AS channel,
    v.sessions AS sessions, v.counted AS counted, v.bounced AS bounced, v.converted AS converted,
    v.conversions AS conversions, v.duration_ms AS duration_ms, v.hits AS hits, v.page_views AS page_views,
    v.revenue AS revenue, c.cost AS cost
FROM visits AS v
FULL OUTER JOIN spent AS c ON c.site = v.site AND c.day = v.day AND c.channel = v.channel
SETTINGS join_use_nulls = 0;

-- The channels of a site in one comparable table. Revenue and conversions are those of the channel's own sessions.
CREATE OR REPLACE VIEW channel_engagement AS
WITH
    totals AS
    (
        SELECT
            site, channel,
            sum(d.sessions) AS sessions, sum(d.counted) AS counted, sum(d.bounced) AS bounced,
            sum(d.converted) AS converted, sum(d.conversions) AS conversions, sum(d.duration_ms) AS duration_ms,
            sum(d.page_views) AS page_views, sum(d.revenue) AS revenue, sum(d.cost) AS cost
        FROM channel_days AS d
        GROUP BY site, channel
    ),
    people AS
    (
        SELECT site, channel, uniqExact(person_id) AS persons, countIf(nth = 1) AS new_persons
        FROM
        (
            SELECT
                site, channel, person_id,
                row_number() OVER (PARTITION BY site, person_id ORDER BY start_time, session_id) AS nth
            FROM sessions
        )
        GROUP BY site, channel
    )
SELECT
    t.site AS site, t.channel AS channel,
    t.sessions AS sessions, p.persons AS persons, p.new_persons AS new_persons,
    if(sessions = 0, NULL, t.duration_ms / sessions / 1000) AS mean_duration_seconds,
    if(sessions = 0, NULL, t.page_views / sessions) AS pages_per_session,
    if(t.counted = 0, NULL, t.bounced / t.counted) AS bounce_ratio,
    if(sessions = 0, NULL, t.converted / sessions) AS conversion_ratio,
    t.conversions AS conversions, t.revenue AS revenue, t.cost AS cost,
    if(sessions = 0, NULL, toFloat64(revenue) / sessions) AS revenue_per_session,
    if(cost > 0 AND conversions > 0, toFloat64(cost) / conversions, NULL) AS cost_per_acquisition
FROM totals AS t
LEFT ANY JOIN people AS p ON p.site = t.site AND p.channel = t.channel
SETTINGS join_use_nulls = 0;
