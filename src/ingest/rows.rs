//! Rows on their way from a reading thread to the database.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use tokio::sync::mpsc;

use super::{Batch, Counts, FileReport, write_all_but_prices};
use crate::{
    sources::{Emit, Entry, Outcome, Row, SourceError},
    store::{ServiceTx, StoreError, prices::PriceWriter},
};

/// Rows that travel together between the threads.
const PARCEL: usize = 1024;
/// Parcels that may wait: a slow database holds the reader back, memory does not grow.
const WAITING: usize = 8;
/// A day of an archive that was published longer ago than this was there to be known before we looked.
const LIVE: TimeDelta = TimeDelta::days(2);

/// What the reading thread sends. Without its end the content was not read to the end, and nothing is settled.
pub enum Parcel {
    Rows(Vec<Row>),
    End,
}

pub fn channel() -> (mpsc::Sender<Parcel>, mpsc::Receiver<Parcel>) {
    mpsc::channel(WAITING)
}

/// Runs a reader on the thread that calls and sends its rows in parcels.
///
/// # Errors
/// The reader's, or that the receiver has gone.
pub fn send<T, E: From<SourceError>>(sender: &mpsc::Sender<Parcel>, read: impl FnOnce(&mut Emit<'_>) -> Result<T, E>) -> Result<T, E> {
    let mut parcel = Vec::with_capacity(PARCEL);
    let outcome = read(&mut |row| {
        parcel.push(row);
        if parcel.len() == PARCEL {
            let full = std::mem::replace(&mut parcel, Vec::with_capacity(PARCEL));
            sender.blocking_send(Parcel::Rows(full)).map_err(|_| SourceError::Stopped)?;
        }
        Ok(())
    })?;
    sender.blocking_send(Parcel::Rows(parcel)).map_err(|_| SourceError::Stopped)?;
    sender.blocking_send(Parcel::End).map_err(|_| SourceError::Stopped)?;
    Ok(outcome)
}

/// How rows of a live feed are taken in.
#[derive(Debug, Clone, Copy)]
pub struct Live {
    /// A price that is so many times the last one waits for a second one.
    pub jump: Decimal,
    /// Whether old days are among them.
    pub is_archive: bool,
}

/// What was stored.
#[derive(Debug, Default)]
pub struct Stored {
    pub counts: Counts,
    /// Price series with a new row.
    pub series: Vec<i32>,
    pub set_apart: u64,
}

/// Stages the rows as they come and settles them at the end; `None` where the end never came.
pub async fn store(
    tx: &mut ServiceTx,
    mut parcels: mpsc::Receiver<Parcel>,
    now: DateTime<Utc>,
    live: Option<Live>,
    settles: &(dyn Fn() + Sync),
    report: &mut FileReport,
) -> Result<Option<Stored>, StoreError> {
    // what is fetched live was not known before; what an archive holds was there to be known
    let known_at = |published: DateTime<Utc>| match live {
        Some(live) if !live.is_archive || published > now - LIVE => now,
        _ => published,
    };
    let mut held = Batch::default();
    let mut writer: Option<PriceWriter> = None;
    loop {
        let rows = match parcels.recv().await {
            Some(Parcel::Rows(rows)) => rows,
            Some(Parcel::End) => break,
            None => return Ok(None),
        };
        for row in rows {
            report.count(&row);
            let Outcome::Values(entries) = row.outcome else { continue };
            for entry in entries {
                match entry {
                    Entry::Set(set) => held.sets.push(set),
                    Entry::Card(card) => held.cards.push(*card),
                    Entry::Product(product) => held.products.push(product),
                    Entry::CardProduct(pair) => held.card_products.push(pair),
                    Entry::Activity(count) => held.activity.push(*count),
                    Entry::Tournament(tournament) => held.tournaments.push(*tournament),
                    Entry::Post(post) => held.posts.push(*post),
                    Entry::TalkCount(count) => held.talk.push(*count),
                    Entry::Rate(mut rate) => {
                        rate.known_at = known_at(rate.known_at);
                        held.rates.push(rate);
                    }
                    Entry::Observation(mut seen) => {
                        seen.known_at = known_at(seen.known_at);
                        let writer = match &mut writer {
                            Some(writer) => writer,
                            none => none.insert(begin(tx, live).await?),
                        };
                        if writer.add(&seen)? {
                            writer.flush(tx).await?;
                        }
                    }
                }
            }
        }
    }
    settles();
    let mut stored = Stored { counts: write_all_but_prices(tx, &held, now).await?, ..Stored::default() };
    if let Some(writer) = writer {
        let settled = writer.settle(tx, now).await?;
        stored.counts.observations = settled.written;
        (stored.series, stored.set_apart) = (settled.series, settled.set_apart);
    }
    Ok(Some(stored))
}

async fn begin(tx: &mut ServiceTx, live: Option<Live>) -> Result<PriceWriter, StoreError> {
    let mut writer = PriceWriter::begin(tx).await?;
    if let Some(live) = live {
        writer.set_apart_jumps(live.jump);
    }
    Ok(writer)
}
