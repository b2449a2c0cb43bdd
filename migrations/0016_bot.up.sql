-- Who may speak to the bot, and how somebody becomes one who may.

-- In a group only this person speaks for the tenant.
ALTER TABLE user_profiles ADD COLUMN telegram_user_id bigint;

-- A code is kept as its hash and good once.
CREATE TABLE invitations (
    code_hash  bytea PRIMARY KEY CHECK (length(code_hash) = 32),
    tenant_id  uuid NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX ix_invitations_tenant ON invitations (tenant_id);
ALTER TABLE invitations ENABLE ROW LEVEL SECURITY;
ALTER TABLE invitations FORCE ROW LEVEL SECURITY;
CREATE POLICY invitations_tenant_select ON invitations FOR SELECT TO tcg_tenant USING (tenant_id = app_tenant_id());
CREATE POLICY invitations_service ON invitations TO tcg_service USING (true) WITH CHECK (true);
GRANT SELECT ON invitations TO tcg_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON invitations TO tcg_service;

-- Codes that were tried in vain.
CREATE TABLE vain_starts (
    user_id bigint NOT NULL,
    at      timestamptz NOT NULL
);
CREATE INDEX ix_vain_starts_at ON vain_starts (at);
GRANT SELECT, INSERT, DELETE ON vain_starts TO tcg_service;

-- The first update that was not answered yet. It moves on with what the answer did.
CREATE TABLE bot_updates (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    next_update bigint NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON bot_updates TO tcg_service;
