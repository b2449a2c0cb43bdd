ALTER TABLE user_profiles DROP COLUMN subscription_tier;
