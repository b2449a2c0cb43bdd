//! What the vendors have to tell: a simulated market's cards, and its prices day by day.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};

use crate::{
    domain::{
        card::{Card, CardSet},
        market::Market,
        money::DailyRate,
        observation::{Activity, Observation, Subject},
    },
    simulate::Simulation,
};

/// One product's rows of one day, a row a printing.
pub type Rows = Vec<Observation>;

/// See the module.
#[derive(Debug, Default)]
pub struct Stock {
    pub sets: Vec<CardSet>,
    pub cards: Vec<Card>,
    pub rates: Vec<DailyRate>,
    /// Each card's product number, as the market itself has it.
    numbers: HashMap<Market, Vec<String>>,
    days: BTreeMap<(Market, NaiveDate), BTreeMap<String, Rows>>,
    sales: BTreeMap<NaiveDate, HashMap<String, Activity>>,
}

impl Stock {
    /// The market's feeds; single sellers' offers are on no feed.
    pub fn of(simulation: &Simulation) -> Self {
        let count = simulation.cards().len();
        let numbers = |market| (0..count).map(|index| simulation.true_product(market, index)).collect();
        let mut stock = Self {
            sets: simulation.sets().cloned().collect(),
            cards: simulation.cards().cloned().collect(),
            rates: simulation.daily_rates().collect(),
            numbers: [Market::Tcgplayer, Market::Cardmarket].map(|market| (market, numbers(market))).into(),
            ..Self::default()
        };
        for batch in simulation.batches() {
            for seen in batch.observations.into_iter().filter(|seen| seen.listing.is_none()) {
                let Subject::Product { market, id } = &seen.subject else { continue };
                let key = (*market, id.clone());
                stock.days.entry((key.0, batch.date)).or_default().entry(key.1).or_default().push(seen);
            }
            for count in batch.activity.into_iter().filter(|count| count.market == Market::Tcgplayer) {
                let Subject::Product { id, .. } = &count.subject else { continue };
                stock.sales.entry(batch.date).or_default().insert(id.clone(), count);
            }
        }
        stock
    }

    /// A market's rows of one day, by product, once they are published.
    pub fn day(&self, market: Market, date: NaiveDate, now: DateTime<Utc>) -> Option<&BTreeMap<String, Rows>> {
        let rows = self.days.get(&(market, date))?;
        let published = rows.values().flatten().map(|seen| seen.known_at).max()?;
        (published <= now).then_some(rows)
    }

    /// The last published day.
    pub fn latest(&self, market: Market, now: DateTime<Utc>) -> Option<(NaiveDate, &BTreeMap<String, Rows>)> {
        let earlier = self.days.range((market, NaiveDate::MIN)..=(market, now.date_naive())).rev();
        earlier.take(14).find_map(|((_, date), _)| Some((*date, self.day(market, *date, now)?)))
    }

    /// The last count of a TCGplayer product's sales.
    pub fn sales(&self, product: &str, now: DateTime<Utc>) -> Option<&Activity> {
        self.sales.range(..=now.date_naive()).rev().find_map(|(_, counts)| counts.get(product).filter(|count| count.known_at <= now))
    }

    /// A card's number on a market.
    pub fn number(&self, market: Market, card: usize) -> &str {
        self.numbers.get(&market).and_then(|numbers| numbers.get(card)).map_or("", String::as_str)
    }

    /// The card of a TCGplayer number.
    pub fn card_of(&self, product: &str) -> Option<usize> {
        self.numbers.get(&Market::Tcgplayer)?.iter().position(|number| number == product)
    }
}
