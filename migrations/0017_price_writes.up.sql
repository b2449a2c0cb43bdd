-- What was written of prices and of what they hang on, in the order of the commits: who keeps a book in memory reads on
-- from the last write that is in it, whichever process wrote.

CREATE TABLE price_writes (
    write_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recorded_at timestamptz NOT NULL,
    -- series with a new row
    series      integer[] NOT NULL DEFAULT '{}',
    -- sales or offers were counted
    counts      boolean NOT NULL DEFAULT false,
    -- cards or their products were told, or history was taken away: nothing less than all has to be read again
    everything  boolean NOT NULL DEFAULT false
);

GRANT SELECT, INSERT, DELETE ON price_writes TO tcg_service;
