//! Makes two processes that overlap in a deployment take turns, job by job. The lock ends with its connection, so a
//! killed process holds nobody up.

use std::fmt;

use sqlx::{Connection, PgConnection};

use super::{Store, StoreError};

/// Held as long as it lives and its connection does.
pub struct JobLock {
    connection: PgConnection,
}

impl Store {
    /// The lock of a job, or none where another process holds it.
    ///
    /// # Errors
    /// No connection.
    pub async fn job(&self, name: &str) -> Result<Option<JobLock>, StoreError> {
        // outside the pool: it is held while a vendor is waited for, and others want to write meanwhile
        let mut connection = self.pool.acquire().await?.detach();
        let locked = sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock(hashtext('tcg-radar job'), hashtext($1)) AS "locked!""#, name)
            .fetch_one(&mut connection)
            .await?;
        Ok(locked.then_some(JobLock { connection }))
    }
}

impl JobLock {
    /// Says so where the lock was lost with its connection: another process may have it by now.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn hold(&mut self) -> Result<(), StoreError> {
        Ok(self.connection.ping().await?)
    }

    /// Lets the next one have it, and closes the connection properly.
    pub async fn release(self) {
        // the server lets go of the lock whatever becomes of this farewell
        let _ = self.connection.close().await;
    }
}

impl fmt::Debug for JobLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JobLock")
    }
}
