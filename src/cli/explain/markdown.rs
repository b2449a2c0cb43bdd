//! An explanation as a reply to a tenant: Markdown without internal names, in the words of the facts' descriptions.

use std::fmt::Write as _;

use rust_decimal::Decimal;

use super::{
    age,
    pretty::{named, no_route},
};
use crate::{
    domain::market::Market,
    rules::explain::{Answer, Explanation, FactLine, Outcome, Whose},
    scan::explain::{CardReport, StoredReport, Told},
};

/// Changes that a tenant is told of.
const FLIPS: usize = 5;

pub fn card(report: &CardReport) -> String {
    let name = format!("{} ({})", report.card_name, report.card_id);
    let Some(told) = &report.told else {
        let mut text = format!("**{}** cannot be judged: {}.\n", escaped(&name), no_route(&report.prices));
        for line in &report.prices {
            let price = line.price.map_or_else(|| "no price".to_owned(), |price| format!("{price:.2} {}", line.currency));
            let _ = writeln!(text, "\n- {}: {price}, {} old", named(line.market), age(line.age_hours));
        }
        return text;
    };
    tell(&name, told, Some(report.as_of), report.shift.is_some())
}

pub fn stored(report: &StoredReport) -> String {
    let name = format!("{} ({})", report.card_name, report.card_id);
    tell(&name, &report.told, Some(report.as_of), report.shift.is_some())
}

fn tell(name: &str, told: &Told, as_of: Option<chrono::DateTime<chrono::Utc>>, moved: bool) -> String {
    let explanation = &told.explanation;
    let mut text = match explanation.outcome {
        Outcome::Signal => format!("**A deal for you: {}**\n", escaped(name)),
        _ => format!("**No deal for you: {}**\n", escaped(name)),
    };
    let route = &told.route;
    let price = |price: Option<Decimal>, market: Market| {
        price.map_or_else(|| "an unknown price".to_owned(), |price| format!("{price:.2} {}", market.currency()))
    };
    let old = |moment: chrono::DateTime<chrono::Utc>| {
        as_of.map_or_else(String::new, |now| format!(" ({} old)", age((now - moment).num_hours().max(0))))
    };
    let _ = writeln!(
        text,
        "\nBought on {} for {}{}, sold on {} for {}{}.",
        named(route.buy_market),
        price(route.buy_price, route.buy_market),
        old(route.buy_observed_at),
        named(route.sell_market),
        price(route.sell_price, route.sell_market),
        old(route.sell_observed_at),
    );
    if moved {
        text.push_str("\n*These prices were moved in time and never stood side by side: this is an experiment.*\n");
    }
    if let Some(stopped) = explanation.stopped_at() {
        let why = match &stopped.answer {
            Answer::Unknown(missing) => format!("It cannot be judged, because this is not known: {}.", words(explanation, missing)),
            Answer::Fault(_) => "It cannot be judged, because a rule failed on it. We look into it.".to_owned(),
            _ => format!(
                "It stopped at check {} of {}: {}",
                explanation.gate.map_or(0, |gate| gate + 1),
                explanation.gates.len(),
                sentence(&stopped.doc)
            ),
        };
        let _ = writeln!(text, "\n{why}");
        text.push_str(&figures(explanation, &stopped.fact));
    }
    let others: Vec<&str> =
        explanation.gates.iter().filter(|gate| gate.beyond && gate.answer.stops()).map(|gate| gate.doc.as_str()).collect();
    if !others.is_empty() {
        text.push_str("\nThese checks would stop it too:\n\n");
        for doc in others {
            let _ = writeln!(text, "- {}", sentence(doc));
        }
    }
    let rests_on_profit = explanation
        .stopped_at()
        .is_none_or(|stopped| explanation.behind([stopped.fact.as_str()]).iter().any(|fact| explanation.waterfall.contains(&fact.name)));
    // a sum of prices that nobody believes would be read as a promise
    if rests_on_profit {
        text.push_str(&waterfall(explanation));
    }
    text.push_str(&flags(explanation));
    text.push_str(&flips(explanation));
    text
}

/// What the check looked at: the statements that hold, and the numbers.
fn figures(explanation: &Explanation, gate: &str) -> String {
    let reads = explanation.fact(gate).map(|fact| fact.reads.as_slice()).unwrap_or_default();
    let mut text = String::new();
    for fact in reads.iter().filter_map(|name| explanation.fact(name)).filter(|fact| !fact.value.is_null()) {
        match fact.text.as_str() {
            "true" => drop(writeln!(text, "- {}", sentence(&fact.doc))),
            "false" => {}
            _ => drop(writeln!(text, "- {}: {}", escaped(brief(&fact.doc)), escaped(&fact.shown()))),
        }
    }
    if text.is_empty() { text } else { format!("\n{text}") }
}

fn waterfall(explanation: &Explanation) -> String {
    let lines: Vec<&FactLine> = explanation.waterfall.iter().filter_map(|name| explanation.fact(name)).collect();
    let Some(last) = lines.last().filter(|last| !last.value.is_null()) else { return String::new() };
    let mut text = format!("\n| | {} |\n|---|---:|\n", escaped(&last.unit));
    for (position, line) in lines.iter().enumerate() {
        let sign = match position {
            0 => "",
            position if position + 1 == lines.len() => "= ",
            _ => "− ",
        };
        let _ = writeln!(text, "| {sign}{} | {} |", sentence(&line.doc), escaped(&line.text));
    }
    text
}

fn flags(explanation: &Explanation) -> String {
    if explanation.outcome != Outcome::Signal || explanation.flags.is_empty() {
        return String::new();
    }
    let mut text = "\nMind these:\n\n".to_owned();
    for flag in &explanation.flags {
        let _ = writeln!(text, "- {}", sentence(&flag.doc));
    }
    text
}

/// What lies with the markets and the tenant; the house's own thresholds are not the tenant's to move.
fn flips(explanation: &Explanation) -> String {
    if explanation.outcome == Outcome::Signal {
        return String::new();
    }
    let shown: Vec<_> = explanation.flips.iter().filter(|flip| !matches!(flip.whose, Whose::Rules | Whose::Rate)).take(FLIPS).collect();
    if shown.is_empty() {
        return "\nNo single price or setting of yours would change that.\n".to_owned();
    }
    let mut text = "\nWhat would change it, each alone:\n\n".to_owned();
    for flip in shown {
        let unit = if flip.unit.is_empty() { String::new() } else { format!(" {}", flip.unit) };
        let from = flip.from.as_deref().map_or_else(|| "unknown now".to_owned(), |from| format!("now {from}{unit}"));
        let then = match (&flip.then.doc, &flip.signal_from) {
            (None, _) => "it would be a deal".to_owned(),
            (Some(_), Some(signal)) => format!("it would pass this check, and be a deal at {signal}{unit}"),
            (Some(doc), None) => format!("it would pass this check, and stop at another: {}", brief(doc)),
        };
        let setting = if flip.whose == Whose::Tenant { "your setting: " } else { "" };
        let _ = writeln!(
            text,
            "- {setting}{}: {}{} ({}): {}",
            escaped(brief(&flip.doc)),
            escaped(&flip.to),
            escaped(&unit),
            escaped(&from),
            escaped(&then)
        );
    }
    text
}

/// A fact's description in place of its name.
fn words(explanation: &Explanation, name: &str) -> String {
    escaped(explanation.fact(name).map_or("a figure", |fact| brief(&fact.doc)))
}

/// A description as a sentence.
fn sentence(doc: &str) -> String {
    format!("{}.", escaped(brief(doc)))
}

/// The first sentence of a description, without what it adds behind a semicolon for analysts.
fn brief(doc: &str) -> &str {
    let end = [doc.find("; "), doc.find(". ")].into_iter().flatten().min().unwrap_or(doc.len());
    doc[..end].trim().trim_end_matches('.')
}

/// Text that no reader of Markdown takes for markup.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '&' | '!' => {
                safe.push('\\');
                safe.push(letter);
            }
            // a line of its own could begin a list, a heading or a table
            letter if letter.is_control() => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_card_is_called_cannot_become_markup() {
        assert_eq!(escaped("Pikachu_*[x](http://y)`|\n# <b>"), "Pikachu\\_\\*\\[x\\](http://y)\\`\\| \\# \\<b\\>");
    }
}
