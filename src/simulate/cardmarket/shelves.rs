//! What stands for sale in the stand-in: by product, as sellers offer it on a day.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Days, NaiveDate, Utc};
use rust_decimal::Decimal;

use crate::{
    domain::{
        condition::Grade,
        market::Market,
        observation::{Listing, Observation, PriceKind, Subject},
    },
    simulate::Simulation,
};

/// One offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ware {
    pub listing: Listing,
    pub grade: Grade,
    pub price: Decimal,
}

/// What a page is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    pub id: String,
    pub card_id: String,
    pub name: String,
    /// The cheapest first.
    pub wares: Vec<Ware>,
    /// Average sale by day.
    pub averages: Vec<(NaiveDate, Decimal)>,
}

/// Everything that is for sale.
#[derive(Debug, Default)]
pub struct Shelves {
    names: HashMap<String, (String, String)>,
    days: BTreeMap<NaiveDate, HashMap<String, Vec<Ware>>>,
    averages: HashMap<String, BTreeMap<NaiveDate, Decimal>>,
}

/// Days that the chart of a page shows.
const CHART_DAYS: u64 = 21;

impl Shelves {
    /// The sellers of a simulated market, on each day that their stock was looked through.
    pub fn of(simulation: &Simulation) -> Self {
        let mut shelves = Self::default();
        for (index, card) in simulation.cards().enumerate() {
            let product = simulation.true_product(Market::Cardmarket, index);
            shelves.names.insert(product, (card.card_id.to_string(), card.name.clone()));
        }
        for batch in simulation.batches() {
            for seen in batch.observations.into_iter().filter(|seen| seen.market == Market::Cardmarket) {
                shelves.take(batch.date, seen);
            }
        }
        shelves
    }

    fn take(&mut self, date: NaiveDate, seen: Observation) {
        let (Subject::Product { id, .. }, Some(price)) = (seen.subject, seen.price) else { return };
        if let (Some(listing), Some(condition)) = (seen.listing, seen.condition) {
            let wares = self.days.entry(date).or_default().entry(id).or_default();
            wares.push(Ware { listing, grade: condition.grade, price });
        } else if seen.kind == PriceKind::Trend {
            self.averages.entry(id).or_default().entry(date).or_insert(price);
        }
    }

    /// Puts a product up as it stands for sale from a day on.
    pub fn put(&mut self, from: NaiveDate, product: Product) {
        self.names.insert(product.id.clone(), (product.card_id, product.name));
        self.averages.insert(product.id.clone(), product.averages.into_iter().collect());
        self.days.entry(from).or_default().insert(product.id, product.wares);
    }

    /// What a product's page shows at a moment.
    pub fn product(&self, id: &str, now: DateTime<Utc>) -> Option<Product> {
        let (card_id, name) = self.names.get(id)?.clone();
        let today = now.date_naive();
        // a day is whole: what is not on it is sold
        let day = self.days.range(..=today).next_back().or_else(|| self.days.iter().next());
        let mut wares = day.and_then(|(_, wares)| wares.get(id)).cloned().unwrap_or_default();
        wares.sort_by_key(|ware| ware.price);
        let since = today - Days::new(CHART_DAYS);
        let averages = self.averages.get(id).into_iter().flat_map(|days| days.range(since..today));
        Some(Product { id: id.to_owned(), card_id, name, wares, averages: averages.map(|(day, price)| (*day, *price)).collect() })
    }

    /// Ids of other cards that a seller has on the same day.
    pub fn others(&self, seller: &str, but: &str, now: DateTime<Utc>) -> Vec<String> {
        let day = self.days.range(..=now.date_naive()).next_back().or_else(|| self.days.iter().next());
        let theirs = |wares: &Vec<Ware>| wares.iter().any(|ware| ware.listing.seller_id == seller);
        let products = day.into_iter().flat_map(|(_, products)| products).filter(|(id, wares)| *id != but && theirs(wares));
        let mut cards: Vec<String> = products.filter_map(|(id, _)| Some(self.names.get(id)?.0.clone())).collect();
        cards.sort_unstable();
        cards
    }
}
