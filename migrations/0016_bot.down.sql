DROP TABLE bot_updates;
DROP TABLE vain_starts;
DROP TABLE invitations;
ALTER TABLE user_profiles DROP COLUMN telegram_user_id;
