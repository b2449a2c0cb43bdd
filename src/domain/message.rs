//! What somebody is told, before any channel gives it a form. Kept whole in the outbox, so that it can be sent later and
//! again.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    card::{Card, CardId, Finish},
    condition::Grade,
    decision::{Decision, Opportunity},
    market::{Market, closed_set},
    money::Currency,
};

mod link;
mod words;

pub use self::{
    link::deep_link,
    words::{Action, Colour, Line, Span, Words},
};

closed_set! {
    /// Where messages go.
    Channel, "channel" {
        Telegram = "telegram",
        Discord = "discord",
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Message {
    /// A deal that is one tenant's alone for a while.
    Signal(Box<Signal>),
    /// The deals of a day, for those who do not want each at once.
    Batch(Digest),
    /// The best deals of a week, after others had their turn.
    Digest(Digest),
    /// Something for the operator.
    Notice(Notice),
    /// An answer to what somebody wrote.
    Reply(Reply),
}

/// A deal that is one tenant's alone for a while. The same value with another `standing` changes the sent message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// By which the tenant speaks of it; see [`short_id`].
    pub short_id: String,
    pub deal: Deal,
    /// More cards of the same seller that the tenant gets with it, each a signal of its own. Empty but for a bundle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub basket: Vec<InBasket>,
    pub standing: Standing,
}

/// One more card of a basket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InBasket {
    pub short_id: String,
    pub deal: Deal,
}

/// How a signal stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Standing {
    /// New: the tenant's alone for so long from the moment that this arrives.
    Offered { minutes: i64 },
    /// Its figures moved; it stays the tenant's until then.
    Repriced {
        #[serde(with = "rust_decimal::serde::str")]
        net_profit_before: Decimal,
        until: Option<DateTime<Utc>>,
    },
    /// The tenant took it.
    Taken,
    /// The tenant let it go.
    Passed,
    /// The tenant's time is over.
    Expired,
    /// It is no deal any longer, in a few words.
    Withdrawn { reason: String },
}

/// One card that is cheap on one market and dear on another, as one tenant sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deal {
    pub card_id: CardId,
    pub name: String,
    pub set_name: Option<String>,
    pub finish: Finish,
    pub condition: Option<Grade>,
    /// As the pack names it.
    pub signal_type: String,
    pub buy: Side,
    pub sell: Side,
    #[serde(with = "rust_decimal::serde::str")]
    pub net_profit: Decimal,
    /// The currency of the net profit.
    pub home: Currency,
    /// Of the proceeds.
    #[serde(default, with = "rust_decimal::serde::str_option", skip_serializing_if = "Option::is_none")]
    pub margin_pct: Option<Decimal>,
    #[serde(default, with = "rust_decimal::serde::str_option", skip_serializing_if = "Option::is_none")]
    pub velocity: Option<Decimal>,
    pub velocity_tier: Option<String>,
    /// Profit for each sale.
    #[serde(default, with = "rust_decimal::serde::str_option", skip_serializing_if = "Option::is_none")]
    pub headache: Option<Decimal>,
    pub headache_tier: Option<String>,
    pub seller: Option<String>,
    /// How many interesting cards the seller has, this one included.
    pub seller_density: Option<i64>,
    /// Flags, as the pack names them.
    pub risks: Vec<String>,
}

/// One end of a deal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    pub market: Market,
    /// In the market's currency.
    #[serde(with = "rust_decimal::serde::str")]
    pub price: Decimal,
    pub url: Option<String>,
}

/// Several deals in one message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// When it was put together.
    pub at: DateTime<Utc>,
    /// The best first.
    pub deals: Vec<Deal>,
    /// How many more there were.
    pub left_out: usize,
}

/// Something for the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub title: String,
    pub text: String,
}

impl Message {
    /// What is sent in place of a first message that nobody saw yet: the new figures as a new offer. `None` where there
    /// is nothing to offer any longer.
    pub fn instead_of(&self, first: &Self) -> Option<Self> {
        let (Self::Signal(now), Self::Signal(first)) = (self, first) else { return Some(self.clone()) };
        let is_open = matches!(now.standing, Standing::Offered { .. } | Standing::Repriced { .. });
        is_open.then(|| Self::Signal(Box::new(Signal { standing: first.standing.clone(), ..Signal::clone(now) })))
    }
}

/// An answer to what somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub lines: Vec<String>,
}

/// A decision that lacks what a message must say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("decision {decision} is no signal that can be told: it has no {missing}")]
pub struct Untellable {
    decision: Uuid,
    missing: &'static str,
}

impl Deal {
    /// What a decision says about an opportunity. What only a pack may know (velocity, headache, density) is told where
    /// the pack has such a fact.
    ///
    /// # Errors
    /// A decision without net profit, type or home currency: it was no signal.
    pub fn of(opportunity: &Opportunity, decision: &Decision, card: Option<&Card>) -> Result<Self, Untellable> {
        let lacks = |missing| Untellable { decision: decision.decision_id, missing };
        let name = card.map_or(opportunity.card_name.as_str(), |card| card.name.as_str());
        let set_name = card.and_then(|card| card.set_name.as_deref());
        let side = |market: Market, price| {
            let stored = card.and_then(|card| match market {
                Market::Cardmarket => card.cardmarket_url.as_deref(),
                Market::Tcgplayer => card.tcgplayer_url.as_deref(),
                Market::Ebay => None,
            });
            Side { market, price, url: deep_link(market, stored, name, set_name) }
        };
        Ok(Self {
            card_id: opportunity.card_id.clone(),
            name: if name.is_empty() { opportunity.card_id.to_string() } else { name.to_owned() },
            set_name: set_name.map(str::to_owned),
            finish: opportunity.finish,
            condition: opportunity.condition,
            signal_type: decision.signal_type.clone().ok_or_else(|| lacks("type"))?,
            buy: side(opportunity.buy_market, opportunity.buy_price),
            sell: side(opportunity.sell_market, opportunity.sell_price),
            net_profit: decision.net_profit.ok_or_else(|| lacks("net profit"))?,
            home: fact(&decision.facts, "home_currency").ok_or_else(|| lacks("home currency"))?,
            margin_pct: fact(&decision.facts, "margin_pct"),
            velocity: fact(&decision.facts, "velocity_score"),
            velocity_tier: fact(&decision.facts, "velocity_tier"),
            headache: fact(&decision.facts, "headache"),
            headache_tier: fact(&decision.facts, "headache_tier"),
            seller: opportunity.seller_id.clone(),
            seller_density: fact(&decision.facts, "seller_density"),
            risks: decision.flags.clone(),
        })
    }
}

/// A stored fact, whether it was kept as text or as a number.
fn fact<T: FromStr>(facts: &Json, name: &str) -> Option<T> {
    match facts.get(name)? {
        Json::String(text) => text.parse().ok(),
        Json::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

/// The end of a signal's id, short enough to be typed. Unique among a tenant's signals in all likelihood only: whoever
/// looks one up takes the latest.
pub fn short_id(signal: Uuid) -> String {
    let text = signal.simple().to_string();
    text[text.len() - 8..].to_owned()
}

#[cfg(test)]
mod tests;
