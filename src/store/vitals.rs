//! How the whole service stands, as somebody watches it every few seconds: one transaction, indexes only.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    ServiceTx, Store, StoreError,
    channels::{self, Depth},
    feeds::{self, Watched},
    migrate,
};

/// Signals are counted over this time: over all of it they would be too many.
const LATELY: TimeDelta = TimeDelta::days(1);

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Vitals {
    pub rules: Option<Rules>,
    /// The newest scan of the market, of either scope.
    pub scan: Option<LastScan>,
    pub feeds: Vec<Watched>,
    pub channels: Vec<Depth>,
    /// Signals of the last day, by state.
    pub signals: Vec<(String, i64)>,
    /// What is on offer now.
    pub opportunities: i64,
}

/// What the service goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    pub pack_hash: String,
    pub customs_regime: Option<String>,
    pub live_since: DateTime<Utc>,
    pub looked_at: DateTime<Utc>,
    /// Why the files of this moment are not live is in `rules status`; this is since when.
    pub refused_since: Option<DateTime<Utc>>,
    /// The last refusal ever.
    pub last_refused: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastScan {
    pub finished_at: DateTime<Utc>,
    pub took: TimeDelta,
}

/// Reads all of it.
///
/// # Errors
/// The database refuses or is gone.
pub async fn read(tx: &mut ServiceTx, now: DateTime<Utc>) -> Result<Vitals, StoreError> {
    let scan = sqlx::query!(
        r#"SELECT started_at, finished_at AS "finished_at!" FROM scans WHERE kind = 'scan' AND finished_at IS NOT NULL
        ORDER BY scan_id DESC LIMIT 1"#
    )
    .fetch_optional(tx.db())
    .await?;
    let signals = sqlx::query!(r#"SELECT state, count(*) AS "count!" FROM signals WHERE created_at > $1 GROUP BY state"#, now - LATELY)
        .fetch_all(tx.db())
        .await?;
    let opportunities = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM opportunities WHERE state = 'live'"#);
    Ok(Vitals {
        rules: rules(tx).await?,
        scan: scan.map(|scan| LastScan { finished_at: scan.finished_at, took: scan.finished_at - scan.started_at }),
        feeds: feeds::watched(tx).await?,
        channels: channels::depths(tx).await?,
        signals: signals.into_iter().map(|row| (row.state, row.count)).collect(),
        opportunities: opportunities.fetch_one(tx.db()).await?,
    })
}

/// What the service goes by; `None` where none ever ran on this database.
///
/// # Errors
/// The database refuses or is gone.
pub async fn rules(tx: &mut ServiceTx) -> Result<Option<Rules>, StoreError> {
    Ok(sqlx::query_as!(
        Rules,
        "SELECT pack_hash, customs_regime, live_since, looked_at, fault_since AS refused_since,
            (SELECT max(changed_at) FROM rule_changes WHERE fault IS NOT NULL) AS last_refused
        FROM rule_status"
    )
    .fetch_optional(tx.db())
    .await?)
}

/// What has to be so before anybody is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Soundness {
    /// The server's version, 150018 for 15.18.
    pub version: i32,
    /// The server's clock, just now.
    pub clock: DateTime<Utc>,
    /// Tables with tenants' rows that row security does not bind everybody in.
    pub open_tables: Vec<String>,
    /// The guide's indexes that are not there.
    pub missing_indexes: Vec<String>,
    pub active_tenants: i64,
}

/// # Errors
/// The database refuses or is gone.
pub async fn soundness(tx: &mut ServiceTx) -> Result<Soundness, StoreError> {
    Ok(sqlx::query_as!(
        Soundness,
        r#"SELECT current_setting('server_version_num')::integer AS "version!", clock_timestamp() AS "clock!",
            ARRAY(SELECT c.relname::text FROM pg_class AS c
                  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                      AND (c.relname IN ('users', 'user_profiles')
                           OR EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'tenant_id' AND NOT attisdropped))
                      AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid))
                  ORDER BY 1) AS "open_tables!",
            ARRAY(SELECT wanted.told FROM (VALUES ('market_prices(card_id, source)', 'market_prices', '(card_id, source'),
                      ('signals(tenant_id, created_at)', 'signals', '(tenant_id, created_at'), ('signal_audit(signal_id)', 'signal_audit', '(signal_id'))
                      AS wanted (told, tab, cols)
                  WHERE NOT EXISTS (SELECT FROM pg_indexes WHERE schemaname = 'public' AND tablename = wanted.tab
                      AND position(wanted.cols IN indexdef) > 0)) AS "missing_indexes!",
            (SELECT count(*) FROM users WHERE is_active) AS "active_tenants!""#
    )
    .fetch_one(tx.db())
    .await?)
}

impl Store {
    /// Open and idle connections, and how many there may be.
    pub fn connections(&self) -> Connections {
        Connections { open: self.pool.size(), idle: self.pool.num_idle(), most: self.pool.options().get_max_connections() }
    }

    /// How many migrations of this program the database lacks.
    ///
    /// # Errors
    /// The database does not answer, or holds a migration that this program does not know.
    pub async fn behind(&self) -> Result<usize, StoreError> {
        let mut tx = self.service().await?;
        Ok(migrate::list(tx.db()).await?.iter().filter(|migration| migration.state == migrate::MigrationState::Pending).count())
    }
}

/// The pool of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    pub open: u32,
    pub idle: usize,
    pub most: u32,
}
