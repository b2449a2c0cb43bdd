-- What was decided, by which rules, from which facts. Everything here is kept for ever.

CREATE TABLE rule_packs (
    hash           text PRIMARY KEY,
    files          jsonb NOT NULL CHECK (jsonb_typeof(files) = 'object'),
    engine_version text NOT NULL,
    first_live_at  timestamptz NOT NULL
);

CREATE TABLE scans (
    scan_id     uuid PRIMARY KEY,
    as_of       timestamptz NOT NULL,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,
    pack_hash   text NOT NULL REFERENCES rule_packs (hash),
    shift       text,
    summary     jsonb
);

-- The card's side of a deal: the same for every tenant.
CREATE TABLE opportunities (
    opportunity_id   uuid PRIMARY KEY,
    scan_id          uuid NOT NULL REFERENCES scans (scan_id),
    card_id          text NOT NULL,
    card_name        text,
    printing         text NOT NULL CHECK (printing IN ('normal', 'holofoil', 'reverse_holofoil', 'plain')),
    edition          text NOT NULL CHECK (edition IN ('standard', 'first', 'unlimited')),
    language         text NOT NULL CHECK (language IN ('en', 'ja', 'de', 'fr', 'it', 'es', 'pt', 'ko', 'zh')),
    direction        text NOT NULL CHECK (direction IN ('eu_us', 'us_eu')),
    buy_market       text NOT NULL CHECK (buy_market IN ('cardmarket', 'tcgplayer', 'ebay')),
    sell_market      text NOT NULL CHECK (sell_market IN ('cardmarket', 'tcgplayer', 'ebay')),
    buy_price        numeric NOT NULL CHECK (buy_price > 0),
    sell_price       numeric NOT NULL CHECK (sell_price > 0),
    buy_source       text NOT NULL,
    sell_source      text NOT NULL,
    buy_observed_at  timestamptz NOT NULL,
    sell_observed_at timestamptz NOT NULL,
    seller_id        text,
    condition        text CHECK (condition IN ('MT', 'NM', 'EXC', 'GD', 'LP', 'MP', 'PL', 'HP', 'PO', 'DMG')),
    route            jsonb NOT NULL,
    created_at       timestamptz NOT NULL
);
CREATE INDEX ix_opportunities_scan ON opportunities (scan_id);
CREATE INDEX ix_opportunities_card ON opportunities (card_id, created_at);

-- One tenant's answer to it.
CREATE TABLE decisions (
    decision_id    uuid PRIMARY KEY,
    tenant_id      uuid NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    opportunity_id uuid NOT NULL REFERENCES opportunities (opportunity_id),
    scan_id        uuid NOT NULL REFERENCES scans (scan_id),
    pack_hash      text NOT NULL REFERENCES rule_packs (hash),
    verdict        text NOT NULL CHECK (verdict IN ('signal', 'near_miss', 'rejected')),
    reason         text,
    signal_type    text,
    score          numeric,
    net_profit     numeric,
    flags          text[] NOT NULL DEFAULT '{}',
    facts          jsonb NOT NULL,
    created_at     timestamptz NOT NULL,
    CONSTRAINT ck_decision_reason CHECK ((verdict = 'signal') = (reason IS NULL))
);
CREATE INDEX ix_decisions_tenant ON decisions (tenant_id, created_at);
CREATE INDEX ix_decisions_scan ON decisions (scan_id);
CREATE INDEX ix_decisions_opportunity ON decisions (opportunity_id);

-- How many cards fell to which reason: the full rows of rejections would be billions.
CREATE TABLE scan_reasons (
    scan_id   uuid NOT NULL REFERENCES scans (scan_id),
    tenant_id uuid NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    direction text NOT NULL CHECK (direction IN ('eu_us', 'us_eu')),
    reason    text NOT NULL,
    count     bigint NOT NULL CHECK (count >= 0),
    PRIMARY KEY (scan_id, tenant_id, direction, reason)
);

-- The owner is bound by forced row security and would find neither the tenants of old audits nor the rows that the new
-- foreign keys are checked against. It is lifted for the length of this transaction.
ALTER TABLE signals NO FORCE ROW LEVEL SECURITY;
ALTER TABLE users NO FORCE ROW LEVEL SECURITY;

-- The guide's audit had no tenant: whoever could read the table could read everybody's.
ALTER TABLE signal_audit ADD COLUMN tenant_id uuid REFERENCES users (id) ON DELETE RESTRICT;
UPDATE signal_audit SET tenant_id = signals.tenant_id FROM signals WHERE signals.id = signal_audit.signal_id;
ALTER TABLE signal_audit ALTER COLUMN tenant_id SET NOT NULL;
CREATE INDEX ix_signal_audit_tenant ON signal_audit (tenant_id, created_at);

-- An audit is kept for ever: users are deactivated, not deleted.
ALTER TABLE signals
    DROP CONSTRAINT fk_signals_tenant,
    ADD CONSTRAINT fk_signals_tenant FOREIGN KEY (tenant_id) REFERENCES users (id) ON DELETE RESTRICT;
ALTER TABLE signal_audit
    DROP CONSTRAINT signal_audit_signal_id_fkey,
    ADD CONSTRAINT signal_audit_signal_id_fkey FOREIGN KEY (signal_id) REFERENCES signals (id) ON DELETE RESTRICT;
-- A margin above 9,999.99 % is real: proceeds of one cent are enough.
ALTER TABLE signals ALTER COLUMN margin_pct TYPE numeric(14, 2);

ALTER TABLE users FORCE ROW LEVEL SECURITY;
ALTER TABLE signals FORCE ROW LEVEL SECURITY;

ALTER TABLE signal_audit ENABLE ROW LEVEL SECURITY;
ALTER TABLE signal_audit FORCE ROW LEVEL SECURITY;
CREATE POLICY signal_audit_tenant_select ON signal_audit FOR SELECT TO tcg_tenant USING (tenant_id = app_tenant_id());
CREATE POLICY signal_audit_service ON signal_audit TO tcg_service USING (true) WITH CHECK (true);

ALTER TABLE decisions ENABLE ROW LEVEL SECURITY;
ALTER TABLE decisions FORCE ROW LEVEL SECURITY;
CREATE POLICY decisions_tenant_select ON decisions FOR SELECT TO tcg_tenant USING (tenant_id = app_tenant_id());
CREATE POLICY decisions_service ON decisions TO tcg_service USING (true) WITH CHECK (true);

ALTER TABLE scan_reasons ENABLE ROW LEVEL SECURITY;
ALTER TABLE scan_reasons FORCE ROW LEVEL SECURITY;
CREATE POLICY scan_reasons_tenant_select ON scan_reasons FOR SELECT TO tcg_tenant USING (tenant_id = app_tenant_id());
CREATE POLICY scan_reasons_service ON scan_reasons TO tcg_service USING (true) WITH CHECK (true);

GRANT SELECT ON signal_audit, decisions, scan_reasons TO tcg_tenant;
GRANT SELECT, INSERT ON rule_packs, opportunities, decisions, scan_reasons TO tcg_service;
GRANT SELECT, INSERT, UPDATE (finished_at, summary) ON scans TO tcg_service;
