DROP FUNCTION fold_price_history(date, date);
DROP TABLE price_quarantine, feed_asked, feeds;
