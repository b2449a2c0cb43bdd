//! Posts and counts of posts: each stored once, read once, and forgotten when it says nothing about the usual any more.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::{ServiceTx, StoreError, Written, book::member};
use crate::domain::talk::{Platform, Post, TalkCount};

/// The longest past that anything is compared with, and a day.
const KEPT: TimeDelta = TimeDelta::days(8);
/// Posts that are read in one go.
const MOST: i64 = 5_000;

/// Stores posts that nobody has seen, and forgets the old ones.
///
/// # Errors
/// The database refuses or is gone.
pub async fn write_posts(tx: &mut ServiceTx, posts: &[Post], now: DateTime<Utc>) -> Result<Written, StoreError> {
    sqlx::query!("DELETE FROM social_posts WHERE posted_at < $1", now - KEPT).execute(tx.db()).await?;
    let column = |read: fn(&Post) -> &str| posts.iter().map(|post| read(post).to_owned()).collect::<Vec<_>>();
    let authors: Vec<Option<String>> = posts.iter().map(|post| post.author.clone()).collect();
    let moments: Vec<DateTime<Utc>> = posts.iter().map(|post| post.posted_at).collect();
    let new = sqlx::query!(
        "INSERT INTO social_posts (platform, post_id, author, text, posted_at, seen_at)
        SELECT platform, post_id, author, text, posted_at, $6
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[]) AS told (platform, post_id, author, text, posted_at)
        ON CONFLICT (platform, post_id) DO NOTHING",
        &column(|post| post.platform.as_str()),
        &column(|post| &post.id),
        &authors as _,
        &column(|post| &post.text),
        &moments,
        now,
    );
    let new = new.execute(tx.db()).await?.rows_affected();
    Ok(Written { new, changed: 0, unchanged: (posts.len() as u64).saturating_sub(new) })
}

/// Stores counts, and forgets the old ones.
///
/// # Errors
/// The database refuses or is gone.
pub async fn write_counts(tx: &mut ServiceTx, counts: &[TalkCount], now: DateTime<Utc>) -> Result<Written, StoreError> {
    sqlx::query!("DELETE FROM social_counts WHERE at < $1", now - KEPT).execute(tx.db()).await?;
    let mut new = 0;
    for count in counts {
        let written = sqlx::query!(
            "INSERT INTO social_counts (platform, name, at, frequency, baseline) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            count.platform.as_str(),
            count.name,
            count.at,
            i32::try_from(count.frequency).unwrap_or(i32::MAX),
            count.baseline,
        );
        new += written.execute(tx.db()).await?.rows_affected();
    }
    Ok(Written { new, changed: 0, unchanged: (counts.len() as u64).saturating_sub(new) })
}

/// Posts that nobody has looked at, the oldest first.
///
/// # Errors
/// The database refuses or is gone, or holds a value that this program does not know.
pub async fn unread(tx: &mut ServiceTx) -> Result<Vec<Post>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT platform, post_id, author, text AS "text!", posted_at FROM social_posts WHERE names IS NULL ORDER BY posted_at, post_id LIMIT $1"#,
        MOST
    );
    let rows = rows.fetch_all(tx.db()).await?;
    rows.into_iter()
        .map(|row| {
            let platform: Platform = member(&row.platform, "social_posts")?;
            Ok(Post { platform, id: row.post_id, author: row.author, text: row.text, posted_at: row.posted_at })
        })
        .collect()
}

/// Keeps which names a post holds, and its text no longer.
///
/// # Errors
/// The database refuses or is gone.
pub async fn read(tx: &mut ServiceTx, post: &Post, names: &[String]) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE social_posts SET names = $3, text = NULL WHERE platform = $1 AND post_id = $2",
        post.platform.as_str(),
        post.id,
        names,
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

/// Which names a post held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Whoever cannot be told from others is the post itself.
    pub author: String,
    pub at: DateTime<Utc>,
    pub names: Vec<String>,
}

/// What was written since a moment, of cards or not, the oldest first.
///
/// # Errors
/// The database refuses or is gone.
pub async fn said(tx: &mut ServiceTx, since: DateTime<Utc>) -> Result<Vec<Said>, StoreError> {
    Ok(sqlx::query_as!(
        Said,
        r#"SELECT coalesce(author, platform || ' ' || post_id) AS "author!", posted_at AS at, names AS "names!"
        FROM social_posts WHERE names IS NOT NULL AND posted_at > $1 ORDER BY posted_at, post_id"#,
        since
    )
    .fetch_all(tx.db())
    .await?)
}

/// Counts that nobody has looked at; they are looked at by that.
///
/// # Errors
/// The database refuses or is gone, or holds a value that this program does not know.
pub async fn take_counts(tx: &mut ServiceTx) -> Result<Vec<TalkCount>, StoreError> {
    let rows = sqlx::query!(
        r#"UPDATE social_counts SET is_read = true WHERE NOT is_read RETURNING platform, name, at, frequency, baseline AS "baseline: Decimal""#
    );
    let rows = rows.fetch_all(tx.db()).await?;
    rows.into_iter()
        .map(|row| {
            let frequency = u32::try_from(row.frequency).unwrap_or_default();
            let platform = member(&row.platform, "social_counts")?;
            Ok(TalkCount { platform, name: row.name, at: row.at, frequency, baseline: row.baseline })
        })
        .collect()
}
