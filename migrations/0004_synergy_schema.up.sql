-- How often two cards stand in one tournament deck.

CREATE TABLE synergy_cooccurrence (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    card_a       text NOT NULL,
    card_b       text NOT NULL,
    count        integer NOT NULL DEFAULT 0,
    last_updated timestamptz NOT NULL DEFAULT now(),
    UNIQUE (card_a, card_b)
);
CREATE INDEX ix_synergy_card_a ON synergy_cooccurrence (card_a);
CREATE INDEX ix_synergy_card_b ON synergy_cooccurrence (card_b);

GRANT SELECT, INSERT, UPDATE ON synergy_cooccurrence TO tcg_service;
GRANT SELECT ON synergy_cooccurrence TO tcg_tenant;
