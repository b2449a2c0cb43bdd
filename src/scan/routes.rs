//! Routes: every way to buy a card on one market and sell it on the other, by pairing the prices of one variant.

use chrono::{DateTime, Utc};

use super::feeds::{is_aggregate, is_look};
use crate::domain::{
    book::{Book, ByCard, CardIndex, PriceSeries},
    card::{Edition, Finish, Printing},
    market::{Direction, Market},
    observation::{PriceKind, Subject},
    page::{SCRAPED, SEEN},
};

/// One way to trade one card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub card: CardIndex,
    pub direction: Direction,
    /// Positions in [`crate::domain::book::Book::series`].
    pub buy: usize,
    pub sell: usize,
    /// Printings after each side was read in the light of the other; `None` where that leaves a choice.
    pub buy_printing: Option<Printing>,
    pub sell_printing: Option<Printing>,
    /// How many cards claim the product of each side, or products the card: 1 is sane.
    pub buy_claims: usize,
    pub sell_claims: usize,
}

/// All routes of a book, by card.
#[derive(Debug, Default)]
pub struct Routes {
    pub routes: Vec<Route>,
    /// Priced cards without a route: they have prices on one market only, or of printings that do not pair.
    pub one_sided: usize,
}

impl Route {
    /// What makes it the same route in every scan: the card, and what each side's price is a price of.
    pub fn key(&self, book: &Book) -> String {
        let card = book.card(self.card).map_or("?", |card| card.card_id.as_str());
        let side = |index: usize| {
            let one = &book.series[index];
            let subject = match &one.subject {
                Subject::Card(id) => id.to_string(),
                Subject::Product { market, id } => format!("{market}:{id}"),
            };
            let Finish { printing, edition, language } = one.finish;
            let condition = one.condition.map(|condition| condition.to_string()).unwrap_or_default();
            let seller = one.seller_id.as_deref().unwrap_or_default();
            format!("{}|{subject}|{printing}|{edition}|{language}|{}|{condition}|{seller}", one.source, one.kind)
        };
        format!("{card} {} {} {}", self.direction, side(self.buy), side(self.sell))
    }
}

impl Routes {
    /// Pairs the best aggregate price, and every single offer, of each buying side with the best price of the selling side.
    /// Where somebody has looked at the sellers since, nobody buys at the aggregate price nor takes an offer that another source
    /// told of before: there are the offers that were seen, or none.
    pub fn of(book: &Book) -> Self {
        let by_card = ByCard::of(book, |_| true);
        let cards = (0..book.cards.len()).map(CardIndex).map(|card| (card, by_card.get(card)));
        let mut found = Self::default();
        for (card, series) in cards.filter(|(_, series)| !series.is_empty()) {
            let before = found.routes.len();
            for direction in Direction::ALL {
                found.pair(book, card, *direction, series);
            }
            found.one_sided += usize::from(found.routes.len() == before);
        }
        found
    }

    fn pair(&mut self, book: &Book, card: CardIndex, direction: Direction, series: &[usize]) {
        let buyers = Side::of(book, direction.buy_market(), series);
        let sellers = Side::of(book, direction.sell_market(), series);
        let holds = |(finish, index): &(Finish, usize)| {
            let one = &book.series[*index];
            let is_older = |(looked_at, at): &(Finish, DateTime<Utc>)| looked_at == finish && one.latest.observed_at <= *at;
            !buyers.looks.iter().any(is_older) || matches!(&*one.source, SCRAPED | SEEN)
        };
        for (finish, buy) in buyers.best.iter().chain(&buyers.listings).copied().filter(holds) {
            let Some((partner, buy_printing, sell_printing)) = partner(finish, &buyers, &sellers) else { continue };
            self.routes.push(Route {
                card,
                direction,
                buy,
                sell: partner,
                buy_printing,
                sell_printing,
                buy_claims: book.series[buy].cards.len().max(buyers.products),
                sell_claims: book.series[partner].cards.len().max(sellers.products),
            });
        }
    }
}

/// What one market says about a card.
struct Side {
    /// The best aggregate price of each finish, in the order of finishes.
    best: Vec<(Finish, usize)>,
    listings: Vec<(Finish, usize)>,
    /// When somebody has looked at the sellers of a finish.
    looks: Vec<(Finish, DateTime<Utc>)>,
    /// Distinct products of the market that are said to be this card.
    products: usize,
}

impl Side {
    fn of(book: &Book, market: Market, series: &[usize]) -> Self {
        // a card has few finishes
        let mut best: Vec<(Finish, usize)> = Vec::new();
        let (mut listings, mut products, mut looks) = (Vec::new(), Vec::new(), Vec::new());
        for index in series.iter().copied().filter(|index| book.series[*index].market == market) {
            let one = &book.series[index];
            if let Subject::Product { id, .. } = &one.subject
                && !products.contains(&id)
            {
                products.push(id);
            }
            if is_look(one) {
                looks.push((one.finish, one.latest.observed_at));
            } else if one.kind == PriceKind::Listing {
                // an offer that is gone has no price
                if one.latest.price.is_some() {
                    listings.push((one.finish, index));
                }
            } else if is_aggregate(one) && one.condition.is_none() {
                match best.iter_mut().find(|(finish, _)| *finish == one.finish) {
                    Some((_, chosen)) if rank(one) > rank(&book.series[*chosen]) => *chosen = index,
                    Some(_) => {}
                    None => best.push((one.finish, index)),
                }
            }
        }
        best.sort_unstable();
        Self { best, listings, looks, products: products.len() }
    }

    /// Finishes that a price without a stated printing can mean: anything but reverse.
    fn plain_choices(&self, like: Finish) -> Vec<(Finish, usize)> {
        let fits = |finish: &Finish| finish.language == like.language && finish.printing != Printing::ReverseHolofoil;
        let choices: Vec<_> = self.best.iter().copied().filter(|(finish, _)| fits(finish)).collect();
        // a source that states the printing speaks before one that does not
        if choices.iter().any(|(finish, _)| finish.printing != Printing::Plain) {
            return choices.into_iter().filter(|(finish, _)| finish.printing != Printing::Plain).collect();
        }
        choices
    }
}

/// A priced row goes before an empty one, a newer one before an older one, sales before page prices.
fn rank(one: &PriceSeries) -> (bool, DateTime<Utc>, u8) {
    let kind = match one.kind {
        PriceKind::Market | PriceKind::Trend => 2,
        PriceKind::Page => 1,
        PriceKind::Listing => 0,
    };
    (one.latest.price.is_some(), one.latest.observed_at, kind)
}

/// The selling price for a buying finish, and both printings as they turn out.
fn partner(finish: Finish, buying: &Side, selling: &Side) -> Option<(usize, Option<Printing>, Option<Printing>)> {
    if let Some((_, sell)) = selling.best.iter().find(|(other, _)| *other == finish)
        && finish.printing != Printing::Plain
    {
        return Some((*sell, Some(finish.printing), Some(finish.printing)));
    }
    if finish.printing == Printing::Plain {
        return match selling.plain_choices(finish)[..] {
            [] => None,
            [(other, sell)] => Some((sell, Some(resolved(finish, other)), Some(other.printing))),
            [(other, sell), ..] => Some((sell, None, Some(other.printing))),
        };
    }
    if finish.printing == Printing::ReverseHolofoil {
        return None;
    }
    // a stated printing is sold where the other market does not state any: sound if this market has no second one
    let (_, sell) = selling.best.iter().find(|(other, _)| other.printing == Printing::Plain && other.language == finish.language)?;
    let choices = buying.plain_choices(Finish { printing: Printing::Plain, ..finish });
    let single = choices.iter().all(|(other, _)| *other == finish);
    Some((*sell, Some(finish.printing), single.then_some(finish.printing)))
}

/// An unstated printing is the other side's, if the edition does not contradict it.
fn resolved(finish: Finish, other: Finish) -> Printing {
    if finish.edition == Edition::Standard || finish.edition == other.edition { other.printing } else { finish.printing }
}
