-- Append-only price history for trends, and what a concrete listing says about its seller.

CREATE TABLE price_history (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    card_id     text NOT NULL,
    source      text NOT NULL,
    price_usd   numeric(10, 2),
    price_eur   numeric(10, 2),
    recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ix_price_history_card_source_recorded ON price_history (card_id, source, recorded_at);

ALTER TABLE market_prices
    ADD COLUMN seller_id       text,
    ADD COLUMN seller_rating   numeric(5, 2),
    ADD COLUMN seller_sales    integer,
    ADD COLUMN sales_30d       integer,
    ADD COLUMN active_listings integer;

GRANT SELECT, INSERT ON price_history TO tcg_service;
GRANT SELECT ON price_history TO tcg_tenant;
