ALTER TABLE user_profiles DROP CONSTRAINT fk_user_profiles_user;
ALTER TABLE signals DROP CONSTRAINT fk_signals_tenant;
DROP TABLE users;
