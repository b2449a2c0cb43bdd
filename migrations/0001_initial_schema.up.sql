-- Current prices, card metadata and tenant profiles.
-- The three roles exist before the first migration: src/store/roles.sql.

CREATE TABLE market_prices (
    card_id      text NOT NULL,
    source       text NOT NULL,
    price_usd    numeric(10, 2),
    price_eur    numeric(10, 2),
    condition    text,
    last_updated timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (card_id, source)
);
CREATE INDEX ix_market_prices_card_source ON market_prices (card_id, source);

CREATE TABLE card_metadata (
    card_id            text PRIMARY KEY,
    name               text NOT NULL,
    set_code           text NOT NULL,
    set_name           text,
    card_number        text,
    regulation_mark    text,
    set_release_date   date,
    legality_standard  text,
    legality_expanded  text,
    tcgplayer_url      text,
    cardmarket_url     text,
    image_url          text,
    last_updated       timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE user_profiles (
    id                          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    telegram_chat_id            bigint UNIQUE,
    country                     text NOT NULL,
    seller_level                text,
    preferred_platforms         text[],
    min_profit_threshold        numeric(10, 2) DEFAULT 5.00,
    min_headache_score          integer DEFAULT 5,
    card_categories             text[],
    currency                    text DEFAULT 'USD',
    import_duty_rate            numeric(5, 4),
    forwarder_receiving_fee     numeric(10, 2) DEFAULT 3.50,
    forwarder_consolidation_fee numeric(10, 2) DEFAULT 7.50,
    insurance_rate              numeric(5, 4) DEFAULT 0.025,
    use_forwarder               boolean DEFAULT false,
    created_at                  timestamptz NOT NULL DEFAULT now()
);

GRANT SELECT, INSERT, UPDATE ON market_prices, card_metadata, user_profiles TO tcg_service;
GRANT SELECT ON market_prices, card_metadata TO tcg_tenant;
