//! Writes well-typed expressions of the rule language, every construct of it, with units that fit.

use std::collections::{BTreeMap, BTreeSet};

use super::dice::{AMOUNTS, COUNTS, Dice, TEXTS};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Plain,
    Home,
    Buy,
    Sell,
    /// `home/buy` and `home/sell`.
    PerBuy,
    PerSell,
    Days,
    Hours,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Number(Unit),
    Truth,
    Text,
    Date,
}

/// A name with a value: a fact, a parameter, a local.
#[derive(Debug, Clone)]
pub struct Named {
    pub name: String,
    pub kind: Kind,
    /// Texts that it is known to be at times.
    pub texts: Vec<String>,
    pub size: Size,
}

/// How large a number may be: places after the point, digits before it, and whether it is certainly a whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub places: u32,
    pub digits: u32,
    pub whole: bool,
}

impl Size {
    pub const fn of(places: u32, digits: u32) -> Self {
        Self { places, digits, whole: false }
    }

    pub const fn whole(digits: u32) -> Self {
        Self { places: 0, digits, whole: true }
    }

    pub fn either(self, other: Self) -> Self {
        Self { places: self.places.max(other.places), digits: self.digits.max(other.digits), whole: self.whole && other.whole }
    }

    /// Whether a decimal has room for it.
    pub const fn fits(self) -> bool {
        self.places + self.digits <= 27 && (!self.whole || self.digits <= 18)
    }
}

/// A private function.
#[derive(Debug, Clone)]
pub struct Called {
    pub name: String,
    pub takes: Vec<Kind>,
    pub gives: Kind,
    pub size: Size,
    pub texts: Vec<String>,
}

/// An expression and what it can be.
#[derive(Debug, Clone)]
pub struct Written {
    pub text: String,
    pub size: Size,
    pub texts: Vec<String>,
}

/// Writes one function.
pub struct Writer<'a> {
    pub dice: &'a mut Dice,
    facts: &'a [Named],
    helpers: &'a [Called],
    /// Facts that it reads, and whether it copes with their being unknown.
    read: BTreeMap<String, bool>,
    locals: Vec<Named>,
    /// Texts that it returns early.
    returned: Vec<String>,
    returned_size: Size,
    fresh: usize,
    /// Sizes do not matter, so that some of it can't be lowered.
    pub wild: bool,
}

impl<'a> Writer<'a> {
    pub fn new(dice: &'a mut Dice, facts: &'a [Named], helpers: &'a [Called], locals: Vec<Named>, wild: bool) -> Self {
        Self { dice, facts, helpers, read: BTreeMap::new(), locals, returned: Vec::new(), returned_size: Size::whole(1), fresh: 0, wild }
    }

    /// The parameters that a fact's function with that body takes.
    pub fn parameters(&self, body: &str) -> Vec<String> {
        let words: BTreeSet<&str> = body.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
        let named = self.read.iter().map(|(name, maybe)| if *maybe { format!("maybe_{name}") } else { name.clone() });
        named.filter(|name| words.contains(name.as_str())).collect()
    }

    /// The body of a function: lines, then its value.
    pub fn body(&mut self, kind: Kind, depth: usize) -> Written {
        let mut text = String::new();
        for _ in 0..self.dice.below(4) {
            let line = self.line(kind, depth);
            text.push_str(&line);
        }
        let last = self.expression(kind, depth);
        let ending = match self.dice.below(8) {
            0 => format!("return {};", last.text),
            1 => format!("return {}", last.text),
            2 => format!("{};", last.text),
            _ => last.text,
        };
        text.push_str(&ending);
        let mut texts = std::mem::take(&mut self.returned);
        texts.extend(last.texts);
        Written { text, size: last.size.either(self.returned_size), texts }
    }

    fn line(&mut self, kind: Kind, depth: usize) -> String {
        match self.dice.below(10) {
            0..4 => self.binding(depth),
            4..7 => {
                let (condition, early) = (self.truth(depth - 1), self.expression(kind, depth - 1));
                self.returned.extend(early.texts.clone());
                self.returned_size = self.returned_size.either(early.size);
                if self.dice.chance(20) {
                    let inner = self.truth(0);
                    return format!("if {} {{ if {} {{ return {}; }} }}\n    ", condition.text, inner.text, early.text);
                }
                format!("if {} {{ return {}; }}\n    ", condition.text, early.text)
            }
            7 => {
                let condition = self.truth(depth - 1);
                format!("if {} {{ throw \"no\"; }}\n    ", condition.text)
            }
            8 => {
                let condition = self.truth(depth - 1);
                format!("if {} {{ return; }}\n    ", condition.text)
            }
            _ => {
                let (subject, early) = (self.text(0), self.expression(kind, depth - 1));
                self.returned.extend(early.texts.clone());
                self.returned_size = self.returned_size.either(early.size);
                let label = self.label(&subject);
                format!("switch {} {{ \"{label}\" => {{ return {}; }}, _ => () }};\n    ", subject.text, early.text)
            }
        }
    }

    /// A `let`, whose name is in scope from then on.
    fn binding(&mut self, depth: usize) -> String {
        let kind = self.kind();
        let value = self.expression(kind, depth - 1);
        let name = format!("v{}", self.fresh);
        self.fresh += 1;
        self.locals.push(Named { name: name.clone(), kind, texts: value.texts, size: value.size });
        format!("let {name} = {};\n    ", value.text)
    }

    pub fn kind(&mut self) -> Kind {
        match self.dice.below(12) {
            0..3 => Kind::Number(Unit::Plain),
            3..5 => Kind::Number(Unit::Home),
            5 => Kind::Number(*self.dice.of(&[Unit::Buy, Unit::Sell, Unit::Days, Unit::Hours])),
            6..10 => Kind::Truth,
            10 => Kind::Text,
            _ => Kind::Date,
        }
    }

    pub fn expression(&mut self, kind: Kind, depth: usize) -> Written {
        match kind {
            Kind::Number(unit) => self.number(unit, depth),
            Kind::Truth => self.truth(depth),
            Kind::Text => self.text(depth),
            Kind::Date => self.date(depth),
        }
    }

    /// A name of that kind, if there is one.
    fn name(&mut self, kind: Kind) -> Option<Written> {
        let local = |named: &&Named| named.kind == kind;
        let near: Vec<Named> = self.locals.iter().filter(local).cloned().collect();
        if !near.is_empty() && self.dice.chance(50) {
            let named = self.dice.of(&near).clone();
            return Some(Written { text: named.name, size: named.size, texts: named.texts });
        }
        let far: Vec<Named> = self.facts.iter().filter(local).cloned().collect();
        if far.is_empty() {
            let named = near.last()?.clone();
            return Some(Written { text: named.name, size: named.size, texts: named.texts });
        }
        let named = self.dice.of(&far).clone();
        let maybe = match self.read.get(&named.name) {
            Some(maybe) => *maybe,
            None => self.dice.chance(20),
        };
        self.read.insert(named.name.clone(), maybe);
        let written = Written { text: named.name.clone(), size: named.size, texts: named.texts };
        if !maybe {
            return Some(written);
        }
        let text = format!("maybe_{}", named.name);
        // mostly asked for, sometimes met unprepared
        if self.dice.chance(15) {
            return Some(Written { text, ..written });
        }
        let fallback = self.written_out(kind);
        let size = written.size.either(fallback.size);
        let texts = [written.texts, fallback.texts].concat();
        let text = match self.dice.below(3) {
            0 => format!("(if known({text}) {{ {text} }} else {{ {} }})", fallback.text),
            _ => format!("({text} ?? {})", fallback.text),
        };
        Some(Written { text, size, texts })
    }

    /// A value without a name.
    fn written_out(&mut self, kind: Kind) -> Written {
        match kind {
            Kind::Number(Unit::Plain) if self.dice.chance(50) => {
                let number = *self.dice.of(&COUNTS);
                Written { text: number.to_string(), size: Size::whole(3), texts: Vec::new() }
            }
            Kind::Number(Unit::Plain) => {
                let number = *self.dice.of(&AMOUNTS);
                let text = if number.contains('.') { number.to_owned() } else { format!("{number}.0") };
                Written { text, size: Size::of(3, 4), texts: Vec::new() }
            }
            Kind::Number(_) => Written { text: "0".into(), size: Size::whole(1), texts: Vec::new() },
            Kind::Truth => Written { text: self.dice.chance(50).to_string(), size: Size::whole(1), texts: Vec::new() },
            Kind::Text => {
                let text = *self.dice.of(&TEXTS);
                Written { text: format!("\"{text}\""), size: Size::whole(1), texts: vec![text.to_owned()] }
            }
            // there is no way to write a date
            Kind::Date => Written { text: "()".into(), size: Size::whole(1), texts: Vec::new() },
        }
    }

    pub fn leaf(&mut self, kind: Kind) -> Written {
        if self.dice.chance(12) {
            return self.written_out(kind);
        }
        self.name(kind).unwrap_or_else(|| self.written_out(kind))
    }

    /// A choice between two of a kind, in one of the ways to choose.
    pub fn chosen(&mut self, kind: Kind, depth: usize) -> Written {
        let (one, two) = (self.expression(kind, depth - 1), self.expression(kind, depth - 1));
        let size = one.size.either(two.size);
        if !self.wild && !size.fits() {
            return one;
        }
        let way = self.dice.below(10);
        let texts = if way == 3 { one.texts } else { [one.texts, two.texts].concat() };
        let (one, two) = (one.text, two.text);
        let text = match way {
            0..3 => format!("(if {} {{ {one} }} else {{ {two} }})", self.truth(depth - 1).text),
            3 => format!("(if {} {{ {one} }})", self.truth(depth - 1).text),
            4 if self.read.values().any(|maybe| *maybe) => {
                let unsure: Vec<&String> = self.read.iter().filter(|(_, maybe)| **maybe).map(|(name, _)| name).collect();
                format!("(switch maybe_{} {{ () => {one}, _ => {two} }})", self.dice.of(&unsure))
            }
            4 => format!("(if {} {{ {one} }} else if {} {{ {two} }} else {{ () }})", self.truth(depth - 1).text, self.truth(0).text),
            5 => {
                let whole = self.locals.iter().chain(self.facts).find(|named| named.size.whole && named.kind == Kind::Number(Unit::Plain));
                match whole.map(|named| named.name.clone()).filter(|name| !self.read.get(name).is_some_and(|maybe| *maybe)) {
                    Some(name) => {
                        if !self.locals.iter().any(|local| local.name == name) {
                            self.read.insert(name.clone(), false);
                        }
                        format!("(switch {name} {{ 1 => {one}, 2 => {two}, _ => {one} }})")
                    }
                    None => format!("(switch {} {{ true => {one}, false => {two} }})", self.truth(0).text),
                }
            }
            _ => {
                let subject = self.text(0);
                let label = self.label(&subject);
                let rest = *self.dice.of(&["", ", _ => ()"]);
                let more: Vec<&String> = subject.texts.iter().filter(|text| **text != label).collect();
                let more = if more.is_empty() { String::new() } else { format!(", \"{}\" => {two}", self.dice.of(&more)) };
                let rest = if more.is_empty() { format!(", _ => {two}") } else { rest.to_owned() };
                format!("(switch {} {{ \"{label}\" => {one}{more}{rest} }})", subject.text)
            }
        };
        Written { text, size, texts }
    }

    /// A text that the subject can be.
    fn label(&mut self, subject: &Written) -> String {
        if subject.texts.is_empty() { "alpha".into() } else { self.dice.of(&subject.texts).clone() }
    }

    pub fn call(&mut self, kind: Kind, depth: usize) -> Option<Written> {
        let fitting: Vec<Called> = self.helpers.iter().filter(|helper| helper.gives == kind).cloned().collect();
        if fitting.is_empty() {
            return None;
        }
        let helper = self.dice.of(&fitting).clone();
        let arguments: Vec<String> = helper.takes.iter().map(|kind| self.expression(*kind, depth.min(2) - 1).text).collect();
        Some(Written { text: format!("{}({})", helper.name, arguments.join(", ")), size: helper.size, texts: helper.texts })
    }

    pub fn block(&mut self, kind: Kind, depth: usize) -> Written {
        let before = self.locals.len();
        let binding = self.binding(depth);
        let value = self.expression(kind, depth - 1);
        self.locals.truncate(before);
        Written { text: format!("(if true {{ {binding}{} }} else {{ () }})", value.text), ..value }
    }

    fn truth(&mut self, depth: usize) -> Written {
        if depth == 0 {
            return self.leaf(Kind::Truth);
        }
        let plain = |text: String| Written { text, size: Size::whole(1), texts: Vec::new() };
        match self.dice.below(20) {
            0 => self.leaf(Kind::Truth),
            1 => self.chosen(Kind::Truth, depth),
            2 => self.call(Kind::Truth, depth).unwrap_or_else(|| self.leaf(Kind::Truth)),
            3 => self.block(Kind::Truth, depth),
            4 => plain(format!("!{}", self.truth(depth - 1).text)),
            5..9 => {
                let operator = *self.dice.of(&["&&", "||"]);
                let count = 2 + self.dice.below(2);
                let operands: Vec<String> = (0..count).map(|_| self.truth(depth - 1).text).collect();
                plain(format!("({})", operands.join(&format!(" {operator} "))))
            }
            9 => {
                let (one, two) = (self.truth(depth - 1), self.truth(depth - 1));
                plain(format!("({} {} {})", one.text, self.dice.of(&["==", "!="]), two.text))
            }
            10..12 => {
                let subject = self.text(depth - 1);
                let operator = *self.dice.of(&["==", "!="]);
                // a written text must be one that the other side can be
                if !subject.text.starts_with('"')
                    && self.dice.chance(40)
                    && let Some(other) = self.name(Kind::Text)
                {
                    return plain(format!("({} {operator} {})", subject.text, other.text));
                }
                let label = self.label(&subject);
                plain(format!("({} {operator} \"{label}\")", subject.text))
            }
            12 => match self.read.iter().find(|(_, maybe)| **maybe) {
                Some((name, _)) => plain(format!("known(maybe_{name})")),
                None => self.leaf(Kind::Truth),
            },
            _ => {
                let unit =
                    *self.dice.of(&[Unit::Plain, Unit::Plain, Unit::Home, Unit::Home, Unit::Buy, Unit::Sell, Unit::Days, Unit::Hours]);
                let one = self.number(unit, depth - 1);
                let two = if self.dice.chance(60) { self.leaf(Kind::Number(unit)) } else { self.number(unit, depth - 1) };
                if !self.wild && !one.size.either(two.size).fits() {
                    return self.leaf(Kind::Truth);
                }
                let operator = *self.dice.of(&["<", "<=", ">", ">=", "==", "!="]);
                plain(format!("({} {operator} {})", one.text, two.text))
            }
        }
    }

    fn text(&mut self, depth: usize) -> Written {
        match self.dice.below(6) {
            0 if depth > 0 => self.chosen(Kind::Text, depth),
            1 if depth > 0 => self.call(Kind::Text, depth).unwrap_or_else(|| self.leaf(Kind::Text)),
            _ => self.leaf(Kind::Text),
        }
    }

    pub fn date(&mut self, depth: usize) -> Written {
        if depth > 0 && self.dice.chance(25) { self.chosen(Kind::Date, depth) } else { self.leaf(Kind::Date) }
    }
}
