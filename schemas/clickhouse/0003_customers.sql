-- What people bought, whether they came back, and the segments by which every figure can be cut.
-- "Latest" is the newest event time of the site, never the wall clock: a replay gives the same figures.

-- One row per order. Purchases of one order_id are one order, that of the earliest; without an order_id each is one.
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
        SELECT site, order_id, sum(ifNull(revenue, 0)) AS refunded
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

CREATE OR REPLACE VIEW repeat_purchases AS
SELECT
    site,
    count() AS customers,
    countIf(bought > 1) AS repeat_customers,
    repeat_customers / customers AS repeat_purchase_ratio,
    sum(bought) AS orders,
    orders / customers AS orders_per_customer,
    if(empty(arrayFlatten(groupArray(gaps))), NULL, arrayReduce('median', arrayFlatten(groupArray(gaps)))) AS median_days_between
FROM
(
    SELECT
        site, person_id, count() AS bought,
        groupArrayIf(assumeNotNull(days_since_previous), days_since_previous IS NOT NULL) AS gaps
    FROM orders
    GROUP BY site, person_id
)
GROUP BY site;

-- Of the persons whose first activity fell into a week (Monday to Sunday, UTC), how many were active n weeks later.
CREATE OR REPLACE VIEW cohort_retention AS
WITH
    active AS
    (
        SELECT DISTINCT site, person_id, 'visit' AS activity, toMonday(start_time) AS week FROM sessions
        UNION ALL
        SELECT DISTINCT site, person_id, 'order' AS activity, toMonday(time) AS week FROM orders
    ),
    cohorts AS
    (
        SELECT site, activity, person_id, min(week) AS cohort_week, groupArray(week) AS weeks
        FROM active
        GROUP BY site, activity, person_id
    ),
    latest AS
    (
        SELECT site, max(week) AS last_week FROM active GROUP BY site
    )
SELECT
    c.site AS site, c.activity AS activity, c.cohort_week AS cohort_week, week_number,
    count() AS persons,
    countIf(has(c.weeks, c.cohort_week + 7 * week_number)) AS returned,
    returned / persons AS retention_ratio
FROM cohorts AS c
INNER JOIN latest AS l ON l.site = c.site
ARRAY JOIN range(toUInt32(1 + intDiv(l.last_week - c.cohort_week, 7))) AS week_number
GROUP BY site, activity, cohort_week, week_number;

-- A customer has left who has not ordered for 90 days, and for three times the own usual gap between orders.
-- Expected lifetime = customer years lived / customers who left: a constant chance of leaving, those who are still
-- there counted as far as they have lived.
CREATE OR REPLACE VIEW lifetime_values AS
WITH
    latest AS
    (
        SELECT site, max(event_time) AS latest_time
        FROM hits
        WHERE outcome IN ('sessionized', 'background', 'late')
        GROUP BY site
    ),
    customers AS
    (
        SELECT
            site, currency, person_id, count() AS bought, sum(net_revenue) AS value,
            min(time) AS first_order, max(time) AS last_order
        FROM orders
        GROUP BY site, currency, person_id
    ),
    lives AS
    (
        SELECT
            c.*,
            dateDiff('millisecond', c.first_order, c.last_order) / 86400000 AS active_days,
            dateDiff('millisecond', c.last_order, l.latest_time) / 86400000 AS silent_days,
            silent_days > greatest(90, if(c.bought > 1, 3 * active_days / (c.bought - 1), 0)) AS has_left
        FROM customers AS c
        INNER JOIN latest AS l ON l.site = c.site
    )
SELECT
    site, currency,
    count() AS customers,
    countIf(has_left) AS customers_left,
    sum(bought) AS orders,
    sum(value) AS net_revenue,
    sum(active_days + if(has_left, 0, silent_days)) / 365.25 AS customer_years,
    toFloat64(net_revenue) / orders AS mean_order_value,
    if(customer_years = 0, NULL, orders / customer_years) AS orders_per_year,
    if(customers_left = 0, NULL, customer_years / customers_left) AS expected_lifetime_years,
    mean_order_value * orders_per_year * expected_lifetime_years AS lifetime_value
FROM lives
GROUP BY site, currency;

-- One row per person, and what segments are made of. Scores 1 to 5 within the site's customers: the share of them
-- that stands below, equal values alike; 0 for who has not ordered.
CREATE OR REPLACE VIEW person_facts AS
WITH
    seen AS
    (
        SELECT
            site, person_id,
            min(event_time) AS first_seen, max(event_time) AS last_seen,
            argMaxIf(device, (event_time, device), device != '') AS device,
            argMaxIf(os, (event_time, os), os != '') AS os,
            argMaxIf(browser, (event_time, browser), browser != '') AS browser,
            argMaxIf(country, (event_time, country), country != '') AS country,
            argMaxIf(language, (event_time, language), language != '') AS language
        FROM hits
        WHERE outcome IN ('sessionized', 'background', 'late') AND event != 'ad_cost'
        GROUP BY site, person_id
    ),
    visits AS
    (
        SELECT
            site, person_id, count() AS sessions, sum(duration_ms) AS duration_ms,
            argMin((channel, campaign_source, campaign_medium, campaign_name), (start_time, session_id)) AS first
        FROM sessions
        GROUP BY site, person_id
    ),
    bought AS
    (
        SELECT
            o.site AS site, o.person_id AS person_id, count() AS orders, sum(o.net_revenue) AS revenue,
            min(o.time) AS first_order, max(o.time) AS last_order
        FROM orders AS o
        GROUP BY site, person_id
    ),
    scored AS
    (
        SELECT
            *,
            1 + intDiv(5 * (rank() OVER (PARTITION BY site ORDER BY last_order) - 1), size) AS recency_score,
            1 + intDiv(5 * (rank() OVER (PARTITION BY site ORDER BY orders) - 1), size) AS frequency_score,
            1 + intDiv(5 * (rank() OVER (PARTITION BY site ORDER BY revenue) - 1), size) AS monetary_score
        FROM (SELECT *, count() OVER (PARTITION BY site) AS size FROM bought)
    ),
    latest AS
    (
        SELECT site, max(last_seen) AS latest_time FROM seen GROUP BY site
    )
SELECT
    p.site AS site, p.person_id AS person_id, p.first_seen AS first_seen, p.last_seen AS last_seen,
    v.sessions AS sessions, v.duration_ms AS duration_ms,
    multiIf(v.sessions = 0, 'none', v.sessions = 1, 'new', 'returning') AS visits,
    p.device AS device, p.os AS os, p.browser AS browser, p.country AS country, p.language AS language,
    v.first.1 AS first_channel, v.first.2 AS campaign_source, v.first.3 AS campaign_medium, v.first.4 AS campaign_name,
    b.orders AS orders, b.revenue AS revenue,
    if(b.orders = 0, NULL, b.first_order) AS first_order,
    if(b.orders = 0, NULL, b.last_order) AS last_order,
    if(b.orders = 0, NULL, dateDiff('millisecond', b.last_order, l.latest_time) / 86400000) AS recency_days,
    b.recency_score AS recency_score, b.frequency_score AS frequency_score, b.monetary_score AS monetary_score,
    multiIf(
        b.orders = 0, 'prospect',
        b.recency_score >= 4 AND b.frequency_score >= 4, 'champion',
        b.recency_score >= 3 AND b.frequency_score >= 3, 'loyal',
        b.recency_score >= 4, 'recent',
        b.recency_score = 3, 'promising',
        b.frequency_score >= 3, 'at_risk',
        'lost'
    ) AS loyalty
FROM seen AS p
LEFT ANY JOIN visits AS v ON v.site = p.site AND v.person_id = p.person_id
LEFT ANY JOIN scored AS b ON b.site = p.site AND b.person_id = p.person_id
LEFT ANY JOIN latest AS l ON l.site = p.site
SETTINGS join_use_nulls = 0;

-- The segments of the setting `segments`; the program puts this view anew at start.
CREATE OR REPLACE VIEW own_segments AS
SELECT site, person_id, '' AS segment FROM person_facts WHERE 0;

-- One row per person and dimension: join it on (site, person_id) to cut any other view.
CREATE OR REPLACE VIEW segments AS
SELECT site, person_id, dimension, segment
FROM person_facts
ARRAY JOIN
    ['visits', 'device', 'country', 'language', 'channel', 'campaign', 'loyalty'] AS dimension,
    [
        visits, toString(device), toString(country), toString(language), toString(first_channel),
        toString(campaign_name), loyalty
    ] AS segment
UNION ALL
SELECT site, person_id, 'own' AS dimension, segment FROM own_segments;
