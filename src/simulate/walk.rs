//! How one card's two prices move: a value that reverts to its base, two markets that revert to the value, and the
//! planned story of the card on top. Whole millionths of a euro or dollar; no floats.

use super::{
    Parameters,
    catalogue::Item,
    dice::{Dice, MILLION, Purpose, ratio, times},
    plan::{CardPlan, KNIFE_DAYS, KNIFE_LEAD, MOMENTUM_DAYS, Role, Spread},
};
use crate::domain::market::{Direction, Market};

/// What a fall of one day leaves of a falling knife, in millionths.
const KNIFE_STEP: i64 = 870_000;
/// What a day leaves of a market's distance from the value.
const DISTANCE_KEPT: i64 = 850_000;
/// The largest new distance of a day.
const DISTANCE_NOISE: i64 = 12_000;

/// A card's prices on one day as its two feeds show them, before faults: millionths of the market's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotes {
    pub tcgplayer: i64,
    pub cardmarket: i64,
    /// What the reverse holofoil costs for each of the plain one, in millionths.
    pub reverse: i64,
}

impl Quotes {
    pub fn of(&self, market: Market) -> i64 {
        match market {
            Market::Cardmarket => self.cardmarket,
            Market::Tcgplayer | Market::Ebay => self.tcgplayer,
        }
    }
}

/// The state from which a card's next day follows.
#[derive(Debug, Clone)]
pub struct Walk {
    dice: Dice,
    value: i64,
    base: i64,
    /// The largest move of the value in a day.
    jitter: i64,
    /// How far each market stands from the value: Europe, America.
    distance: [i64; 2],
    /// America's delay while a knife falls.
    delay: i64,
    /// Of 1,000 days, on how many each feed's price is a new one: it moves when a copy is sold.
    renewals: [i64; 2],
    reverse: i64,
    shown: Option<[i64; 2]>,
}

impl Walk {
    pub fn new(parameters: &Parameters, item: &Item, plan: &CardPlan, index: usize) -> Self {
        let mut dice = Dice::new(parameters.seed, Purpose::Walk, index);
        let planned = !matches!(plan.role, Role::Plain);
        let brisk = if planned { 800 } else { dice.between(150, 700) };
        // a set of the window starts at twice its later price: the hype of the first weeks
        let hype = if plan.first_day > 0 { 2 } else { 1 };
        Self {
            value: item.base * hype,
            base: item.base,
            jitter: if planned { 8_000 } else { dice.between(5_000, 22_000) },
            distance: [dice.around_zero(20_000), dice.around_zero(20_000)],
            delay: MILLION,
            renewals: [brisk.max(500), brisk],
            reverse: dice.between(1_200_000, 3_000_000),
            shown: None,
            dice,
        }
    }

    /// Moves on to `day` (call it for each day in turn) and gives the day's prices, at `usd` millionths of a dollar for a euro.
    pub fn step(&mut self, parameters: &Parameters, plan: &CardPlan, day: i64, usd: i64) -> Quotes {
        let age = i64::from(parameters.days) - 1 - day;
        let pull = ratio(self.base - self.value, 30_000, self.value.max(1));
        let mut drift = self.dice.around_zero(self.jitter) + pull;
        for distance in &mut self.distance {
            *distance = times(*distance, DISTANCE_KEPT) + self.dice.around_zero(DISTANCE_NOISE);
        }
        let mut renew = self.renewals.map(|per_mille| self.dice.chance(per_mille));
        match plan.role {
            Role::Momentum if (0..MOMENTUM_DAYS).contains(&age) => {
                drift += 13_000;
                self.base = self.value;
            }
            Role::Knife if (0..KNIFE_DAYS).contains(&age) => {
                drift = KNIFE_STEP - MILLION;
                if age >= KNIFE_DAYS - KNIFE_LEAD {
                    self.delay = ratio(self.delay, MILLION, KNIFE_STEP);
                }
                renew = [true, true];
            }
            Role::News { day: of } if of == day => {
                let jump = self.dice.between(400_000, 800_000);
                drift += jump;
                self.base = times(self.base, MILLION + jump);
                // Europe has not heard of it yet
                self.distance[0] = ratio(MILLION, MILLION, MILLION + jump) - MILLION;
                renew[1] = true;
            }
            _ => {}
        }
        self.value = times(self.value, MILLION + drift).max(MILLION / 50);
        let mut euro = times(self.value, MILLION + self.distance[0]);
        let mut dollar = times(times(times(self.value, MILLION + self.distance[1]), usd), self.delay);
        if let Role::Spread(spread) = plan.role {
            let day = if age < 0 { again(&spread, day) } else { day };
            (euro, dollar) = open(&spread, day, (euro, dollar), usd);
            renew = if openness(&spread, day) == MILLION { [true, true] } else { renew };
        }
        let fresh = [euro, dollar];
        let before = self.shown.unwrap_or(fresh);
        let shown = [Market::Cardmarket, Market::Tcgplayer].map(|market| {
            let place = usize::from(market == Market::Tcgplayer);
            if renew[place] && !parameters.is_frozen(market, day) { fresh[place] } else { before[place] }
        });
        self.shown = Some(shown);
        Quotes { cardmarket: shown[0], tcgplayer: shown[1], reverse: self.reverse }
    }
}

const CLOSING_DAYS: i64 = 6;

/// After its planned days a spread comes again and again, sooner than at first: the day of its plan that a later one is like.
fn again(spread: &Spread, day: i64) -> i64 {
    // so that they do not all come on one day
    let pause = 1 + i64::try_from(spread.seller % 12).unwrap_or(0);
    let opening = spread.opening.min(5);
    let opens = CLOSING_DAYS + pause;
    let place = (day - spread.to - 1).rem_euclid(opens + opening + spread.to - spread.from + 1);
    if place < opens { spread.to + 1 + place } else { spread.from - opening + place - opens }
}

/// How far open a spread is on a day, in millionths.
fn openness(spread: &Spread, day: i64) -> i64 {
    if day < spread.from {
        (MILLION * (day - spread.from + spread.opening) / spread.opening.max(1)).max(0)
    } else {
        (MILLION * (spread.to + CLOSING_DAYS - day) / CLOSING_DAYS).clamp(0, MILLION)
    }
}

/// The two prices with the spread between them. The buying market gives way a little, the selling market rises to
/// what leaves the planned profit after costs that are rounded up: so a sane pack finds it under any customs regime.
fn open(spread: &Spread, day: i64, (euro, dollar): (i64, i64), usd: i64) -> (i64, i64) {
    let openness = openness(spread, day);
    let towards = |from: i64, to: i64| from + times(to.max(from) - from, openness);
    let discount = MILLION - times(160_000, openness);
    let shared = i64::try_from(spread.together).unwrap_or(1);
    match spread.direction {
        Direction::EuUs => {
            let euro = times(euro, discount);
            // buffer 2 %, customs 15 %, insurance 2.5 %; the parcel, the forwarder and his box, which cards of one seller
            // share; the letter to the buyer; then 13.25 % of fees, and processing on the buyer's sales tax
            let goods = times(times(euro, usd), 1_200_000);
            let need = goods + 36 * MILLION / shared + 6 * MILLION + spread.profit;
            (euro, towards(dollar, ratio(need, MILLION, 865_500) + 300_000))
        }
        Direction::UsEu => {
            let dollar = times(dollar, discount);
            // the same with a forwarder in America, value added tax, and 5 % of fees
            let goods = times(ratio(dollar, MILLION, usd), 1_045_000) + 32 * MILLION / shared;
            let need = times(goods, 1_210_000) + 4 * MILLION + spread.profit;
            (towards(euro, ratio(need, MILLION, 930_000)), dollar)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPREAD: Spread =
        Spread { direction: Direction::EuUs, from: 20, to: 30, opening: 10, profit: 10 * MILLION, together: 1, seller: 0 };

    #[test]
    fn a_spread_opens_slowly_and_closes_again() {
        let course: Vec<i64> = [5, 10, 15, 20, 30, 33, 36, 50].map(|day| openness(&SPREAD, day)).to_vec();
        assert_eq!(course, [0, 0, 500_000, MILLION, MILLION, 500_000, 0, 0]);
    }

    #[test]
    fn a_spread_comes_again_after_its_pause() {
        // open from day 20 to day 30, closed on day 36; after a pause of a day it opens from half on, as on day 15
        assert_eq!([31, 36, 37, 38, 42, 43, 53, 54].map(|day| again(&SPREAD, day)), [31, 36, 37, 15, 19, 20, 30, 31]);
        assert_eq!([36, 37, 38, 43, 53].map(|day| openness(&SPREAD, again(&SPREAD, day))), [0, 0, 500_000, MILLION, MILLION]);
    }

    #[test]
    fn an_open_spread_pays_for_all_costs_and_the_profit() {
        let (euro, dollar) = open(&SPREAD, 25, (80 * MILLION, 88 * MILLION), 1_100_000);
        // 67.20 EUR with buffer, ten percent of customs and forty dollars of postage against 13.25 % and 0.30 of fees
        let cost = times(times(euro, 1_122_000), 1_100_000) + 40 * MILLION;
        let proceeds = times(dollar, 867_500) - 300_000;
        assert!(proceeds - cost > 10 * MILLION, "{proceeds} {cost}");
        assert!(dollar < times(euro, 1_100_000) * 3, "no market believes a ratio of three");
    }

    #[test]
    fn a_closed_spread_changes_nothing() {
        assert_eq!(open(&SPREAD, 50, (50 * MILLION, 55 * MILLION), 1_100_000), (50 * MILLION, 55 * MILLION));
    }
}
