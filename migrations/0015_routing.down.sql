-- The owner is bound by forced row security and would find no scan's decisions nor any signal: lifted for this transaction.
ALTER TABLE signals NO FORCE ROW LEVEL SECURITY;
ALTER TABLE decisions NO FORCE ROW LEVEL SECURITY;

-- The older schema has no word for a decision made between two scans: it was a look at what is on offer.
UPDATE scans SET kind = 'review' WHERE kind = 'hand_over';
ALTER TABLE scans DROP CONSTRAINT scans_kind_check, ADD CONSTRAINT scans_kind_check CHECK (kind IN ('scan', 'review'));

DROP TABLE hidden_cards;
DROP TABLE wrong_cards;
DROP TABLE tenant_rotation;
DROP TABLE routings;

DROP INDEX ix_signals_live;
DROP INDEX uq_signals_short_id;
DROP INDEX uq_signals_once;
DROP INDEX uq_signals_holder;
-- The old columns are too narrow for some true figures.
UPDATE signals SET velocity_score = LEAST(velocity_score, 9999.99) WHERE velocity_score > 9999.99;
UPDATE signals SET maturity_multiplier = LEAST(maturity_multiplier, 9.99) WHERE maturity_multiplier > 9.99;
ALTER TABLE signals
    DROP CONSTRAINT ck_signal_held,
    DROP CONSTRAINT ck_signal_offered,
    DROP COLUMN end_reason,
    DROP COLUMN ended_at,
    DROP COLUMN delivered_at,
    DROP COLUMN told_net_profit,
    DROP COLUMN window_seconds,
    DROP COLUMN short_id,
    DROP COLUMN state,
    DROP COLUMN kind,
    DROP COLUMN decision_id,
    DROP COLUMN opportunity_id,
    ALTER COLUMN maturity_multiplier TYPE numeric(3, 2),
    ALTER COLUMN velocity_score TYPE numeric(6, 2);
ALTER TABLE decisions FORCE ROW LEVEL SECURITY;
ALTER TABLE signals FORCE ROW LEVEL SECURITY;

REVOKE DELETE ON user_profiles FROM tcg_service;
ALTER TABLE users DROP COLUMN erased_at;
ALTER TABLE user_profiles
    DROP CONSTRAINT ck_quiet_hours,
    DROP COLUMN paused_at,
    DROP COLUMN time_zone,
    DROP COLUMN quiet_until,
    DROP COLUMN quiet_from,
    DROP COLUMN daily_batch_at;
