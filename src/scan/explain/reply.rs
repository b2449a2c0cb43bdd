//! An explanation as a reply to a tenant: without internal names, in the words of the facts' descriptions. What form it
//! takes is the channel's to say.

use rust_decimal::Decimal;

use super::{CardReport, PriceLine, StoredReport, Told};
use crate::{
    domain::market::Market,
    rules::explain::{Answer, Explanation, FactLine, Outcome, Whose},
};

/// Changes that a tenant is told of.
const FLIPS: usize = 5;

/// One thing that is said. Nothing is escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paragraph {
    Title(String),
    Text(String),
    /// A remark on how far the rest can be believed.
    Aside(String),
    List(Vec<String>),
    /// Amounts of a currency: a sign, what it is, how much.
    Sum {
        unit: String,
        rows: Vec<(&'static str, String, String)>,
    },
}

/// What is said of a card as it stands.
pub fn card(report: &CardReport) -> Vec<Paragraph> {
    let name = format!("{} ({})", report.card_name, report.card_id);
    if let Some(told) = &report.told {
        return tell(&name, told, Some(report.as_of), report.shift.is_some());
    }
    let price = |line: &PriceLine| {
        let price = line.price.map_or_else(|| "no price".to_owned(), |price| format!("{price:.2} {}", line.currency));
        format!("{}: {price}, {} old", line.market.title(), age(line.age_hours))
    };
    vec![
        Paragraph::Title(name),
        Paragraph::Text(format!("It cannot be judged: {}.", no_route(&report.prices))),
        Paragraph::List(report.prices.iter().map(price).collect()),
    ]
}

/// What is said of a stored decision.
pub fn stored(report: &StoredReport) -> Vec<Paragraph> {
    let name = format!("{} ({})", report.card_name, report.card_id);
    tell(&name, &report.told, Some(report.as_of), report.shift.is_some())
}

fn tell(name: &str, told: &Told, as_of: Option<chrono::DateTime<chrono::Utc>>, moved: bool) -> Vec<Paragraph> {
    let explanation = &told.explanation;
    let deal = if explanation.outcome == Outcome::Signal { "A deal for you" } else { "No deal for you" };
    let mut said = vec![Paragraph::Title(format!("{deal}: {name}"))];
    let route = &told.route;
    let price = |price: Option<Decimal>, market: Market| {
        price.map_or_else(|| "an unknown price".to_owned(), |price| format!("{price:.2} {}", market.currency()))
    };
    let old = |moment: chrono::DateTime<chrono::Utc>| {
        as_of.map_or_else(String::new, |now| format!(" ({} old)", age((now - moment).num_hours().max(0))))
    };
    said.push(Paragraph::Text(format!(
        "Bought on {} for {}{}, sold on {} for {}{}.",
        route.buy_market.title(),
        price(route.buy_price, route.buy_market),
        old(route.buy_observed_at),
        route.sell_market.title(),
        price(route.sell_price, route.sell_market),
        old(route.sell_observed_at),
    )));
    if moved {
        said.push(Paragraph::Aside("These prices were moved in time and never stood side by side: this is an experiment.".to_owned()));
    }
    if let Some(stopped) = explanation.stopped_at() {
        said.push(Paragraph::Text(match &stopped.answer {
            Answer::Unknown(missing) => format!("It cannot be judged, because this is not known: {}.", words(explanation, missing)),
            Answer::Fault(_) => "It cannot be judged, because a rule failed on it. We look into it.".to_owned(),
            _ => format!(
                "It stopped at check {} of {}: {}",
                explanation.gate.map_or(0, |gate| gate + 1),
                explanation.gates.len(),
                sentence(&stopped.doc)
            ),
        }));
        said.extend(figures(explanation, &stopped.fact));
    }
    let others = explanation.gates.iter().filter(|gate| gate.beyond && gate.answer.stops()).map(|gate| sentence(&gate.doc)).collect();
    said.extend(list("These checks would stop it too:", others));
    let rests_on_profit = explanation
        .stopped_at()
        .is_none_or(|stopped| explanation.behind([stopped.fact.as_str()]).iter().any(|fact| explanation.waterfall.contains(&fact.name)));
    // a sum of prices that nobody believes would be read as a promise
    if rests_on_profit {
        said.extend(waterfall(explanation));
    }
    if explanation.outcome == Outcome::Signal {
        said.extend(list("Mind these:", explanation.flags.iter().map(|flag| sentence(&flag.doc)).collect()));
    } else {
        said.extend(flips(explanation));
    }
    said
}

/// A list under its heading; nothing where it is empty.
fn list(heading: &str, items: Vec<String>) -> Vec<Paragraph> {
    if items.is_empty() { Vec::new() } else { vec![Paragraph::Text(heading.to_owned()), Paragraph::List(items)] }
}

/// What the check looked at: the statements that hold, and the numbers.
fn figures(explanation: &Explanation, gate: &str) -> Option<Paragraph> {
    let reads = explanation.fact(gate).map(|fact| fact.reads.as_slice()).unwrap_or_default();
    let known = reads.iter().filter_map(|name| explanation.fact(name)).filter(|fact| !fact.value.is_null());
    let items: Vec<String> = known
        .filter_map(|fact| match fact.text.as_str() {
            "true" => Some(sentence(&fact.doc)),
            "false" => None,
            _ => Some(format!("{}: {}", brief(&fact.doc), fact.shown())),
        })
        .collect();
    (!items.is_empty()).then_some(Paragraph::List(items))
}

fn waterfall(explanation: &Explanation) -> Option<Paragraph> {
    let lines: Vec<&FactLine> = explanation.waterfall.iter().filter_map(|name| explanation.fact(name)).collect();
    let last = lines.last().filter(|last| !last.value.is_null())?;
    let row = |(position, line): (usize, &&FactLine)| {
        let sign = match position {
            0 => "",
            position if position + 1 == lines.len() => "= ",
            _ => "− ",
        };
        (sign, sentence(&line.doc), line.text.clone())
    };
    Some(Paragraph::Sum { unit: last.unit.clone(), rows: lines.iter().enumerate().map(row).collect() })
}

/// What lies with the markets and the tenant; the house's own thresholds are not the tenant's to move.
fn flips(explanation: &Explanation) -> Vec<Paragraph> {
    let shown = explanation.flips.iter().filter(|flip| !matches!(flip.whose, Whose::Rules | Whose::Rate)).take(FLIPS);
    let items: Vec<String> = shown
        .map(|flip| {
            let unit = if flip.unit.is_empty() { String::new() } else { format!(" {}", flip.unit) };
            let from = flip.from.as_deref().map_or_else(|| "unknown now".to_owned(), |from| format!("now {from}{unit}"));
            let then = match (&flip.then.doc, &flip.signal_from) {
                (None, _) => "it would be a deal".to_owned(),
                (Some(_), Some(signal)) => format!("it would pass this check, and be a deal at {signal}{unit}"),
                (Some(doc), None) => format!("it would pass this check, and stop at another: {}", brief(doc)),
            };
            let setting = if flip.whose == Whose::Tenant { "your setting: " } else { "" };
            format!("{setting}{}: {}{unit} ({from}): {then}", brief(&flip.doc), flip.to)
        })
        .collect();
    if items.is_empty() {
        return vec![Paragraph::Text("No single price or setting of yours would change that.".to_owned())];
    }
    list("What would change it, each alone:", items)
}

/// A fact's description in place of its name.
fn words(explanation: &Explanation, name: &str) -> String {
    explanation.fact(name).map_or("a figure", |fact| brief(&fact.doc)).to_owned()
}

/// A description as a sentence.
fn sentence(doc: &str) -> String {
    format!("{}.", brief(doc))
}

/// The first sentence of a description, without what it adds behind a semicolon for analysts.
fn brief(doc: &str) -> &str {
    let end = [doc.find("; "), doc.find(". ")].into_iter().flatten().min().unwrap_or(doc.len());
    doc[..end].trim().trim_end_matches('.')
}

/// Why a card cannot be traded at all.
pub fn no_route(prices: &[PriceLine]) -> String {
    match prices.first() {
        None => "no feed tells a price of this card".to_owned(),
        Some(first) if prices.iter().all(|line| line.market == first.market) => {
            format!("the card is priced on {} only", first.market.title())
        }
        Some(_) => "no printing of the card is priced on both markets".to_owned(),
    }
}

/// An age as people say it.
pub fn age(hours: i64) -> String {
    if hours >= 48 { format!("{} days", hours / 24) } else { format!("{hours} h") }
}
