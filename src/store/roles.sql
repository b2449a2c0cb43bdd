-- The three group roles, before the first migration. Run by whoever may create roles: the embedded server's superuser,
-- the container's init script, or an administrator by hand. Safe to run again, and by several at once: roles belong to the
-- whole cluster, so two databases that are set up together race here.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['tcg_owner', 'tcg_service', 'tcg_tenant'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS', wanted);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END
$$;
-- tcg_owner   owns the tables and migrates them
-- tcg_service ingests, scans, routes
-- tcg_tenant  reads and edits one tenant's rows
GRANT USAGE, CREATE ON SCHEMA public TO tcg_owner;
GRANT USAGE ON SCHEMA public TO tcg_service, tcg_tenant;
