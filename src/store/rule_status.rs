//! What the running service goes by, told to the processes beside it and kept for the next start; and every change of it.

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{ServiceTx, StoreError};

/// What the service goes by.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleStatus {
    pub pack_hash: String,
    /// `CUSTOMS_REGIME`.
    pub customs_variable: Option<String>,
    /// The regime in force.
    pub customs_regime: Option<String>,
    /// It is what the files say; else the last good one of an earlier run.
    pub from_files: bool,
    pub live_since: DateTime<Utc>,
    /// When the service last looked at the files.
    pub looked_at: DateTime<Utc>,
    /// Why the files of this moment are not what it goes by, and since when.
    pub fault: Option<(Json, DateTime<Utc>)>,
}

/// What a start with broken files goes by.
#[derive(Debug, Clone, PartialEq)]
pub struct LastGood {
    pub pack_hash: String,
    /// Text by path.
    pub pack_files: Json,
    /// Text by file name.
    pub presets: Json,
    pub customs_variable: Option<String>,
}

/// A swap, or a refusal.
#[derive(Debug, Clone, Copy)]
pub struct RuleChange<'a> {
    pub at: DateTime<Utc>,
    pub from_pack: Option<&'a str>,
    /// `None` for a refusal.
    pub to_pack: Option<&'a str>,
    pub from_regime: Option<&'a str>,
    pub to_regime: Option<&'a str>,
    pub fault: Option<&'a Json>,
}

/// The status; `None` where no service ever ran on this database.
///
/// # Errors
/// The database refuses or is gone.
pub async fn load(tx: &mut ServiceTx) -> Result<Option<RuleStatus>, StoreError> {
    let row = sqlx::query!(
        "SELECT pack_hash, customs_variable, customs_regime, from_files, live_since, looked_at, fault, fault_since FROM rule_status"
    )
    .fetch_optional(tx.db())
    .await?;
    Ok(row.map(|row| RuleStatus {
        pack_hash: row.pack_hash,
        customs_variable: row.customs_variable,
        customs_regime: row.customs_regime,
        from_files: row.from_files,
        live_since: row.live_since,
        looked_at: row.looked_at,
        fault: row.fault.zip(row.fault_since),
    }))
}

/// The last good pack and presets.
///
/// # Errors
/// The database refuses or is gone.
pub async fn last_good(tx: &mut ServiceTx) -> Result<Option<LastGood>, StoreError> {
    let row = sqlx::query!("SELECT pack_hash, files, presets, customs_variable FROM rule_status JOIN rule_packs ON hash = pack_hash")
        .fetch_optional(tx.db())
        .await?;
    Ok(row.map(|row| LastGood {
        pack_hash: row.pack_hash,
        pack_files: row.files,
        presets: row.presets,
        customs_variable: row.customs_variable,
    }))
}

/// Puts the status in the place of the one before. The pack must be kept already.
///
/// # Errors
/// The database refuses or is gone.
pub async fn save(tx: &mut ServiceTx, status: &RuleStatus, presets: &Json) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO rule_status (pack_hash, presets, customs_variable, customs_regime, from_files, live_since, looked_at, fault, fault_since)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (only_row) DO UPDATE SET pack_hash = EXCLUDED.pack_hash, presets = EXCLUDED.presets,
            customs_variable = EXCLUDED.customs_variable, customs_regime = EXCLUDED.customs_regime, from_files = EXCLUDED.from_files,
            live_since = EXCLUDED.live_since, looked_at = EXCLUDED.looked_at, fault = EXCLUDED.fault, fault_since = EXCLUDED.fault_since",
        status.pack_hash,
        presets,
        status.customs_variable.as_deref(),
        status.customs_regime.as_deref(),
        status.from_files,
        status.live_since,
        status.looked_at,
        status.fault.as_ref().map(|(fault, _)| fault),
        status.fault.as_ref().map(|(_, since)| *since),
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

/// Says that the files were looked at and nothing was to be done.
///
/// # Errors
/// The database refuses or is gone.
pub async fn looked(tx: &mut ServiceTx, at: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!("UPDATE rule_status SET looked_at = $1", at).execute(tx.db()).await?;
    Ok(())
}

/// Adds to the history of changes.
///
/// # Errors
/// The database refuses or is gone.
pub async fn record(tx: &mut ServiceTx, change: &RuleChange<'_>) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO rule_changes (change_id, changed_at, from_pack, to_pack, from_regime, to_regime, fault) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        Uuid::now_v7(),
        change.at,
        change.from_pack,
        change.to_pack,
        change.from_regime,
        change.to_regime,
        change.fault,
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

/// A change as it was kept.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct StoredChange {
    pub at: DateTime<Utc>,
    pub refused: bool,
    pub from_pack: Option<String>,
    pub to_pack: Option<String>,
    pub from_regime: Option<String>,
    pub to_regime: Option<String>,
}

/// The last changes, the newest first.
///
/// # Errors
/// The database refuses or is gone.
pub async fn history(tx: &mut ServiceTx, most: i64) -> Result<Vec<StoredChange>, StoreError> {
    let rows = sqlx::query_as!(
        StoredChange,
        r#"SELECT changed_at AS at, fault IS NOT NULL AS "refused!", from_pack, to_pack, from_regime, to_regime FROM rule_changes
        ORDER BY changed_at DESC, change_id DESC LIMIT $1"#,
        most
    );
    Ok(rows.fetch_all(tx.db()).await?)
}
