REVOKE ALL ON users FROM tcg_tenant;
DROP POLICY users_service ON users;
DROP POLICY users_tenant_select ON users;
ALTER TABLE users NO FORCE ROW LEVEL SECURITY;
ALTER TABLE users DISABLE ROW LEVEL SECURITY;

REVOKE ALL ON user_profiles FROM tcg_tenant;
DROP POLICY user_profiles_service ON user_profiles;
DROP POLICY user_profiles_tenant_update ON user_profiles;
DROP POLICY user_profiles_tenant_select ON user_profiles;
ALTER TABLE user_profiles NO FORCE ROW LEVEL SECURITY;
ALTER TABLE user_profiles DISABLE ROW LEVEL SECURITY;

-- A null threshold means something from here upwards only.
UPDATE user_profiles SET
    min_profit_threshold        = COALESCE(min_profit_threshold, 5.00),
    min_headache_score          = COALESCE(round(min_headache_score), 5),
    currency                    = COALESCE(currency, 'USD'),
    forwarder_receiving_fee     = COALESCE(forwarder_receiving_fee, 3.50),
    forwarder_consolidation_fee = COALESCE(forwarder_consolidation_fee, 7.50),
    insurance_rate              = COALESCE(insurance_rate, 0.025),
    use_forwarder               = COALESCE(use_forwarder, false);

ALTER TABLE user_profiles
    DROP COLUMN forwarders,
    DROP COLUMN wants_investment,
    DROP COLUMN vat_registered,
    DROP COLUMN direction,
    DROP COLUMN forex_buffer,
    DROP COLUMN min_score,
    DROP COLUMN min_seller_sales,
    DROP COLUMN min_seller_rating,
    DROP COLUMN condition_floor,
    DROP COLUMN excluded_sets,
    DROP COLUMN seller_platform,
    DROP COLUMN preset,
    ALTER COLUMN use_forwarder SET DEFAULT false,
    ALTER COLUMN insurance_rate SET DEFAULT 0.025,
    ALTER COLUMN forwarder_consolidation_fee SET DEFAULT 7.50,
    ALTER COLUMN forwarder_receiving_fee SET DEFAULT 3.50,
    ALTER COLUMN currency SET DEFAULT 'USD',
    ALTER COLUMN min_headache_score TYPE integer,
    ALTER COLUMN min_headache_score SET DEFAULT 5,
    ALTER COLUMN min_profit_threshold SET DEFAULT 5.00;

DROP INDEX ix_card_metadata_set;
ALTER TABLE card_metadata
    DROP COLUMN supertype,
    DROP COLUMN rarity;
DROP TABLE card_sets;
