//! An explanation for a terminal: what an analyst wants to see, the verdict first.

use std::fmt::Write as _;

use rust_decimal::Decimal;

use super::age;
use crate::{
    cli::table,
    rules::explain::{Answer, Explanation, FactLine, Flip, Outcome},
    scan::explain::{CardReport, PriceLine, RouteLine, StoredReport, Told},
};

/// Columns that a line may have.
const WIDTH: usize = 120;
/// Figures that are told of a verdict that several could flip.
const FLIPS: usize = 8;

/// Colours, on a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Paint(bool);

impl Paint {
    pub fn of(terminal: bool) -> Self {
        Self(terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 && !text.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    fn answer(self, answer: &Answer, text: &str) -> String {
        match answer {
            Answer::Passed => self.with("32", text),
            Answer::NotAsked => self.dim(text),
            _ => self.with("31", text),
        }
    }
}

pub fn card(report: &CardReport, paint: Paint) -> String {
    let mut text = String::new();
    if let Some(shift) = &report.shift {
        let _ = writeln!(text, "MOVED IN TIME: {shift}. These prices never stood side by side; read the result as an experiment.\n");
    }
    let set = report.set_name.as_deref().unwrap_or("unknown set");
    let number = report.card_number.as_deref().map(|number| format!(" {number}")).unwrap_or_default();
    let title = format!("{} {}, {set}{number}", report.card_id, report.card_name);
    let _ = writeln!(
        text,
        "{}\nas of {}; 1 EUR = {} USD ({}, {}); customs {}",
        paint.bold(&title),
        report.as_of.format("%Y-%m-%d %H:%M UTC"),
        report.rates.usd_per_eur,
        report.rates.origin.source,
        report.rates.origin.date,
        report.customs_regime.as_deref().unwrap_or("none"),
    );
    let Some(told) = &report.told else {
        let _ = write!(text, "\n{}\n\n{}", paint.bold(no_route(&report.prices)), price_table(&report.prices));
        return text;
    };
    if report.tenants.len() > 1 {
        let _ = write!(text, "\n{}\n", tenant_table(report, told));
    }
    text.push_str(&tell(told, paint));
    let used = |line: &&PriceLine| {
        let route = &told.route;
        (line.source == route.buy_source && line.market == route.buy_market)
            || (line.source == route.sell_source && line.market == route.sell_market)
    };
    let unused = report.prices.iter().filter(|line| !used(line)).count();
    if unused > 0 {
        let _ = writeln!(text, "\n{}", paint.dim(&format!("{unused} more prices of this card come from other feeds: see --format json")));
    }
    text
}

/// Why a card cannot be traded at all.
pub fn no_route(prices: &[PriceLine]) -> &'static str {
    let Some(first) = prices.first() else { return "no route: no feed tells a price of this card" };
    if prices.iter().all(|line| line.market == first.market) {
        return "no route: the card is priced on one market only";
    }
    "no route: no printing of the card is priced on both markets in the direction asked for"
}

fn price_table(prices: &[PriceLine]) -> String {
    let rows = prices.iter().map(|line| {
        vec![
            line.market.to_string(),
            line.source.clone(),
            line.kind.to_string(),
            line.finish.printing.to_string(),
            line.price.map_or_else(|| "none".to_owned(), |price| format!("{price} {}", line.currency)),
            line.observed_at.format("%Y-%m-%d").to_string(),
            age(line.age_hours),
        ]
    });
    if prices.is_empty() { String::new() } else { table(&["market", "feed", "kind", "printing", "price", "told on", "age"], rows) }
}

fn tenant_table(report: &CardReport, told: &Told) -> String {
    let rows = report.tenants.iter().map(|line| {
        let shown = line.tenant == told.tenant && line.direction == told.route.direction;
        let amount =
            |amount: Option<Decimal>| amount.map_or_else(|| "?".to_owned(), |amount| format!("{amount:.2} {}", line.home_currency));
        vec![
            if shown { "→".to_owned() } else { String::new() },
            line.tenant.to_string(),
            line.country.clone(),
            line.direction.to_string(),
            line.reason.clone().unwrap_or_else(|| "SIGNAL".to_owned()),
            format!("{} of {}", line.gates_passed, told.explanation.gates.len()),
            amount(line.net_profit),
        ]
    });
    let note = "the one marked → is told below; --tenant and --direction choose another";
    format!("{}\n{note}\n", table(&["", "tenant", "country", "direction", "verdict", "gates passed", "would net"], rows))
}

pub fn stored(report: &StoredReport, paint: Paint) -> String {
    let mut text = String::new();
    if let Some(shift) = &report.shift {
        let _ = writeln!(text, "MOVED IN TIME: {shift}. These prices never stood side by side; read the result as an experiment.\n");
    }
    let _ = writeln!(text, "{}", paint.bold(&format!("{} {}: decision {}", report.card_id, report.card_name, report.decision_id)));
    let _ = writeln!(
        text,
        "decided {} as of {} in scan {}",
        report.decided_at.format("%Y-%m-%d %H:%M UTC"),
        report.as_of.format("%Y-%m-%d %H:%M UTC"),
        report.scan_id
    );
    let short = |hash: &str| hash.chars().take(12).collect::<String>();
    let pack = match &report.pack_today {
        Some(today) if *today == report.pack_hash => format!("pack {}, the same as today's", short(&report.pack_hash)),
        Some(today) => format!("pack {}; today's is {}", short(&report.pack_hash), short(today)),
        None => format!("pack {}; today's does not load", short(&report.pack_hash)),
    };
    let engine = if report.engine == report.engine_today {
        format!("engine {}, the same as today's", report.engine)
    } else {
        format!("engine {}; this is {}", report.engine, report.engine_today)
    };
    let _ = writeln!(text, "{pack}; {engine}");
    if report.differences.is_empty() {
        text.push_str("run again with its own pack and facts: the same in every fact\n");
    } else {
        let _ = writeln!(text, "{}", paint.with("31", "run again with its own pack and facts, it comes out differently:"));
        let rows = report.differences.iter().take(10).map(|one| vec![one.what.clone(), one.stored.clone(), one.again.clone()]);
        let _ = writeln!(text, "{}", table(&["what", "stored", "now"], rows));
    }
    if let Some(answer) = &report.by_todays_pack {
        let verdict = answer.reason.as_deref().unwrap_or("SIGNAL");
        let net = answer.net_profit.map_or_else(|| "unknown".to_owned(), |net| format!("{net:.2}"));
        let _ = writeln!(text, "today's pack says of the same facts: {verdict}, net profit {net}");
    }
    text.push_str(&tell(&report.told, paint));
    text
}

fn tell(told: &Told, paint: Paint) -> String {
    let explanation = &told.explanation;
    let mut text = format!("\n{}\n", route(&told.route));
    let country = told.country.as_deref().map(|country| format!(" ({country})")).unwrap_or_default();
    let hash = explanation.pack_hash.chars().take(12).collect::<String>();
    let _ = writeln!(text, "for tenant {}{country}; pack {} {hash}\n", told.tenant, explanation.pack);
    text.push_str(&verdict(explanation, paint));
    section(&mut text, paint, "gates", &gates(explanation, paint));
    if let Some(stopped) = explanation.stopped_at() {
        let skip: Vec<&str> = explanation.waterfall.iter().map(String::as_str).collect();
        section(&mut text, paint, &format!("what {} rests on", stopped.reason), &tree(explanation, &[stopped.fact.as_str()], &skip, paint));
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
    section(&mut text, paint, "table rows chosen", &rows(explanation, &behind, paint));
    section(&mut text, paint, "parameters in force", &parameters(&behind, paint));
    text
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
    format!("{} {}, {} {}\n{}", route.direction, finish.printing, finish.edition, finish.language, columns(&rows, &[2]))
}

fn verdict(explanation: &Explanation, paint: Paint) -> String {
    let net = explanation.waterfall.last().and_then(|name| explanation.fact(name)).map(FactLine::shown);
    let flags: Vec<&str> = explanation.flags.iter().map(|flag| flag.flag.as_str()).collect();
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
    if !flags.is_empty() {
        let _ = writeln!(text, "{}", wrapped("  flags: ", &flags, " "));
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

/// What a fact reads, with values and, for prices, age.
fn read_values(explanation: &Explanation, fact: &FactLine) -> Vec<String> {
    let one = |name: &String| {
        let Some(read) = explanation.fact(name) else { return name.clone() };
        let age = read.origin.as_ref().and_then(|origin| origin.age_hours).map(|hours| format!(" ({} old)", age(whole(hours))));
        format!("{name} {}{}", read.shown(), age.unwrap_or_default())
    };
    fact.reads.iter().map(one).collect()
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
    for row in explanation.rows.iter().filter(|row| row.columns.iter().any(|column| is_needed(&column))) {
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
            let value = if in_force.written == fact.text { fact.shown() } else { format!("{} ({})", fact.shown(), in_force.written) };
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
    let rows: Vec<Vec<String>> = explanation.flips.iter().take(FLIPS).map(|flip| flip_row(flip)).collect();
    let mut text = columns(&rows, &[2, 4, 5]);
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
    let then = match (&flip.then.reason, &flip.signal_from) {
        (None, _) => "a signal".to_owned(),
        (Some(reason), None) => format!("then {reason}"),
        (Some(reason), Some(signal)) => format!("then {reason}; a signal from {signal}{unit}"),
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
    use crate::rules::explain::Whose;
    match flip.whose {
        Whose::Market => "market",
        Whose::Rate => "exchange rate",
        Whose::Tenant => "tenant's setting",
        Whose::Rules => "parameter",
        Whose::Count => "count",
    }
}

/// Rows with aligned columns; those in `right` stand to the right.
fn columns(rows: &[Vec<String>], right: &[usize]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| if right.contains(&column) { format!("{cell:>width$}") } else { format!("{cell:<width$}") })
            .collect();
        let _ = writeln!(text, "  {}", cells.join("  ").trim_end());
    }
    text
}

/// Parts behind a start, broken where the line would be too long; later lines stand under the first part.
fn wrapped(start: &str, parts: &[&str], between: &str) -> String {
    let indent = start.chars().count();
    let (mut text, mut at) = (start.to_owned(), indent);
    for (position, part) in parts.iter().enumerate() {
        let separator = if position + 1 == parts.len() { "" } else { between };
        let length = part.chars().count() + separator.len();
        if at > indent && at + length > WIDTH {
            text.truncate(text.trim_end().len());
            let _ = write!(text, "\n{}", " ".repeat(indent));
            at = indent;
        }
        let _ = write!(text, "{part}{separator}");
        at += length;
    }
    text.trim_end().to_owned()
}
