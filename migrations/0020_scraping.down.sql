DROP TABLE listings;
DROP TABLE scrape_pages;
DROP TABLE scrape_wishes;
DROP TABLE scrape_pace;
