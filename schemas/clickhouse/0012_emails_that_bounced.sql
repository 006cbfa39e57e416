-- Views of 0011 and 0005 again: what a bounce is, and of what; which visit clicks.

-- One row per e-mail and person, as in 0011. bounced: for good; one delivered after a soft bounce is not. A visit clicks
-- an e-mail by the name of their campaign, and no name is none.
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
    e.sent AS sent, e.delivered AS delivered, e.delivered OR NOT e.bounced AS arrived,
    e.clicked OR v.email_id != '' AS clicked,
    e.opened OR clicked AS opened,
    e.machine_opened AND NOT opened AS machine_opened,
    e.bounced AND NOT e.delivered AS bounced, e.complained AS complained, e.unsubscribed AS unsubscribed
FROM messages AS e
LEFT ANY JOIN visits AS v ON v.site = e.site AND v.person_id = e.person_id AND v.email_id = e.email_id
SETTINGS join_use_nulls = 0;

-- By the day of the e-mails. dispatched: known to have been sent, or delivered, or bounced; some services do not tell of
-- sending.
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
    countIf(email_messages.sent OR email_messages.delivered OR email_messages.bounced) AS dispatched,
    if(arrived = 0, NULL, opened / arrived) AS open_ratio,
    if(arrived = 0, NULL, clicked / arrived) AS click_ratio,
    if(dispatched = 0, NULL, bounced / dispatched) AS bounce_ratio,
    if(arrived = 0, NULL, complained / arrived) AS complaint_ratio
FROM email_messages
GROUP BY site, day, campaign_name;
