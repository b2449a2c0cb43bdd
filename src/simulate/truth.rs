//! The truth about a simulated market: what was spoilt on purpose, and what is a real spread. Tests hold scans to it.

use chrono::NaiveDate;

use super::{
    Simulation,
    plan::{Defect, KNIFE_DAYS, Role, Spread},
};
use crate::domain::{
    card::CardId,
    market::{Direction, Market},
};

/// What was planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultKind {
    /// The crosswalk names another card's product.
    WrongId,
    /// The crosswalk gives two cards one product; both are listed.
    SharedProduct,
    /// The price is wrong by a factor of five or more, after ten days of right ones.
    Outlier,
    /// The feed repeats itself; for no card in particular.
    FrozenFeed,
    /// The card's rows end here.
    Stale,
    /// Days without a row; without a card, the whole feed is missing.
    Gap,
    /// Rows without a price.
    NoPrice,
    /// The price falls by an eighth a day: true, and a trap.
    FallingKnife,
    /// A seller of bad repute asks about half the price: no faulty data, but nothing to buy from him.
    BaitListing,
}

/// One planted fault, on days `from..=to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// `None` means every card of the feed.
    pub card_id: Option<CardId>,
    pub market: Market,
    pub fault: FaultKind,
    pub from: NaiveDate,
    pub to: NaiveDate,
}

/// A real spread: after all costs of a reseller in the buying direction's usual home it leaves more than 8 of the
/// sale's currency on each of the days `from..=to`. News and chance make more of them; these are promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opportunity {
    pub card_id: CardId,
    pub direction: Direction,
    pub from: NaiveDate,
    pub to: NaiveDate,
    /// Where not 1, it pays only together with the seller's other cards: this many of them.
    pub together: usize,
}

pub fn planted(simulation: &Simulation) -> Vec<Planted> {
    let parameters = &simulation.parameters;
    let last = i64::from(parameters.days) - 1;
    let mut truth = Vec::new();
    let mut add = |card_id: Option<&CardId>, market, fault, from: i64, to: i64| {
        truth.push(Planted { card_id: card_id.cloned(), market, fault, from: parameters.date(from), to: parameters.date(to) });
    };
    if let Some(frozen) = parameters.frozen.filter(|frozen| frozen.days > 0) {
        add(None, frozen.market, FaultKind::FrozenFeed, (last + 1 - i64::from(frozen.days)).max(0), last);
    }
    for day in (0..=last).filter(|day| parameters.feed_is_down(Market::Cardmarket, *day)) {
        add(None, Market::Cardmarket, FaultKind::Gap, day, day);
    }
    for (item, plan) in simulation.items.iter().zip(&simulation.plans) {
        let card = Some(&item.card.card_id);
        match plan.role {
            Role::WrongId { .. } => add(card, Market::Cardmarket, FaultKind::WrongId, 0, last),
            Role::Shared { .. } | Role::SharedOwner => add(card, Market::Tcgplayer, FaultKind::SharedProduct, 0, last),
            Role::Knife => add(card, Market::Cardmarket, FaultKind::FallingKnife, last + 1 - KNIFE_DAYS, last),
            Role::Bait => add(card, Market::Cardmarket, FaultKind::BaitListing, last, last),
            _ => {}
        }
        for fault in &plan.faults {
            let kind = match fault.defect {
                Defect::Missing => FaultKind::Gap,
                Defect::Stopped => FaultKind::Stale,
                Defect::NoPrice => FaultKind::NoPrice,
                Defect::Off(..) => FaultKind::Outlier,
            };
            add(card, fault.market, kind, fault.from, fault.to);
        }
    }
    truth
}

/// Only spreads whose prices the feeds really show: none of a frozen feed.
pub fn opportunities(simulation: &Simulation) -> Vec<Opportunity> {
    let parameters = &simulation.parameters;
    let thawed =
        |spread: &Spread| !parameters.is_frozen(Market::Tcgplayer, spread.to) && !parameters.is_frozen(Market::Cardmarket, spread.to);
    simulation
        .items
        .iter()
        .zip(&simulation.plans)
        .filter_map(|(item, plan)| match plan.role {
            Role::Spread(spread) if thawed(&spread) => Some(Opportunity {
                card_id: item.card.card_id.clone(),
                direction: spread.direction,
                from: parameters.date(spread.from),
                to: parameters.date(spread.to),
                together: spread.together,
            }),
            _ => None,
        })
        .collect()
}
