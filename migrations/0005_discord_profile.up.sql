-- A tenant opts in to Discord by naming a channel.

ALTER TABLE user_profiles ADD COLUMN discord_channel_id bigint;
