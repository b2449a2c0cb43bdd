-- Who holds what is on offer, until when, and who is asked next.

-- When a tenant wants to hear of something, and when not. Null leaves it to the preset, then to the plan.
ALTER TABLE user_profiles
    ADD COLUMN daily_batch_at time,
    ADD COLUMN quiet_from     time,
    ADD COLUMN quiet_until    time,
    ADD COLUMN time_zone      text,
    ADD COLUMN paused_at      timestamptz,
    ADD CONSTRAINT ck_quiet_hours CHECK ((quiet_from IS NULL) = (quiet_until IS NULL));
GRANT UPDATE (daily_batch_at, quiet_from, quiet_until, time_zone, paused_at) ON user_profiles TO tcg_tenant;

-- Erasing a person takes the profile away whole; the user stays as a pseudonym, for the audits to refer to.
ALTER TABLE users ADD COLUMN erased_at timestamptz;
GRANT DELETE ON user_profiles TO tcg_service;

-- A signal is one tenant's holding of an opportunity. Rows of before this step were never offered to anybody.
ALTER TABLE signals
    ADD COLUMN opportunity_id uuid REFERENCES opportunities (opportunity_id),
    ADD COLUMN decision_id    uuid REFERENCES decisions (decision_id),
    ADD COLUMN kind           text NOT NULL DEFAULT 'exclusive' CHECK (kind IN ('exclusive', 'batch', 'digest')),
    ADD COLUMN state          text NOT NULL DEFAULT 'expired' CHECK (
        state IN ('sending', 'held', 'acted', 'passed', 'wrong_card', 'expired', 'undeliverable', 'withdrawn', 'listed')),
    ADD COLUMN short_id       text,
    ADD COLUMN window_seconds integer CHECK (window_seconds > 0),
    -- the net profit that the tenant was last told of aloud: small steps add up
    ADD COLUMN told_net_profit numeric,
    ADD COLUMN delivered_at   timestamptz,
    ADD COLUMN ended_at       timestamptz,
    ADD COLUMN end_reason     text,
    ADD CONSTRAINT ck_signal_offered CHECK (
        opportunity_id IS NULL OR (decision_id IS NOT NULL AND short_id IS NOT NULL AND window_seconds IS NOT NULL)),
    ADD CONSTRAINT ck_signal_held CHECK (state <> 'held' OR (delivered_at IS NOT NULL AND expires_at IS NOT NULL)),
    ALTER COLUMN velocity_score TYPE numeric(14, 2),
    ALTER COLUMN maturity_multiplier TYPE numeric(14, 2);
-- One opportunity, one holder, whatever the program does. Who acted keeps it.
CREATE UNIQUE INDEX uq_signals_holder ON signals (opportunity_id) WHERE kind = 'exclusive' AND state IN ('sending', 'held', 'acted');
CREATE UNIQUE INDEX uq_signals_once ON signals (opportunity_id, tenant_id) WHERE opportunity_id IS NOT NULL;
CREATE UNIQUE INDEX uq_signals_short_id ON signals (tenant_id, short_id) WHERE short_id IS NOT NULL;
CREATE INDEX ix_signals_live ON signals (tenant_id) WHERE state IN ('sending', 'held');

-- Where an opportunity is on its way from one to the next.
CREATE TABLE routings (
    opportunity_id uuid PRIMARY KEY REFERENCES opportunities (opportunity_id),
    state          text NOT NULL CHECK (state IN ('open', 'held', 'released', 'taken', 'withdrawn')),
    hand_overs     integer NOT NULL DEFAULT 0 CHECK (hand_overs >= 0),
    due_at         timestamptz,
    changed_at     timestamptz NOT NULL,
    CONSTRAINT ck_routing_due CHECK (state <> 'open' OR due_at IS NOT NULL)
);
CREATE INDEX ix_routings_due ON routings (due_at) WHERE state IN ('open', 'held');
GRANT SELECT, INSERT, UPDATE ON routings TO tcg_service;

-- A tenant's place in the rotation. Only the service may move it.
CREATE TABLE tenant_rotation (
    tenant_id     uuid PRIMARY KEY REFERENCES users (id) ON DELETE RESTRICT,
    priority      numeric(5, 2) NOT NULL CHECK (priority BETWEEN 0 AND 100),
    given_on      date,
    given_today   integer NOT NULL DEFAULT 0 CHECK (given_today >= 0),
    last_given_at timestamptz,
    batched_at    timestamptz NOT NULL,
    digested_at   timestamptz NOT NULL
);
ALTER TABLE tenant_rotation ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant_rotation FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rotation_tenant_select ON tenant_rotation FOR SELECT TO tcg_tenant USING (tenant_id = app_tenant_id());
CREATE POLICY tenant_rotation_service ON tenant_rotation TO tcg_service USING (true) WITH CHECK (true);
GRANT SELECT ON tenant_rotation TO tcg_tenant;
GRANT SELECT, INSERT, UPDATE ON tenant_rotation TO tcg_service;

-- A tenant says that a card is not what the signal claims: hidden from it at once, from all when enough of them say so.
CREATE TABLE wrong_cards (
    tenant_id uuid NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    card_id   text NOT NULL,
    signal_id uuid NOT NULL REFERENCES signals (id) ON DELETE RESTRICT,
    said_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, card_id)
);
ALTER TABLE wrong_cards ENABLE ROW LEVEL SECURITY;
ALTER TABLE wrong_cards FORCE ROW LEVEL SECURITY;
CREATE POLICY wrong_cards_tenant_select ON wrong_cards FOR SELECT TO tcg_tenant USING (tenant_id = app_tenant_id());
CREATE POLICY wrong_cards_service ON wrong_cards TO tcg_service USING (true) WITH CHECK (true);
GRANT SELECT ON wrong_cards TO tcg_tenant;
GRANT SELECT, INSERT, DELETE ON wrong_cards TO tcg_service;
CREATE INDEX ix_wrong_cards_card ON wrong_cards (card_id);

CREATE TABLE hidden_cards (
    card_id   text PRIMARY KEY,
    said_by   text NOT NULL CHECK (said_by IN ('operator', 'tenants')),
    hidden_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, DELETE ON hidden_cards TO tcg_service;

-- Before an opportunity goes to the next one it is decided once more.
ALTER TABLE scans DROP CONSTRAINT scans_kind_check, ADD CONSTRAINT scans_kind_check CHECK (kind IN ('scan', 'review', 'hand_over'));
