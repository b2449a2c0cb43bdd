//! What the vendors have to tell: a market's cards, and its prices day by day.

use std::{
    collections::{BTreeMap, HashMap},
    iter::Peekable,
};

use chrono::{DateTime, Days, NaiveDate, Utc};

use crate::{
    domain::{
        card::{Card, CardSet},
        market::Market,
        money::DailyRate,
        observation::{Activity, Observation, Subject},
    },
    simulate::{Simulation, feeds::Batch},
};

/// Days that a market which goes on is remembered for: the vendors show its latest ones.
const REMEMBERED: Days = Days::new(21);

/// One product's rows of one day, a row a printing.
pub type Rows = Vec<Observation>;

/// The days of a market, the oldest first.
type Coming = Peekable<Box<dyn Iterator<Item = Batch> + Send>>;

/// See the module.
#[derive(Default)]
pub struct Stock {
    pub sets: Vec<CardSet>,
    pub cards: Vec<Card>,
    pub rates: Vec<DailyRate>,
    /// Each card's product number, as the market itself has it.
    numbers: HashMap<Market, Vec<String>>,
    days: BTreeMap<(Market, NaiveDate), BTreeMap<String, Rows>>,
    sales: BTreeMap<NaiveDate, HashMap<String, Activity>>,
    /// Days that are still to come; none where all are there.
    coming: Option<Coming>,
}

impl Stock {
    /// The market's feeds; single sellers' offers are on no feed.
    pub fn of(simulation: &Simulation) -> Self {
        let mut stock = Self::without_days(simulation);
        for batch in simulation.batches() {
            stock.take(batch);
        }
        stock
    }

    /// The same of a market that goes on for long: its days are made as the clock comes to them, and forgotten after a while.
    pub fn day_by_day(simulation: Simulation) -> Self {
        let stock = Self::without_days(&simulation);
        let days: Box<dyn Iterator<Item = Batch> + Send> = Box::new(simulation.into_batches());
        Self { coming: Some(days.peekable()), ..stock }
    }

    /// A market that was recorded, by its days.
    pub fn recorded(
        sets: Vec<CardSet>,
        cards: Vec<Card>,
        rates: Vec<DailyRate>,
        numbers: HashMap<Market, Vec<String>>,
        days: impl Iterator<Item = Batch> + Send + 'static,
    ) -> Self {
        let days: Box<dyn Iterator<Item = Batch> + Send> = Box::new(days);
        Self { sets, cards, rates, numbers, coming: Some(days.peekable()), ..Self::default() }
    }

    fn without_days(simulation: &Simulation) -> Self {
        let count = simulation.cards().len();
        let numbers = |market| (0..count).map(|index| simulation.true_product(market, index)).collect();
        Self {
            sets: simulation.sets().cloned().collect(),
            cards: simulation.cards().cloned().collect(),
            rates: simulation.daily_rates().collect(),
            numbers: [Market::Tcgplayer, Market::Cardmarket].map(|market| (market, numbers(market))).into(),
            ..Self::default()
        }
    }

    /// Takes in the days up to this one.
    pub fn advance(&mut self, today: NaiveDate) {
        let Some(mut coming) = self.coming.take() else { return };
        let oldest = today - REMEMBERED;
        while let Some(batch) = coming.next_if(|batch| batch.date <= today) {
            if batch.date >= oldest {
                self.take(batch);
            }
        }
        self.coming = Some(coming);
        self.days.retain(|(_, date), _| *date >= oldest);
        self.sales.retain(|date, _| *date >= oldest);
    }

    fn take(&mut self, batch: Batch) {
        for seen in batch.observations.into_iter().filter(|seen| seen.listing.is_none()) {
            let Subject::Product { market, id } = &seen.subject else { continue };
            let key = (*market, id.clone());
            self.days.entry((key.0, batch.date)).or_default().entry(key.1).or_default().push(seen);
        }
        for count in batch.activity.into_iter().filter(|count| count.market == Market::Tcgplayer) {
            let Subject::Product { id, .. } = &count.subject else { continue };
            self.sales.entry(batch.date).or_default().insert(id.clone(), count);
        }
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;
    use crate::simulate::Parameters;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_market_that_goes_on_shows_the_same_days_and_forgets_old_ones() {
        let end: NaiveDate = "2026-11-20".parse().unwrap();
        let market =
            || Simulation::new(Parameters { cards: 60, days: 60, beyond: 60, listing_days: 0, ..Parameters::ending(end) }).unwrap();
        let (whole, mut following) = (Stock::of(&market()), Stock::day_by_day(market()));
        for moment in ["2026-11-20T21:00:00Z", "2026-12-24T12:00:00Z", "2027-01-19T21:00:00Z"].map(at) {
            following.advance(moment.date_naive());
            for market in [Market::Tcgplayer, Market::Cardmarket] {
                assert!(whole.latest(market, moment).is_some_and(|(_, products)| products.len() > 40));
                assert_eq!(whole.latest(market, moment), following.latest(market, moment), "{market} at {moment}");
            }
        }
        let days = following.days.keys().map(|(_, date)| *date);
        assert_eq!((days.clone().min(), days.max()), (Some("2026-12-29".parse().unwrap()), Some("2027-01-19".parse().unwrap())));
    }
}
