//! Reads the series of a test file.

use std::sync::Arc;

use chrono::{DateTime, Duration, NaiveDateTime, NaiveTime, Utc};

use super::{Reader, Setting};
use crate::{
    domain::{
        card::Printing,
        market::{Direction, Market},
        observation::PriceKind,
    },
    rules::{
        diagnostic::{Code, Diagnostic, nearest},
        testing::{
            course::{self, Told},
            series::{Course, Moment, Period, Series, Wish},
        },
        yaml::{Data, Fields, Node},
    },
};

/// Things that a made-up feed may price beside the card.
const MOST_COMPANIONS: usize = 1_000;
/// Where the clock of a course starts if only a day is given.
const NOON: NaiveTime = match NaiveTime::from_hms_opt(12, 0, 0) {
    Some(noon) => noon,
    None => NaiveTime::MIN,
};

impl Reader<'_> {
    /// One series; what it does not say of card, profile, rates and regime the head of its file says.
    pub(super) fn series(&self, node: &Node, head: &Setting) -> Option<Series> {
        let fields = node.fields(self.sink, "a series")?;
        let name = fields.required("name");
        fields.optional_text("doc");
        let setting = self.setting(&fields).over(head);
        let start = fields.required("start").and_then(|node| self.time(node, "start"));
        let every = fields.optional("every").map_or(Some(Duration::days(1)), |node| self.duration(node));
        let count =
            |name: &str| fields.optional(name).and_then(|node| self.integer(name, node)).and_then(|value| value.to_string().parse().ok());
        let (sales_30d, active_listings) = (count("sales_30d"), count("active_listings"));
        let prices = fields.required("prices").and_then(|node| node.items(self.sink, "prices")).unwrap_or_default();
        let prices = prices.iter().filter_map(|node| self.course(node)).collect();
        let moments = fields.optional("expect").map(|node| node.items(self.sink, "expect").unwrap_or_default());
        let signals = fields.optional("signals").map(|node| node.items(self.sink, "signals").unwrap_or_default());
        fields.finish();
        let (name, start) = (name?, start?);
        let missing = |what: &str, help: &str| {
            self.sink.report(Diagnostic::error(Code::MissingKey, name.place.clone(), format!("the series has no {what}")).with_help(help));
        };
        let text = name.text(self.sink, "name")?.to_owned();
        if moments.is_none() && signals.is_none() {
            missing("expectation", "add `expect:` with what holds `at` some time, or `signals: []` for silence");
        }
        let signals = signals.map(|items| items.iter().filter_map(|item| self.period(item, start)).collect());
        let moments = moments.unwrap_or_default().iter().filter_map(|item| self.moment(item, start)).collect();
        let (Some(card), Some(profile), Some(rates)) = (setting.subject.card, setting.subject.profile, setting.subject.rates) else {
            missing("card, profile or rates", "a series needs all three, of its own or from the head of the file");
            return None;
        };
        let regime = setting.regime.map(|regime| regime.to_string());
        Some(Series {
            name: text,
            place: name.place.clone(),
            start,
            every: every?,
            regime,
            card,
            profile,
            rates,
            sales_30d,
            active_listings,
            prices,
            moments,
            signals,
        })
    }

    fn course(&self, node: &Node) -> Option<Course> {
        let fields = node.fields(self.sink, "a price")?;
        let market = fields.required("market").and_then(|node| self.member::<Market>(node, Market::NAMES));
        let printing = fields.optional("printing").map_or(Some(Printing::Holofoil), |node| self.member(node, Printing::NAMES));
        let source = fields.optional_text("source").map(Arc::from);
        let steps = fields.required("course").and_then(|node| course::read(node, self.sink));
        let companions = fields.optional("companions").and_then(|node| self.companions(node));
        fields.finish();
        let market = market?;
        let (usual, kind) = match market {
            Market::Cardmarket => ("cardmarket_price_guide", PriceKind::Trend),
            Market::Tcgplayer => ("tcgcsv", PriceKind::Market),
            Market::Ebay => ("ebay", PriceKind::Page),
        };
        let source = source.unwrap_or_else(|| usual.into());
        let (companions, of_companions) = companions.unwrap_or_default();
        Some(Course { market, source, printing: printing?, kind, steps: steps?, companions, of_companions })
    }

    /// `{ count: 19, course: "10.00x8" }`.
    fn companions(&self, node: &Node) -> Option<(usize, Vec<Told>)> {
        let fields = node.fields(self.sink, "companions")?;
        let count = fields.required("count").and_then(|node| {
            let count = node.text(self.sink, "count")?.parse().ok().filter(|count| *count <= MOST_COMPANIONS);
            if count.is_none() {
                self.sink.error(Code::BadValue, &node.place, format!("count must be a whole number up to {MOST_COMPANIONS}"));
            }
            count
        });
        let steps = fields.required("course").and_then(|node| course::read(node, self.sink));
        fields.finish();
        Some((count?, steps?))
    }

    /// `{ at: 72h, signals: [], eu_us: { reason: … } }`.
    fn moment(&self, node: &Node, start: DateTime<Utc>) -> Option<Moment> {
        let fields = node.fields(self.sink, "an expectation")?;
        let at = fields.required("at").and_then(|node| self.moment_of(node, start));
        let signals = fields.optional("signals").and_then(|node| node.items(self.sink, "signals"));
        let signals = signals.map(|items| items.iter().filter_map(|item| self.signal(item)).collect());
        let routes = Direction::ALL.iter().filter_map(|direction| {
            let node = fields.optional(direction.as_str())?;
            Some(Wish { direction: *direction, place: node.place.clone(), expected: self.expectations(node)?, message: None })
        });
        let routes: Vec<Wish> = routes.collect();
        if signals.is_none() && routes.is_empty() {
            let fault = Diagnostic::error(Code::MissingKey, node.place.clone(), "nothing is expected at this time");
            self.sink.report(fault.with_help("add `signals: […]`, or `eu_us: { reason: … }`"));
        }
        fields.finish();
        Some(Moment { at: at?, place: node.place.clone(), signals, routes })
    }

    /// `{ direction: eu_us, net_profit: "38.43", message: … }`.
    fn signal(&self, node: &Node) -> Option<Wish> {
        let Data::Mapping(entries) = &node.data else {
            node.fields(self.sink, "a signal");
            return None;
        };
        self.wish(
            node,
            &node.fields(self.sink, "a signal")?,
            entries.iter().filter(|(key, _)| !matches!(key.name.as_str(), "direction" | "message")),
        )
    }

    fn wish<'n>(&self, node: &Node, fields: &Fields<'_>, facts: impl Iterator<Item = &'n (crate::rules::yaml::Key, Node)>) -> Option<Wish> {
        let direction = fields.required("direction").and_then(|node| self.member(node, Direction::NAMES));
        let expected = facts.filter_map(|(key, value)| self.expected(self.what(&key.name, &key.place)?, value)).collect();
        let message = fields.optional("message").and_then(|node| Some((node.text(self.sink, "message")?.to_owned(), node.place.clone())));
        Some(Wish { direction: direction?, place: node.place.clone(), expected, message })
    }

    /// `{ from: 24h, to: 96h, direction: eu_us }`.
    fn period(&self, node: &Node, start: DateTime<Utc>) -> Option<Period> {
        let fields = node.fields(self.sink, "a signal")?;
        let bound = |name: &str| fields.required(name).and_then(|node| self.moment_of(node, start));
        let (from, to) = (bound("from"), bound("to"));
        let facts = fields.entries().iter().filter(|(key, _)| !matches!(key.name.as_str(), "from" | "to" | "direction" | "message"));
        let signal = self.wish(node, &fields, facts);
        Some(Period { from: from?, to: to?, signal: signal? })
    }

    /// A time after the start, such as `72h` or `3d`, or a date with a time.
    fn moment_of(&self, node: &Node, start: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let text = node.text(self.sink, "a time")?;
        match duration(text) {
            Some(after) => start.checked_add_signed(after),
            None => self.time(node, "a time"),
        }
    }

    fn time(&self, node: &Node, what: &str) -> Option<DateTime<Utc>> {
        let text = node.text(self.sink, what)?;
        let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").ok();
        let time = time.or_else(|| Some(text.parse::<chrono::NaiveDate>().ok()?.and_time(NOON)));
        if time.is_none() {
            let fault = Diagnostic::error(Code::BadValue, node.place.clone(), format!("{what} \"{text}\" is no time"));
            self.sink.report(fault.with_help("write 2026-03-01T12:00 (UTC), or a time after the start such as 72h or 3d"));
        }
        time.map(|time| time.and_utc())
    }

    pub(super) fn duration(&self, node: &Node) -> Option<Duration> {
        let text = node.text(self.sink, "every")?;
        let found = duration(text).filter(|every| *every > Duration::zero());
        if found.is_none() {
            let fault = Diagnostic::error(Code::BadValue, node.place.clone(), format!("\"{text}\" is no stretch of time"));
            self.sink.report(fault.with_help("write hours or days, such as 6h or 1d"));
        }
        found
    }

    fn member<T: std::str::FromStr>(&self, node: &Node, known: &[&str]) -> Option<T> {
        let text = node.text(self.sink, "a name")?;
        let found = text.parse().ok();
        if found.is_none() {
            let fault = Diagnostic::error(Code::BadValue, node.place.clone(), format!("\"{text}\" is not one of {}", known.join(", ")));
            self.sink.report(match nearest(text, known.iter().copied()) {
                Some(near) => fault.with_help(format!("did you mean {near}?")),
                None => fault,
            });
        }
        found
    }
}

fn duration(text: &str) -> Option<Duration> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let whole = |number: &str| number.parse::<i32>().ok().map(i64::from);
    match (text.strip_suffix('h').map(whole), text.strip_suffix('d').map(whole)) {
        (Some(hours), _) => hours.map(Duration::hours),
        (_, Some(days)) => days.map(Duration::days),
        _ => None,
    }
}
