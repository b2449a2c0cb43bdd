-- Back to the guide's shape. What it cannot hold is lost: products that no card is known for, printings, spreads.

ALTER TABLE price_history RENAME TO price_history_series;
ALTER INDEX price_history_pkey RENAME TO price_history_series_pkey;

CREATE TABLE price_history (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    card_id     text NOT NULL,
    source      text NOT NULL,
    price_usd   numeric(10, 2),
    price_eur   numeric(10, 2),
    recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ix_price_history_card_source_recorded ON price_history (card_id, source, recorded_at);

-- The two currencies of one printing and revision are one row, as they were before the way up.
CREATE TEMPORARY TABLE carried ON COMMIT DROP AS
SELECT card_id, source, currency, observed_at, printing, edition, language, revision, price,
       row_number() OVER (PARTITION BY card_id, source, currency, observed_at, printing, edition, language, revision ORDER BY series_id) AS place
FROM price_history_series
JOIN price_series USING (series_id)
WHERE card_id IS NOT NULL AND currency IN ('EUR', 'USD');

INSERT INTO price_history (card_id, source, price_usd, price_eur, recorded_at)
SELECT card_id, source, usd.price, eur.price, observed_at
FROM (SELECT * FROM carried WHERE currency = 'USD') AS usd
FULL JOIN (SELECT * FROM carried WHERE currency = 'EUR') AS eur
    USING (card_id, source, observed_at, printing, edition, language, revision, place);

GRANT SELECT, INSERT ON price_history TO tcg_service;
GRANT SELECT ON price_history TO tcg_tenant;

DROP TABLE exchange_rates;
DROP TABLE activity_history;
DROP FUNCTION ensure_price_partition(date);
DROP TABLE price_history_series;
DROP TABLE price_series;
DROP TABLE card_products;
