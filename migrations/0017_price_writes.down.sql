DROP TABLE price_writes;
