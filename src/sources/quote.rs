//! An aggregate price of a market, put together the same way by every format.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::{Entry, NO_PRICE, Outcome};
use crate::domain::{
    card::Finish,
    condition::Condition,
    market::Market,
    observation::{Observation, PriceKind, Subject},
};

/// The figures of one quote; `None` is no data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    pub price: Option<Decimal>,
    pub low: Option<Decimal>,
    pub mid: Option<Decimal>,
    pub high: Option<Decimal>,
}

impl Figures {
    pub const fn is_empty(&self) -> bool {
        self.price.is_none() && self.low.is_none() && self.mid.is_none() && self.high.is_none()
    }
}

/// What a quote is about, beside its figures.
#[derive(Debug, Clone)]
pub struct Quote<'a> {
    pub subject: Subject,
    pub source: &'a str,
    pub market: Market,
    pub finish: Finish,
    pub condition: Option<Condition>,
    pub kind: PriceKind,
    /// When it was observed, and when it could be known.
    pub clocks: (DateTime<Utc>, DateTime<Utc>),
}

impl Quote<'_> {
    /// The observation, unless there is no figure at all.
    pub fn entry(self, figures: Figures) -> Option<Entry> {
        if figures.is_empty() {
            return None;
        }
        let Figures { price, low, mid, high } = figures;
        Some(Entry::Observation(Box::new(Observation {
            subject: self.subject,
            source: self.source.to_owned(),
            market: self.market,
            currency: self.market.currency(),
            finish: self.finish,
            condition: self.condition,
            kind: self.kind,
            price,
            low,
            mid,
            high,
            listing: None,
            observed_at: self.clocks.0,
            known_at: self.clocks.1,
        })))
    }

    pub fn outcome(self, figures: Figures) -> Outcome {
        self.entry(figures).map_or(Outcome::Skipped(NO_PRICE), |entry| Outcome::Values(vec![entry]))
    }
}

/// The market of a row that says `US` or `EU` and its currency.
///
/// # Errors
/// Another market, or a currency that is not the market's.
pub fn market(market: &str, currency: &str) -> Result<Market, String> {
    let known = match market {
        "US" => Market::Tcgplayer,
        "EU" => Market::Cardmarket,
        _ => return Err(format!("unknown market \"{}\": expected US or EU", super::figure::shortened(market))),
    };
    if known.currency().code() == currency {
        Ok(known)
    } else {
        Err(format!("a price of market {market} in \"{}\", not in {}", super::figure::shortened(currency), known.currency()))
    }
}

/// The market's own number of a product, in its shortest form.
///
/// # Errors
/// A text that is not a positive whole number.
pub fn product_id(text: &str) -> Result<String, String> {
    match text.parse::<u64>() {
        Ok(id) if id > 0 => Ok(id.to_string()),
        _ => Err(format!("\"{}\" is not a product number", super::figure::shortened(text))),
    }
}
