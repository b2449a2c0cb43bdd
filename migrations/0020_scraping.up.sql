-- Pages that are loaded in a browser: how often they may be, which are wanted, and what they told.

-- Read and written before a load: a load that was killed has been counted.
CREATE TABLE scrape_pace (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- the loads of the last hour
    loads       timestamptz[] NOT NULL DEFAULT '{}',
    not_before  timestamptz,
    challenges  integer NOT NULL DEFAULT 0 CHECK (challenges >= 0),
    -- somebody is there who loads pages: until then it is worth waiting for one
    awake_until timestamptz
);
GRANT SELECT, INSERT, UPDATE ON scrape_pace TO tcg_service;

CREATE TABLE scrape_wishes (
    wish_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    card_id    text NOT NULL,
    -- what wishes it: stale:<scan>, seller:<name>, an event
    event      text NOT NULL,
    -- what a deal with the card is expected to bring
    expected   numeric,
    wished_at  timestamptz NOT NULL,
    -- what is newly on offer of the card goes to nobody before
    hold_until timestamptz,
    expires_at timestamptz NOT NULL,
    done_at    timestamptz
);
CREATE UNIQUE INDEX uq_scrape_wishes_open ON scrape_wishes (card_id, event) WHERE done_at IS NULL;
CREATE INDEX ix_scrape_wishes_held ON scrape_wishes (card_id, hold_until) WHERE done_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON scrape_wishes TO tcg_service;

-- Every load, and how it ended: the method that won, or why there was none.
CREATE TABLE scrape_pages (
    page_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    card_id   text NOT NULL,
    event     text NOT NULL,
    loaded_at timestamptz NOT NULL,
    ended_at  timestamptz,
    outcome   text CHECK (outcome IN ('interception', 'selectors', 'vision', 'empty', 'wrong_product', 'blocked', 'rate_limited', 'timed_out',
        'unreadable', 'hostile', 'failed')),
    offers    integer NOT NULL DEFAULT 0 CHECK (offers >= 0),
    CONSTRAINT ck_scrape_page_ended CHECK ((ended_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX ix_scrape_pages_card ON scrape_pages (card_id, loaded_at);
CREATE INDEX ix_scrape_pages_event ON scrape_pages (event);
GRANT SELECT, INSERT, UPDATE ON scrape_pages TO tcg_service;

-- What sellers offer, as it was last seen. Its past is in price_history, which the rules read.
CREATE TABLE listings (
    listing_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    market        text NOT NULL CHECK (market IN ('cardmarket', 'tcgplayer', 'ebay')),
    card_id       text NOT NULL,
    product_id    text NOT NULL,
    source        text NOT NULL,
    seller_id     text NOT NULL,
    condition     text CHECK (condition IN ('MT', 'NM', 'EXC', 'GD', 'LP', 'MP', 'PL', 'HP', 'PO', 'DMG')),
    printing      text NOT NULL CHECK (printing IN ('normal', 'holofoil', 'reverse_holofoil', 'plain')),
    edition       text NOT NULL CHECK (edition IN ('standard', 'first', 'unlimited')),
    language      text NOT NULL CHECK (language IN ('en', 'ja', 'de', 'fr', 'it', 'es', 'pt', 'ko', 'zh')),
    price         numeric NOT NULL CHECK (price > 0),
    shipping      numeric CHECK (shipping >= 0),
    seller_rating numeric CHECK (seller_rating BETWEEN 0 AND 100),
    seller_sales  bigint CHECK (seller_sales >= 0),
    first_seen_at timestamptz NOT NULL,
    seen_at       timestamptz NOT NULL,
    gone_at       timestamptz,
    CONSTRAINT uq_listings UNIQUE NULLS NOT DISTINCT (market, card_id, product_id, source, seller_id, condition, printing, edition, language)
);
CREATE INDEX ix_listings_card ON listings (card_id) WHERE gone_at IS NULL;
CREATE INDEX ix_listings_seller ON listings (market, seller_id) WHERE gone_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON listings TO tcg_service;
