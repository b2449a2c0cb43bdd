DROP TABLE social_counts;
DROP TABLE social_posts;
