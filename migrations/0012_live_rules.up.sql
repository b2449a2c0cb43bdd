-- What holds now: the rules that the service goes by and what is on offer, and every change of both.

-- One row: what the running service goes by, for the processes beside it. The presets are kept like the pack, so that a
-- start with broken files has something to go by.
CREATE TABLE rule_status (
    only_row         boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    pack_hash        text NOT NULL REFERENCES rule_packs (hash),
    presets          jsonb NOT NULL CHECK (jsonb_typeof(presets) = 'object'),
    customs_variable text,
    customs_regime   text,
    from_files       boolean NOT NULL,
    live_since       timestamptz NOT NULL,
    looked_at        timestamptz NOT NULL,
    fault            jsonb,
    fault_since      timestamptz,
    CONSTRAINT ck_status_fault CHECK ((fault IS NULL) = (fault_since IS NULL))
);

-- Every swap and every refusal, kept for ever.
CREATE TABLE rule_changes (
    change_id   uuid PRIMARY KEY,
    changed_at  timestamptz NOT NULL,
    from_pack   text REFERENCES rule_packs (hash),
    to_pack     text REFERENCES rule_packs (hash),
    from_regime text,
    to_regime   text,
    fault       jsonb,
    CONSTRAINT ck_change_outcome CHECK ((to_pack IS NULL) = (fault IS NOT NULL))
);
CREATE INDEX ix_rule_changes_at ON rule_changes (changed_at);

-- A review decides again, under new rules, what is on offer; it looks at no new price.
ALTER TABLE scans
    ADD COLUMN kind           text NOT NULL DEFAULT 'scan' CHECK (kind IN ('scan', 'review')),
    ADD COLUMN customs_regime text;

-- An opportunity that somebody gets is live until nobody does; one that nearly was one has no state. The same route found
-- again is the same opportunity, at new prices if they moved. Withdrawn is the end: what comes back is a new one.
ALTER TABLE opportunities
    ADD COLUMN route_key        text,
    ADD COLUMN state            text CHECK (state IN ('live', 'withdrawn')),
    ADD COLUMN state_reason     text,
    ADD COLUMN state_since      timestamptz,
    ADD COLUMN confirmed_pack   text REFERENCES rule_packs (hash),
    ADD COLUMN confirmed_regime text,
    ADD CONSTRAINT ck_opportunity_state CHECK (
        (state IS NULL) = (state_since IS NULL) AND (state_reason IS NOT NULL) = (state IS NOT DISTINCT FROM 'withdrawn')),
    ADD CONSTRAINT ck_opportunity_live CHECK (state IS DISTINCT FROM 'live' OR (route_key IS NOT NULL AND confirmed_pack IS NOT NULL));
CREATE UNIQUE INDEX uq_opportunities_live ON opportunities (route_key) WHERE state = 'live';
GRANT UPDATE (buy_price, sell_price, buy_observed_at, sell_observed_at, condition, state, state_reason, state_since, confirmed_pack,
    confirmed_regime) ON opportunities TO tcg_service;

CREATE TABLE opportunity_changes (
    change_id       uuid PRIMARY KEY,
    opportunity_id  uuid NOT NULL REFERENCES opportunities (opportunity_id),
    scan_id         uuid NOT NULL REFERENCES scans (scan_id),
    changed_at      timestamptz NOT NULL,
    change          text NOT NULL CHECK (change IN ('offered', 'repriced', 'withdrawn')),
    reason          text,
    from_pack       text REFERENCES rule_packs (hash),
    to_pack         text NOT NULL REFERENCES rule_packs (hash),
    from_regime     text,
    to_regime       text,
    from_buy_price  numeric,
    to_buy_price    numeric NOT NULL,
    from_sell_price numeric,
    to_sell_price   numeric NOT NULL,
    tenants_before  integer NOT NULL CHECK (tenants_before >= 0),
    tenants_after   integer NOT NULL CHECK (tenants_after >= 0),
    CONSTRAINT ck_change_withdrawn CHECK ((change = 'withdrawn') = (reason IS NOT NULL))
);
CREATE INDEX ix_opportunity_changes_opportunity ON opportunity_changes (opportunity_id, changed_at);
CREATE INDEX ix_opportunity_changes_scan ON opportunity_changes (scan_id);

-- A decision says on which prices it was made, as those of its opportunity move on, and which decision for the same
-- tenant it takes the place of. Forced row security would hide every row from the owner: lifted for this transaction.
ALTER TABLE decisions NO FORCE ROW LEVEL SECURITY;
ALTER TABLE decisions
    ADD COLUMN follows          uuid REFERENCES decisions (decision_id),
    ADD COLUMN buy_price        numeric CHECK (buy_price > 0),
    ADD COLUMN sell_price       numeric CHECK (sell_price > 0),
    ADD COLUMN buy_observed_at  timestamptz,
    ADD COLUMN sell_observed_at timestamptz;
UPDATE decisions SET buy_price = o.buy_price, sell_price = o.sell_price, buy_observed_at = o.buy_observed_at,
    sell_observed_at = o.sell_observed_at FROM opportunities AS o WHERE o.opportunity_id = decisions.opportunity_id;
ALTER TABLE decisions
    ALTER COLUMN buy_price SET NOT NULL,
    ALTER COLUMN sell_price SET NOT NULL,
    ALTER COLUMN buy_observed_at SET NOT NULL,
    ALTER COLUMN sell_observed_at SET NOT NULL;
ALTER TABLE decisions FORCE ROW LEVEL SECURITY;
DROP INDEX ix_decisions_opportunity;
CREATE INDEX ix_decisions_opportunity ON decisions (opportunity_id, tenant_id);
CREATE UNIQUE INDEX uq_decisions_follows ON decisions (follows) WHERE follows IS NOT NULL;

GRANT SELECT, INSERT ON rule_changes, opportunity_changes TO tcg_service;
GRANT SELECT, INSERT, UPDATE ON rule_status TO tcg_service;
