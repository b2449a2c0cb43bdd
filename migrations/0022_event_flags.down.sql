ALTER TABLE feeds DROP COLUMN express;
DROP TABLE event_flags;
