-- Who a tenant is. A profile extends its user one to one.

CREATE TABLE users (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email      text UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    is_active  boolean NOT NULL DEFAULT true
);

-- Profiles and signals that are older than this table need their user first. The owner is bound by the forced row
-- security of signals too and would see no row, so it is lifted for the length of this transaction.
ALTER TABLE signals NO FORCE ROW LEVEL SECURITY;
INSERT INTO users (id) SELECT id FROM user_profiles UNION SELECT tenant_id FROM signals;
ALTER TABLE signals FORCE ROW LEVEL SECURITY;

ALTER TABLE signals
    ADD CONSTRAINT fk_signals_tenant FOREIGN KEY (tenant_id) REFERENCES users (id) ON DELETE CASCADE;
ALTER TABLE user_profiles
    ADD CONSTRAINT fk_user_profiles_user FOREIGN KEY (id) REFERENCES users (id) ON DELETE CASCADE;

GRANT SELECT, INSERT, UPDATE ON users TO tcg_service;
