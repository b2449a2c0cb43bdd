//! What a scan decided: the card's side of a deal, each tenant's answer, and how many fell to which reason.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    card::{CardId, Finish},
    condition::Grade,
    market::{Direction, Market, closed_set},
    profile::TenantId,
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

closed_set! {
    /// How a decision ended.
    Outcome, "verdict" {
        Signal = "signal",
        /// Rejected, but not by much: kept whole, so that it can be explained.
        NearMiss = "near_miss",
        Rejected = "rejected",
    }
}

closed_set! {
    /// What was looked at.
    ScanKind, "kind of scan" {
        /// Every route, at the prices of the moment.
        Scan = "scan",
        /// What is on offer, at the prices that it was offered at, by new rules.
        Review = "review",
        /// What is about to go to somebody, at the prices of the moment.
        HandOver = "hand_over",
    }
}

closed_set! {
    /// What became of an opportunity.
    ChangeKind, "change" {
        /// Somebody gets it now.
        Offered = "offered",
        /// Its prices moved, or what it is worth to those who get it, or who gets it.
        Repriced = "repriced",
        /// Nobody gets it any longer. This is the end of it.
        Withdrawn = "withdrawn",
    }
}

/// One run over the book.
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    pub scan_id: Uuid,
    pub kind: ScanKind,
    pub as_of: DateTime<Utc>,
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    /// SHA-256 of the pack's files.
    pub pack_hash: String,
    pub customs_regime: Option<String>,
    /// Sources moved in time, in words; none on an honest scan.
    pub shift: Option<String>,
    pub summary: Json,
}

/// The card's side of a deal: the same for every tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct Opportunity {
    pub opportunity_id: Uuid,
    pub card_id: CardId,
    pub card_name: String,
    pub finish: Finish,
    pub direction: Direction,
    pub buy_market: Market,
    pub sell_market: Market,
    /// In the buy market's currency.
    pub buy_price: Decimal,
    /// In the sell market's currency.
    pub sell_price: Decimal,
    pub buy_source: String,
    pub sell_source: String,
    pub buy_observed_at: DateTime<Utc>,
    pub sell_observed_at: DateTime<Utc>,
    pub seller_id: Option<String>,
    pub condition: Option<Grade>,
    pub route: Json,
    /// The same text for the same route in every scan; of all that are on offer, one has it.
    pub route_key: String,
}

/// An opportunity that is on offer.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    pub opportunity: Opportunity,
    /// By which it was last found to hold.
    pub pack_hash: String,
    pub customs_regime: Option<String>,
    /// The last decisions of all that get it.
    pub held: Vec<Decision>,
}

/// A change of an opportunity's state or worth, for the audit.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub kind: ChangeKind,
    /// With the prices as they are now.
    pub opportunity: Opportunity,
    /// Of a withdrawal only.
    pub reason: Option<String>,
    /// As it stood; `None` for a new offer.
    pub before: Option<Before>,
    pub tenants_after: usize,
}

/// What an opportunity was before a change.
#[derive(Debug, Clone, PartialEq)]
pub struct Before {
    pub pack_hash: String,
    pub customs_regime: Option<String>,
    pub buy_price: Decimal,
    pub sell_price: Decimal,
    pub tenants: usize,
}

/// One tenant's answer to an opportunity.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    pub decision_id: Uuid,
    pub tenant: TenantId,
    pub opportunity_id: Uuid,
    pub outcome: Outcome,
    /// Of anything but a signal.
    pub reason: Option<String>,
    pub signal_type: Option<String>,
    pub score: Option<Decimal>,
    /// In the tenant's home currency.
    pub net_profit: Option<Decimal>,
    pub flags: Vec<String>,
    /// Every fact that was known, decimals as text.
    pub facts: Json,
}

impl Decision {
    /// Whether a tenant would be told the same.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.outcome == other.outcome
            && self.reason == other.reason
            && self.signal_type == other.signal_type
            && self.score == other.score
            && self.net_profit == other.net_profit
            && self.flags == other.flags
    }
}

/// A decision as it was kept, with all that it needs to be run again.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDecision {
    pub decision: Decision,
    pub opportunity: Opportunity,
    pub scan_id: Uuid,
    pub decided_at: DateTime<Utc>,
    pub as_of: DateTime<Utc>,
    pub shift: Option<String>,
    pub pack_hash: String,
    /// Text by path.
    pub pack_files: Json,
    /// Of the program that decided.
    pub engine_version: String,
}

/// How many cards fell to a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReasonCount {
    pub tenant: TenantId,
    pub direction: Direction,
    pub reason: String,
    pub count: i64,
}
