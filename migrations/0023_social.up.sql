-- What people wrote of cards. The text is gone as soon as it is known which cards it names.

CREATE TABLE social_posts (
    platform  text NOT NULL CHECK (platform IN ('reddit', 'x', 'discord')),
    post_id   text NOT NULL,
    -- a hash; nothing where the platform does not tell
    author    text,
    posted_at timestamptz NOT NULL,
    seen_at   timestamptz NOT NULL,
    text      text,
    names     text[],
    PRIMARY KEY (platform, post_id),
    CONSTRAINT ck_social_posts_read CHECK ((text IS NULL) <> (names IS NULL))
);
CREATE INDEX ix_social_posts_unread ON social_posts (posted_at) WHERE names IS NULL;
CREATE INDEX ix_social_posts_posted ON social_posts (posted_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON social_posts TO tcg_service;

-- How often cards were written of, where a platform counts by itself.
CREATE TABLE social_counts (
    platform  text NOT NULL CHECK (platform IN ('reddit', 'x', 'discord')),
    name      text NOT NULL,
    at        timestamptz NOT NULL,
    frequency integer NOT NULL CHECK (frequency >= 0),
    baseline  numeric CHECK (baseline >= 0),
    is_read   boolean NOT NULL DEFAULT false,
    PRIMARY KEY (platform, name, at)
);
CREATE INDEX ix_social_counts_unread ON social_counts (at) WHERE NOT is_read;
GRANT SELECT, INSERT, UPDATE, DELETE ON social_counts TO tcg_service;
