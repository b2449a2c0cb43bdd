DROP INDEX ix_decisions_opportunity;
CREATE INDEX ix_decisions_opportunity ON decisions (opportunity_id);
ALTER TABLE decisions
    DROP COLUMN follows,
    DROP COLUMN buy_price,
    DROP COLUMN sell_price,
    DROP COLUMN buy_observed_at,
    DROP COLUMN sell_observed_at;
DROP TABLE opportunity_changes;
REVOKE UPDATE (buy_price, sell_price, buy_observed_at, sell_observed_at, condition, state, state_reason, state_since, confirmed_pack,
    confirmed_regime) ON opportunities FROM tcg_service;
ALTER TABLE opportunities
    DROP COLUMN route_key,
    DROP COLUMN state,
    DROP COLUMN state_reason,
    DROP COLUMN state_since,
    DROP COLUMN confirmed_pack,
    DROP COLUMN confirmed_regime;
ALTER TABLE scans
    DROP COLUMN kind,
    DROP COLUMN customs_regime;
DROP TABLE rule_changes;
DROP TABLE rule_status;
