//! A message in words: lines of plain, strong and linked text that a channel gives its own form.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::{Deal, Digest, InBasket, Message, Notice, Reply, Side, Signal, Standing};
use crate::domain::{
    card::{Edition, Language},
    market::closed_set,
    money::{cents, round_half_up},
};
use serde::{Deserialize, Serialize};
use std::{
    fmt::{self, Write as _},
    str::FromStr,
};

/// See the module. Nothing here is escaped; no text holds a line break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    pub title: String,
    pub colour: Colour,
    pub lines: Vec<Line>,
    /// What can be answered, and about which signal.
    pub asks: Option<String>,
}

pub type Line = Vec<Span>;

/// A stretch of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    Plain(String),
    Strong(String),
    Link { text: String, url: String },
}

closed_set! {
    /// What a tenant can answer to a signal.
    Action, "action" {
        Take = "take",
        Pass = "pass",
        Why = "why",
        WrongCard = "wrong",
    }
}

/// The guide's colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    Green,
    Red,
    Blue,
    Yellow,
    DigestBlue,
    Grey,
}

impl Colour {
    /// Red, green and blue, a byte each.
    pub const fn rgb(self) -> u32 {
        match self {
            Self::Green => 0x00_FF00,
            Self::Red => 0xFF_0000,
            Self::Blue => 0x00_00FF,
            Self::Yellow => 0xFF_FF00,
            Self::DigestBlue => 0x34_98DB,
            Self::Grey => 0x80_8080,
        }
    }

    /// Packs may have types that the guide does not know.
    fn of_type(signal_type: &str) -> Self {
        match signal_type {
            "arbitrage" => Self::Green,
            "event_driven" => Self::Red,
            "bundle" => Self::Blue,
            "investment" => Self::Yellow,
            _ => Self::Grey,
        }
    }
}

impl Words {
    fn new(title: impl Into<String>, colour: Colour) -> Self {
        Self { title: one_line(&title.into()), colour, lines: Vec::new(), asks: None }
    }

    /// Lines without a title.
    pub fn of_lines(lines: Vec<Line>) -> Self {
        Self { lines, ..Self::new("", Colour::Grey) }
    }

    fn say(&mut self, text: impl Into<String>) {
        self.lines.push(vec![plain(text)]);
    }

    /// The text without any form, a line each.
    pub fn plain(&self) -> String {
        let mut text = self.title.clone();
        for line in &self.lines {
            if !text.is_empty() {
                text.push('\n');
            }
            for span in line {
                match span {
                    Span::Plain(words) | Span::Strong(words) => text.push_str(words),
                    Span::Link { text: words, url } => drop(write!(text, "{words} <{url}>")),
                }
            }
        }
        text
    }
}

impl Message {
    pub fn words(&self) -> Words {
        match self {
            Self::Signal(signal) => signal.words(),
            Self::Batch(digest) => digest.words(&format!("Your deals of {}", day(digest.at))),
            Self::Digest(digest) => digest.words(&format!("The best deals of the week to {}", day(digest.at))),
            Self::Notice(notice) => notice.words(),
            Self::Reply(reply) => reply.words(),
        }
    }
}

impl Signal {
    fn words(&self) -> Words {
        let mut words = if self.basket.is_empty() { self.deal.words() } else { self.seller_basket() };
        match &self.standing {
            Standing::Offered { minutes } => words.say(format!("Yours alone for {minutes} minutes from now.")),
            Standing::Repriced { net_profit_before, until } => {
                words.title = format!("Re-priced: {}", words.title);
                words.say(format!("Before: {}.", signed(*net_profit_before, &self.deal)));
                if let Some(until) = until {
                    words.say(format!("Yours alone until {}.", moment(*until)));
                }
            }
            Standing::Taken => over(&mut words, "Taken", "You took it."),
            Standing::Passed => over(&mut words, "Passed", "You let it go."),
            Standing::Expired => over(&mut words, "Over", "Your time for it is over; someone else may have it now."),
            Standing::Withdrawn { reason } => over(&mut words, "No deal any longer", &format!("Do not buy: {}.", one_line(reason))),
        }
        let is_open = matches!(self.standing, Standing::Offered { .. } | Standing::Repriced { .. });
        words.asks = is_open.then(|| self.short_id.clone());
        words.say(format!("Id {}", self.short_id));
        words
    }

    /// One parcel of several cards. The card that adds least is marked: without it the others carry its share.
    fn seller_basket(&self) -> Words {
        let cards: Vec<&Deal> = std::iter::once(&self.deal).chain(self.basket.iter().map(|more| &more.deal)).collect();
        let seller = self.deal.seller.as_deref().unwrap_or("one seller");
        let kind = type_name(&self.deal.signal_type);
        let mut words = Words::new(format!("{kind}: {} cards of {seller}", cards.len()), Colour::of_type(&self.deal.signal_type));
        let total: Decimal = cards.iter().map(|deal| cents(deal.net_profit)).sum();
        words.lines.push(vec![strong(signed(total, &self.deal)), plain(" net together, in one parcel".to_owned())]);
        let marginal = (0..cards.len()).min_by_key(|index| (cards[*index].net_profit, std::cmp::Reverse(*index)));
        for (index, deal) in cards.iter().enumerate() {
            let mut line = vec![plain(format!("{}. {}, {}: ", index + 1, deal.title(), deal.copy()))];
            line.extend(deal.sides());
            line.push(plain(format!(", {}", signed(deal.net_profit, deal))));
            if marginal == Some(index) {
                line.push(strong(" (adds least)".to_owned()));
            }
            if !deal.risks.is_empty() {
                line.push(plain(format!("; {}", risks(deal))));
            }
            words.lines.push(line);
        }
        words.lines.extend(self.deal.pace().map(|text| vec![plain(text)]));
        let ids: Vec<&str> = self.basket.iter().map(|InBasket { short_id, .. }| short_id.as_str()).collect();
        words.say(format!("With it: {}", ids.join(", ")));
        words
    }
}

fn over(words: &mut Words, title: &str, text: &str) {
    words.title = format!("{title}: {}", words.title);
    words.colour = Colour::Grey;
    words.say(text);
}

impl Digest {
    fn words(&self, title: &str) -> Words {
        let mut words = Words::new(title, Colour::DigestBlue);
        let margins: Vec<Decimal> = self.deals.iter().filter_map(|deal| deal.margin_pct).collect();
        let mut summary = match self.deals.len() + self.left_out {
            1 => "1 deal".to_owned(),
            all if self.left_out == 0 => format!("{all} deals"),
            all => format!("{} of {all} deals", self.deals.len()),
        };
        if let Some(mean) = margins.iter().sum::<Decimal>().checked_div(margins.len().into()) {
            let _ = write!(summary, ", mean margin {} %", round_half_up(mean, 1));
        }
        if let Some(best) = self.deals.iter().max_by_key(|deal| deal.net_profit) {
            let _ = write!(summary, ", best {}", signed(best.net_profit, best));
        }
        words.say(summary);
        for (index, deal) in self.deals.iter().enumerate() {
            let mut line =
                vec![plain(format!("{}. ", index + 1)), strong(signed(deal.net_profit, deal)), plain(format!(" {}: ", deal.title()))];
            line.extend(deal.sides());
            line.push(plain(format!("; {}", type_name(&deal.signal_type).to_lowercase())));
            if !deal.risks.is_empty() {
                line.push(plain(format!("; {}", risks(deal))));
            }
            words.lines.push(line);
        }
        words
    }
}

impl Reply {
    fn words(&self) -> Words {
        let mut words = Words::new(self.title.as_deref().unwrap_or_default(), Colour::Grey);
        for line in self.lines.iter().flat_map(|line| line.lines()) {
            words.say(one_line(line));
        }
        words
    }
}

impl Notice {
    fn words(&self) -> Words {
        let mut words = Words::new(&self.title, Colour::Grey);
        for line in self.text.lines() {
            words.say(one_line(line));
        }
        words
    }
}

impl Deal {
    /// What is to be said of one deal by itself, without whose it is and for how long.
    pub fn words(&self) -> Words {
        let mut words = Words::new(format!("{}: {}", type_name(&self.signal_type), self.title()), Colour::of_type(&self.signal_type));
        words.lines.push(self.profit());
        words.lines.push(side("Buy on ", &self.buy, &format!(", {}", self.copy())));
        words.lines.push(side("Sell on ", &self.sell, ""));
        words.lines.extend(self.pace().map(|text| vec![plain(text)]));
        if let Some(text) = self.density() {
            words.say(text);
        }
        if !self.risks.is_empty() {
            words.say(format!("Risks: {}", risks(self)));
        }
        words
    }

    fn title(&self) -> String {
        let set = self.set_name.as_deref().map_or_else(String::new, |set| format!(", {set}"));
        one_line(&format!("{} ({}){set}", self.name, self.card_id))
    }

    fn profit(&self) -> Line {
        let margin = self.margin_pct.map_or_else(String::new, |margin| format!(", {} % of the proceeds", round_half_up(margin, 1)));
        vec![strong(signed(self.net_profit, self)), plain(format!(" net{margin}"))]
    }

    /// Condition, printing, and what is unusual about the copy.
    fn copy(&self) -> String {
        let condition = self.condition.map_or_else(String::new, |grade| format!("{grade} "));
        let mut text = format!("{condition}{}", self.finish.printing.as_str().replace('_', " "));
        match self.finish.edition {
            Edition::Standard => {}
            Edition::First => text.push_str(", 1st edition"),
            Edition::Unlimited => text.push_str(", unlimited"),
        }
        if self.finish.language != Language::English {
            let _ = write!(text, ", {}", self.finish.language);
        }
        text
    }

    /// `8.00 EUR → 22.00 USD`, each a link where there is one.
    fn sides(&self) -> Line {
        let end = |side: &Side| {
            let text = format!("{} {}", amount(side.price), side.market.currency());
            match &side.url {
                Some(url) => Span::Link { text, url: url.clone() },
                None => Span::Plain(text),
            }
        };
        vec![end(&self.buy), plain(" → ".to_owned()), end(&self.sell)]
    }

    /// How fast it sells and what a sale is worth the work.
    fn pace(&self) -> Option<String> {
        let figure = |name: &str, value: Option<Decimal>, tier: Option<&str>| {
            let value = value.map(amount);
            let tier = tier.map(|tier| one_line(&tier.replace('_', " ")));
            let parts: Vec<String> = value.into_iter().chain(tier).collect();
            (!parts.is_empty()).then(|| format!("{name} {}", parts.join(", ")))
        };
        let velocity = figure("Velocity", self.velocity, self.velocity_tier.as_deref());
        let headache = figure("headache", self.headache, self.headache_tier.as_deref());
        let parts: Vec<String> = velocity.into_iter().chain(headache).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    fn density(&self) -> Option<String> {
        let cards = self.seller_density.filter(|cards| *cards > 1)?;
        let seller = self.seller.as_deref().map_or_else(String::new, |seller| format!(" {}", one_line(seller)));
        Some(format!("Bundle: the seller{seller} has {cards} such cards; the figures share one parcel's postage."))
    }
}

fn side(what: &str, end: &Side, more: &str) -> Line {
    let name = end.market.title().to_owned();
    let name = match &end.url {
        Some(url) => Span::Link { text: name, url: url.clone() },
        None => Span::Plain(name),
    };
    vec![plain(what), name, plain(format!(": {} {}{more}", amount(end.price), end.market.currency()))]
}

fn plain(text: impl Into<String>) -> Span {
    Span::Plain(text.into())
}

fn strong(text: String) -> Span {
    Span::Strong(text)
}

fn type_name(signal_type: &str) -> String {
    let name = one_line(&signal_type.replace('_', " "));
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn risks(deal: &Deal) -> String {
    deal.risks.iter().map(|flag| one_line(&flag.to_lowercase().replace('_', " "))).collect::<Vec<_>>().join(", ")
}

fn amount(value: Decimal) -> String {
    format!("{:.2}", cents(value))
}

fn signed(net: Decimal, deal: &Deal) -> String {
    format!("{:+.2} {}", cents(net), deal.home)
}

fn day(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y").to_string()
}

fn moment(at: DateTime<Utc>) -> String {
    at.format("%-d %B, %H:%M UTC").to_string()
}

/// Foreign text on one line: a break or a control character could pass for a line of ours.
fn one_line(text: &str) -> String {
    let visible = |letter: char| if letter.is_control() || is_invisible(letter) { ' ' } else { letter };
    text.chars().map(visible).collect::<String>().split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Letters that turn the direction of text around, or hide.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{2028}' | '\u{2029}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}
