-- One row per order, as in 0011. A refund counts in the order's currency, and where one of the two names none.
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
        SELECT site, order_id, sumMap(map(currency, abs(ifNull(revenue, 0)))) AS by_currency
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
    n.revenue AS revenue,
    if(n.currency = '', arraySum(mapValues(r.by_currency)), r.by_currency[n.currency] + r.by_currency['']) AS refunded,
    n.revenue - refunded AS net_revenue, n.currency AS currency,
    if(s.session_id = '', n.hit_channel, s.channel) AS channel,
    n.session_id AS session_id
FROM numbered AS n
LEFT ANY JOIN refunds AS r ON r.site = n.site AND r.order_id = n.order_id AND n.order_id != ''
LEFT ANY JOIN sessions AS s ON s.site = n.site AND s.session_id = n.session_id
SETTINGS join_use_nulls = 0;
