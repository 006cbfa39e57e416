-- The touches that led to each conversion in order, those of `attribution`. conversions: more than 1 only where the
-- person did the very same thing in the same millisecond.
CREATE OR REPLACE VIEW conversion_paths AS
WITH arraySort(groupUniqArray(
    (touch_number, toString(channel), toString(campaign_source), toString(campaign_medium), toString(campaign_name))
)) AS touches
SELECT
    site, person_id, time, event, order_id,
    arrayMap(touch -> touch.2, touches) AS channels,
    arrayMap(touch -> touch.3, touches) AS sources,
    arrayMap(touch -> touch.4, touches) AS mediums,
    arrayMap(touch -> touch.5, touches) AS campaigns,
    min(touch_time) AS first_touch_time,
    toUInt64(round(sum(credit))) AS conversions,
    sum(attribution.revenue) AS revenue,
    any(attribution.currency) AS currency
FROM attribution
WHERE model = 'linear'
GROUP BY site, person_id, time, event, order_id;
