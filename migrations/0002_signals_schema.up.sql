-- Signals and their audit. A tenant sees its own signals only, whatever the query says.

-- After a transaction that used SET LOCAL the setting is '' and not null, and ''::uuid is an error: hence NULLIF.
CREATE FUNCTION app_tenant_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NULLIF(current_setting('app.tenant_id', true), '')::uuid;

CREATE TABLE signals (
    id                   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id            uuid NOT NULL,
    card_id              text NOT NULL,
    card_name            text,
    signal_type          text NOT NULL DEFAULT 'arbitrage',
    price_eur            numeric(10, 2),
    price_usd            numeric(10, 2),
    net_profit           numeric(10, 2),
    margin_pct           numeric(6, 2),
    velocity_score       numeric(6, 2),
    velocity_tier        text,
    headache_score       numeric(10, 2),
    headache_tier        text,
    maturity_multiplier  numeric(3, 2),
    condition            text,
    regulation_mark      text,
    rotation_risk        text,
    trend_classification text,
    bundle_tier          text,
    tcgplayer_url        text,
    cardmarket_url       text,
    cascade_count        integer NOT NULL DEFAULT 0,
    acted_on             boolean NOT NULL DEFAULT false,
    expires_at           timestamptz,
    created_at           timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ix_signals_tenant ON signals (tenant_id);
CREATE INDEX ix_signals_tenant_created ON signals (tenant_id, created_at);

CREATE TABLE signal_audit (
    id                  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    signal_id           uuid NOT NULL REFERENCES signals (id) ON DELETE CASCADE,
    source_prices       jsonb NOT NULL,
    fee_calc            jsonb NOT NULL,
    snapshot_data       jsonb NOT NULL,
    calculation_version text NOT NULL DEFAULT 'v1',
    created_at          timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ix_signal_audit_signal ON signal_audit (signal_id);

ALTER TABLE signals ENABLE ROW LEVEL SECURITY;
ALTER TABLE signals FORCE ROW LEVEL SECURITY;
CREATE POLICY signals_tenant_select ON signals FOR SELECT TO tcg_tenant USING (tenant_id = app_tenant_id());
CREATE POLICY signals_tenant_insert ON signals FOR INSERT TO tcg_tenant WITH CHECK (tenant_id = app_tenant_id());
CREATE POLICY signals_tenant_update ON signals FOR UPDATE TO tcg_tenant
    USING (tenant_id = app_tenant_id()) WITH CHECK (tenant_id = app_tenant_id());
CREATE POLICY signals_service ON signals TO tcg_service USING (true) WITH CHECK (true);

-- A tenant tells us that it acted; all else about a signal is the service's to say.
GRANT SELECT, UPDATE (acted_on) ON signals TO tcg_tenant;
GRANT SELECT, INSERT, UPDATE ON signals TO tcg_service;
-- Append-only. No tenant may read it before 0010 gives it a tenant and a policy.
GRANT SELECT, INSERT ON signal_audit TO tcg_service;
