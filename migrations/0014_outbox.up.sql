-- What is to be told to whom. Written with what it tells of, in one transaction; sent later, with none open.

CREATE TABLE outbox (
    id                   uuid PRIMARY KEY,
    -- null: the operator's
    tenant_id            uuid REFERENCES users (id) ON DELETE RESTRICT,
    -- null: a digest, a batch, a notice
    signal_id            uuid REFERENCES signals (id) ON DELETE RESTRICT,
    -- more signals that the same message tells of: a basket
    with_signals         uuid[] NOT NULL DEFAULT '{}',
    channel              text NOT NULL CHECK (channel IN ('telegram', 'discord')),
    -- null once its person is erased; nothing is sent then
    chat_id              bigint,
    -- 0 is the first message, each later step changes it
    step                 integer NOT NULL CHECK (step >= 0),
    kind                 text NOT NULL CHECK (kind IN ('send', 'edit')),
    message              jsonb NOT NULL CHECK (jsonb_typeof(message) = 'object'),
    priority             integer NOT NULL,
    deadline             timestamptz NOT NULL,
    not_before           timestamptz NOT NULL,
    state                text NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'leased', 'doubtful', 'sent', 'late', 'parked', 'refused', 'overtaken')),
    attempts             integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- sends whose answer was lost: each may have arrived
    doubts               integer NOT NULL DEFAULT 0 CHECK (doubts >= 0),
    lease_until          timestamptz,
    -- the parts that are known to have arrived, in order
    platform_message_ids bigint[] NOT NULL DEFAULT '{}',
    fault                text,
    created_at           timestamptz NOT NULL,
    settled_at           timestamptz,
    CONSTRAINT uq_outbox_step UNIQUE (signal_id, channel, step),
    CONSTRAINT ck_outbox_kind CHECK ((kind = 'send') = (step = 0)),
    CONSTRAINT ck_outbox_edit CHECK (kind = 'send' OR signal_id IS NOT NULL),
    CONSTRAINT ck_outbox_lease CHECK ((state = 'leased') = (lease_until IS NOT NULL)),
    CONSTRAINT ck_outbox_settled CHECK ((state IN ('waiting', 'leased', 'doubtful')) = (settled_at IS NULL))
);
CREATE INDEX ix_outbox_open ON outbox (channel, not_before) WHERE settled_at IS NULL;
CREATE INDEX ix_outbox_with_signals ON outbox USING gin (with_signals);
CREATE INDEX ix_outbox_tenant ON outbox (tenant_id, created_at);

ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox FORCE ROW LEVEL SECURITY;
CREATE POLICY outbox_tenant_select ON outbox FOR SELECT TO tcg_tenant USING (tenant_id = app_tenant_id());
CREATE POLICY outbox_service ON outbox TO tcg_service USING (true) WITH CHECK (true);
GRANT SELECT ON outbox TO tcg_tenant;
GRANT SELECT, INSERT, UPDATE ON outbox TO tcg_service;

-- Chats that a platform says we may not write to. A word from the chat brings it back to life.
CREATE TABLE dead_chats (
    channel text NOT NULL CHECK (channel IN ('telegram', 'discord')),
    chat_id bigint NOT NULL,
    since   timestamptz NOT NULL,
    fault   text NOT NULL,
    PRIMARY KEY (channel, chat_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON dead_chats TO tcg_service;
