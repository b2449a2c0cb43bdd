//! Who may speak to the bot: invitations, whose chat it is, and which of Telegram's updates were answered.

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{ServiceTx, StoreError, dead_chats};
use crate::domain::{message::Channel, profile::TenantId};

/// Codes that somebody may try in vain within [`TRIES_WITHIN`], and all together.
const TRIES: i64 = 5;
const TRIES_OF_ALL: i64 = 200;
const TRIES_WITHIN: TimeDelta = TimeDelta::hours(1);

/// Makes a code that connects one chat to a tenant, once, until it expires. Earlier ones of the tenant are void.
///
/// # Errors
/// The database refuses or is gone.
pub async fn invite(tx: &mut ServiceTx, tenant: TenantId, life: TimeDelta, now: DateTime<Utc>) -> Result<String, StoreError> {
    let code = Uuid::new_v4().simple().to_string();
    sqlx::query!("DELETE FROM invitations WHERE tenant_id = $1 AND used_at IS NULL", tenant.0).execute(tx.db()).await?;
    sqlx::query!(
        "INSERT INTO invitations (code_hash, tenant_id, created_at, expires_at) VALUES ($1, $2, $3, $4)",
        &hash(&code),
        tenant.0,
        now,
        now + life
    )
    .execute(tx.db())
    .await?;
    Ok(code)
}

/// A code is random enough that nobody finds it by trying hashes.
fn hash(code: &str) -> Vec<u8> {
    Sha256::digest(code.as_bytes()).to_vec()
}

/// What came of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// The chat is the tenant's from now on.
    Connected(TenantId),
    /// The chat is another tenant's.
    Taken,
    /// No such code, or not any more.
    Wrong,
    /// Too many wrong ones: nothing was looked at.
    TooMany,
}

/// Uses a code.
///
/// # Errors
/// The database refuses or is gone.
pub async fn start(tx: &mut ServiceTx, code: &str, chat: i64, user: i64, now: DateTime<Utc>) -> Result<Started, StoreError> {
    // one after the other: else many tries at once would all find few before them
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('public.vain_starts'))").fetch_one(tx.db()).await?;
    sqlx::query!("DELETE FROM vain_starts WHERE at <= $1", now - TRIES_WITHIN).execute(tx.db()).await?;
    let tries = sqlx::query!(
        r#"SELECT count(*) AS "all!", count(*) FILTER (WHERE user_id = $1) AS "own!" FROM vain_starts WHERE at > $2"#,
        user,
        now - TRIES_WITHIN
    )
    .fetch_one(tx.db())
    .await?;
    if tries.own >= TRIES || tries.all >= TRIES_OF_ALL {
        return Ok(Started::TooMany);
    }
    let hash = hash(code);
    let invited = sqlx::query_scalar!(
        "SELECT tenant_id FROM invitations JOIN users ON users.id = tenant_id
        WHERE code_hash = $1 AND used_at IS NULL AND expires_at > $2 AND is_active FOR UPDATE OF invitations",
        &hash,
        now
    );
    let Some(tenant) = invited.fetch_optional(tx.db()).await? else {
        sqlx::query!("INSERT INTO vain_starts (user_id, at) VALUES ($1, $2)", user, now).execute(tx.db()).await?;
        return Ok(Started::Wrong);
    };
    let connected = sqlx::query!(
        "UPDATE user_profiles SET telegram_chat_id = $2, telegram_user_id = $3
        WHERE id = $1 AND NOT EXISTS (SELECT FROM user_profiles AS other WHERE other.telegram_chat_id = $2 AND other.id <> $1)",
        tenant,
        chat,
        user
    )
    .execute(tx.db())
    .await?;
    if connected.rows_affected() == 0 {
        return Ok(Started::Taken);
    }
    sqlx::query!("UPDATE invitations SET used_at = $2 WHERE code_hash = $1", &hash, now).execute(tx.db()).await?;
    dead_chats::revive(tx, Channel::Telegram, chat).await?;
    Ok(Started::Connected(TenantId(tenant)))
}

/// Whose chat it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    pub tenant: TenantId,
    /// Who connected it; nobody where the operator did.
    user: Option<i64>,
}

impl Person {
    /// Whether somebody in the chat speaks for the tenant. A private chat has its person's number.
    pub fn is(&self, chat: i64, user: i64) -> bool {
        user == chat || self.user == Some(user)
    }
}

/// The active tenant that a chat belongs to.
///
/// # Errors
/// The database refuses or is gone.
pub async fn person(tx: &mut ServiceTx, chat: i64) -> Result<Option<Person>, StoreError> {
    let row = sqlx::query!(
        "SELECT id, telegram_user_id FROM user_profiles JOIN users USING (id) WHERE telegram_chat_id = $1 AND is_active",
        chat
    );
    Ok(row.fetch_optional(tx.db()).await?.map(|row| Person { tenant: TenantId(row.id), user: row.telegram_user_id }))
}

/// The first update that was not answered yet.
///
/// # Errors
/// The database refuses or is gone.
pub async fn next_update(tx: &mut ServiceTx) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!("SELECT next_update FROM bot_updates").fetch_optional(tx.db()).await?.unwrap_or(0))
}

/// Takes an update to answer it in this transaction. False where it was answered before.
///
/// # Errors
/// The database refuses or is gone.
pub async fn take_update(tx: &mut ServiceTx, update: i64) -> Result<bool, StoreError> {
    let taken = sqlx::query!(
        "INSERT INTO bot_updates AS b (next_update) VALUES ($1::bigint + 1) ON CONFLICT (only_row) DO UPDATE SET next_update = $1::bigint + 1
        WHERE b.next_update <= $1::bigint",
        update
    );
    Ok(taken.execute(tx.db()).await?.rows_affected() == 1)
}
