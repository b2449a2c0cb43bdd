//! A real market from files: whatever can be imported of a folder, of which the cards that both markets have priced for a
//! while are shown, day by day as it was.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
};

use anyhow::{Context, bail};
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;

use crate::{
    domain::{
        card::{Card, CardId, CardSet, Finish},
        market::Market,
        money::DailyRate,
        observation::{Observation, PriceKind, Subject},
        product::{CARDMARKET_GUIDE, CardProduct, TCGCSV},
    },
    ingest,
    simulate::{feeds, vendors::Stock},
    sources::{self, Entry, Input, Outcome},
};

/// Days with a price that a card has on each market.
const FEWEST_DAYS: usize = 8;
/// Days that both markets need in common; else one of them is moved in time.
const COMMON_DAYS: i64 = 14;
/// pokemontcg.io's copy of Cardmarket's prices stands still for months: it is not the market.
const STALE_COPY: &str = "pokemontcg.io";
const MARKETS: [Market; 2] = [Market::Tcgplayer, Market::Cardmarket];

/// A market as it was.
pub struct Recorded {
    pub sets: Vec<CardSet>,
    pub cards: Vec<Card>,
    pub links: Vec<CardProduct>,
    pub rates: Vec<DailyRate>,
    /// By day.
    days: Vec<feeds::Batch>,
    /// The day in whose evening it begins to go on.
    pub opens: NaiveDate,
    /// By how many days TCGplayer's prices were moved.
    pub moved: i64,
}

/// A product's figures of one day.
#[derive(Clone, Copy)]
struct Quote {
    price: Decimal,
    low: Option<Decimal>,
    mid: Option<Decimal>,
    high: Option<Decimal>,
}

/// A card's prices on one market.
type Course = BTreeMap<(NaiveDate, Finish), Quote>;

/// What the files said.
#[derive(Default)]
struct Reading {
    sets: Vec<CardSet>,
    cards: HashMap<CardId, Card>,
    by_product: HashMap<(Market, String), CardId>,
    links: HashMap<(CardId, Market), CardProduct>,
    rates: Vec<DailyRate>,
    courses: HashMap<CardId, [Course; 2]>,
}

impl Recorded {
    /// Reads a folder. At most so many cards are taken, the dearest.
    ///
    /// # Errors
    /// The folder cannot be read, or holds no card that both markets priced.
    pub fn read(folder: &Path, most: usize, now: DateTime<Utc>) -> anyhow::Result<Self> {
        let mut known = Vec::new();
        for path in ingest::walk(&[folder.to_owned()])? {
            let input = Input::file(&path).with_context(|| format!("cannot read {}", path.display()))?;
            // a folder of data has its descriptions beside
            if let Ok(format) = sources::recognise(input.head()) {
                known.push((format.phase, path, format));
            }
        }
        known.sort_by(|(a, path_a, _), (b, path_b, _)| a.cmp(b).then(path_a.cmp(path_b)));
        let mut reading = Reading::default();
        for (_, path, format) in known {
            let fault = || format!("cannot read {}", path.display());
            let body = Input::file(&path).with_context(fault)?.into_body(now);
            let read = (format.read)(body, &mut |row| {
                if let Outcome::Values(entries) = row.outcome {
                    for entry in entries {
                        reading.take(entry);
                    }
                }
                Ok(())
            });
            read.with_context(fault)?;
        }
        reading.finish(folder, most)
    }

    /// What was known at a moment.
    pub fn history(&self, until: DateTime<Utc>) -> ingest::Batch {
        let known = self.days.iter().flat_map(|day| &day.observations).filter(|seen| seen.known_at <= until);
        ingest::Batch {
            sets: self.sets.clone(),
            cards: self.cards.clone(),
            card_products: self.links.clone(),
            rates: self.rates.iter().filter(|rate| rate.known_at <= until).cloned().collect(),
            observations: known.cloned().collect(),
            ..ingest::Batch::default()
        }
    }

    /// What the vendors have to tell of it.
    pub fn into_stock(self) -> Stock {
        let numbers = |market: Market| {
            let number = |card: &Card| self.links.iter().find(|link| link.market == market && link.card_id == card.card_id);
            self.cards.iter().map(|card| number(card).map(|link| link.external_id.clone()).unwrap_or_default()).collect()
        };
        let numbers = MARKETS.map(|market| (market, numbers(market))).into();
        Stock::recorded(self.sets, self.cards, self.rates, numbers, self.days.into_iter())
    }
}

impl Reading {
    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Set(set) => self.sets.push(set),
            Entry::Card(card) => {
                self.cards.insert(card.card_id.clone(), *card);
            }
            Entry::CardProduct(link) if self.cards.contains_key(&link.card_id) => {
                self.by_product.entry((link.market, link.external_id.clone())).or_insert_with(|| link.card_id.clone());
                self.links.entry((link.card_id.clone(), link.market)).or_insert(link);
            }
            Entry::Rate(rate) => self.rates.push(rate),
            Entry::Observation(seen) => self.price(*seen),
            Entry::CardProduct(_)
            | Entry::Product(_)
            | Entry::Activity(_)
            | Entry::Tournament(_)
            | Entry::Post(_)
            | Entry::TalkCount(_) => {}
        }
    }

    fn price(&mut self, seen: Observation) {
        let is_of_its_market = match seen.market {
            Market::Tcgplayer => seen.source == TCGCSV,
            Market::Cardmarket => !seen.source.starts_with(STALE_COPY),
            Market::Ebay => false,
        };
        let (Some(price), None, None, true) = (seen.price, &seen.listing, &seen.condition, is_of_its_market) else { return };
        let card = match seen.subject {
            Subject::Card(card) => card,
            Subject::Product { market, id } => match self.by_product.get(&(market, id)) {
                Some(card) => card.clone(),
                None => return,
            },
        };
        if MARKETS.iter().any(|market| !self.links.contains_key(&(card.clone(), *market))) {
            return;
        }
        let place = usize::from(seen.market == Market::Cardmarket);
        let quote = Quote { price, low: seen.low, mid: seen.mid, high: seen.high };
        self.courses.entry(card).or_default()[place].entry((seen.observed_at.date_naive(), seen.finish)).or_insert(quote);
    }

    fn finish(mut self, folder: &Path, most: usize) -> anyhow::Result<Recorded> {
        let days = |course: &Course| course.keys().map(|(date, _)| *date).collect::<BTreeSet<_>>().len();
        let courses = std::mem::take(&mut self.courses).into_iter();
        let mut courses: Vec<_> = courses.filter(|(_, both)| both.iter().all(|course| days(course) >= FEWEST_DAYS)).collect();
        let dearest = |both: &[Course; 2]| both[0].values().map(|quote| quote.price).max().unwrap_or_default();
        courses.sort_by(|(a, left), (b, right)| dearest(right).cmp(&dearest(left)).then(a.cmp(b)));
        courses.truncate(most);
        let Some([us, eu]) = spans(&courses) else {
            bail!(
                "{} holds no card with a TCGplayer and a Cardmarket number and {FEWEST_DAYS} days of prices on each market: name a folder \
                 with cards, an id crosswalk, prices and the ECB's rates",
                folder.display()
            )
        };
        // years that never met are laid side by side, and that is said
        let common = (us.1.min(eu.1) - us.0.max(eu.0)).num_days() + 1;
        let moved = if common >= COMMON_DAYS { 0 } else { (eu.1 - us.1).num_days() };
        let first = eu.0.max(us.0 + TimeDelta::days(moved));
        let last = eu.1.min(us.1 + TimeDelta::days(moved));
        let opens = first + TimeDelta::days((last - first).num_days() / 2);
        let mut batches: BTreeMap<NaiveDate, Vec<Observation>> = BTreeMap::new();
        for (card, both) in &courses {
            for (market, course) in MARKETS.into_iter().zip(both) {
                let Some(link) = self.links.get(&(card.clone(), market)) else { continue };
                let moved = if market == Market::Tcgplayer { TimeDelta::days(moved) } else { TimeDelta::zero() };
                for ((date, finish), quote) in course {
                    let date = *date + moved;
                    batches.entry(date).or_default().push(observation(link, market, date, *finish, quote));
                }
            }
        }
        let cards: Vec<Card> = courses.iter().filter_map(|(card, _)| self.cards.remove(card)).collect();
        let links = courses.iter().flat_map(|(card, _)| MARKETS.map(|market| (card.clone(), market)));
        let links: Vec<CardProduct> = links.filter_map(|key| self.links.remove(&key)).collect();
        self.sets.retain(|set| cards.iter().any(|card| card.set_code == set.set_code));
        self.rates.retain(|rate| rate.date <= last + Days::new(30));
        let days = batches.into_iter().map(|(date, observations)| feeds::Batch { date, observations, activity: Vec::new() }).collect();
        Ok(Recorded { sets: self.sets, cards, links, rates: self.rates, days, opens, moved })
    }
}

/// The first and the last day of each market.
fn spans(courses: &[(CardId, [Course; 2])]) -> Option<[(NaiveDate, NaiveDate); 2]> {
    let span = |place: usize| {
        let dates = || courses.iter().flat_map(move |(_, both)| both[place].keys().map(|(date, _)| *date));
        Some((dates().min()?, dates().max()?))
    };
    Some([span(0)?, span(1)?])
}

/// A quote as its market publishes it.
fn observation(link: &CardProduct, market: Market, date: NaiveDate, finish: Finish, quote: &Quote) -> Observation {
    let at = feeds::clock(market, date);
    Observation {
        subject: Subject::Product { market, id: link.external_id.clone() },
        source: if market == Market::Tcgplayer { TCGCSV } else { CARDMARKET_GUIDE }.to_owned(),
        market,
        currency: market.currency(),
        finish,
        condition: None,
        kind: if market == Market::Tcgplayer { PriceKind::Market } else { PriceKind::Trend },
        price: Some(quote.price),
        low: quote.low,
        mid: quote.mid,
        high: quote.high,
        listing: None,
        observed_at: at,
        known_at: at,
    }
}
