//! Puts observations into the database: what files hold, and what feeds and the simulator hand over.
//!
//! Everything goes through the same writers, so imported, fetched and simulated data cannot differ in kind.

use chrono::{DateTime, Utc};

use crate::{
    domain::{
        card::{Card, CardSet},
        deck::Tournament,
        money::DailyRate,
        observation::{Activity, Observation},
        product::{CardProduct, Product},
        talk::{Post, TalkCount},
    },
    store::{
        ServiceTx, StoreError, Written, catalogue, prices,
        prices::PriceWriter,
        rates, talk,
        writes::{self, Touched},
    },
};

mod feeds;
mod files;
mod fold;
mod history;
pub mod pages;
mod report;
mod rows;
mod schedule;
pub mod social;
mod tournaments;

pub use feeds::{Changed, Feeds};
pub use files::{ImportError, Progress, import_files, walk};
pub use fold::fold_once;
pub use history::read_history;
pub use report::{FileReport, Refusal};
pub use schedule::run;

/// Things to store together. Order within a list matters only where it tells one thing twice: the last one counts.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    pub sets: Vec<CardSet>,
    pub cards: Vec<Card>,
    /// Lines of a market's product list.
    pub products: Vec<Product>,
    /// Which product is which card.
    pub card_products: Vec<CardProduct>,
    pub rates: Vec<DailyRate>,
    pub observations: Vec<Observation>,
    pub activity: Vec<Activity>,
    /// Who came in where, with which deck.
    pub tournaments: Vec<Tournament>,
    /// What people write.
    pub posts: Vec<Post>,
    /// How often they do.
    pub talk: Vec<TalkCount>,
}

/// What became of a batch, kind by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub sets: Written,
    pub cards: Written,
    pub products: Written,
    pub card_products: Written,
    pub rates: Written,
    pub observations: Written,
    pub activity: Written,
    pub tournaments: Written,
    /// Posts, and counts of them.
    pub posts: Written,
    /// Series that a new crosswalk gave to their product.
    pub rekeyed: u64,
}

impl Counts {
    /// All kinds together.
    pub fn total(&self) -> Written {
        let mut total = Written::default();
        for kind in [
            self.sets,
            self.cards,
            self.products,
            self.card_products,
            self.rates,
            self.observations,
            self.activity,
            self.tournaments,
            self.posts,
        ] {
            total += kind;
        }
        total
    }
}

/// Stores a batch in the given transaction, which the caller commits. `now` is stamped as `recorded_at`.
///
/// Telling the same again changes nothing; an observation with other figures becomes a further revision.
///
/// # Errors
/// The database refuses or is gone; the transaction is of no use then.
pub async fn write_batch(tx: &mut ServiceTx, batch: &Batch, now: DateTime<Utc>) -> Result<Counts, StoreError> {
    let mut counts = write_all_but_prices(tx, batch, now).await?;
    if !batch.observations.is_empty() {
        let mut writer = PriceWriter::begin(tx).await?;
        for seen in &batch.observations {
            if writer.add(seen)? {
                writer.flush(tx).await?;
            }
        }
        counts.observations = writer.settle(tx, now).await?.written;
    }
    Ok(counts)
}

/// Everything that is small enough to be held: it is written before the prices, which find their product through it.
async fn write_all_but_prices(tx: &mut ServiceTx, batch: &Batch, now: DateTime<Utc>) -> Result<Counts, StoreError> {
    let mut counts = Counts::default();
    if !batch.sets.is_empty() {
        counts.sets = catalogue::write_sets(tx, &batch.sets, now).await?;
    }
    if !batch.cards.is_empty() {
        counts.cards = catalogue::write_cards(tx, &batch.cards, now).await?;
    }
    if !batch.products.is_empty() {
        counts.products = catalogue::write_products(tx, &batch.products, now).await?;
    }
    if !batch.card_products.is_empty() {
        counts.card_products = catalogue::write_card_products(tx, &batch.card_products).await?;
        if counts.card_products.is_change() {
            counts.rekeyed = prices::rekey_products(tx).await?.series;
        }
    }
    if !batch.rates.is_empty() {
        counts.rates = rates::write_rates(tx, &batch.rates).await?;
    }
    if !batch.activity.is_empty() {
        counts.activity = rates::write_activity(tx, &batch.activity, now).await?;
    }
    if !batch.tournaments.is_empty() {
        counts.tournaments = tournaments::write(tx, &batch.tournaments, now).await?;
    }
    if !batch.posts.is_empty() {
        counts.posts = talk::write_posts(tx, &batch.posts, now).await?;
    }
    if !batch.talk.is_empty() {
        counts.posts += talk::write_counts(tx, &batch.talk, now).await?;
    }
    let everything = [counts.sets, counts.cards, counts.card_products].iter().any(Written::is_change);
    if everything || counts.activity.is_change() {
        let touched = Touched { counts: counts.activity.is_change(), everything, ..Touched::default() };
        writes::record(tx, &touched, now).await?;
    }
    Ok(counts)
}
