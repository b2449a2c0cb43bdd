//! The book as a scan reads it: every price series tied to the cards that it is said to be.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::domain::{
    book::{BookData, PriceSeries},
    card::{Card, CardId, Finish},
    market::Market,
    money::{Currency, RateOrigin, Rates},
    observation::{Activity, Subject},
    series::Point,
};

/// A card's position in [`BookData::cards`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CardIndex(pub usize);

/// The cards that a series' subject is said to be. One is sane, several are a data fault, none is a thing nobody mapped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    pub cards: Vec<CardIndex>,
    /// The crosswalk itself doubts the match.
    pub doubted: bool,
}

/// The last count of sales and offers of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardActivity {
    pub card: CardIndex,
    pub market: Market,
    pub finish: Finish,
    pub sales_30d: Option<i64>,
    pub active_listings: Option<i64>,
    pub observed_at: DateTime<Utc>,
}

/// A loaded book, its subjects resolved.
#[derive(Debug)]
pub struct Book {
    pub data: BookData,
    /// By position in [`BookData::series`].
    pub links: Vec<Link>,
    pub activity: Vec<CardActivity>,
    /// The last exchange rates known; `None` where no dollar rate was ever imported.
    pub rates: Option<Rates>,
}

impl Book {
    /// Ties series and counts to cards through the crosswalk.
    pub fn of(data: BookData) -> Self {
        let resolver = Resolver::of(&data);
        let links = data.series.iter().map(|one| resolver.link(&one.subject)).collect();
        let activity = data.activity.iter().flat_map(|counted| resolver.activity(counted)).collect();
        let rates = latest_rates(&data);
        Self { data, links, activity, rates }
    }

    pub fn card(&self, index: CardIndex) -> Option<&Card> {
        self.data.cards.get(index.0)
    }

    pub fn series(&self, index: usize) -> &PriceSeries {
        &self.data.series[index]
    }

    /// A series' recent points, ascending.
    pub fn history(&self, index: usize) -> &[Point] {
        self.data.history(&self.data.series[index])
    }
}

struct Resolver<'a> {
    cards: HashMap<&'a CardId, CardIndex>,
    products: HashMap<(Market, &'a str), Link>,
}

impl<'a> Resolver<'a> {
    fn of(data: &'a BookData) -> Self {
        let cards: HashMap<_, _> = data.cards.iter().enumerate().map(|(index, card)| (&card.card_id, CardIndex(index))).collect();
        let mut products: HashMap<_, Link> = HashMap::new();
        for pair in &data.card_products {
            if let Some(card) = cards.get(&pair.card_id) {
                let link = products.entry((pair.market, pair.external_id.as_str())).or_default();
                link.cards.push(*card);
                link.doubted |= pair.is_suspicious();
            }
        }
        Self { cards, products }
    }

    fn link(&self, subject: &Subject) -> Link {
        match subject {
            Subject::Card(card) => Link { cards: self.cards.get(card).copied().into_iter().collect(), doubted: false },
            Subject::Product { market, id } => self.products.get(&(*market, id.as_str())).cloned().unwrap_or_default(),
        }
    }

    fn activity(&self, counted: &Activity) -> Vec<CardActivity> {
        let tie = |card: CardIndex| CardActivity {
            card,
            market: counted.market,
            finish: counted.finish,
            sales_30d: counted.sales_30d,
            active_listings: counted.active_listings,
            observed_at: counted.observed_at,
        };
        self.link(&counted.subject).cards.into_iter().map(tie).collect()
    }
}

/// The latest rates known; pounds may be older than dollars.
fn latest_rates(data: &BookData) -> Option<Rates> {
    let latest =
        |currency: Currency| data.rates.iter().filter(|rate| rate.currency == currency).max_by_key(|rate| (rate.date, rate.known_at));
    let dollar = latest(Currency::Usd)?;
    Some(Rates {
        usd_per_eur: dollar.units_per_eur,
        gbp_per_eur: latest(Currency::Gbp).map(|rate| rate.units_per_eur),
        origin: RateOrigin { date: dollar.date, source: dollar.source.clone() },
    })
}
