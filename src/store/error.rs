//! What can go wrong with the database, and whether trying again helps.

use std::path::PathBuf;

use super::embedded::EmbeddedError;

/// A fault of the database or of what is stored in it. No variant carries a connection string.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot reach the database: {0}: start it, or correct DATABASE_URL")]
    Unreachable(#[source] sqlx::Error),

    #[error("DATABASE_URL is not a PostgreSQL address: expected postgresql://user:password@host:port/database")]
    BadAddress,

    #[error(transparent)]
    Embedded(#[from] EmbeddedError),

    #[error("the database refused: {0}")]
    Query(#[source] sqlx::Error),

    #[error(
        "migration {version} ({name}) was changed after it had been applied: restore migrations/{version:04}_*, and put the change into a new migration"
    )]
    MigrationChanged { version: i64, name: String },

    #[error("the database has migration {0}, which this program does not know: run the newer program, or roll back with it")]
    MigrationUnknown(i64),

    #[error("migration {version} ({name}) failed and was undone: {source}")]
    MigrationFailed { version: i64, name: String, source: sqlx::Error },

    #[error("there is no migration {0}: `tcg-radar db status` lists them")]
    NoSuchMigration(i64),

    #[error("the database lacks {0} migrations: run `tcg-radar db migrate`")]
    Behind(usize),

    #[error(
        "the database role \"{role}\" may not create the roles tcg_owner, tcg_service and tcg_tenant, and they are missing or not granted to it: \
         run src/store/roles.sql as an administrator in this database, then `GRANT tcg_owner, tcg_service, tcg_tenant TO \"{role}\"`"
    )]
    RolesMissing { role: String },

    #[error(
        "refusing to serve as the database role \"{role}\": it {fault}, so row security would not hold; use a plain role that is granted tcg_service and tcg_tenant"
    )]
    UnsafeRole { role: String, fault: &'static str },

    #[error("only the embedded server makes databases anew")]
    NotEmbedded,

    #[error("the telegram chat {0} already belongs to a tenant: `tcg-radar user show {0}`")]
    DuplicateChat(i64),

    #[error("{table} holds a value that this program does not know: {fault}")]
    BadRow { table: &'static str, fault: String },

    #[error("cannot {doing} {}: {source}", path.display())]
    File { doing: &'static str, path: PathBuf, source: std::io::Error },
}

impl StoreError {
    /// Whether the same call may succeed later without anyone changing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Embedded(error) => error.is_retryable(),
            Self::Query(error) | Self::MigrationFailed { source: error, .. } => is_transient(error),
            _ => false,
        }
    }

    /// Whether the database could not be reached at all.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Embedded(_))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if is_connection_fault(&error) { Self::Unreachable(error) } else { Self::Query(error) }
    }
}

fn is_connection_fault(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
        // 57P01..57P03: shut down, crashed, still starting; 08: connection; 28: wrong password; 3D000: no such database
        sqlx::Error::Database(fault) => {
            fault.code().is_some_and(|code| code.starts_with("57P0") || code.starts_with("08") || code.starts_with("28") || code == "3D000")
        }
        _ => false,
    }
}

/// Serialization failures and deadlocks are retried; so is whatever cut the connection.
fn is_transient(error: &sqlx::Error) -> bool {
    is_connection_fault(error)
        || error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .is_some_and(|code| code == "40001" || code == "40P01" || code == "55P03")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_is_worth_a_retry_and_a_changed_migration_is_not() {
        assert!(StoreError::from(sqlx::Error::PoolTimedOut).is_retryable());
        assert!(!StoreError::from(sqlx::Error::RowNotFound).is_retryable());
        assert!(!StoreError::MigrationChanged { version: 3, name: "phase2 schema".into() }.is_retryable());
    }
}
