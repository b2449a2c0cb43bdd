DROP FUNCTION rekey_product_series(text[]);
ALTER TABLE card_sets DROP COLUMN vendor_updated_at;
DROP TABLE market_products;
