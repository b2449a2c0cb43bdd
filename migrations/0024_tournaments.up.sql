-- Tournaments whose decks are counted: each once.
CREATE TABLE tournaments (
    tournament_id text PRIMARY KEY,
    name          text NOT NULL,
    held_on       date NOT NULL,
    decks         integer NOT NULL CHECK (decks >= 0),
    processed_at  timestamptz NOT NULL
);
GRANT SELECT, INSERT ON tournaments TO tcg_service;
