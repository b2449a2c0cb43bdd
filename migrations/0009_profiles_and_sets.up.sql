-- Sets, the rest of a card's description, and every setting that a tenant may override.

CREATE TABLE card_sets (
    set_code      text PRIMARY KEY,
    name          text NOT NULL,
    series        text,
    ptcgo_code    text,
    release_date  date,
    printed_total integer CHECK (printed_total >= 0),
    total         integer CHECK (total >= 0),
    last_updated  timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE card_metadata
    ADD COLUMN rarity    text,
    ADD COLUMN supertype text;
CREATE INDEX ix_card_metadata_set ON card_metadata (set_code);

-- Null means "not overridden": the preset decides, then the DEFAULT_* variable, then the rules. A column default would
-- look like the tenant's own choice and hide all three, so the guide's defaults go. Rows that were written under them
-- keep their values: that is what these tenants were promised.
ALTER TABLE user_profiles
    ALTER COLUMN min_profit_threshold DROP DEFAULT,
    ALTER COLUMN min_headache_score DROP DEFAULT,
    ALTER COLUMN min_headache_score TYPE numeric(10, 2),
    ALTER COLUMN currency DROP DEFAULT,
    ALTER COLUMN forwarder_receiving_fee DROP DEFAULT,
    ALTER COLUMN forwarder_consolidation_fee DROP DEFAULT,
    ALTER COLUMN insurance_rate DROP DEFAULT,
    ALTER COLUMN use_forwarder DROP DEFAULT,
    ADD COLUMN preset            text,
    ADD COLUMN seller_platform   text CHECK (seller_platform IN ('cardmarket', 'tcgplayer', 'ebay')),
    ADD COLUMN excluded_sets     text[],
    ADD COLUMN condition_floor   text CHECK (condition_floor IN ('MT', 'NM', 'EXC', 'GD', 'LP', 'MP', 'PL', 'HP', 'PO', 'DMG')),
    ADD COLUMN min_seller_rating numeric(5, 2) CHECK (min_seller_rating BETWEEN 0 AND 100),
    ADD COLUMN min_seller_sales  bigint CHECK (min_seller_sales >= 0),
    ADD COLUMN min_score         numeric(10, 2),
    ADD COLUMN forex_buffer      numeric(5, 4) CHECK (forex_buffer >= 0 AND forex_buffer < 1),
    ADD COLUMN direction         text CHECK (direction IN ('eu_us', 'us_eu', 'both')),
    ADD COLUMN vat_registered    boolean,
    ADD COLUMN wants_investment  boolean,
    ADD COLUMN forwarders        jsonb CHECK (jsonb_typeof(forwarders) = 'object');

-- A tenant sees and edits itself, and no one else. What it pays for and where its messages go is the service's to set.
ALTER TABLE user_profiles ENABLE ROW LEVEL SECURITY;
ALTER TABLE user_profiles FORCE ROW LEVEL SECURITY;
CREATE POLICY user_profiles_tenant_select ON user_profiles FOR SELECT TO tcg_tenant USING (id = app_tenant_id());
CREATE POLICY user_profiles_tenant_update ON user_profiles FOR UPDATE TO tcg_tenant
    USING (id = app_tenant_id()) WITH CHECK (id = app_tenant_id());
CREATE POLICY user_profiles_service ON user_profiles TO tcg_service USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE (country, seller_level, preferred_platforms, min_profit_threshold, min_headache_score, card_categories, currency,
    import_duty_rate, forwarder_receiving_fee, forwarder_consolidation_fee, insurance_rate, use_forwarder, preset, seller_platform,
    excluded_sets, condition_floor, min_seller_rating, min_seller_sales, min_score, forex_buffer, direction, vat_registered,
    wants_investment, forwarders) ON user_profiles TO tcg_tenant;

ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
CREATE POLICY users_tenant_select ON users FOR SELECT TO tcg_tenant USING (id = app_tenant_id());
CREATE POLICY users_service ON users TO tcg_service USING (true) WITH CHECK (true);
GRANT SELECT ON users TO tcg_tenant;

GRANT SELECT, INSERT, UPDATE ON card_sets TO tcg_service;
GRANT SELECT ON card_sets TO tcg_tenant;
