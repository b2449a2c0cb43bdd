//! The frozen benchmark pack (`tests/packs/bench`) once more, written by hand in plain Rust over decimals: what a careful
//! engineer would have written instead of a rule engine. It is the oracle of the pack's meaning and the yardstick of the
//! engines' speed, so it was written from the rules' text, and nothing in it is generated.
//!
//! It holds for one day ([`figures`]) and for the customs regime `world`. Nothing is allocated to decide.

#[path = "twin/account.rs"]
mod account;
#[path = "twin/figures.rs"]
mod figures;
#[path = "twin/flags.rs"]
mod flags;
#[path = "twin/inputs.rs"]
pub mod inputs;
#[path = "twin/outcome.rs"]
mod outcome;
#[path = "twin/pace.rs"]
mod pace;
#[path = "twin/reach.rs"]
mod reach;
#[path = "twin/screen.rs"]
mod screen;
#[path = "twin/trade.rs"]
mod trade;

use rust_decimal::Decimal;

use self::{
    inputs::{Route, Tenant},
    outcome::Outcome,
    pace::Pace,
    reach::Lane,
    trade::{Copy, Trade},
};

/// Why a fact has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// Nobody knows something that it rests on.
    Unknown,
    /// It can't be computed from what is said to be known.
    Fault,
}

/// A fact: a value, or why there is none. Where several facts lack a value, the one that is read first speaks.
pub type Fact<T> = Result<T, Gap>;

/// An input that a fact can't do without.
fn need<T>(input: Option<T>) -> Fact<T> {
    input.ok_or(Gap::Unknown)
}

/// A fact that may be unknown, but not faulty.
fn maybe<T>(fact: Fact<T>) -> Fact<Option<T>> {
    match fact {
        Ok(value) => Ok(Some(value)),
        Err(Gap::Unknown) => Ok(None),
        Err(Gap::Fault) => Err(Gap::Fault),
    }
}

/// A route, the tenant that it is judged for, and what was counted for both.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    pub route: &'a Route,
    pub tenant: &'a Tenant,
    /// Cards of the same seller that count, this one included.
    pub seller_density: i64,
    /// `ENABLE_BUNDLE_LOGIC`.
    pub bundle_logic: bool,
}

/// How far a case came; a number is the position of the gate in `pack.yaml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Signal,
    Rejected(usize),
    Incomplete(usize),
    Failed(usize),
}

/// Goes on if the gate is known not to reject.
fn gate(index: usize, rejects: Fact<bool>) -> Result<(), Verdict> {
    match rejects {
        Ok(false) => Ok(()),
        Ok(true) => Err(Verdict::Rejected(index)),
        Err(Gap::Unknown) => Err(Verdict::Incomplete(index)),
        Err(Gap::Fault) => Err(Verdict::Failed(index)),
    }
}

/// What kind of signal a route would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalType {
    EventDriven,
    Bundle,
    Investment,
    Arbitrage,
}

impl SignalType {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EventDriven => "event_driven",
            Self::Bundle => "bundle",
            Self::Investment => "investment",
            Self::Arbitrage => "arbitrage",
        }
    }
}

/// Everything that a signal tells its tenant.
#[derive(Debug, Clone, Copy)]
pub struct Assessment {
    pub verdict: Verdict,
    pub kind: SignalType,
    /// Bit `n` is the flag at position `n` of `pack.yaml`.
    pub flags: u32,
    pub bundle_candidate: bool,
    pub proceeds: Fact<Decimal>,
    pub effective_buy: Fact<Decimal>,
    pub import_cost: Fact<Decimal>,
    pub outbound_shipping: Fact<Decimal>,
    pub forwarder_cost: Fact<Decimal>,
    pub net_profit: Fact<Decimal>,
    pub spread: Fact<Decimal>,
    pub velocity: Fact<Decimal>,
    pub headache: Fact<Decimal>,
    pub score: Fact<Decimal>,
}

impl Case<'_> {
    /// Asks the gates in order and computes what they need, no more.
    pub fn verdict(&self) -> Verdict {
        match self.gates() {
            Ok(()) => Verdict::Signal,
            Err(verdict) => verdict,
        }
    }

    fn gates(&self) -> Result<(), Verdict> {
        screen::gates(self.route, self.tenant)?;
        let lane = Lane::of(self.route, self.tenant);
        lane.gates(self.route, self.tenant)?;
        let copy = Copy::of(self.route);
        copy.gates(self.route, self.tenant)?;
        let pace = Pace::of(self.route);
        pace.gates(self.route)?;
        let trade = Trade::of(self, &lane, &copy);
        trade.gates(self, &pace)?;
        Outcome::of(self, &lane, &copy, &pace, &trade).gates(self, &trade)
    }

    /// Computes everything, whatever the verdict.
    pub fn assess(&self) -> Assessment {
        let (route, tenant) = (self.route, self.tenant);
        let lane = Lane::of(route, tenant);
        let copy = Copy::of(route);
        let pace = Pace::of(route);
        let trade = Trade::of(self, &lane, &copy);
        let outcome = Outcome::of(self, &lane, &copy, &pace, &trade);
        let gates = screen::gates(route, tenant)
            .and_then(|()| lane.gates(route, tenant))
            .and_then(|()| copy.gates(route, tenant))
            .and_then(|()| pace.gates(route))
            .and_then(|()| trade.gates(self, &pace))
            .and_then(|()| outcome.gates(self, &trade));
        Assessment {
            verdict: gates.err().unwrap_or(Verdict::Signal),
            kind: self.kind(&pace),
            flags: flags::of(self, &lane, &copy, &pace, &trade),
            bundle_candidate: self.bundle_candidate(&copy, &pace, &trade),
            proceeds: outcome.proceeds,
            effective_buy: trade.effective_buy,
            import_cost: outcome.import_cost,
            outbound_shipping: outcome.outbound_shipping,
            forwarder_cost: outcome.forwarder_cost,
            net_profit: outcome.net_profit,
            spread: trade.spread,
            velocity: pace.velocity,
            headache: outcome.headache,
            score: outcome.score,
        }
    }

    fn kind(&self, pace: &Pace) -> SignalType {
        if self.route.event_live == Some(true) {
            SignalType::EventDriven
        } else if self.seller_density >= figures::BUNDLE_FROM {
            SignalType::Bundle
        } else if pace.low_velocity() == Ok(true) {
            SignalType::Investment
        } else {
            SignalType::Arbitrage
        }
    }

    /// The card counts towards its seller's density.
    fn bundle_candidate(&self, copy: &Copy, pace: &Pace, trade: &Trade) -> bool {
        self.bundle_logic
            && screen::sound(self.route, self.tenant)
            && !self.route.banned()
            && copy.rejected == Ok(false)
            && !copy.below_floor(self.tenant)
            && !self.route.seller_quality_fail(self.tenant)
            && pace.liquidation() == Ok(false)
            && trade.gap_positive(self) == Ok(true)
    }

    /// The card is the only one of its parcel; a density below 1 can't be.
    fn single_card(&self) -> Fact<bool> {
        if self.seller_density < 1 { Err(Gap::Fault) } else { Ok(self.seller_density == 1) }
    }
}
