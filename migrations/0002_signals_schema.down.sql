DROP TABLE signal_audit;
DROP TABLE signals;
DROP FUNCTION app_tenant_id();
