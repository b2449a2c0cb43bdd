-- Price storage: one row of price_series for each thing that is priced, and its observations by month.

-- Which card a marketplace's product is. Two cards may claim one product: that is a fault of the data, which the rules
-- have to see, so the key does not forbid it.
CREATE TABLE card_products (
    market      text NOT NULL CHECK (market IN ('cardmarket', 'tcgplayer', 'ebay')),
    external_id text NOT NULL,
    card_id     text NOT NULL,
    method      text NOT NULL,
    source      text NOT NULL,
    PRIMARY KEY (market, external_id, card_id)
);
CREATE INDEX ix_card_products_card ON card_products (card_id);

CREATE TABLE price_series (
    series_id       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source          text NOT NULL,
    market          text NOT NULL CHECK (market IN ('cardmarket', 'tcgplayer', 'ebay')),
    currency        text NOT NULL CHECK (currency IN ('EUR', 'USD', 'GBP')),
    card_id         text,
    product_market  text CHECK (product_market IN ('cardmarket', 'tcgplayer', 'ebay')),
    product_id      text,
    printing        text NOT NULL CHECK (printing IN ('normal', 'holofoil', 'reverse_holofoil', 'plain')),
    edition         text NOT NULL CHECK (edition IN ('standard', 'first', 'unlimited')),
    language        text NOT NULL CHECK (language IN ('en', 'ja', 'de', 'fr', 'it', 'es', 'pt', 'ko', 'zh')),
    condition_scale text CHECK (condition_scale IN ('cardmarket', 'tcgplayer')),
    condition       text CHECK (condition IN ('MT', 'NM', 'EXC', 'GD', 'LP', 'MP', 'PL', 'HP', 'PO', 'DMG')),
    kind            text NOT NULL CHECK (kind IN ('market', 'trend', 'page', 'listing')),
    seller_id       text,
    CONSTRAINT ck_series_subject CHECK ((card_id IS NULL) <> (product_id IS NULL)),
    CONSTRAINT ck_series_product CHECK ((product_market IS NULL) = (product_id IS NULL)),
    CONSTRAINT ck_series_condition CHECK ((condition_scale IS NULL) = (condition IS NULL)),
    CONSTRAINT ck_series_seller CHECK (seller_id IS NULL OR kind = 'listing'),
    CONSTRAINT uq_series UNIQUE NULLS NOT DISTINCT (card_id, product_id, product_market, source, market, currency, printing, edition,
        language, condition_scale, condition, kind, seller_id)
);
CREATE INDEX ix_series_product ON price_series (product_market, product_id) WHERE product_id IS NOT NULL;

ALTER TABLE price_history RENAME TO price_history_guide;
ALTER INDEX price_history_pkey RENAME TO price_history_guide_pkey;

-- Append-only: a changed observation is a new revision. observed_at is the source's clock, known_at when we could first
-- have known, recorded_at our write. No foreign key: no role may delete a series, and a check for each row would be paid
-- by every import of millions.
CREATE TABLE price_history (
    series_id     integer NOT NULL,
    observed_at   timestamptz NOT NULL,
    revision      smallint NOT NULL DEFAULT 0 CHECK (revision >= 0),
    price         numeric CHECK (price > 0),
    low           numeric CHECK (low > 0),
    mid           numeric CHECK (mid > 0),
    high          numeric CHECK (high > 0),
    shipping      numeric CHECK (shipping >= 0),
    seller_rating numeric CHECK (seller_rating BETWEEN 0 AND 100),
    seller_sales  bigint CHECK (seller_sales >= 0),
    known_at      timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (series_id, observed_at, revision)
) PARTITION BY RANGE (observed_at);

-- Creates the partition of a month (UTC) where it is missing. Attaching takes a lock that lets others go on writing,
-- which CREATE TABLE … PARTITION OF does not; the advisory lock makes two first writers of a month take turns.
CREATE FUNCTION ensure_price_partition(month date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    first_day      date := date_trunc('month', month::timestamp)::date;
    next_day       date := (date_trunc('month', month::timestamp) + interval '1 month')::date;
    partition_name name := 'price_history_' || to_char(first_day, 'YYYY_MM');
BEGIN
    IF first_day IS NULL OR first_day < date '1996-01-01' OR first_day > date '2100-01-01' THEN
        RAISE EXCEPTION 'no price is of %: expected a date from 1996 to 2100', month USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF EXISTS (SELECT FROM pg_class WHERE relname = partition_name AND relnamespace = 'public'::regnamespace) THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('public.ensure_price_partition'));
    -- asked of the table and not of to_regclass, which would repeat from its cache what it found before the wait
    IF EXISTS (SELECT FROM pg_class WHERE relname = partition_name AND relnamespace = 'public'::regnamespace) THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE public.%I (LIKE public.price_history INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition_name);
    EXECUTE format('ALTER TABLE public.price_history ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
        partition_name, first_day::text || ' 00:00:00+00', next_day::text || ' 00:00:00+00');
END
$$;
REVOKE ALL ON FUNCTION ensure_price_partition(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_price_partition(date) TO tcg_service;

CREATE TABLE activity_history (
    card_id         text,
    product_market  text CHECK (product_market IN ('cardmarket', 'tcgplayer', 'ebay')),
    product_id      text,
    source          text NOT NULL,
    market          text NOT NULL CHECK (market IN ('cardmarket', 'tcgplayer', 'ebay')),
    printing        text NOT NULL CHECK (printing IN ('normal', 'holofoil', 'reverse_holofoil', 'plain')),
    edition         text NOT NULL CHECK (edition IN ('standard', 'first', 'unlimited')),
    language        text NOT NULL CHECK (language IN ('en', 'ja', 'de', 'fr', 'it', 'es', 'pt', 'ko', 'zh')),
    sales_30d       bigint CHECK (sales_30d >= 0),
    active_listings bigint CHECK (active_listings >= 0),
    observed_at     timestamptz NOT NULL,
    known_at        timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT ck_activity_subject CHECK ((card_id IS NULL) <> (product_id IS NULL)),
    CONSTRAINT ck_activity_product CHECK ((product_market IS NULL) = (product_id IS NULL)),
    CONSTRAINT uq_activity UNIQUE NULLS NOT DISTINCT (card_id, product_market, product_id, source, market, printing, edition, language,
        observed_at)
);

CREATE TABLE exchange_rates (
    date          date NOT NULL,
    currency      text NOT NULL,
    units_per_eur numeric NOT NULL CHECK (units_per_eur > 0),
    source        text NOT NULL,
    known_at      timestamptz NOT NULL,
    PRIMARY KEY (date, currency, source)
);

-- The guide's rows do not say which printing they price, nor what kind of price it is: 'plain' and 'page' mean just that.
-- A row with both prices becomes two observations of one revision, a row with none an observation without a price.
CREATE TEMPORARY TABLE carried ON COMMIT DROP AS
SELECT source,
       CASE WHEN currency = 'EUR' THEN 'cardmarket' WHEN source = 'ebay' THEN 'ebay' ELSE 'tcgplayer' END AS market,
       currency, card_id, recorded_at,
       CASE WHEN price > 0 THEN price END AS price,
       revision
FROM (SELECT *, row_number() OVER (PARTITION BY card_id, source, recorded_at ORDER BY id) - 1 AS revision FROM price_history_guide) AS guide
CROSS JOIN LATERAL (VALUES ('USD', price_usd), ('EUR', price_eur)) AS side (currency, price)
WHERE price IS NOT NULL OR (currency = 'USD' AND price_eur IS NULL);

INSERT INTO price_series (source, market, currency, card_id, printing, edition, language, kind)
SELECT DISTINCT source, market, currency, card_id, 'plain', 'standard', 'en', 'page' FROM carried;

SELECT ensure_price_partition(month)
FROM (SELECT DISTINCT date_trunc('month', recorded_at AT TIME ZONE 'UTC')::date AS month FROM carried) AS months;

INSERT INTO price_history (series_id, observed_at, revision, price, known_at, recorded_at)
SELECT series_id, recorded_at, revision, price, recorded_at, recorded_at
FROM carried
JOIN price_series USING (source, market, currency, card_id);

DROP TABLE price_history_guide;

-- The crosswalk is corrected by hand; everything else here only grows.
GRANT SELECT, INSERT, UPDATE, DELETE ON card_products TO tcg_service;
GRANT SELECT, INSERT ON price_series, price_history, activity_history, exchange_rates TO tcg_service;
GRANT SELECT ON card_products, price_series, price_history, activity_history, exchange_rates TO tcg_tenant;
