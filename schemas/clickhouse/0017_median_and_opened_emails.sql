-- The view of 0003 again: `median` draws a sample of 8,192, so beyond that the figure was off, and not the same twice.
CREATE OR REPLACE VIEW repeat_purchases AS
WITH arrayFlatten(groupArray(gaps)) AS all_gaps
SELECT
    site,
    count() AS customers,
    countIf(bought > 1) AS repeat_customers,
    repeat_customers / customers AS repeat_purchase_ratio,
    sum(bought) AS orders,
    orders / customers AS orders_per_customer,
    if(empty(all_gaps), NULL, arrayReduce('quantileExactInclusive(0.5)', all_gaps)) AS median_days_between
FROM
(
    SELECT
        site, person_id, count() AS bought,
        groupArrayIf(assumeNotNull(days_since_previous), days_since_previous IS NOT NULL) AS gaps
    FROM orders
    GROUP BY site, person_id
)
GROUP BY site;

-- As in 0012. One that was opened, clicked or reported as spam has arrived, after a bounce too.
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
        FROM
        (
            SELECT site, person_id, campaign_name, start_time
            FROM sessions
            WHERE channel = 'email' AND campaign_name != ''
        ) AS s
        ASOF INNER JOIN (SELECT site, person_id, email_id, campaign.2 AS campaign_name, first_time FROM messages) AS m
            ON m.site = s.site AND m.person_id = s.person_id AND m.campaign_name = s.campaign_name
            AND m.first_time <= s.start_time
    )
SELECT
    e.site AS site, e.person_id AS person_id, e.email_id AS email_id,
    multiIf(e.delivered, e.delivered_at, e.sent, e.sent_at, e.first_time) AS time,
    e.campaign.1 AS campaign_source, e.campaign.2 AS campaign_name,
    e.sent AS sent, e.delivered AS delivered,
    e.delivered OR NOT e.bounced OR opened OR e.machine_opened OR e.complained AS arrived,
    e.clicked OR v.email_id != '' AS clicked,
    e.opened OR clicked AS opened,
    e.machine_opened AND NOT opened AS machine_opened,
    e.bounced AND NOT arrived AS bounced, e.complained AS complained, e.unsubscribed AS unsubscribed
FROM messages AS e
LEFT ANY JOIN visits AS v ON v.site = e.site AND v.person_id = e.person_id AND v.email_id = e.email_id
SETTINGS join_use_nulls = 0;
