-- What moves a card beyond its prices, for as long as it does. A flag that is ended early expires then: what was decided
-- while it lived can still be explained.

CREATE TABLE event_flags (
    flag_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    card_id    text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('TOURNAMENT', 'SYNERGY', 'SOCIAL_SPIKE', 'ROTATION', 'BAN', 'REPRINT_RUMOUR')),
    -- who says so: operator, social, limitless:<tournament>
    source     text NOT NULL,
    strength   numeric CHECK (strength > 0),
    note       text,
    started_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at >= started_at)
);
CREATE INDEX ix_event_flags_expires ON event_flags (expires_at);
CREATE INDEX ix_event_flags_card ON event_flags (card_id, kind, source);
GRANT SELECT, INSERT, UPDATE ON event_flags TO tcg_service;

-- The run under way asks for flagged cards only, and is not the feed's turn.
ALTER TABLE feeds ADD COLUMN express boolean NOT NULL DEFAULT false;
