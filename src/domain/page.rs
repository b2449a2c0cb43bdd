//! What a marketplace's page about one card tells: its offers, and how it ended for us.

use std::{fmt, str::FromStr};

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    card::{CardId, Edition, Finish, Language, Printing},
    condition::Condition,
    market::closed_set,
};

/// The source of offers that a page's data or markup told. Its prices without a seller are none: they say when somebody has
/// looked at what all sellers ask, and what the cheapest does.
pub const SCRAPED: &str = "cardmarket_scrape";
/// The source of a price that a model read off a picture. The rules flag it.
pub const SEEN: &str = "cardmarket_vision";
/// The source of the daily averages in a page's chart.
pub const CHARTED: &str = "cardmarket_chart";
/// Stands for a seller whom the page does not name. With the card behind it, so that two of them never share a parcel.
pub const UNNAMED: &str = "unnamed";

closed_set! {
    /// How the figures were got off a page, the surest first.
    Method, "method" {
        /// From the data that the page itself fetched.
        Interception = "interception",
        /// From its markup.
        Selectors = "selectors",
        /// By a model, from a picture of it.
        Vision = "vision",
    }
}

closed_set! {
    /// How the load of a page ended, where it told no offer.
    Ending, "ending of a page load" {
        /// The page itself says that nobody offers the card.
        Empty = "empty",
        /// It is about another product.
        WrongProduct = "wrong_product",
        /// The site wants to know whether we are human. That is not "no offers".
        Blocked = "blocked",
        RateLimited = "rate_limited",
        TimedOut = "timed_out",
        /// No method found a price.
        Unreadable = "unreadable",
        /// It wanted to lead us where nobody sent us.
        Hostile = "hostile",
        /// The site, the network or the browser failed.
        Failed = "failed",
    }
}

/// One seller's offer of the card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Nothing where the page does not name one.
    pub seller: Option<String>,
    /// Percent, 0 to 100.
    pub rating: Option<Decimal>,
    /// Lifetime sales.
    pub sales: Option<i64>,
    /// Nothing where the page does not say.
    pub condition: Option<Condition>,
    pub finish: Finish,
    /// Euro.
    pub price: Decimal,
    pub shipping: Option<Decimal>,
}

/// The printing that a Cardmarket page means where it says nothing: English, not reverse.
pub const USUAL: Finish = Finish { printing: Printing::Plain, edition: Edition::Standard, language: Language::English };

/// Up to where the offers on the page are all that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It shows some.
    Some,
    /// It shows all that cost less than this.
    Below(Decimal),
    /// It shows all.
    All,
}

/// What a page told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    pub method: Method,
    /// Never empty.
    pub offers: Vec<Offer>,
    pub reach: Reach,
    /// Euro, by day.
    pub averages: Vec<(NaiveDate, Decimal)>,
    /// What one seller of the page has besides.
    pub others: Vec<CardId>,
}

impl Sight {
    /// The cheapest offer, postage included.
    pub fn best(&self) -> Option<&Offer> {
        self.offers.iter().min_by_key(|offer| offer.price + offer.shipping.unwrap_or_default())
    }
}
