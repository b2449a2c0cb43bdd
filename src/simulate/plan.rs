//! What will happen to which card: planned before the first day, so that the truth about every planted fault and
//! every real spread is known without looking at a price.

use super::{
    Parameters,
    catalogue::{Item, Rarity},
    dice::{Dice, Purpose},
};
use crate::domain::market::{Direction, Market};

/// A euro in the millionths that values are counted in.
const EURO: i64 = 1_000_000;

/// A price gap between the markets that opens slowly, stays and closes. Days count from the first of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    pub direction: Direction,
    /// Fully open from here ...
    pub from: i64,
    /// ... to here.
    pub to: i64,
    /// Days that it takes to open.
    pub opening: i64,
    /// What a reseller keeps after every cost, in millionths of the sale's currency.
    pub profit: i64,
    /// One seller of the buying market has this many such cards; 1 is a card on its own.
    pub together: usize,
    /// Which of the good sellers offers it.
    pub seller: usize,
}

/// What drives a card's price, or spoils what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Plain,
    Spread(Spread),
    /// Rises for weeks.
    Momentum,
    /// Falls by an eighth a day, in Europe first: looks cheap there, and is not.
    Knife,
    /// Jumps in America on one day; Europe follows.
    News {
        day: i64,
    },
    /// A seller of bad repute asks half the price.
    Bait,
    /// The crosswalk gives this card the Cardmarket product of another one.
    WrongId {
        other: usize,
    },
    /// The crosswalk gives this card a TCGplayer product that another card has too.
    Shared {
        owner: usize,
    },
    /// The rightful card of such a product.
    SharedOwner,
}

/// What a feed sends instead of the price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// No row.
    Missing,
    /// No row from here to the last day.
    Stopped,
    /// A row without a price.
    NoPrice,
    /// The price times the first, divided by the second number.
    Off(i64, i64),
}

/// A defect of one card in one feed, on days `from..=to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub market: Market,
    pub defect: Defect,
    pub from: i64,
    pub to: i64,
}

/// The plan of one card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardPlan {
    pub role: Role,
    pub faults: Vec<Fault>,
    /// The day of the window on which it first has a price.
    pub first_day: i64,
}

impl CardPlan {
    pub fn defect(&self, market: Market, day: i64) -> Option<Defect> {
        self.faults.iter().find(|fault| fault.market == market && (fault.from..=fault.to).contains(&day)).map(|fault| fault.defect)
    }

    fn free(&self, market: Market, from: i64, to: i64) -> bool {
        from >= self.first_day && !self.faults.iter().any(|fault| fault.market == market && fault.from <= to && from <= fault.to)
    }
}

/// Days at the end of the window over which a falling knife falls.
pub const KNIFE_DAYS: i64 = 13;
/// Of those, the days by which Europe falls first.
pub const KNIFE_LEAD: i64 = 5;
/// Days at the end of the window over which a card with momentum rises.
pub const MOMENTUM_DAYS: i64 = 20;
/// Days with a price that a card has before its price is made wrong.
const PAST_DAYS: i64 = 10;
const BOTH: [Market; 2] = [Market::Tcgplayer, Market::Cardmarket];

/// Hands out cards that nothing was planned for yet.
struct Hand {
    dear: Vec<usize>,
    rare: Vec<usize>,
    other: Vec<usize>,
}

impl Hand {
    fn any(&mut self) -> Option<usize> {
        self.other.pop().or_else(|| self.rare.pop())
    }
}

/// Plans every card and moves the base price of those that need a certain one.
pub fn plan(parameters: &Parameters, items: &mut [Item]) -> Vec<CardPlan> {
    let mut dice = Dice::new(parameters.seed, Purpose::Plan, 0);
    let last = i64::from(parameters.days) - 1;
    let mut plans: Vec<CardPlan> = items
        .iter()
        .map(|item| {
            let first_day = (item.release - parameters.first_day()).num_days().max(0);
            CardPlan { role: Role::Plain, faults: Vec::new(), first_day }
        })
        .collect();
    let mut order: Vec<usize> = (0..items.len()).filter(|index| plans[*index].first_day == 0).collect();
    dice.shuffle(&mut order);
    let (dear, rest): (Vec<_>, Vec<_>) = order.into_iter().partition(|index| items[*index].rarity.foil_only());
    let (rare, other) = rest.into_iter().partition(|index| items[*index].rarity == Rarity::Rare);
    let mut hand = Hand { dear, rare, other };

    spreads(&mut dice, items, &mut plans, &mut hand, last);
    wrong_ids(&mut dice, items, &mut plans, &mut hand);
    let count = |per_mille: usize| items.len() * per_mille / 1_000;
    let (knives, momenta, news, baits) = (count(14), count(30), count(25), count(25));
    let (outliers, stopped, gaps, priceless) = (count(25), count(20), count(80), count(40));
    if last >= KNIFE_DAYS {
        for index in take(&mut hand.dear, knives) {
            items[index].base = dice.between(500, 1_000) * EURO;
            plans[index].role = Role::Knife;
        }
    }
    for index in take(&mut hand.dear, baits) {
        items[index].base = dice.between(120, 250) * EURO;
        plans[index].role = Role::Bait;
    }
    for _ in 0..momenta {
        let Some(index) = hand.any() else { break };
        plans[index].role = Role::Momentum;
    }
    for _ in 0..news {
        let Some(index) = hand.any() else { break };
        plans[index].role = Role::News { day: dice.between(1, last) };
    }
    let mut left: Vec<usize> = [hand.dear, hand.rare, hand.other].concat();
    dice.shuffle(&mut left);
    for index in take(&mut left, stopped) {
        let from = dice.between(last / 4, last - 5);
        if from >= 1 {
            plans[index].faults.push(Fault { market: *dice.pick(&BOTH), defect: Defect::Stopped, from, to: last });
        }
    }
    for (position, index) in take(&mut left, outliers).into_iter().enumerate() {
        // every third is on the last day, where it would signal
        let day = if position % 3 == 0 { last } else { dice.between(PAST_DAYS, last) };
        let fault = Fault { market: *dice.pick(&BOTH), defect: off(&mut dice, items[index].base), from: day, to: day };
        add_if_free(parameters, &mut plans[index], fault);
    }
    for index in take(&mut left, if last >= 1 { gaps } else { 0 }) {
        for _ in 0..dice.between(1, 4) {
            let (market, day) = (*dice.pick(&BOTH), dice.between(1, last));
            add_if_free(parameters, &mut plans[index], Fault { market, defect: Defect::Missing, from: day, to: day });
        }
    }
    for index in take(&mut left, priceless) {
        let (market, from) = (*dice.pick(&BOTH), dice.between(0, last));
        let to = (from + dice.between(0, 12)).min(last);
        add_if_free(parameters, &mut plans[index], Fault { market, defect: Defect::NoPrice, from, to });
    }
    bad_scrape(parameters, items, &mut plans);
    plans
}

fn take(pool: &mut Vec<usize>, count: usize) -> Vec<usize> {
    pool.split_off(pool.len().saturating_sub(count))
}

/// Two faults never meet, and none hides on a day without the feed: each must show.
fn add_if_free(parameters: &Parameters, plan: &mut CardPlan, fault: Fault) {
    let silent = (fault.from..=fault.to).any(|day| parameters.feed_is_down(fault.market, day));
    // without a past even a careful eye takes a wrong price for the price
    let early = matches!(fault.defect, Defect::Off(..)) && fault.from < plan.first_day + PAST_DAYS;
    if !silent && !early && plan.free(fault.market, fault.from, fault.to) {
        plan.faults.push(fault);
    }
}

/// A factor of five at least: no honest price moves so far in a day. A cheap card only upwards, where whole cents show it.
fn off(dice: &mut Dice, base: i64) -> Defect {
    let factor = dice.between(5, 20);
    if base < EURO || dice.chance(400) { Defect::Off(factor, 1) } else { Defect::Off(1, factor) }
}

/// Real spreads: alone, several at one seller, and in the other direction.
fn spreads(dice: &mut Dice, items: &mut [Item], plans: &mut [CardPlan], hand: &mut Hand, last: i64) {
    let cards = items.len();
    // a rotating card's spread is a trap of its own; whether it rotates, the window's date decides
    hand.dear.retain(|index| items[*index].card.regulation_mark.as_deref() != Some("G"));
    let mut put = |index: usize, direction: Direction, euros: (i64, i64), profit: i64, together: usize, seller: usize, dice: &mut Dice| {
        let base = dice.between(euros.0, euros.1) * EURO;
        items[index].base = base;
        let opening = dice.between(10, 20);
        // a quarter has closed again before the last day
        let (from, to) = if last >= 40 && together == 1 && dice.chance(250) {
            let from = dice.between(5, last - 25);
            (from, from + dice.between(3, 15))
        } else {
            (last - dice.between(0, 10), last)
        };
        let profit = profit * EURO + base * dice.between(0, 15) / 100;
        plans[index].role = Role::Spread(Spread { direction, from, to, opening, profit, together, seller });
    };
    for position in 0..cards * 60 / 1_000 {
        let Some(index) = hand.dear.pop() else { return };
        put(index, Direction::EuUs, (65, 180), 10, 1, position, dice);
    }
    for position in 0..cards * 25 / 1_000 {
        let Some(index) = hand.dear.pop() else { return };
        put(index, Direction::UsEu, (75, 220), 12, 1, position, dice);
    }
    for seller in 0..(cards / 300).min(hand.dear.len() / 6) {
        for index in take(&mut hand.dear, 6) {
            put(index, Direction::EuUs, (25, 45), 8, 6, seller, dice);
        }
    }
}

/// Pairs of cards whose prices lie so far apart that a mistaken id shows as a ratio no market has.
fn wrong_ids(dice: &mut Dice, items: &mut [Item], plans: &mut [CardPlan], hand: &mut Hand) {
    let cards = items.len();
    let pairs = if cards >= 40 { (cards / 150).max(1) } else { 0 };
    for pair in 0..pairs * 2 {
        let (Some(dear), Some(cheap)) = (hand.dear.pop(), hand.rare.pop()) else { return };
        items[dear].base = dice.between(60, 120) * EURO;
        items[cheap].base = dice.between(200, 400) * EURO / 100;
        if pair % 2 == 0 {
            plans[dear].role = Role::WrongId { other: cheap };
            plans[cheap].role = Role::WrongId { other: dear };
        } else {
            plans[dear].role = Role::SharedOwner;
            plans[cheap].role = Role::Shared { owner: dear };
        }
    }
}

/// One day on which a feed is wrong about a quarter of its cards. Spared are spreads, so that what a scan must find
/// and what it must refuse stay apart.
fn bad_scrape(parameters: &Parameters, items: &[Item], plans: &mut [CardPlan]) {
    let Some(bad) = parameters.bad_scrape else { return };
    let day = i64::from(parameters.days) - 1 - i64::from(bad.age);
    if day < 0 {
        return;
    }
    for (index, plan) in plans.iter_mut().enumerate() {
        let mut dice = Dice::new(parameters.seed, Purpose::BadScrape, index);
        if dice.chance(280) && !matches!(plan.role, Role::Spread(_)) {
            add_if_free(parameters, plan, Fault { market: bad.market, defect: off(&mut dice, items[index].base), from: day, to: day });
        }
    }
}
