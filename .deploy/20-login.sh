#!/bin/sh
# Makes the login of the guide's quick start: no superuser, and without a right of its own until it becomes tcg_owner
# (to migrate), tcg_service or tcg_tenant. Runs once, after 10-roles.sql, when the container creates its database.
set -eu
# an unquoted heredoc would let the shell expand a $ in the password; psql quotes it as a literal itself
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" -v password="$POSTGRES_PASSWORD" <<'SQL'
CREATE ROLE tcgradar LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD :'password';
GRANT tcg_owner, tcg_service, tcg_tenant TO tcgradar;
SQL
