DROP TABLE user_profiles;
DROP TABLE card_metadata;
DROP TABLE market_prices;
