//! One route and tenant in full, for a terminal: verdict, gates, what would flip it, waterfall, formulas, rows, parameters.

use std::fmt::Write as _;

use rust_decimal::Decimal;

use super::layout::{Paint, columns, wrapped};
use crate::{
    rules::explain::{Answer, Explanation, FactLine, Flip, Outcome, Whose},
    scan::explain::{RouteLine, Told, reply::age},
};

/// Figures that are told of a verdict that several could flip.
const FLIPS: usize = 8;

pub fn tell(told: &Told, paint: Paint) -> String {
    let explanation = &told.explanation;
    let mut text = format!("\n{}\n", route(&told.route));
    let country = told.country.as_deref().map(|country| format!(" ({country})")).unwrap_or_default();
    let hash = explanation.pack_hash.chars().take(12).collect::<String>();
    let _ = writeln!(text, "for tenant {}{country}; pack {} {hash}\n", told.tenant, explanation.pack);
    text.push_str(&verdict(explanation, paint));
    section(&mut text, paint, "gates", &gates(explanation, paint));
    if let Some(stopped) = explanation.stopped_at() {
        section(
            &mut text,
            paint,
            &format!("what {} rests on", stopped.reason),
            &tree(explanation, &[stopped.fact.as_str()], &skip(explanation), paint),
        );
        section(&mut text, paint, "what would flip it, each alone and all else as it is", &flips(explanation, paint));
    }
    let concerned: Vec<&str> = match explanation.stopped_at() {
        Some(stopped) => vec![stopped.fact.as_str()],
        None => explanation.waterfall.iter().map(String::as_str).collect(),
    };
    let behind = explanation.behind(concerned);
    let by_profit = behind.iter().any(|fact| explanation.waterfall.contains(&fact.name));
    let title = if explanation.outcome == Outcome::Signal || by_profit { "waterfall" } else { "waterfall, had it come so far" };
    section(&mut text, paint, title, &waterfall(explanation));
    if by_profit {
        let steps: Vec<&str> = explanation.waterfall.iter().map(String::as_str).collect();
        section(&mut text, paint, "how each line comes about", &tree(explanation, &steps, &[], paint));
    }
    if explanation.outcome == Outcome::Signal
        && let Some(score) = explanation.score_fact.as_deref()
    {
        section(&mut text, paint, "how the score comes about", &tree(explanation, &[score], &skip(explanation), paint));
    }
    section(&mut text, paint, "table rows chosen", &rows(explanation, &behind, paint));
    section(&mut text, paint, "parameters in force", &parameters(&behind, paint));
    text
}

/// The waterfall's facts and what is behind them, which have a section of their own.
fn skip(explanation: &Explanation) -> Vec<&str> {
    explanation.behind(explanation.waterfall.iter().map(String::as_str)).into_iter().map(|fact| fact.name.as_str()).collect()
}

fn section(text: &mut String, paint: Paint, title: &str, body: &str) {
    if !body.is_empty() {
        let _ = write!(text, "\n{}\n{body}", paint.bold(title));
    }
}

fn route(route: &RouteLine) -> String {
    let price = |price: Option<Decimal>, currency| price.map_or_else(|| "no price".to_owned(), |price| format!("{price:.2} {currency}"));
    let seller = route.seller_id.as_deref().map(|seller| format!(", seller {seller}")).unwrap_or_default();
    let condition = route.condition.as_deref().map(|grade| format!(", {grade}")).unwrap_or_default();
    let rows = [
        vec![
            "buy".to_owned(),
            route.buy_market.to_string(),
            price(route.buy_price, route.buy_market.currency()),
            format!("{} of {}{condition}{seller}", route.buy_source, route.buy_observed_at.format("%Y-%m-%d %H:%M")),
        ],
        vec![
            "sell".to_owned(),
            route.sell_market.to_string(),
            price(route.sell_price, route.sell_market.currency()),
            format!("{} of {}", route.sell_source, route.sell_observed_at.format("%Y-%m-%d %H:%M")),
        ],
    ];
    let finish = route.finish;
    let mut text = format!("{} {}, {} {}\n{}", route.direction, finish.printing, finish.edition, finish.language, columns(&rows, &[2]));
    for (side, history) in [("buy", &route.buy_history), ("sell", &route.sell_history)] {
        let days: Vec<String> = history
            .iter()
            .map(|(day, price)| {
                format!("{} {}", day.format("%m-%d"), price.map_or_else(|| "none".to_owned(), |price| format!("{price:.2}")))
            })
            .collect();
        if !days.is_empty() {
            let days: Vec<&str> = days.iter().map(String::as_str).collect();
            let _ = writeln!(text, "{}", wrapped(&format!("  {side} prices lately: "), &days, ", "));
        }
    }
    text
}

fn verdict(explanation: &Explanation, paint: Paint) -> String {
    let net = explanation.waterfall.last().and_then(|name| explanation.fact(name)).map(FactLine::shown);
    let flags: Vec<Vec<String>> = explanation.flags.iter().map(|flag| vec![flag.flag.clone(), flag.doc.clone()]).collect();
    let mut text = match explanation.stopped_at() {
        None => {
            let kind = explanation.signal_type.as_deref().unwrap_or("signal");
            let score = explanation.score.map_or_else(|| "unknown".to_owned(), |score| score.normalize().to_string());
            let net = net.unwrap_or_else(|| "unknown".to_owned());
            format!("{}  {kind}, keeps {net}, score {score}\n", paint.answer(&Answer::Passed, "SIGNAL"))
        }
        Some(stopped) => {
            let reason = explanation.reason.as_deref().unwrap_or_default();
            let gate = explanation.gate.map_or(0, |gate| gate + 1);
            let why = match &stopped.answer {
                Answer::Unknown(missing) => format!("{missing} is unknown, so gate {} cannot be answered", stopped.reason),
                Answer::Fault(fault) => format!("a rule failed: {fault}"),
                _ => stopped.doc.clone(),
            };
            let head = paint.answer(&Answer::Rejected, "REJECTED");
            format!("{head}  {reason} at gate {gate} of {}\n  {why}\n", explanation.gates.len())
        }
    };
    // flags are remarks on a deal; of what is none they would only distract
    if explanation.outcome == Outcome::Signal {
        text.push_str(&columns(&flags, &[]));
    }
    text
}

fn gates(explanation: &Explanation, paint: Paint) -> String {
    let longest = explanation.gates.iter().map(|gate| gate.reason.len()).max().unwrap_or(0);
    let mut text = String::new();
    let mut not_asked = Vec::new();
    for (index, gate) in explanation.gates.iter().enumerate() {
        let word = match (&gate.answer, gate.beyond) {
            (Answer::NotAsked, _) => {
                not_asked.push(gate.reason.as_str());
                continue;
            }
            (Answer::Passed, false) => "passed",
            (Answer::Passed, true) => "would pass",
            (Answer::Rejected, false) => "REJECTED",
            (Answer::Rejected, true) => "WOULD REJECT",
            (Answer::Unknown(_), _) => "UNKNOWN",
            (Answer::Fault(_), _) => "FAULT",
        };
        let wide = explanation.gates.iter().any(|gate| gate.beyond && gate.answer != Answer::NotAsked);
        let word = format!("{word:<width$}", width = if wide { 12 } else { 8 });
        let start = format!("  {:>2} {word} {:<longest$}  ", index + 1, gate.reason);
        let mut reads: Vec<String> = explanation.fact(&gate.fact).map(|fact| read_values(explanation, fact)).unwrap_or_default();
        match &gate.answer {
            Answer::Unknown(missing) => reads.insert(0, format!("{missing} is unknown")),
            Answer::Fault(fault) => reads.insert(0, fault.clone()),
            _ => {}
        }
        let reads: Vec<&str> = reads.iter().map(String::as_str).collect();
        let line = wrapped(&start, &reads, ", ");
        let _ = writeln!(text, "{}", line.replacen(&word, &paint.answer(&gate.answer, &word), 1));
    }
    if !not_asked.is_empty() {
        not_asked.dedup();
        let _ = writeln!(text, "{}", paint.dim(&wrapped("     not reached: ", &not_asked, ", ")));
    }
    text
}

/// What a fact reads, with values and, for prices, age; the unknown last.
fn read_values(explanation: &Explanation, fact: &FactLine) -> Vec<String> {
    let reads = fact.reads.iter().filter_map(|name| explanation.fact(name));
    let (known, unknown): (Vec<&FactLine>, Vec<&FactLine>) = reads.partition(|read| !read.value.is_null());
    let one = |read: &&FactLine| {
        let age = read.origin.as_ref().and_then(|origin| origin.age_hours).map(|hours| format!(" ({} old)", age(whole(hours))));
        format!("{} {}{}", read.name, read.shown(), age.unwrap_or_default())
    };
    known.iter().map(one).chain(unknown.iter().map(|read| format!("{} unknown", read.name))).collect()
}

fn whole(hours: Decimal) -> i64 {
    hours.round().try_into().unwrap_or(i64::MAX)
}

/// Each formula with its result and what it reads, then the formulas behind it, deeper; each once.
fn tree(explanation: &Explanation, roots: &[&str], skip: &[&str], paint: Paint) -> String {
    let mut text = String::new();
    let mut told: Vec<&str> = skip.to_vec();
    let mut open: Vec<(&str, usize)> = roots.iter().rev().map(|root| (*root, 0)).collect();
    while let Some((name, depth)) = open.pop() {
        let Some(fact) = explanation.fact(name).filter(|fact| fact.formula.is_some() && !told.contains(&fact.name.as_str())) else {
            continue;
        };
        told.push(&fact.name);
        let indent = "  ".repeat(depth + 1);
        let missing = fact.missing.as_deref().map(|missing| format!(" (because {missing} is)")).unwrap_or_default();
        let place = paint.dim(fact.place.as_deref().unwrap_or_default());
        let _ = writeln!(text, "{indent}{} = {}{missing}  {place}", fact.name, paint.bold(&fact.shown()));
        // a fee that the market does not levy needs no more than its name
        let is_unknown = |read: &&String| explanation.fact(read).is_some_and(|read| read.value.is_null());
        if depth > 0 && matches!(fact.text.as_str(), "0" | "unknown") && fact.reads.first().as_ref().is_some_and(is_unknown) {
            let unknown: Vec<&str> = fact.reads.iter().filter(is_unknown).map(String::as_str).collect();
            let _ = writeln!(text, "{}", wrapped(&format!("{indent}    unknown: "), &unknown, ", "));
            continue;
        }
        for line in fact.formula.iter().flat_map(|formula| formula.lines()) {
            let _ = writeln!(text, "{indent}    {}", paint.dim(line));
        }
        let reads = read_values(explanation, fact);
        if !reads.is_empty() {
            let reads: Vec<&str> = reads.iter().map(String::as_str).collect();
            let _ = writeln!(text, "{}", wrapped(&format!("{indent}    with "), &reads, ", "));
        }
        open.extend(fact.reads.iter().rev().map(|read| (read.as_str(), depth + 1)));
    }
    text
}

fn waterfall(explanation: &Explanation) -> String {
    let last = explanation.waterfall.len().saturating_sub(1);
    let rows: Vec<Vec<String>> = explanation
        .waterfall
        .iter()
        .enumerate()
        .filter_map(|(position, name)| {
            let fact = explanation.fact(name)?;
            let sign = match position {
                0 => " ",
                position if position == last => "=",
                _ => "−",
            };
            Some(vec![sign.to_owned(), name.replace('_', " "), fact.shown(), fact.doc.clone()])
        })
        .collect();
    columns(&rows, &[2])
}

fn rows(explanation: &Explanation, behind: &[&FactLine], paint: Paint) -> String {
    let mut text = String::new();
    let is_needed = |column: &&String| behind.iter().any(|fact| fact.name == **column);
    let is_unknown = |column: &String| explanation.fact(column).is_some_and(|fact| fact.value.is_null());
    let mut silent = Vec::new();
    for row in explanation.rows.iter().filter(|row| row.columns.iter().any(|column| is_needed(&column))) {
        if row.place.is_none() && row.columns.iter().all(is_unknown) {
            silent.push(row.table.as_str());
            continue;
        }
        let key: Vec<String> = row.key.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let place = row.place.clone().unwrap_or_else(|| format!("{}: no row matches, so its `otherwise` holds", row.table));
        let _ = writeln!(text, "{}", wrapped(&format!("  {place}  for "), &key.iter().map(String::as_str).collect::<Vec<_>>(), ", "));
        let values: Vec<String> = row
            .columns
            .iter()
            .filter(is_needed)
            .filter_map(|column| Some(format!("{column} {}", explanation.fact(column)?.shown())))
            .collect();
        let _ = writeln!(text, "{}", wrapped("      → ", &values.iter().map(String::as_str).collect::<Vec<_>>(), ", "));
        let source = cited(row.source.as_deref(), row.verified);
        if !source.is_empty() {
            let _ = writeln!(text, "      {}", paint.dim(&source));
        }
    }
    if !silent.is_empty() {
        let _ = writeln!(text, "{}", wrapped("  no row for this route in: ", &silent, ", "));
    }
    text
}

fn cited(source: Option<&str>, verified: bool) -> String {
    match (source, verified) {
        (Some(source), true) => source.to_owned(),
        (Some(source), false) => format!("NOT VERIFIED: {source}"),
        (None, true) => String::new(),
        (None, false) => "NOT VERIFIED".to_owned(),
    }
}

fn parameters(behind: &[&FactLine], paint: Paint) -> String {
    let lines: Vec<Vec<String>> = behind
        .iter()
        .filter_map(|fact| {
            let in_force = fact.in_force.as_ref()?;
            let shown = fact.shown();
            let same = in_force.written == shown || in_force.written.parse::<Decimal>().is_ok();
            let value = if same { shown } else { format!("{shown} ({})", in_force.written) };
            let source = paint.dim(&cited(in_force.source.as_deref(), in_force.verified));
            Some(vec![fact.name.clone(), value, format!("from {}", in_force.from), fact.place.clone().unwrap_or_default(), source])
        })
        .collect();
    columns(&lines, &[])
}

fn flips(explanation: &Explanation, paint: Paint) -> String {
    if explanation.flips.is_empty() {
        return "  nothing: no single figure or setting makes this gate pass\n".to_owned();
    }
    let rows: Vec<Vec<String>> = explanation.flips.iter().take(FLIPS).map(flip_row).collect();
    let mut text = columns(&rows, &[2, 4, 5]);
    if !explanation.flips.iter().any(|flip| flip.then.outcome == Outcome::Signal || flip.signal_from.is_some()) {
        text.push_str("  none of them alone makes it a signal\n");
    }
    let more = explanation.flips.len().saturating_sub(FLIPS);
    if more > 0 {
        let _ = writeln!(text, "  {}", paint.dim(&format!("and {more} that would have to change more: see --format json")));
    }
    text
}

fn flip_row(flip: &Flip) -> Vec<String> {
    let unit = if flip.unit.is_empty() { String::new() } else { format!(" {}", flip.unit) };
    let percent = flip.change.map_or_else(String::new, |change| {
        let places = if change < Decimal::new(1, 2) { 2 } else { 1 };
        format!("({:.*} %)", places, change * Decimal::ONE_HUNDRED)
    });
    let gate = flip.then.gate.map(|gate| format!(" (gate {})", gate + 1)).unwrap_or_default();
    let then = match (&flip.then.reason, &flip.signal_from) {
        (None, _) => "a signal".to_owned(),
        (Some(reason), None) => format!("then {reason}{gate}"),
        (Some(reason), Some(signal)) => format!("then {reason}{gate}; a signal at {signal}{unit}"),
    };
    vec![
        flip.fact.clone(),
        whose(flip).to_owned(),
        flip.from.clone().unwrap_or_else(|| "unknown".to_owned()),
        "→".to_owned(),
        format!("{}{unit}", flip.to),
        percent,
        then,
    ]
}

const fn whose(flip: &Flip) -> &'static str {
    match flip.whose {
        Whose::Market => "market",
        Whose::Rate => "exchange rate",
        Whose::Tenant => "tenant's setting",
        Whose::Rules => "parameter",
        Whose::Count => "count",
    }
}
