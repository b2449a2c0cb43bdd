//! What a signal's messages say now: how it stands, and which cards its basket still has.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::{ServiceTx, StoreError, outbox};
use crate::domain::message::{Deal, Message, Signal, Standing, short_id};

/// An edit that could not be made for so long helps nobody any more.
const EDITABLE: TimeDelta = TimeDelta::days(1);

/// A message by the signal that it is kept under, in its latest words.
struct Told {
    under: Uuid,
    message: Signal,
}

async fn told(tx: &mut ServiceTx, signal_id: Uuid) -> Result<Option<Told>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT later.signal_id AS "under!", later.message AS "message: Json<Message>" FROM outbox AS later
        WHERE later.signal_id = (SELECT signal_id FROM outbox WHERE step = 0 AND (signal_id = $1 OR with_signals @> ARRAY[$1]::uuid[]) LIMIT 1)
        ORDER BY later.step DESC LIMIT 1"#,
        signal_id
    )
    .fetch_optional(tx.db())
    .await?;
    Ok(row.and_then(|row| match row.message.0 {
        Message::Signal(message) => Some(Told { under: row.under, message: *message }),
        _ => None,
    }))
}

/// Says how a signal stands now. Where only this card `leaves_parcel` and its message has others, these stand as they stood,
/// the next of them first.
///
/// # Errors
/// The database refuses or is gone.
pub async fn restand(
    tx: &mut ServiceTx,
    signal_id: Uuid,
    standing: &Standing,
    leaves_parcel: bool,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let Some(Told { under, mut message }) = told(tx, signal_id).await? else { return Ok(()) };
    let short = short_id(signal_id);
    if message.short_id != short {
        // it stands as its parcel does, unless it leaves it
        if !leaves_parcel {
            return Ok(());
        }
        message.basket.retain(|one| one.short_id != short);
    } else if leaves_parcel && !message.basket.is_empty() {
        let first = message.basket.remove(0);
        (message.short_id, message.deal) = (first.short_id, first.deal);
    } else {
        message.standing = standing.clone();
    }
    outbox::edit(tx, under, &Message::Signal(Box::new(message)), now + EDITABLE, now).await?;
    Ok(())
}

/// Says a signal's new figures, and how it stands with them. The message as it is now, where there is one.
///
/// # Errors
/// The database refuses or is gone.
pub async fn reprice(
    tx: &mut ServiceTx,
    signal_id: Uuid,
    deal: &Deal,
    standing: &Standing,
    now: DateTime<Utc>,
) -> Result<Option<Message>, StoreError> {
    let Some(Told { under, mut message }) = told(tx, signal_id).await? else { return Ok(None) };
    let short = short_id(signal_id);
    if message.short_id == short {
        message.deal = deal.clone();
        message.standing = standing.clone();
    } else if let Some(one) = message.basket.iter_mut().find(|one| one.short_id == short) {
        one.deal = deal.clone();
    }
    let message = Message::Signal(Box::new(message));
    outbox::edit(tx, under, &message, now + EDITABLE, now).await?;
    Ok(Some(message))
}

/// The other signals of the message that a signal heads: what its buttons speak for, too.
///
/// # Errors
/// The database refuses or is gone.
pub async fn basket_of(tx: &mut ServiceTx, signal_id: Uuid) -> Result<Vec<Uuid>, StoreError> {
    let Some(Told { message, .. }) = told(tx, signal_id).await? else { return Ok(Vec::new()) };
    if message.short_id != short_id(signal_id) {
        return Ok(Vec::new());
    }
    let ids: Vec<String> = message.basket.into_iter().map(|one| one.short_id).collect();
    let found = sqlx::query_scalar!(
        "SELECT with_one.id FROM signals AS with_one JOIN signals AS head USING (tenant_id)
        WHERE head.id = $1 AND with_one.short_id = ANY($2) ORDER BY with_one.id",
        signal_id,
        &ids
    );
    Ok(found.fetch_all(tx.db()).await?)
}
