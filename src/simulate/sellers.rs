//! The sellers of the simulated market and what they have in stock: most are honest, some are bad or new, a few have
//! much of what is interesting.

use rust_decimal::Decimal;

use super::{
    MICROS_A_CENT, Parameters,
    catalogue::Item,
    cents,
    dice::{Dice, MILLION, Purpose, times},
    plan::{CardPlan, Role},
};
use crate::domain::{
    condition::{Condition, Grade, Scale},
    market::Market,
    observation::Listing,
};

/// A seller of one market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seller {
    pub id: String,
    pub market: Market,
    /// Percent; unknown for some.
    pub rating: Option<Decimal>,
    /// Lifetime sales; unknown where the rating is.
    pub sales: Option<i64>,
}

impl Seller {
    /// Better than any floor that a sane profile has: 98 % of 500 sales.
    pub fn good(&self) -> bool {
        self.rating.is_some_and(|rating| rating >= Decimal::from(98)) && self.sales.is_some_and(|sales| sales >= 500)
    }

    /// Worse than any floor that a sane profile has.
    pub fn bad(&self) -> bool {
        self.rating.is_some_and(|rating| rating < Decimal::from(95))
    }
}

/// The sellers of a market. The first ones have the largest stocks.
pub fn sellers(parameters: &Parameters, market: Market) -> Vec<Seller> {
    let mut dice = Dice::new(parameters.seed, Purpose::Sellers, usize::from(market == Market::Tcgplayer));
    let prefix = if market == Market::Tcgplayer { "us" } else { "eu" };
    (0..(parameters.cards / 12).clamp(12, 4_000))
        .map(|number| {
            let (rating, sales) = match number % 10 {
                3 => (Some(dice.between(850, 949)), Some(dice.between(100, 3_000))),
                7 => (Some(dice.between(970, 1_000)), Some(dice.between(3, 95))),
                9 if number % 20 == 9 => (None, None),
                _ => (Some(dice.between(980, 1_000)), Some(dice.between(500, 40_000))),
            };
            Seller { id: format!("{prefix}-seller-{:04}", number + 1), market, rating: rating.map(|tenths| Decimal::new(tenths, 1)), sales }
        })
        .collect()
}

/// One offer of a card: what it is and for how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub listing: Listing,
    pub condition: Condition,
    pub price: Decimal,
}

/// Grades below near mint with what a seller asks of the near-mint price, in thousandths.
const CARDMARKET_GRADES: [(Grade, i64, i64); 5] = [
    (Grade::Mint, 1_040, 1_250),
    (Grade::Excellent, 850, 950),
    (Grade::Good, 740, 850),
    (Grade::Played, 600, 700),
    (Grade::Poor, 250, 400),
];
const TCGPLAYER_GRADES: [(Grade, i64, i64); 4] =
    [(Grade::LightPlayed, 850, 950), (Grade::ModeratelyPlayed, 740, 850), (Grade::HeavilyPlayed, 600, 700), (Grade::Damaged, 300, 450)];

/// What stands for sale on one day. A card's sellers and grades stay; their prices follow the market's, which is
/// `micros` on the day.
pub fn offers(
    parameters: &Parameters,
    (index, item, plan): (usize, &Item, &CardPlan),
    market: Market,
    sellers: &[Seller],
    micros: i64,
) -> Vec<Offer> {
    let place = index * 2 + usize::from(market == Market::Tcgplayer);
    let mut dice = Dice::new(parameters.seed, Purpose::Stock, place);
    let mut offers: Vec<Offer> = Vec::new();
    let add = |seller: &Seller, grade: Grade, share: i64, dice: &mut Dice, offers: &mut Vec<Offer>| {
        if offers.iter().any(|offer| offer.listing.seller_id == seller.id) {
            return;
        }
        let price = cents(times(micros, share * 1_000).max(MICROS_A_CENT * 2));
        let listing = Listing {
            seller_id: seller.id.clone(),
            seller_rating: seller.rating,
            seller_sales: seller.sales,
            shipping: Some(postage(market, micros, dice)),
        };
        offers.push(Offer { listing, condition: Condition { scale: scale(market), grade }, price });
    };
    match plan.role {
        Role::Spread(spread) if spread.direction.buy_market() == market => {
            // the large stocks belong to the first sellers; a bundle's seller is one of them
            let good: Vec<&Seller> = sellers.iter().filter(|seller| seller.good()).collect();
            if !good.is_empty() {
                let share = dice.between(970, 1_000);
                add(good[spread.seller % good.len()], Grade::NearMint, share, &mut dice, &mut offers);
            }
        }
        Role::Bait if market == Market::Cardmarket => {
            if let Some(seller) = sellers.iter().filter(|seller| seller.bad()).nth(index % 2) {
                let share = dice.between(420, 520);
                add(seller, Grade::NearMint, share, &mut dice, &mut offers);
            }
        }
        _ => {}
    }
    // many copies of a cheap card stand for sale, one or none of a dear one
    let most = if item.base < 5 * MILLION { 5 } else { 3 };
    for _ in 0..dice.between(0, most) {
        let seller = &sellers[dice.index(sellers.len()).min(dice.index(sellers.len()))];
        let (grade, low, high) = if dice.chance(600) {
            (Grade::NearMint, 980, 1_300)
        } else if market == Market::Tcgplayer {
            *dice.pick(&TCGPLAYER_GRADES)
        } else {
            *dice.pick(&CARDMARKET_GRADES)
        };
        let share = dice.between(low, high);
        add(seller, grade, share, &mut dice, &mut offers);
    }
    offers
}

/// The scale in which a market's sellers grade.
fn scale(market: Market) -> Scale {
    match market {
        Market::Cardmarket => Scale::Cardmarket,
        Market::Tcgplayer | Market::Ebay => Scale::Tcgplayer,
    }
}

/// A letter for a cheap card, a tracked one for a dear card, in the listing's currency.
fn postage(market: Market, micros: i64, dice: &mut Dice) -> Decimal {
    let tracked = micros >= 25 * MILLION;
    let hundredths = match (market, tracked) {
        (Market::Cardmarket, false) => dice.between(115, 190),
        (Market::Cardmarket, true) => dice.between(350, 620),
        (_, false) => dice.between(0, 131),
        (_, true) => dice.between(0, 499),
    };
    Decimal::new(hundredths, 2)
}
