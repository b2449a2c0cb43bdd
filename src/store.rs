//! The database: two doors, one for the service and one for a tenant, and behind them a pool that nobody else sees.

use std::{fmt, path::Path, time::Duration};

use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::config;

pub mod audit;
pub mod backup;
pub mod book;
pub mod bot;
pub mod catalogue;
pub mod channels;
mod current_prices;
pub mod dead_chats;
pub mod embedded;
mod error;
pub mod event_flags;
pub mod feeds;
pub mod history;
mod job;
pub mod ledger;
pub mod listings;
mod migrate;
pub mod opportunities;
pub mod outbox;
pub mod pages;
pub mod prices;
pub mod quarantine;
pub mod rates;
pub mod rotation;
pub mod routings;
pub mod rule_status;
pub mod scans;
pub mod server;
pub mod signals;
pub mod talk;
pub mod told;
pub mod tournaments;
mod tx;
pub mod users;
pub mod vitals;
pub mod wishes;
pub mod writes;
mod written;

pub use self::{
    error::StoreError,
    job::JobLock,
    migrate::{Migration, MigrationState},
    server::Server,
    tx::{ServiceTx, TenantTx},
    written::Written,
};

/// Told about slow steps: installing, creating the cluster, starting it.
pub type Tell<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// The way to the stored data. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: PgPool,
}

impl Store {
    /// Finds or starts the server and checks the schema. The embedded database is ours alone, so it is migrated on the
    /// way; a database named by `DATABASE_URL` is changed by `db migrate` only.
    ///
    /// # Errors
    /// No server can be reached or started, or its schema is not this program's.
    pub async fn open(database: &config::Database, home: &Path, tell: Tell<'_>) -> Result<Self, StoreError> {
        let server = Server::find(database, home, tell).await?;
        if server.is_embedded() {
            server.migrate(None, tell).await?;
        }
        Self::connect(&server).await
    }

    /// Connects to a server whose schema must be current.
    ///
    /// # Errors
    /// The server cannot be reached, or migrations are missing or unknown.
    pub async fn connect(server: &Server) -> Result<Self, StoreError> {
        let pending = server.migrations().await?.iter().filter(|migration| migration.state == MigrationState::Pending).count();
        if pending > 0 {
            return Err(StoreError::Behind(pending));
        }
        let pool = PgPoolOptions::new()
            .max_connections(12)
            .acquire_timeout(Duration::from_secs(20))
            .connect_with(server.service_options().clone())
            .await
            .map_err(StoreError::from)?;
        Ok(Self { pool })
    }

    /// A transaction of ingestion, scanning or routing: sees every tenant, may not rewrite history.
    ///
    /// # Errors
    /// No connection, or the login role is not granted `tcg_service`.
    pub async fn service(&self) -> Result<ServiceTx, StoreError> {
        ServiceTx::begin(&self.pool, "BEGIN; SET LOCAL ROLE tcg_service").await
    }

    /// As [`Store::service`], for bulk writes that can be repeated: the commit does not wait for the disk. A crash of the
    /// server may lose the last half second, never corrupt.
    ///
    /// # Errors
    /// As [`Store::service`].
    pub async fn service_bulk(&self) -> Result<ServiceTx, StoreError> {
        ServiceTx::begin(&self.pool, "BEGIN; SET LOCAL ROLE tcg_service; SET LOCAL synchronous_commit = off").await
    }

    /// A transaction that sees the rows of one tenant and no other.
    ///
    /// # Errors
    /// No connection, or the login role is not granted `tcg_tenant`.
    pub async fn tenant(&self, tenant: crate::domain::profile::TenantId) -> Result<TenantTx, StoreError> {
        TenantTx::begin(&self.pool, tenant).await
    }

    /// Row security binds neither a superuser nor a role that bypasses it nor, unless forced, the tables' owner.
    ///
    /// # Errors
    /// The login role is one of these, or the database does not answer.
    pub async fn refuse_unsafe_role(&self) -> Result<(), StoreError> {
        // `USAGE`, not `MEMBER`: the one role of a single-role installation may become the owner to migrate, but is not it
        let row = sqlx::query!(
            r#"SELECT rolname AS "role!", rolsuper AS "superuser!", rolbypassrls AS "bypasses!",
                      EXISTS (SELECT FROM pg_class
                              WHERE relrowsecurity AND relnamespace = 'public'::regnamespace
                                AND pg_has_role(session_user, relowner, 'USAGE')) AS "owner!"
               FROM pg_roles WHERE rolname = session_user"#
        )
        .fetch_one(&self.pool)
        .await?;
        let fault = match (row.superuser, row.bypasses, row.owner) {
            (true, ..) => "is a superuser",
            (_, true, _) => "bypasses row security",
            (.., true) => "owns the tenants' tables",
            _ => return Ok(()),
        };
        Err(StoreError::UnsafeRole { role: row.role, fault })
    }

    /// Waits until open transactions have ended, then closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// The pool would print how it connects.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

/// One connection outside the pool, for set-up and migrations.
async fn connect_once(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    let options = options.clone().disable_statement_logging();
    let attempt = PgConnection::connect_with(&options);
    match tokio::time::timeout(Duration::from_secs(20), attempt).await {
        Ok(outcome) => outcome.map_err(StoreError::from),
        Err(_) => Err(StoreError::Unreachable(sqlx::Error::PoolTimedOut)),
    }
}
