//! A replay as one page for a browser: everything in it, nothing fetched, every word of a vendor escaped.

mod chart;
mod page;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use self::chart::{Axis, Plot, slots};
use super::{
    lookahead::Checked,
    summary::{CourseOfCard, Replay},
};
use crate::domain::{money::Currency, observation::day_of};

/// Signals that are drawn as dots.
const MOST_DOTS: usize = 3_000;
/// Days that are named under a plot.
const NAMED_DAYS: usize = 7;

/// Writes the page. `remarks` stand above everything.
pub fn write(replay: &Replay, remarks: &[String], lookahead: Option<&Checked>) -> String {
    page::write(replay, remarks, lookahead)
}

/// Fit for text and for attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter if letter.is_control() => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

fn name_days(plot: &mut Plot, replay: &Replay, places: &[(Decimal, Decimal)]) {
    let every = replay.steps.len().div_ceil(NAMED_DAYS).max(1);
    for (step, (left, width)) in replay.steps.iter().zip(places).step_by(every) {
        plot.under(left + width / Decimal::TWO, &day_of(step.at).to_string());
    }
}

/// Signals step by step, new ones and those that stand.
fn signals(replay: &Replay) -> String {
    let most = replay.steps.iter().map(|step| step.signals).max().unwrap_or(0);
    let up = Axis::up(Decimal::ZERO, Decimal::from(most.max(1)));
    let mut plot = Plot::new("signals per step");
    plot.scale_up(up);
    let places = slots(replay.steps.len());
    for (step, place) in replay.steps.iter().zip(&places) {
        let title = format!("{}: {} signals, {} of them new", day_of(step.at), step.signals, step.new);
        let [zero, standing, all] = [0, step.signals - step.new.min(step.signals), step.signals].map(|count| up.at(count.into()));
        plot.bar("bar", *place, (standing, zero), &title);
        plot.bar("new", *place, (all, standing), &title);
    }
    name_days(&mut plot, replay, &places);
    plot.finish()
}

/// What was predicted, against what came after a week.
fn predicted(replay: &Replay) -> String {
    let mut dots: Vec<(Decimal, Decimal, String)> = replay
        .signals
        .iter()
        .filter(|signal| signal.is_new)
        .filter_map(|signal| {
            let title = format!("tenant {}, {}, {}", signal.tenant + 1, day_of(signal.at), signal.direction);
            Some((signal.predicted?, signal.after[0].profit?, title))
        })
        .collect();
    if dots.is_empty() {
        return "<p>No signal has a price a week later.</p>".to_owned();
    }
    let every = dots.len().div_ceil(MOST_DOTS);
    dots = dots.into_iter().step_by(every).collect();
    // a few extremes must not press all others into a corner
    let bounds = |values: Vec<Decimal>| {
        let mut values = values;
        values.sort_unstable();
        let last = values.len() - 1;
        (values[last / 50].min(Decimal::ZERO), values[last - last / 50].max(Decimal::ONE))
    };
    let (low_x, high_x) = bounds(dots.iter().map(|dot| dot.0).collect());
    let (low_y, high_y) = bounds(dots.iter().map(|dot| dot.1).collect());
    let (across, up) = (Axis::across(low_x, high_x), Axis::up(low_y, high_y));
    let mut plot = Plot::new("predicted against realised profit");
    plot.scale_up(up);
    plot.scale_across(across);
    let (from, to) = (low_x.max(low_y), high_x.min(high_y));
    plot.line("as-said", &[(across.at(from), up.at(from)), (across.at(to), up.at(to))], "as predicted");
    for (x, y, title) in &dots {
        let class = if *y < Decimal::ZERO { "dot lost" } else { "dot" };
        plot.dot(class, across.at(*x), up.at(*y), 3, &format!("{title}: predicted {x}, realised {y}"));
    }
    for (number, decile) in replay.outcomes.deciles.iter().enumerate() {
        if let (Some(x), Some(y)) = (decile.predicted, decile.after[0].1) {
            plot.dot("decile", across.at(x), up.at(y), 6, &format!("tenth {}: predicted {x}, realised {y} on average", number + 1));
        }
    }
    plot.named("realised after 7 days, EUR", "predicted, EUR");
    plot.finish()
}

/// Prices of the card in one currency, and on which steps it was a signal.
fn course(replay: &Replay, course: &CourseOfCard, currency: Currency) -> String {
    let lines: Vec<_> = course.prices.iter().filter(|line| line.currency == currency).collect();
    let points = || lines.iter().flat_map(|line| &line.points);
    let (Some(low), Some(high)) = (points().map(|(_, price)| *price).min(), points().map(|(_, price)| *price).max()) else {
        return String::new();
    };
    // a price that never moved runs through the middle
    let margin = if high > low { high - low } else { high.max(Decimal::ONE) } / Decimal::TEN;
    let up = Axis::up((low - margin).max(Decimal::ZERO), high + margin);
    let (Some(first), Some(last)) = (replay.steps.first(), replay.steps.last()) else { return String::new() };
    let seconds = |at: DateTime<Utc>| Decimal::from(at.timestamp());
    let day = Decimal::from(86_400);
    let across = Axis::across(seconds(first.at) - day, seconds(last.at));
    let mut plot = Plot::new(&format!("prices in {currency}"));
    plot.scale_up(up);
    let bottom = up.at(Decimal::ZERO);
    let places = slots(replay.steps.len());
    for (number, (step, place)) in replay.steps.iter().zip(&places).enumerate() {
        let tenants = course.signals.get(number).copied().unwrap_or(0);
        let said = course.said.get(number).map(|said| said.iter().map(|(what, tenants)| format!("{what} ({tenants})")).collect::<Vec<_>>());
        let title = format!("{}: a signal for {tenants} tenants. {}", day_of(step.at), said.unwrap_or_default().join(", "));
        let class = if tenants > 0 { "signal" } else { "silent" };
        plot.bar(class, *place, (bottom - Decimal::from(8), bottom), &title);
    }
    for (number, line) in lines.iter().enumerate() {
        let drawn: Vec<_> = line.points.iter().map(|(at, price)| (across.at(seconds(*at)), up.at(*price))).collect();
        let name = format!("{} {}", line.source, line.finish.printing);
        plot.line(&format!("price p{}", number % 6), &drawn, &name);
        for ((at, price), (x, y)) in line.points.iter().zip(&drawn) {
            plot.dot(&format!("told p{}", number % 6), *x, *y, 3, &format!("{name}, {}: {price} {currency}", at.date_naive()));
        }
    }
    name_days(&mut plot, replay, &places);
    let names: Vec<String> = lines
        .iter()
        .enumerate()
        .map(|(number, line)| format!("<span class=\"key p{}\">{} {}</span>", number % 6, escaped(&line.source), line.finish.printing))
        .collect();
    format!("<h3>{currency}</h3>\n{}<p class=\"keys\">{}</p>\n", plot.finish(), names.join(" "))
}

/// The currencies in which the card has prices.
fn currencies(course: &CourseOfCard) -> BTreeSet<Currency> {
    course.prices.iter().map(|line| line.currency).collect()
}
