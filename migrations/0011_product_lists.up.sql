-- Names behind product numbers, the vendor's own clock of a set, and the move of prices to products that became known late.

CREATE TABLE market_products (
    market       text NOT NULL CHECK (market IN ('cardmarket', 'tcgplayer', 'ebay')),
    product_id   text NOT NULL,
    name         text NOT NULL,
    category     text NOT NULL,
    expansion_id text,
    metacard_id  text,
    last_updated timestamptz NOT NULL,
    PRIMARY KEY (market, product_id)
);
GRANT SELECT, INSERT, UPDATE ON market_products TO tcg_service;
GRANT SELECT ON market_products TO tcg_tenant;

-- Of two descriptions of a set, the one that the vendor changed later holds.
ALTER TABLE card_sets ADD COLUMN vendor_updated_at timestamptz;

-- A feed that prices products may reach us with card ids only. Once the crosswalk names the product, the series belongs
-- to it, or the same observation would stand there twice. This is the one place that takes rows out of price_history:
-- rows whose equal stands under the product already. What differs is kept, as a further revision.
-- Only series of these feeds move, and only where exactly one product of the market is the card.
CREATE FUNCTION rekey_product_series(feeds text[]) RETURNS TABLE (series bigint, dropped bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    -- right after an import the planner's counts are stale, and it would compare every pair of two large sets
    SET enable_nestloop = off SET work_mem = '64MB'
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('public.price_history'));

    CREATE TEMPORARY TABLE rekeyed ON COMMIT DROP AS
    WITH product AS (
        SELECT market, card_id, min(external_id) AS product_id
        FROM public.card_products GROUP BY market, card_id HAVING count(*) = 1
    ), claim AS (
        SELECT old.series_id AS old_id, old.market, product.product_id, known.series_id AS known_id,
               min(old.series_id) OVER (PARTITION BY old.source, old.market, old.currency, product.product_id, old.printing, old.edition,
                   old.language, old.condition_scale, old.condition, old.kind, old.seller_id) AS first_id
        FROM public.price_series AS old
        JOIN product ON product.market = old.market AND product.card_id = old.card_id
        LEFT JOIN public.price_series AS known
            ON known.product_market = old.market AND known.product_id = product.product_id
            AND (known.source, known.currency, known.market, known.printing, known.edition, known.language, known.kind)
              = (old.source, old.currency, old.market, old.printing, old.edition, old.language, old.kind)
            AND known.condition_scale IS NOT DISTINCT FROM old.condition_scale
            AND known.condition IS NOT DISTINCT FROM old.condition
            AND known.seller_id IS NOT DISTINCT FROM old.seller_id
        WHERE old.source = ANY (feeds)
    )
    SELECT old_id, market, product_id, coalesce(known_id, first_id) AS new_id FROM claim;
    ANALYZE rekeyed;
    SELECT count(*) INTO series FROM rekeyed;

    UPDATE public.price_series AS series
    SET card_id = NULL, product_market = rekeyed.market, product_id = rekeyed.product_id
    FROM rekeyed
    WHERE series.series_id = rekeyed.old_id AND rekeyed.old_id = rekeyed.new_id;
    DELETE FROM rekeyed WHERE old_id = new_id;

    CREATE TEMPORARY TABLE moving ON COMMIT DROP AS
    SELECT DISTINCT ON (new_id, observed_at, known_at, price, low, mid, high, shipping, seller_rating, seller_sales)
           new_id, history.*
    FROM public.price_history AS history
    JOIN rekeyed ON rekeyed.old_id = history.series_id
    ORDER BY new_id, observed_at, known_at, price, low, mid, high, shipping, seller_rating, seller_sales, recorded_at;
    ANALYZE moving;
    SELECT count(*) INTO dropped FROM public.price_history AS history JOIN rekeyed ON rekeyed.old_id = history.series_id;

    DELETE FROM moving
    USING public.price_history AS known
    WHERE known.series_id = moving.new_id AND known.observed_at = moving.observed_at
      AND (known.price, known.low, known.mid, known.high, known.shipping, known.seller_rating, known.seller_sales)
          IS NOT DISTINCT FROM
          (moving.price, moving.low, moving.mid, moving.high, moving.shipping, moving.seller_rating, moving.seller_sales);
    SELECT dropped - count(*) INTO dropped FROM moving;

    DELETE FROM public.price_history AS history USING rekeyed WHERE history.series_id = rekeyed.old_id;

    INSERT INTO public.price_history (series_id, observed_at, revision, price, low, mid, high, shipping, seller_rating, seller_sales,
        known_at, recorded_at)
    SELECT new_id, moving.observed_at,
           coalesce((SELECT max(known.revision) + 1 FROM public.price_history AS known
                     WHERE known.series_id = new_id AND known.observed_at = moving.observed_at), 0)
           + row_number() OVER (PARTITION BY new_id, moving.observed_at ORDER BY moving.known_at, moving.series_id, moving.revision) - 1,
           price, low, mid, high, shipping, seller_rating, seller_sales, known_at, recorded_at
    FROM moving;

    DELETE FROM public.price_series AS series USING rekeyed WHERE series.series_id = rekeyed.old_id;
    DROP TABLE moving, rekeyed;
    RETURN NEXT;
END
$$;
REVOKE ALL ON FUNCTION rekey_product_series(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rekey_product_series(text[]) TO tcg_service;
