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
