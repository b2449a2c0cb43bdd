DROP TABLE synergy_cooccurrence;
