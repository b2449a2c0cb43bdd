//! Opportunities on their way from one tenant to the next: the machine of `domain::signal`, applied to its rows while they
//! are locked. Whatever the clocks of the processes say, one row is moved by one of them at a time.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{ServiceTx, StoreError, rotation, scans::member, told};
use crate::domain::{
    message::Standing,
    plan::Rotation,
    profile::TenantId,
    signal::{Act, Answer, End, Holder, Routing, SignalState},
};

/// Takes everything that is on offer and not on its way yet; what is withdrawn stays no longer. What is bought on
/// Cardmarket waits while a page of the card is wished for and worth waiting for.
///
/// # Errors
/// The database refuses or is gone.
pub async fn adopt(tx: &mut ServiceTx, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let adopted = sqlx::query!(
        "INSERT INTO routings (opportunity_id, state, due_at, changed_at)
        SELECT opportunity_id, 'open', greatest($1, (SELECT max(hold_until) FROM scrape_wishes AS w
            WHERE w.card_id = o.card_id AND w.done_at IS NULL AND o.buy_market = 'cardmarket')), $1
        FROM opportunities AS o
        WHERE state = 'live' AND NOT EXISTS (SELECT FROM routings AS r WHERE r.opportunity_id = o.opportunity_id)
        ON CONFLICT (opportunity_id) DO NOTHING",
        now
    )
    .execute(tx.db())
    .await?;
    // nobody holds these; where somebody does, the holder is told first
    sqlx::query!(
        "UPDATE routings AS r SET state = 'withdrawn', due_at = NULL, changed_at = $1 FROM opportunities AS o
        WHERE o.opportunity_id = r.opportunity_id AND o.state = 'withdrawn' AND r.state IN ('open', 'released')",
        now
    )
    .execute(tx.db())
    .await?;
    Ok(adopted.rows_affected())
}

/// Opportunities that somebody may have now, the longest waiting first. Nothing is locked.
///
/// # Errors
/// The database refuses or is gone.
pub async fn openings(tx: &mut ServiceTx, now: DateTime<Utc>, most: i64) -> Result<Vec<Uuid>, StoreError> {
    let open = sqlx::query_scalar!(
        "SELECT opportunity_id FROM routings JOIN opportunities USING (opportunity_id)
        WHERE routings.state = 'open' AND due_at <= $1 AND opportunities.state = 'live' ORDER BY due_at, opportunity_id LIMIT $2",
        now,
        most
    );
    Ok(open.fetch_all(tx.db()).await?)
}

/// Takes an opportunity that somebody may have now, until the end of the transaction; `None` where another worker has it,
/// or it is no longer to be had.
///
/// # Errors
/// The database refuses or is gone.
pub async fn claim(tx: &mut ServiceTx, opportunity_id: Uuid, now: DateTime<Utc>) -> Result<Option<Routing>, StoreError> {
    let row = sqlx::query!(
        "SELECT state, hand_overs, due_at FROM routings WHERE opportunity_id = $1 AND state = 'open' AND due_at <= $2
        FOR UPDATE SKIP LOCKED",
        opportunity_id,
        now
    )
    .fetch_optional(tx.db())
    .await?;
    row.map(|row| {
        let hand_overs = u32::try_from(row.hand_overs).unwrap_or_default();
        Ok(Routing { opportunity_id, state: member(&row.state)?, hand_overs, due_at: row.due_at, holder: None })
    })
    .transpose()
}

/// Writes where an opportunity is now.
///
/// # Errors
/// The database refuses or is gone.
pub async fn save(tx: &mut ServiceTx, routing: &Routing, now: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE routings SET state = $2, hand_overs = $3, due_at = $4, changed_at = $5 WHERE opportunity_id = $1",
        routing.opportunity_id,
        routing.state.as_str(),
        i32::try_from(routing.hand_overs).unwrap_or(i32::MAX),
        routing.due_at,
        now,
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

/// Ends the windows that are over, and the cooldown with them: whose window it was sinks, and the opportunity is open for
/// the next one. How many.
///
/// # Errors
/// The database refuses or is gone.
pub async fn lapse(tx: &mut ServiceTx, rules: &Rotation, now: DateTime<Utc>, most: i64) -> Result<usize, StoreError> {
    let over = now.checked_sub_signed(rules.cooldown).unwrap_or(now);
    let claimed = sqlx::query_scalar!(
        "SELECT opportunity_id FROM routings WHERE state = 'held' AND due_at <= $1 ORDER BY due_at, opportunity_id LIMIT $2
        FOR UPDATE SKIP LOCKED",
        over,
        most
    )
    .fetch_all(tx.db())
    .await?;
    let mut ended = 0;
    for mut routing in with_holders(tx, &claimed).await? {
        let Some(holder) = routing.lapse(now, rules) else { continue };
        end(tx, holder.signal_id, SignalState::Expired, None, now).await?;
        told::restand(tx, holder.signal_id, &Standing::Expired, false, now).await?;
        rotation::step(tx, holder.tenant, rules, rules.expired).await?;
        save(tx, &routing, now).await?;
        ended += 1;
    }
    Ok(ended)
}

/// Locks the routings that signals are part of, until the end of the transaction. Whoever changes messages as well takes
/// these locks first: so nobody waits for each other.
///
/// # Errors
/// The database refuses or is gone.
pub async fn lock(tx: &mut ServiceTx, signals: &[Uuid]) -> Result<(), StoreError> {
    sqlx::query!(
        "SELECT opportunity_id FROM routings WHERE opportunity_id IN (SELECT opportunity_id FROM signals WHERE id = ANY($1))
        ORDER BY opportunity_id FOR UPDATE",
        signals
    )
    .fetch_all(tx.db())
    .await?;
    Ok(())
}

/// A channel confirmed a signal: its window begins, unless another channel did so before.
///
/// # Errors
/// The database refuses or is gone.
pub async fn delivered(tx: &mut ServiceTx, signal_id: Uuid, at: DateTime<Utc>) -> Result<(), StoreError> {
    let Some(mut routing) = of_signal(tx, signal_id).await? else { return Ok(()) };
    if !routing.delivered(signal_id, at) {
        return Ok(());
    }
    sqlx::query!("UPDATE signals SET state = 'held', delivered_at = $2, expires_at = $3 WHERE id = $1", signal_id, at, routing.due_at)
        .execute(tx.db())
        .await?;
    save(tx, &routing, at).await
}

/// No channel took a signal: it goes to the next tenant at once.
///
/// # Errors
/// The database refuses or is gone.
pub async fn undeliverable(tx: &mut ServiceTx, signal_id: Uuid, at: DateTime<Utc>) -> Result<(), StoreError> {
    take_back(tx, signal_id, End::Undeliverable, None, at).await?;
    Ok(())
}

/// Takes a signal from its tenant: the opportunity is open for the next one at once. False where the tenant has it no more.
///
/// # Errors
/// The database refuses or is gone.
pub async fn take_back(
    tx: &mut ServiceTx,
    signal_id: Uuid,
    why: End,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let Some(mut routing) = of_signal(tx, signal_id).await? else { return Ok(false) };
    if routing.take_back(signal_id, now).is_none() {
        return Ok(false);
    }
    end(tx, signal_id, why.state(), reason, now).await?;
    save(tx, &routing, now).await?;
    Ok(true)
}

/// A tenant answers a signal. What the buttons of a basket say, they say about all of its cards; that a card is another
/// one is said of the first card only, and counts also when the window is over.
///
/// # Errors
/// The database refuses or is gone.
pub async fn act(
    tx: &mut ServiceTx,
    tenant: TenantId,
    short_id: &str,
    act: Act,
    rules: &Rotation,
    now: DateTime<Utc>,
) -> Result<Answer, StoreError> {
    let found = sqlx::query!(
        "SELECT id, card_id, state FROM signals WHERE tenant_id = $1 AND short_id = $2 AND opportunity_id IS NOT NULL",
        tenant.0,
        short_id
    );
    let Some(signal) = found.fetch_optional(tx.db()).await? else { return Ok(Answer::Unknown) };
    if act == Act::WrongCard {
        rotation::wrong_card(tx, tenant, &signal.card_id, signal.id, rules, now).await?;
    }
    let answer = answer(tx, tenant, signal.id, act, rules, now).await?;
    if answer == Answer::Done {
        let standing = if act == Act::TookIt { Standing::Taken } else { Standing::Passed };
        told::restand(tx, signal.id, &standing, act == Act::WrongCard, now).await?;
    }
    if act != Act::WrongCard {
        for with in told::basket_of(tx, signal.id).await? {
            self::answer(tx, tenant, with, act, rules, now).await?;
        }
    }
    Ok(answer)
}

async fn answer(
    tx: &mut ServiceTx,
    tenant: TenantId,
    signal_id: Uuid,
    act: Act,
    rules: &Rotation,
    now: DateTime<Utc>,
) -> Result<Answer, StoreError> {
    let Some(mut routing) = of_signal(tx, signal_id).await? else { return Ok(Answer::Unknown) };
    let answer = routing.act(signal_id, act, now, rules);
    match answer {
        Answer::Done => {
            let state = match act {
                Act::TookIt => SignalState::Acted,
                Act::Pass => SignalState::Passed,
                Act::WrongCard => SignalState::WrongCard,
            };
            end(tx, signal_id, state, None, now).await?;
            if act == Act::TookIt {
                rotation::step(tx, tenant, rules, rules.acted).await?;
            }
            save(tx, &routing, now).await?;
            Ok(Answer::Done)
        }
        // it is not the holder's any more: say what became of it
        Answer::Unknown => {
            let row = sqlx::query!("SELECT state, expires_at FROM signals WHERE id = $1", signal_id).fetch_one(tx.db()).await?;
            Ok(match member(&row.state)? {
                SignalState::Expired => Answer::Late { expired_at: row.expires_at },
                state => Answer::Over(state),
            })
        }
        other => Ok(other),
    }
}

async fn end(tx: &mut ServiceTx, signal_id: Uuid, state: SignalState, reason: Option<&str>, now: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE signals SET state = $2, end_reason = $3, ended_at = $4, acted_on = ($2 = 'acted') WHERE id = $1",
        signal_id,
        state.as_str(),
        reason,
        now
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

/// The routing that a signal is part of, locked until the end of the transaction.
async fn of_signal(tx: &mut ServiceTx, signal_id: Uuid) -> Result<Option<Routing>, StoreError> {
    let locked = sqlx::query_scalar!(
        "SELECT opportunity_id FROM routings WHERE opportunity_id = (SELECT opportunity_id FROM signals WHERE id = $1) FOR UPDATE",
        signal_id
    )
    .fetch_all(tx.db())
    .await?;
    Ok(with_holders(tx, &locked).await?.pop())
}

/// Routings that are locked already. Their holders are read by a statement of its own, which sees what the lock waited for.
async fn with_holders(tx: &mut ServiceTx, locked: &[Uuid]) -> Result<Vec<Routing>, StoreError> {
    let rows = sqlx::query!("SELECT opportunity_id, state, hand_overs, due_at FROM routings WHERE opportunity_id = ANY($1)", locked)
        .fetch_all(tx.db())
        .await?;
    let holders = sqlx::query!(
        r#"SELECT id, opportunity_id AS "opportunity_id!", tenant_id, state, expires_at, window_seconds AS "window_seconds!" FROM signals
        WHERE opportunity_id = ANY($1) AND kind = 'exclusive' AND state IN ('sending', 'held', 'acted')"#,
        locked
    )
    .fetch_all(tx.db())
    .await?;
    let mut by_opportunity = HashMap::new();
    for row in holders {
        let holder = Holder {
            signal_id: row.id,
            tenant: TenantId(row.tenant_id),
            state: member(&row.state)?,
            window: TimeDelta::seconds(i64::from(row.window_seconds)),
            expires_at: row.expires_at,
        };
        by_opportunity.insert(row.opportunity_id, holder);
    }
    rows.into_iter()
        .map(|row| {
            Ok(Routing {
                opportunity_id: row.opportunity_id,
                state: member(&row.state)?,
                hand_overs: u32::try_from(row.hand_overs).unwrap_or_default(),
                due_at: row.due_at,
                holder: by_opportunity.remove(&row.opportunity_id),
            })
        })
        .collect()
}
