//! A simulated market: sets, cards, ids, rates, two price feeds, sellers and sales, from one seed, with the truth about
//! every planted fault and every real spread beside it.
//!
//! The same parameters give the same rows to the bit, on every machine: there is no clock and no float, and each card
//! has random numbers of its own. Rows come in blocks ([`Simulation::batches`]), so a market of 60,000 cards fits in
//! little memory. Nothing here is data of a real card.

pub mod cardmarket;
pub mod cast;
pub mod catalogue;
mod dice;
pub mod feeds;
mod history;
pub mod messengers;
mod plan;
mod rates;
pub mod sellers;
mod truth;
pub mod vendors;
mod walk;
mod write;

use std::{io, net::SocketAddr};

use axum::Router;
use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use rust_decimal::Decimal;
use tokio::{net::TcpListener, task::JoinHandle};
use uuid::Uuid;

use crate::domain::{
    card::{BadCardId, Card, CardSet},
    market::Market,
    money::{DailyRate, Rates},
    observation::end_of_day,
    product::CardProduct,
    profile::{TenantId, Tier},
};
use catalogue::{Item, ReleasedSet, item, product_id};
use feeds::{Batches, Course};
pub use history::history;
use plan::{CardPlan, Role};
use sellers::Seller;
pub use truth::{FaultKind, Opportunity, Planted};
pub use write::{Progress, WriteError, add_tenants, write, write_until};

/// Serves a stand-in on a port of this machine; 0 is any free one. It ends only when it is aborted.
async fn listen(port: u16, router: Router) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
    Ok((address, server))
}

/// Who says which product is which card.
const SOURCE: &str = "simulated";

/// Values are counted in millionths of a euro or dollar.
const MICROS_A_CENT: i64 = 10_000;

/// An amount of millionths in whole cents, as a market prints it.
fn cents(micros: i64) -> Decimal {
    Decimal::new(dice::ratio(micros, 1, MICROS_A_CENT), 2)
}

/// A day on which one feed is wrong about a quarter of its cards by a factor of five and more. Cards with fewer than ten
/// days of history are spared: nothing could tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadScrape {
    pub market: Market,
    /// Days before the last day; 0 is the last day itself.
    pub age: u32,
}

/// A feed that goes on sending, but the same prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrozenFeed {
    pub market: Market,
    /// How many of the last days repeat the price of the day before them.
    pub days: u32,
}

/// What to simulate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    pub seed: u64,
    pub cards: u32,
    pub days: u32,
    /// The last day.
    pub end: NaiveDate,
    /// Days after it on which the market goes on: prices walk, spreads come again, and nothing is spoilt on purpose.
    pub beyond: u32,
    pub tenants: u32,
    /// On how many of the last days sellers' stocks are looked through.
    pub listing_days: u32,
    pub bad_scrape: Option<BadScrape>,
    pub frozen: Option<FrozenFeed>,
}

/// Limits of what can be asked for; beyond them a mistake is likelier than a wish.
const MOST_CARDS: u32 = 1_000_000;
const MOST_DAYS: u32 = 3_660;
const MOST_TENANTS: u32 = 100_000;

impl Parameters {
    /// 600 cards over the 60 days to `end` for four tenants, with one bad scrape nine days before the end.
    pub const fn ending(end: NaiveDate) -> Self {
        let bad_scrape = Some(BadScrape { market: Market::Cardmarket, age: 9 });
        Self { seed: 1, cards: 600, days: 60, end, beyond: 0, tenants: 4, listing_days: 2, bad_scrape, frozen: None }
    }

    pub fn first_day(&self) -> NaiveDate {
        self.end - Days::new(u64::from(self.days.saturating_sub(1)))
    }

    /// The day after which there are no prices.
    fn last_day(&self) -> NaiveDate {
        self.end + Days::new(u64::from(self.beyond))
    }

    /// The date of a day of the window, counted from 0.
    fn date(&self, day: i64) -> NaiveDate {
        self.first_day() + Days::new(u64::try_from(day).unwrap_or(0))
    }

    fn is_frozen(&self, market: Market, day: i64) -> bool {
        self.frozen.is_some_and(|frozen| frozen.market == market && day >= i64::from(self.days) - i64::from(frozen.days))
    }

    /// One day on which the guide was not published, in a window long enough to lose one.
    fn feed_is_down(&self, market: Market, day: i64) -> bool {
        const AGE: i64 = 17;
        let age = i64::from(self.days) - 1 - day;
        let scraped = self.bad_scrape.is_some_and(|bad| bad.market == market && i64::from(bad.age) == age);
        self.days > 30 && market == Market::Cardmarket && age == AGE && !scraped
    }

    fn check(&self) -> Result<(), BadParameters> {
        let within = |what, asked, most| {
            if (1..=most).contains(&asked) { Ok(()) } else { Err(BadParameters::Count { what, asked, most }) }
        };
        within("cards", self.cards, MOST_CARDS)?;
        within("days", self.days.saturating_add(self.beyond), MOST_DAYS)?;
        if self.tenants > MOST_TENANTS {
            return Err(BadParameters::Tenants { asked: self.tenants, most: MOST_TENANTS });
        }
        // before 1980 no simulated set is out, whatever the window; the year bounds keep all date arithmetic in range
        if !(1980..=2200).contains(&self.end.year()) {
            return Err(BadParameters::End(self.end));
        }
        Ok(())
    }
}

/// Parameters from which no market can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadParameters {
    #[error("cannot simulate {asked} {what}: ask for 1 to {most}")]
    Count { what: &'static str, asked: u32, most: u32 },
    #[error("cannot simulate {asked} tenants: ask for at most {most}")]
    Tenants { asked: u32, most: u32 },
    #[error("cannot simulate a market that ends on {0}: ask for a day from 1980 to 2200")]
    End(NaiveDate),
    #[error("no simulated set is out before {0}: ask for fewer days or a later end")]
    NoSets(NaiveDate),
    #[error(transparent)]
    CardId(#[from] BadCardId),
}

/// Someone to whom signals can go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    pub telegram_chat_id: i64,
    pub discord_channel_id: Option<i64>,
    /// ISO 3166 alpha-2.
    pub country: &'static str,
    pub tier: Tier,
    /// A preset of `profiles/`.
    pub preset: &'static str,
}

impl Tenant {
    /// The same tenant in every database, as the market is.
    pub fn id(&self) -> TenantId {
        let name = format!("tcg-radar simulated tenant {}", self.telegram_chat_id);
        TenantId(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()))
    }
}

/// A market from one seed.
#[derive(Debug)]
pub struct Simulation {
    parameters: Parameters,
    sets: Vec<ReleasedSet>,
    items: Vec<Item>,
    plans: Vec<CardPlan>,
    rates: Vec<Rates>,
    daily_usd: Vec<i64>,
    sellers: [Vec<Seller>; 2],
}

impl Simulation {
    /// Lays out the market; rows are made when [`Simulation::batches`] is walked.
    ///
    /// # Errors
    /// Parameters out of their limits, or a window before the first set.
    pub fn new(parameters: Parameters) -> Result<Self, BadParameters> {
        parameters.check()?;
        let sets = catalogue::sets(&parameters);
        if sets.iter().all(|set| set.release_date > parameters.first_day()) {
            return Err(BadParameters::NoSets(parameters.first_day()));
        }
        let count = usize::try_from(parameters.cards).unwrap_or(usize::MAX);
        let mut items = (0..count).map(|index| item(&parameters, &sets, index)).collect::<Result<Vec<_>, _>>()?;
        let plans = plan::plan(&parameters, &mut items);
        let rates = rates::fixings(&parameters);
        let daily_usd = rates::daily_usd(&parameters, &rates);
        let sellers = [Market::Cardmarket, Market::Tcgplayer].map(|market| sellers::sellers(&parameters, market));
        Ok(Self { parameters, sets, items, plans, rates, daily_usd, sellers })
    }

    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// When the last day of the window is over and everything of it is known: scan as of here.
    pub fn as_of(&self) -> DateTime<Utc> {
        end_of_day(self.parameters.end)
    }

    /// Oldest first; the last one appears inside the window, where that has nine days or more.
    pub fn sets(&self) -> impl ExactSizeIterator<Item = &CardSet> {
        self.sets.iter().map(|released| &released.set)
    }

    pub fn cards(&self) -> impl ExactSizeIterator<Item = &Card> {
        self.items.iter().map(|item| &item.card)
    }

    /// One fixing a working day, oldest first, from a week before the window.
    pub fn rates(&self) -> &[Rates] {
        &self.rates
    }

    /// The same, one currency at a time, as they are stored.
    pub fn daily_rates(&self) -> impl Iterator<Item = DailyRate> + '_ {
        rates::daily(&self.rates)
    }

    pub fn sellers(&self) -> impl Iterator<Item = &Seller> {
        self.sellers.iter().flatten()
    }

    fn sellers_of(&self, market: Market) -> &[Seller] {
        &self.sellers[usize::from(market == Market::Tcgplayer)]
    }

    /// The crosswalk: two links a card, with the planted mistakes.
    pub fn links(&self) -> impl Iterator<Item = CardProduct> + '_ {
        self.items.iter().enumerate().flat_map(move |(index, item)| {
            [Market::Tcgplayer, Market::Cardmarket].map(|market| {
                let claimed = match (self.plans[index].role, market) {
                    (Role::WrongId { other }, Market::Cardmarket) => other,
                    (Role::Shared { owner }, Market::Tcgplayer) => owner,
                    _ => index,
                };
                CardProduct {
                    market,
                    external_id: product_id(market, claimed),
                    card_id: item.card.card_id.clone(),
                    method: "unique".to_owned(),
                    source: SOURCE.to_owned(),
                }
            })
        })
    }

    /// The number that the marketplace itself gives to the card of an index, whatever the crosswalk claims.
    pub fn true_product(&self, market: Market, index: usize) -> String {
        product_id(market, index)
    }

    /// Tenants of four countries, each with the preset of its kind of reseller.
    pub fn tenants(&self) -> impl Iterator<Item = Tenant> {
        (0..self.parameters.tenants).map(|number| {
            let (country, tier, preset) = match number % 4 {
                0 => ("US", Tier::Shop, "us_tcgplayer_eu_forwarder"),
                1 => ("DE", Tier::Pro, "de_cardmarket_us_forwarder"),
                2 => ("GB", Tier::Trader, "uk_reseller"),
                _ => ("SG", Tier::Pro, "sea_owner"),
            };
            Tenant { telegram_chat_id: 9_000_000_001 + i64::from(number), discord_channel_id: None, country, tier, preset }
        })
    }

    /// All rows, day by day, each day in blocks of cards.
    pub fn batches(&self) -> Batches<'_> {
        Batches::new(self, 0..self.items.len())
    }

    /// The same for whoever takes the market along.
    pub fn into_batches(self) -> impl Iterator<Item = feeds::Batch> + Send {
        let mut course = Course::new(&self, 0..self.items.len());
        std::iter::from_fn(move || course.next(&self))
    }

    /// The rows of some cards, by their place among [`Simulation::cards`], in the order asked for.
    pub fn batches_of(&self, cards: &[usize]) -> Batches<'_> {
        Batches::new(self, cards.iter().copied().filter(|index| *index < self.items.len()))
    }

    /// Every planted fault, by card and day. See [`Planted`].
    pub fn truth(&self) -> Vec<Planted> {
        truth::planted(self)
    }

    /// Real spreads that a sane rule pack finds. See [`Opportunity`].
    pub fn opportunities(&self) -> Vec<Opportunity> {
        truth::opportunities(self)
    }
}
