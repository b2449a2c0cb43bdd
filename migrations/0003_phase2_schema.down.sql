ALTER TABLE market_prices
    DROP COLUMN seller_id,
    DROP COLUMN seller_rating,
    DROP COLUMN seller_sales,
    DROP COLUMN sales_30d,
    DROP COLUMN active_listings;
DROP TABLE price_history;
