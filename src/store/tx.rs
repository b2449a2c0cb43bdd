//! The two doors to stored rows: a transaction of the service, and a transaction of one tenant.

use std::fmt;

use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use super::StoreError;
use crate::domain::profile::TenantId;

/// A transaction as `tcg_service`. Dropped without a commit, it is rolled back.
pub struct ServiceTx {
    inner: Transaction<'static, Postgres>,
}

impl ServiceTx {
    /// `opening` begins the transaction and sets its role in one round trip.
    pub(super) async fn begin(pool: &PgPool, opening: &'static str) -> Result<Self, StoreError> {
        Ok(Self { inner: pool.begin_with(opening).await? })
    }

    /// Makes the writes last.
    ///
    /// # Errors
    /// The database refuses or is gone; nothing was written then.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.inner.commit().await?)
    }

    /// For the queries of this module's files.
    pub(in crate::store) fn db(&mut self) -> &mut PgConnection {
        &mut self.inner
    }
}

impl fmt::Debug for ServiceTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceTx")
    }
}

/// A transaction as `tcg_tenant` in which row security shows the rows of one tenant. Dropped without a commit, it is
/// rolled back.
pub struct TenantTx {
    inner: Transaction<'static, Postgres>,
    tenant: TenantId,
}

impl TenantTx {
    pub(super) async fn begin(pool: &PgPool, tenant: TenantId) -> Result<Self, StoreError> {
        let mut inner = pool.begin_with("BEGIN; SET LOCAL ROLE tcg_tenant").await?;
        sqlx::query!("SELECT set_config('app.tenant_id', $1, true)", tenant.to_string()).fetch_one(&mut *inner).await?;
        Ok(Self { inner, tenant })
    }

    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Makes the writes last.
    ///
    /// # Errors
    /// The database refuses or is gone; nothing was written then.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.inner.commit().await?)
    }

    /// For the queries of this module's files.
    pub(in crate::store) fn db(&mut self) -> &mut PgConnection {
        &mut self.inner
    }
}

impl fmt::Debug for TenantTx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantTx({})", self.tenant)
    }
}
