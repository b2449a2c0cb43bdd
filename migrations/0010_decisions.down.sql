-- The owner is bound by forced row security: see the way up.
ALTER TABLE signals NO FORCE ROW LEVEL SECURITY;
ALTER TABLE users NO FORCE ROW LEVEL SECURITY;

-- The old column is too narrow for some true margins.
UPDATE signals SET margin_pct = GREATEST(LEAST(margin_pct, 9999.99), -9999.99) WHERE abs(margin_pct) > 9999.99;
ALTER TABLE signals
    ALTER COLUMN margin_pct TYPE numeric(6, 2),
    DROP CONSTRAINT fk_signals_tenant,
    ADD CONSTRAINT fk_signals_tenant FOREIGN KEY (tenant_id) REFERENCES users (id) ON DELETE CASCADE;

REVOKE ALL ON signal_audit FROM tcg_tenant;
DROP POLICY signal_audit_service ON signal_audit;
DROP POLICY signal_audit_tenant_select ON signal_audit;
ALTER TABLE signal_audit NO FORCE ROW LEVEL SECURITY;
ALTER TABLE signal_audit DISABLE ROW LEVEL SECURITY;
ALTER TABLE signal_audit
    DROP COLUMN tenant_id,
    DROP CONSTRAINT signal_audit_signal_id_fkey,
    ADD CONSTRAINT signal_audit_signal_id_fkey FOREIGN KEY (signal_id) REFERENCES signals (id) ON DELETE CASCADE;

ALTER TABLE users FORCE ROW LEVEL SECURITY;
ALTER TABLE signals FORCE ROW LEVEL SECURITY;

DROP TABLE scan_reasons;
DROP TABLE decisions;
DROP TABLE opportunities;
DROP TABLE scans;
DROP TABLE rule_packs;
