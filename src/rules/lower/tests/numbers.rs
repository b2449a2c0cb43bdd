//! Writes arithmetic: sums, products, quotients and roundings, of a size that has room in a decimal.

use super::words::{Kind, Size, Unit, Writer, Written};

impl Writer<'_> {
    pub fn number(&mut self, unit: Unit, depth: usize) -> Written {
        let kind = Kind::Number(unit);
        if depth == 0 || matches!(unit, Unit::PerBuy | Unit::PerSell) {
            return self.leaf(kind);
        }
        let written = match self.dice.below(20) {
            0..4 => self.leaf(kind),
            4 | 5 => self.chosen(kind, depth),
            6 => self.call(kind, depth).unwrap_or_else(|| self.leaf(kind)),
            7 => self.block(kind, depth),
            8 if unit == Unit::Days => {
                let (from, to) = (self.date(0), self.date(0));
                Written { text: format!("days_between({}, {})", from.text, to.text), size: Size::whole(6), texts: Vec::new() }
            }
            8..10 if unit == Unit::Home => {
                let (price, rate) = if self.dice.chance(50) { (Unit::Buy, Unit::PerBuy) } else { (Unit::Sell, Unit::PerSell) };
                self.product(Kind::Number(price), Kind::Number(rate), depth)
            }
            8..11 => self.product(kind, Kind::Number(Unit::Plain), depth),
            11 | 12 => self.divided(unit, depth),
            13 => {
                let inner = self.number(unit, depth - 1);
                let (open, close, size) = match self.dice.below(6) {
                    0 => ("cents(", ")".to_owned(), Size { places: 2, digits: inner.size.digits + 1, whole: false }),
                    1 => ("abs(", ")".to_owned(), inner.size),
                    2 => ("floor(", ")".to_owned(), Size { places: 0, digits: inner.size.digits + 1, ..inner.size }),
                    3 => ("-(", ")".to_owned(), inner.size),
                    _ => {
                        let places = u32::try_from(self.dice.below(6)).unwrap();
                        let size = Size { places: inner.size.places.min(places), digits: inner.size.digits + 1, whole: false };
                        ("round_half_up(", format!(", {places})"), size)
                    }
                };
                Written { text: format!("{open}{}{close}", inner.text), size, texts: Vec::new() }
            }
            _ => {
                let (one, two) = (self.number(unit, depth - 1), self.number(unit, depth - 1));
                let both = one.size.either(two.size);
                let (text, size) = match self.dice.below(8) {
                    0..2 => (format!("({} + {})", one.text, two.text), Size { digits: both.digits + 1, ..both }),
                    2..4 => (format!("({} - {})", one.text, two.text), Size { digits: both.digits + 1, ..both }),
                    4 => (format!("({} % {})", one.text, two.text), Size { whole: false, ..both }),
                    5 => (format!("min({}, {})", one.text, two.text), both),
                    _ => (format!("max({}, {})", one.text, two.text), both),
                };
                if self.wild || size.fits() { Written { text, size, texts: Vec::new() } } else { one }
            }
        };
        if self.wild || written.size.fits() { written } else { self.leaf(kind) }
    }

    fn product(&mut self, one: Kind, two: Kind, depth: usize) -> Written {
        let (first, second) = (self.expression(one, depth - 1), self.expression(two, depth - 1));
        let size = Size {
            places: first.size.places + second.size.places,
            digits: first.size.digits + second.size.digits,
            whole: first.size.whole && second.size.whole,
        };
        Written { text: format!("({} * {})", first.text, second.text), size, texts: Vec::new() }
    }

    /// A quotient, rounded in one of the ways to round it; of a wild writer, sometimes not at all.
    fn divided(&mut self, unit: Unit, depth: usize) -> Written {
        let (one, two) = if unit == Unit::Plain && self.dice.chance(60) {
            let unit = *self.dice.of(&[Unit::Plain, Unit::Home, Unit::Days]);
            (self.number(unit, depth - 1), self.number(unit, depth - 1))
        } else {
            (self.number(unit, depth - 1), self.number(Unit::Plain, depth - 1))
        };
        let places = u32::try_from(self.dice.below(9)).unwrap();
        let quotient = format!("{} / {}", one.text, two.text);
        let (text, places) = match self.dice.below(if self.wild { 5 } else { 4 }) {
            0 => (format!("cents({quotient})"), 2),
            1 => (format!("round_half_up({quotient}, {places})"), places),
            2 | 3 => (format!("ratio({}, {}, {places})", one.text, two.text), places),
            _ => (format!("({quotient})"), 20),
        };
        let digits = one.size.digits + two.size.places;
        // the dividend gets the divisor's places and those of the result
        let fits = digits + places <= 27 && two.size.digits + two.size.places + one.size.places <= 27;
        let size = Size { places, digits: if fits { digits } else { 28 }, whole: false };
        Written { text, size, texts: Vec::new() }
    }
}
