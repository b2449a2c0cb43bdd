DROP INDEX ix_rule_changes_refused, ix_signals_created, ix_outbox_doubts, ix_outbox_trouble;
DROP TRIGGER signal_audit_digest ON signal_audit;
DROP TRIGGER decisions_digest ON decisions;
DROP FUNCTION set_digest();
DROP FUNCTION signal_audit_digest(signal_audit);
DROP FUNCTION decision_digest(decisions);
ALTER TABLE signal_audit DROP COLUMN digest;
ALTER TABLE decisions DROP COLUMN digest;
ALTER TABLE scans DROP COLUMN engine_version;
