-- The loop of the journey: a promoter's referral begins another person's. The link is the code in the address that the
-- friend came by (the same names as in pipeline/core/referrals.py). It is the promoter's whose invitation carried it
-- first, by event time; or whose user id it is. promoter_id is '' where nobody is known to have sent it.
-- A code that leads to its own sender is no referral.
CREATE OR REPLACE VIEW referrals AS
WITH
    sent AS
    (
        SELECT site, code, argMin(person_id, (time, person_id)) AS promoter_id, min(time) AS sent_time
        FROM
        (
            SELECT
                site, person_id, event_time AS time,
                arrayFirst(
                    one -> one != '',
                    arrayMap(
                        name -> JSONExtractString(props, name),
                        ['code', 'referral_code', 'ref_code', 'invite_code', 'ref', 'referral', 'invite', 'invitation']
                    )
                ) AS code
            FROM hits
            WHERE event IN ('referral_sent', 'invite_sent') AND outcome IN ('sessionized', 'background', 'late')
        )
        WHERE code != ''
        GROUP BY site, code
    ),
    users AS
    (
        SELECT site, user_id AS code, any(person_id) AS promoter_id
        FROM hits
        WHERE user_id != '' AND outcome IN ('sessionized', 'background', 'late')
        GROUP BY site, user_id
    ),
    begun AS
    (
        SELECT
            site, person_id, model, to_stage, time,
            decodeURLComponent(extract(
                cause_url,
                '[?&#](?:ref|code|referral|referral_code|ref_code|invite|invite_code|invitation)=([^&#]+)'
            )) AS code
        FROM transitions
        WHERE kind = 'loop'
    )
SELECT
    b.site AS site,
    if(s.promoter_id != '', s.promoter_id, u.promoter_id) AS promoter_id,
    b.person_id AS friend_id,
    b.model AS model,
    b.to_stage AS friend_stage,
    b.time AS time,
    b.code AS code,
    if(s.promoter_id != '', s.sent_time, NULL) AS sent_time
FROM begun AS b
LEFT ANY JOIN sent AS s ON s.site = b.site AND s.code = b.code
LEFT ANY JOIN users AS u ON u.site = b.site AND u.code = b.code
WHERE promoter_id != friend_id
SETTINGS join_use_nulls = 0;
