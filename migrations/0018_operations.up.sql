-- What operating for years needs: which program decided, a digest that tells a damaged record from a wrong one, and
-- indexes for what is asked every few seconds.

-- A pack outlives the program that first ran it, so the pack's row does not say which program decided.
ALTER TABLE scans ADD COLUMN engine_version text;
UPDATE scans SET engine_version = pack.engine_version FROM rule_packs AS pack WHERE pack.hash = scans.pack_hash;
ALTER TABLE scans ALTER COLUMN engine_version SET NOT NULL;

-- Of what was decided and what it rested on, column by column: a column of a later migration does not change it. Times
-- as seconds, which no session's time zone changes.
CREATE FUNCTION decision_digest(d decisions) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN sha256(convert_to(jsonb_build_array(d.decision_id, d.tenant_id, d.opportunity_id, d.scan_id, d.pack_hash, d.verdict, d.reason,
        d.signal_type, d.score, d.net_profit, d.flags, d.facts, extract(epoch FROM d.created_at), d.buy_price, d.sell_price,
        extract(epoch FROM d.buy_observed_at), extract(epoch FROM d.sell_observed_at), d.follows)::text, 'UTF8'));
CREATE FUNCTION signal_audit_digest(a signal_audit) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN sha256(convert_to(jsonb_build_array(a.id, a.signal_id, a.tenant_id, a.source_prices, a.fee_calc, a.snapshot_data,
        a.calculation_version, extract(epoch FROM a.created_at))::text, 'UTF8'));

-- The owner is bound by forced row security and would find no row of before.
ALTER TABLE decisions NO FORCE ROW LEVEL SECURITY;
ALTER TABLE signal_audit NO FORCE ROW LEVEL SECURITY;
ALTER TABLE decisions ADD COLUMN digest bytea;
ALTER TABLE signal_audit ADD COLUMN digest bytea;
UPDATE decisions AS d SET digest = decision_digest(d);
UPDATE signal_audit AS a SET digest = signal_audit_digest(a);
ALTER TABLE decisions ALTER COLUMN digest SET NOT NULL;
ALTER TABLE signal_audit ALTER COLUMN digest SET NOT NULL;
ALTER TABLE decisions FORCE ROW LEVEL SECURITY;
ALTER TABLE signal_audit FORCE ROW LEVEL SECURITY;

-- Once, when the row is written: whoever changes it later leaves the digest behind.
CREATE FUNCTION set_digest() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    IF NEW.digest IS NULL THEN
        IF TG_TABLE_NAME = 'decisions' THEN
            NEW.digest := public.decision_digest(NEW);
        ELSE
            NEW.digest := public.signal_audit_digest(NEW);
        END IF;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER decisions_digest BEFORE INSERT ON decisions FOR EACH ROW EXECUTE FUNCTION set_digest();
CREATE TRIGGER signal_audit_digest BEFORE INSERT ON signal_audit FOR EACH ROW EXECUTE FUNCTION set_digest();

-- Counted whenever somebody asks how delivery stands: few rows of a table that only grows.
CREATE INDEX ix_outbox_trouble ON outbox (channel, state) WHERE state IN ('late', 'parked', 'refused');
CREATE INDEX ix_outbox_doubts ON outbox (channel, doubts) WHERE doubts > 0;
CREATE INDEX ix_signals_created ON signals USING brin (created_at);
CREATE INDEX ix_rule_changes_refused ON rule_changes (changed_at) WHERE fault IS NOT NULL;
