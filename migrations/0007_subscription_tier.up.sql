-- The plan that a tenant pays for.

ALTER TABLE user_profiles
    ADD COLUMN subscription_tier text NOT NULL DEFAULT 'free'
        CONSTRAINT ck_subscription_tier CHECK (subscription_tier IN ('free', 'trader', 'pro', 'shop'));
