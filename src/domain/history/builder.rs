//! Gathers a history from what files, feeds or the database tell, row by row.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Count, Counted, Course, Figure, History, Row, Terms, moment};
use crate::domain::{
    book::{CardActivity, CardIndex, PriceSeries},
    card::{Card, CardId, CardSet, Finish},
    condition::Condition,
    market::Market,
    money::{Currency, DailyRate},
    observation::{Activity, Observation, PriceKind, Subject},
    product::{CardProduct, PRODUCT_KEYED, SUSPICIOUS},
    series::Points,
};

/// A price with more digits than a market prints.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a price of {source_name} has more than 17 digits: correct the row and import it again")]
pub struct TooManyDigits {
    pub source_name: String,
}

/// What makes a series one.
type Key = (Subject, Arc<str>, Market, Currency, Finish, Option<Condition>, PriceKind, Option<Arc<str>>);

/// See the module. Cards, ids and rates first, then prices.
#[derive(Debug, Default)]
pub struct Builder {
    sets: HashMap<String, CardSet>,
    cards: BTreeMap<CardId, Card>,
    /// By market and product: the cards, and whether the crosswalk doubts one of them.
    products: FxHashMap<(Market, String), (BTreeSet<CardId>, bool)>,
    of_cards: FxHashMap<(Market, CardId), BTreeSet<String>>,
    rates: BTreeMap<(chrono::NaiveDate, &'static str, String), DailyRate>,
    courses: Vec<Course>,
    places: FxHashMap<Key, usize>,
    activity: BTreeMap<(Subject, String, Market, Finish), Vec<Count>>,
    /// Of the last row.
    last: Option<usize>,
    texts: FxHashSet<Arc<str>>,
    imported: u64,
}

impl Builder {
    pub fn add_set(&mut self, set: CardSet) {
        self.sets.insert(set.set_code.clone(), set);
    }

    pub fn add_card(&mut self, card: Card) {
        self.cards.insert(card.card_id.clone(), card);
    }

    pub fn add_link(&mut self, link: &CardProduct) {
        let (cards, doubted) = self.products.entry((link.market, link.external_id.clone())).or_default();
        cards.insert(link.card_id.clone());
        *doubted |= link.method.ends_with(SUSPICIOUS);
        self.of_cards.entry((link.market, link.card_id.clone())).or_default().insert(link.external_id.clone());
    }

    /// What a source published for a day stays.
    pub fn add_rate(&mut self, rate: DailyRate) {
        self.rates.entry((rate.date, rate.currency.code(), rate.source.clone())).or_insert(rate);
    }

    pub fn add_activity(&mut self, activity: Activity) {
        let count = Count {
            observed: activity.observed_at.timestamp_micros(),
            known: activity.known_at.timestamp_micros(),
            sales_30d: activity.sales_30d,
            active_listings: activity.active_listings,
        };
        self.activity.entry((activity.subject, activity.source, activity.market, activity.finish)).or_default().push(count);
    }

    /// Takes a row that somebody told later than it could have been known.
    ///
    /// # Errors
    /// More digits than a price has.
    pub fn add_imported(&mut self, seen: &Observation) -> Result<(), TooManyDigits> {
        self.imported += 1;
        self.add(seen)
    }

    /// Takes a row.
    ///
    /// # Errors
    /// More digits than a price has.
    pub fn add(&mut self, seen: &Observation) -> Result<(), TooManyDigits> {
        let place = self.place(seen);
        let figure = |amount| Figure::new(amount).ok_or_else(|| TooManyDigits { source_name: seen.source.clone() });
        let row = Row {
            observed: seen.observed_at.timestamp_micros(),
            known: seen.known_at.timestamp_micros(),
            price: figure(seen.price)?,
            low: figure(seen.low)?,
            mid: figure(seen.mid)?,
            high: figure(seen.high)?,
        };
        let terms = seen.listing.as_ref().map(|listing| Terms {
            shipping: listing.shipping,
            seller_rating: listing.seller_rating,
            seller_sales: listing.seller_sales,
        });
        self.push(place, row, terms);
        Ok(())
    }

    /// Adds a row to a series.
    pub fn push(&mut self, place: usize, row: Row, terms: Option<Terms>) {
        let course = &mut self.courses[place];
        if let Some(terms) = terms {
            // rows before it stated nothing
            course.terms.resize(course.rows.len(), Terms::default());
            course.terms.push(terms);
        }
        course.rows.push(row);
    }

    /// Adds a series that no other is like, and tells its place.
    pub fn add_series(&mut self, first: PriceSeries) -> usize {
        self.courses.push(Course { first, rows: Vec::new(), terms: Vec::new() });
        self.courses.len() - 1
    }

    fn place(&mut self, seen: &Observation) -> usize {
        let place = self.following(seen).unwrap_or_else(|| self.find(seen));
        self.last = Some(place);
        place
    }

    /// The series after that of the last row, if this row is of it: feeds tell the same things in the same order every day.
    fn following(&self, seen: &Observation) -> Option<usize> {
        let place = self.last? + 1;
        let known = &self.courses.get(place)?.first;
        let seller = seen.listing.as_ref().map(|listing| listing.seller_id.as_str());
        let is_it = known.subject == seen.subject
            && *known.source == *seen.source
            && (known.market, known.currency, known.finish) == (seen.market, seen.currency, seen.finish)
            && (known.condition, known.kind, known.seller_id.as_deref()) == (seen.condition, seen.kind, seller);
        is_it.then_some(place)
    }

    fn find(&mut self, seen: &Observation) -> usize {
        let (source, seller) = (self.shared(&seen.source), seen.listing.as_ref().map(|listing| listing.seller_id.clone()));
        let seller: Option<Arc<str>> = seller.map(|seller| self.shared(&seller));
        let subject = self.subject_of(seen);
        let key: Key = (subject, source, seen.market, seen.currency, seen.finish, seen.condition, seen.kind, seller);
        if let Some(place) = self.places.get(&key) {
            return *place;
        }
        let (subject, source, .., seller_id) = key.clone();
        let place = self.add_series(PriceSeries {
            subject,
            cards: Vec::new(),
            doubted: false,
            source,
            market: seen.market,
            currency: seen.currency,
            finish: seen.finish,
            condition: seen.condition,
            kind: seen.kind,
            seller_id,
            latest: Row::BLANK.quote(None),
            history: Points::default(),
        });
        self.places.insert(key, place);
        place
    }

    /// A row of a feed that prices products belongs to the card's product, where exactly one is known.
    fn subject_of(&self, seen: &Observation) -> Subject {
        if let Subject::Card(card) = &seen.subject
            && PRODUCT_KEYED.contains(&seen.source.as_str())
            && let Some(products) = self.of_cards.get(&(seen.market, card.clone()))
            && let (1, Some(id)) = (products.len(), products.first())
        {
            return Subject::Product { market: seen.market, id: id.clone() };
        }
        seen.subject.clone()
    }

    /// Equal texts of many rows are held once.
    fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&new));
        new
    }

    /// How many of the rows that were pushed somebody told later than they could have been known.
    pub fn count_imported(&mut self, rows: u64) {
        self.imported += rows;
    }

    /// Everything in its order.
    pub fn finish(self) -> History {
        let Self { sets, cards, products, rates, mut courses, activity, imported, .. } = self;
        let mut cards: Vec<Card> = cards.into_values().collect();
        for card in &mut cards {
            // a list of sets knows better than a card
            if let Some(set) = sets.get(&card.set_code) {
                card.set_name = Some(set.name.clone());
                card.set_release_date = set.release_date.or(card.set_release_date);
            }
        }
        let index: HashMap<&CardId, CardIndex> = cards.iter().enumerate().map(|(place, card)| (&card.card_id, CardIndex(place))).collect();
        let of = |subject: &Subject| -> (Vec<CardIndex>, bool) {
            match subject {
                Subject::Card(card) => (index.get(card).copied().into_iter().collect(), false),
                Subject::Product { market, id } => {
                    let Some((claiming, doubted)) = products.get(&(*market, id.clone())) else { return Default::default() };
                    (claiming.iter().filter_map(|card| index.get(card).copied()).collect(), *doubted)
                }
            }
        };
        courses.retain(|course| !course.rows.is_empty());
        courses.par_iter_mut().for_each(|course| {
            (course.first.cards, course.first.doubted) = of(&course.first.subject);
            course.rows.shrink_to_fit();
            if !course.terms.is_empty() {
                course.terms.resize(course.rows.len(), Terms::default());
            }
            course.sort();
        });
        let activity = activity
            .into_iter()
            .map(|((subject, source, market, finish), rows)| counted(&of(&subject).0, source, market, finish, rows))
            .collect();
        History { courses, activity, rates: rates.into_values().collect(), flags: Vec::new(), imported, cards }
    }
}

fn counted(cards: &[CardIndex], source: String, market: Market, finish: Finish, mut rows: Vec<Count>) -> Counted {
    rows.sort_by_key(|row| (row.known, row.observed));
    rows.shrink_to_fit();
    let source: Arc<str> = source.into();
    let of = |card: &CardIndex| CardActivity {
        card: *card,
        market,
        finish,
        source: source.clone(),
        sales_30d: None,
        active_listings: None,
        observed_at: moment(0),
    };
    Counted { cards: cards.iter().map(of).collect(), rows }
}
