-- What live feeds need to go on after a restart, and what they told that is not believed yet.

CREATE TABLE feeds (
    source     text PRIMARY KEY,
    -- the source's own: where its run goes on
    state      jsonb NOT NULL DEFAULT 'null',
    run_began  timestamptz,
    run_left   bigint NOT NULL DEFAULT 0 CHECK (run_left >= 0),
    last_run   timestamptz,
    not_before timestamptz,
    failures   integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    last_fault text,
    -- requests of the quota's day and month, and what the vendor says it allows
    day        date NOT NULL,
    day_used   bigint NOT NULL DEFAULT 0 CHECK (day_used >= 0),
    day_allowed bigint CHECK (day_allowed >= 0),
    month      date NOT NULL,
    month_used bigint NOT NULL DEFAULT 0 CHECK (month_used >= 0),
    month_allowed bigint CHECK (month_allowed >= 0),
    spacing_ms bigint,
    batch      bigint CHECK (batch > 0),
    -- what the last run told: rows read, stored, skipped and refused, with the first of each reason
    report     jsonb NOT NULL DEFAULT '{}'
);

-- When a product was last asked for by number, whether the vendor knew it or not.
CREATE TABLE feed_asked (
    source     text NOT NULL REFERENCES feeds (source) ON DELETE CASCADE,
    product_id text NOT NULL,
    asked_at   timestamptz NOT NULL,
    PRIMARY KEY (source, product_id)
);

-- Prices that differ so much from the last one that a second one has to confirm them. What was confirmed is in
-- price_history, too.
CREATE TABLE price_quarantine (
    series_id     integer NOT NULL REFERENCES price_series (series_id) ON DELETE CASCADE,
    observed_at   timestamptz NOT NULL,
    price         numeric NOT NULL CHECK (price > 0),
    low           numeric CHECK (low > 0),
    mid           numeric CHECK (mid > 0),
    high          numeric CHECK (high > 0),
    shipping      numeric CHECK (shipping >= 0),
    seller_rating numeric,
    seller_sales  bigint,
    -- the price that it was compared with
    expected      numeric NOT NULL,
    known_at      timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL,
    confirmed_at  timestamptz,
    PRIMARY KEY (series_id, observed_at, price)
);
CREATE INDEX ix_price_quarantine_waiting ON price_quarantine (series_id) WHERE confirmed_at IS NULL;

-- Of a day that is long over, the last price of each series is enough. The one other place that takes rows out of
-- price_history; younger history than a month is never touched.
CREATE FUNCTION fold_price_history(since date, before date) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    folded bigint;
BEGIN
    IF before > (now() AT TIME ZONE 'UTC')::date - 30 THEN
        RAISE EXCEPTION 'history younger than 30 days is not folded' USING ERRCODE = 'check_violation';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('public.price_history'));
    DELETE FROM public.price_history AS history
    USING (
        SELECT series_id, observed_at, revision,
               row_number() OVER (PARTITION BY series_id, (observed_at AT TIME ZONE 'UTC')::date ORDER BY observed_at DESC, revision DESC) AS place
        FROM public.price_history
        WHERE observed_at >= since::timestamp AT TIME ZONE 'UTC' AND observed_at < before::timestamp AT TIME ZONE 'UTC'
    ) AS ranked
    WHERE ranked.place > 1
      AND (history.series_id, history.observed_at, history.revision) = (ranked.series_id, ranked.observed_at, ranked.revision)
      AND history.observed_at >= since::timestamp AT TIME ZONE 'UTC' AND history.observed_at < before::timestamp AT TIME ZONE 'UTC';
    GET DIAGNOSTICS folded = ROW_COUNT;
    RETURN folded;
END
$$;
REVOKE ALL ON FUNCTION fold_price_history(date, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fold_price_history(date, date) TO tcg_service;

GRANT SELECT, INSERT, UPDATE ON feeds, feed_asked, price_quarantine TO tcg_service;
