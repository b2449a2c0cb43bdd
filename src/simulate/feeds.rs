//! The rows that the simulated feeds send, day by day and in blocks of cards, so that a large market needs no more
//! memory than a small one.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::{
    MICROS_A_CENT, Simulation,
    catalogue::{Item, product_id},
    cents,
    dice::{Dice, MILLION, Purpose, ratio, times},
    plan::{CardPlan, Defect, Role},
    sellers::offers,
    walk::{Quotes, Walk},
};
use crate::domain::{
    card::{Finish, Printing},
    market::Market,
    observation::{Activity, Observation, PriceKind, Subject},
    product::{CARDMARKET_GUIDE, TCGCSV},
};

/// The names of what no importer reads yet, as the rows carry them.
pub const TCGPLAYER_LISTINGS: &str = "tcgplayer_listings";
pub const CARDMARKET_LISTINGS: &str = "cardmarket_listings";
pub const ACTIVITY_FEED: &str = "poketrace";

/// Cards whose rows of a day come together.
pub const BLOCK: usize = 4_000;

/// The rows of one day for a block of cards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub date: NaiveDate,
    pub observations: Vec<Observation>,
    pub activity: Vec<Activity>,
}

/// A walk through the market: all blocks of the first day, then of the second.
pub struct Batches<'a> {
    simulation: &'a Simulation,
    course: Course,
}

impl<'a> Batches<'a> {
    pub(super) fn new(simulation: &'a Simulation, cards: impl Iterator<Item = usize>) -> Self {
        Self { simulation, course: Course::new(simulation, cards) }
    }
}

impl Iterator for Batches<'_> {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        self.course.next(self.simulation)
    }
}

/// How far a walk has come.
pub struct Course {
    /// Index and state of each card that is walked.
    walks: Vec<(usize, Walk)>,
    day: i64,
    position: usize,
}

impl Course {
    pub fn new(simulation: &Simulation, cards: impl Iterator<Item = usize>) -> Self {
        let walks = cards
            .map(|index| (index, Walk::new(&simulation.parameters, &simulation.items[index], &simulation.plans[index], index)))
            .collect();
        Self { walks, day: 0, position: 0 }
    }

    /// The next block, of the market that the walk began in.
    pub fn next(&mut self, simulation: &Simulation) -> Option<Batch> {
        if self.position >= self.walks.len() {
            self.position = 0;
            self.day += 1;
        }
        let date = simulation.parameters.date(self.day);
        if self.walks.is_empty() || date > simulation.parameters.last_day() {
            return None;
        }
        let usd = usize::try_from(self.day).ok().and_then(|day| simulation.daily_usd.get(day)).copied().unwrap_or(MILLION);
        let mut batch = Batch { date, observations: Vec::new(), activity: Vec::new() };
        let end = (self.position + BLOCK).min(self.walks.len());
        for (index, walk) in &mut self.walks[self.position..end] {
            let (item, plan) = (&simulation.items[*index], &simulation.plans[*index]);
            if self.day < plan.first_day {
                continue;
            }
            let quotes = walk.step(&simulation.parameters, plan, self.day, usd);
            let rows = Rows { simulation, index: *index, item, plan, day: self.day, date, quotes };
            rows.append(&mut batch);
        }
        self.position = end;
        Some(batch)
    }
}

/// Everything that decides the rows of one card on one day.
struct Rows<'a> {
    simulation: &'a Simulation,
    index: usize,
    item: &'a Item,
    plan: &'a CardPlan,
    day: i64,
    date: NaiveDate,
    quotes: Quotes,
}

impl Rows<'_> {
    fn append(&self, batch: &mut Batch) {
        let parameters = &self.simulation.parameters;
        let age = i64::from(parameters.days) - 1 - self.day;
        for market in [Market::Tcgplayer, Market::Cardmarket] {
            if !parameters.feed_is_down(market, self.day) {
                self.feed_rows(market, batch);
            }
            if age < i64::from(parameters.listing_days) {
                self.listings(market, batch);
            }
            if age % 7 == 0 {
                batch.activity.extend(self.activity(market));
            }
        }
    }

    fn subject(&self, market: Market) -> Subject {
        Subject::Product { market, id: product_id(market, self.index) }
    }

    fn printing(&self, market: Market) -> Printing {
        match market {
            Market::Cardmarket => Printing::Plain,
            _ if self.item.rarity.holofoil() => Printing::Holofoil,
            _ => Printing::Normal,
        }
    }

    fn feed_rows(&self, market: Market, batch: &mut Batch) {
        let defect = self.plan.defect(market, self.day);
        if matches!(defect, Some(Defect::Missing | Defect::Stopped)) {
            return;
        }
        let (up, down) = if let Some(Defect::Off(up, down)) = defect { (up, down) } else { (1, 1) };
        let headline = ratio(self.quotes.of(market), up, down);
        batch.observations.push(self.feed_row(market, self.printing(market), headline, defect));
        if !self.item.rarity.foil_only() {
            let reverse = times(headline, self.quotes.reverse);
            batch.observations.push(self.feed_row(market, Printing::ReverseHolofoil, reverse, defect));
        }
    }

    fn feed_row(&self, market: Market, printing: Printing, micros: i64, defect: Option<Defect>) -> Observation {
        let place = (self.index << 8) | (printing as usize) << 1 | usize::from(market == Market::Tcgplayer);
        let mut dice = Dice::new(self.simulation.parameters.seed, Purpose::Rows, place);
        let at = clock(market, self.date);
        let priced = |share: i64| Some(cents(times(micros, share * 1_000).max(MICROS_A_CENT)));
        let mut row = Observation {
            subject: self.subject(market),
            source: if market == Market::Tcgplayer { TCGCSV } else { CARDMARKET_GUIDE }.to_owned(),
            market,
            currency: market.currency(),
            finish: Finish::english(printing),
            condition: None,
            kind: if market == Market::Tcgplayer { PriceKind::Market } else { PriceKind::Trend },
            price: priced(1_000),
            low: None,
            mid: None,
            high: None,
            listing: None,
            observed_at: at,
            known_at: at,
        };
        if market == Market::Tcgplayer {
            row.low = priced(dice.between(800, 970));
            row.mid = priced(dice.between(1_050, 1_250));
            // some ask a price that nobody pays
            row.high = if dice.chance(17) { Some(Decimal::new(999_999, 2)) } else { priced(dice.between(1_500, 4_000)) };
        } else {
            row.low = priced(dice.between(600, 950));
        }
        if defect == Some(Defect::NoPrice) {
            row.price = None;
            // the guide then has nothing at all; TCGplayer still knows what is asked
            if market == Market::Cardmarket || dice.chance(300) {
                (row.low, row.mid, row.high) = (None, None, None);
            }
        }
        row
    }

    fn listings(&self, market: Market, batch: &mut Batch) {
        let simulation = self.simulation;
        let sellers = simulation.sellers_of(market);
        let found = offers(&simulation.parameters, (self.index, self.item, self.plan), market, sellers, self.quotes.of(market));
        // the stock was looked through in the evening; a card of a frozen feed still has its sellers
        let at = day_start(self.date) + TimeDelta::hours(22);
        for offer in found {
            batch.observations.push(Observation {
                subject: self.subject(market),
                source: if market == Market::Tcgplayer { TCGPLAYER_LISTINGS } else { CARDMARKET_LISTINGS }.to_owned(),
                market,
                currency: market.currency(),
                finish: Finish::english(self.printing(market)),
                condition: Some(offer.condition),
                kind: PriceKind::Listing,
                price: Some(offer.price),
                low: None,
                mid: None,
                high: None,
                listing: Some(offer.listing),
                observed_at: at,
                known_at: at,
            });
        }
    }

    /// Sales and offers, for three cards of four; the same count for weeks but for a little noise.
    fn activity(&self, market: Market) -> Option<Activity> {
        let place = self.index * 2 + usize::from(market == Market::Tcgplayer);
        let mut dice = Dice::new(self.simulation.parameters.seed, Purpose::Activity, place);
        // a knife falls because everybody sells, so somebody counts
        let counted = self.plan.role == Role::Knife || !dice.chance(250);
        if !counted {
            return None;
        }
        let active = dice.between(3, 60);
        let sales = match self.plan.role {
            Role::Spread(_) => active * dice.between(16, 40) / 10,
            Role::Knife => active * 6,
            _ if dice.chance(60) => 0,
            _ => active * dice.between(1, 25) / 10,
        };
        let at = day_start(self.date) + TimeDelta::hours(21);
        Some(Activity {
            subject: self.subject(market),
            source: ACTIVITY_FEED.to_owned(),
            market,
            finish: Finish::english(self.printing(market)),
            sales_30d: Some(sales),
            active_listings: Some(active),
            observed_at: at,
            known_at: at,
        })
    }
}

/// When a feed publishes its day: TCGCSV in the evening, Cardmarket's guide in the night before.
pub fn clock(market: Market, date: NaiveDate) -> DateTime<Utc> {
    match market {
        Market::Cardmarket => day_start(date) + TimeDelta::minutes(55) + TimeDelta::seconds(18),
        Market::Tcgplayer | Market::Ebay => day_start(date) + TimeDelta::hours(20),
    }
}

fn day_start(date: NaiveDate) -> DateTime<Utc> {
    date.and_time(chrono::NaiveTime::MIN).and_utc()
}
