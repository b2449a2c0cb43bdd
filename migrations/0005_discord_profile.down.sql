ALTER TABLE user_profiles DROP COLUMN discord_channel_id;
