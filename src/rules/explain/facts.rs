//! The facts behind an explanation: values in units that people read, formulas, figures in force, rows that were chosen.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value as Json;

use crate::rules::{
    eval,
    graph::{Dependency, FactId, Kind},
    interpret::{Evaluation, Slot},
    pack::Pack,
    params::Figure,
    units::Unit,
    value::Value,
};

/// One fact with its value and where that comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FactLine {
    pub name: String,
    pub doc: String,
    pub kind: &'static str,
    pub stage: &'static str,
    /// Null where it is unknown; decimals as text.
    pub value: Json,
    /// The value as people read it, without the unit.
    pub text: String,
    /// `EUR`, `EUR/USD`, `hours`, `%`; empty for plain numbers, texts and truths.
    pub unit: String,
    /// The fact whose absence makes this one unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// File and line in the pack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<String>,
    /// Of prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Of parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_force: Option<InForce>,
}

/// Who told a price, and how old it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    pub source: String,
    pub age_hours: Option<Decimal>,
}

/// What the file says about the parameter's value of the day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InForce {
    /// As it is written, in its own currency.
    pub written: String,
    pub from: NaiveDate,
    pub source: Option<String>,
    pub verified: bool,
}

/// The row that a table chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowLine {
    pub table: String,
    pub doc: String,
    /// File and line of the row; `None` where no row matched.
    pub place: Option<String>,
    /// The facts that chose it, and their values.
    pub key: Vec<(String, String)>,
    /// Columns that were read.
    pub columns: Vec<String>,
    pub source: Option<String>,
    pub verified: bool,
}

impl FactLine {
    /// The value with its unit.
    pub fn shown(&self) -> String {
        if self.unit.is_empty() || self.value.is_null() {
            return self.text.clone();
        }
        let unit = if self.text == "1" { self.unit.trim_end_matches('s') } else { &self.unit };
        format!("{} {unit}", self.text)
    }
}

/// Everything that some facts rest on, themselves included; each after those it reads.
pub fn behind(evaluation: &mut Evaluation<'_>, roots: &[FactId]) -> (Vec<FactLine>, Vec<RowLine>) {
    let order = order(evaluation.pack(), roots);
    let lines = order.iter().map(|id| line(evaluation, *id)).collect();
    (lines, rows(evaluation, &order))
}

/// Depth first, so that what belongs together stands together.
fn order(pack: &Pack, roots: &[FactId]) -> Vec<FactId> {
    let mut seen = vec![false; pack.graph.facts.len()];
    let mut order = Vec::new();
    for root in roots {
        let mut path: Vec<(FactId, usize)> = Vec::new();
        if !std::mem::replace(&mut seen[root.0], true) {
            path.push((*root, 0));
        }
        while let Some((id, next)) = path.last_mut() {
            match pack.graph.fact(*id).reads.get(*next) {
                Some(Dependency { fact, .. }) => {
                    *next += 1;
                    if !std::mem::replace(&mut seen[fact.0], true) {
                        path.push((*fact, 0));
                    }
                }
                None => order.extend(path.pop().map(|(id, _)| id)),
            }
        }
    }
    order
}

fn line(evaluation: &mut Evaluation<'_>, id: FactId) -> FactLine {
    let pack = evaluation.pack();
    let fact = pack.graph.fact(id);
    let unit = unit_of(evaluation, id);
    let (value, missing, fault) = match evaluation.slot(id) {
        Slot::Known(value) => (value.clone(), None, None),
        Slot::Unknown(root) => (Value::Unknown, Some(pack.graph.fact(*root).name.clone()).filter(|root| *root != fact.name), None),
        Slot::Fault(fault) => (Value::Unknown, None, Some(fault.to_string())),
        Slot::Pending => (Value::Unknown, None, None),
    };
    FactLine {
        name: fact.name.clone(),
        doc: doc_of(pack, id),
        kind: fact.kind.as_str(),
        stage: fact.stage.as_str(),
        value: eval::write(&value),
        text: show(&value, &unit),
        unit,
        missing,
        fault,
        place: fact.place.as_ref().map(|place| format!("{}:{}", place.file, place.span.line)),
        formula: formula(pack, id),
        reads: fact.reads.iter().map(|read| pack.graph.fact(read.fact).name.clone()).collect(),
        origin: origin(evaluation, id),
        in_force: in_force(evaluation, id),
    }
}

/// What a fact is; an aggregate is described by what it counts over.
pub fn doc_of(pack: &Pack, id: FactId) -> String {
    match pack.aggregates.iter().find(|aggregate| aggregate.fact == id) {
        Some(aggregate) => format!("cards counted together that share this: {}", pack.graph.fact(aggregate.over).doc),
        None => pack.graph.fact(id).doc.clone(),
    }
}

/// A number without needless zeros; money with its cents.
pub fn show(value: &Value, unit: &str) -> String {
    match value {
        Value::Decimal(number) if unit.len() == 3 && number.normalize().scale() <= 2 => format!("{number:.2}"),
        Value::Decimal(number) => number.normalize().to_string(),
        value => value.to_string(),
    }
}

/// The unit in words of this route: `buy` is the buy market's currency, `home` the tenant's.
pub fn unit_of(evaluation: &mut Evaluation<'_>, id: FactId) -> String {
    let pack = evaluation.pack();
    let fact = pack.graph.fact(id);
    let is_number =
        fact.value_type.is_none_or(|found| matches!(found, super::super::value::Type::Decimal | super::super::value::Type::Integer));
    if !is_number {
        return String::new();
    }
    let unit = match (fact.kind, fact.unit) {
        (Kind::Input(input), _) => input.unit.to_owned(),
        (_, Some(unit)) => unit.to_string(),
        (_, None) if pack.waterfall.contains(&id) => Unit::HOME.to_string(),
        (_, None) => return String::new(),
    };
    let mut currency = |role: &str| -> String {
        let known = match role {
            "home" => pack.graph.id("home_currency").and_then(|id| evaluation.known(id)).map(|value| value.to_string()),
            "buy" | "sell" => {
                let market = pack.graph.id(&format!("{role}_market")).and_then(|id| evaluation.known(id));
                market
                    .and_then(|market| market.to_string().parse::<crate::domain::market::Market>().ok())
                    .map(|market| market.currency().to_string())
            }
            _ => None,
        };
        known.unwrap_or_else(|| role.to_owned())
    };
    match unit.as_str() {
        "ratio" | "count" | "1" => String::new(),
        "percent" => "%".to_owned(),
        unit => {
            let parts: Vec<String> = unit.split('/').map(|part| part.split('*').map(&mut currency).collect::<Vec<_>>().join("·")).collect();
            // dollars for a dollar are a plain number
            if parts.len() == 2 && parts[0] == parts[1] { String::new() } else { parts.join("/") }
        }
    }
}

/// Money of a market came from that market's feed.
fn origin(evaluation: &mut Evaluation<'_>, id: FactId) -> Option<Origin> {
    let pack = evaluation.pack();
    let Kind::Input(input) = pack.graph.fact(id).kind else { return None };
    let side = Some(input.unit).filter(|unit| matches!(*unit, "buy" | "sell"))?;
    evaluation.known(id)?;
    let source = evaluation.known(pack.graph.id(&format!("{side}_source"))?)?.to_string();
    let age = pack.graph.id(&format!("{side}_age_hours"));
    Some(Origin { source, age_hours: age.and_then(|age| evaluation.known(age)?.as_decimal()) })
}

fn in_force(evaluation: &mut Evaluation<'_>, id: FactId) -> Option<InForce> {
    let pack = evaluation.pack();
    let Kind::Parameter(parameter) = pack.graph.fact(id).kind else { return None };
    let parameter = &pack.parameters[parameter];
    let Value::Date(date) = evaluation.known(pack.graph.id("date")?)? else { return None };
    let dated = parameter.at(date)?;
    let written = match parameter.measure.figure {
        Figure::Money(currency) => format!("{} {currency}", dated.value),
        Figure::Unit(_) => dated.value.to_string(),
    };
    Some(InForce { written, from: dated.from, source: dated.source.clone(), verified: dated.unverified.is_none() })
}

/// The text of a formula between its braces, without the indentation that all lines share.
fn formula(pack: &Pack, id: FactId) -> Option<String> {
    let fact = pack.graph.fact(id);
    let (Kind::Derived { .. }, Some(place)) = (fact.kind, &fact.place) else { return None };
    let text = pack.source.files.get(&place.file)?;
    let start = text.split_inclusive('\n').take(place.span.line.checked_sub(1)?).map(str::len).sum::<usize>();
    let body = braced(text.get(start..)?)?;
    let lines: Vec<&str> = body.lines().filter(|line| !line.trim().is_empty()).collect();
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let shared = lines.iter().map(indent).min().unwrap_or(0);
    Some(lines.iter().map(|line| line[shared..].trim_end()).collect::<Vec<_>>().join("\n"))
}

/// What stands between the first brace and its partner; braces in texts and comments do not count.
fn braced(text: &str) -> Option<&str> {
    let (mut depth, mut start, mut quoted, mut before) = (0_usize, 0, None, ' ');
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match (quoted, letter) {
            (Some(_), '\\') => drop(letters.next()),
            (Some(mark), letter) if letter == mark => quoted = None,
            (None, '"' | '\'' | '`') => quoted = Some(letter),
            (None, '/') if before == '/' => while letters.next_if(|(_, letter)| *letter != '\n').is_some() {},
            (None, '{') => {
                depth += 1;
                if depth == 1 {
                    start = at + 1;
                }
            }
            (None, '}') if depth == 1 => return text.get(start..at),
            (None, '}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        before = letter;
    }
    None
}

/// The rows behind the columns among these facts, by table.
fn rows(evaluation: &mut Evaluation<'_>, order: &[FactId]) -> Vec<RowLine> {
    let pack = evaluation.pack();
    let mut rows: Vec<(usize, RowLine)> = Vec::new();
    for id in order {
        let Kind::Column { table, column } = pack.graph.fact(*id).kind else { continue };
        let definition = &pack.tables[table];
        let name = definition.columns[column].name.clone();
        if let Some((_, line)) = rows.iter_mut().find(|(known, _)| *known == table) {
            line.columns.push(name);
            continue;
        }
        let key = definition.key.iter().filter_map(|key| {
            let id = pack.graph.id(&key.name)?;
            let (value, unit) = (evaluation.known(id).unwrap_or_default(), unit_of(evaluation, id));
            let text = show(&value, &unit);
            Some((key.name.clone(), if unit.is_empty() || !value.is_known() { text } else { format!("{text} {unit}") }))
        });
        let key = key.collect();
        let row = evaluation.chosen_row(table).and_then(|row| definition.rows.get(row));
        rows.push((
            table,
            RowLine {
                table: definition.name.clone(),
                doc: definition.doc.clone(),
                place: row.map(|row| format!("{}:{}", row.place.file, row.place.span.line)),
                key,
                columns: vec![name],
                source: row.and_then(|row| row.source.clone()),
                verified: row.is_none_or(|row| row.unverified.is_none()),
            },
        ));
    }
    rows.into_iter().map(|(_, line)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_ends_at_its_own_brace() {
        assert_eq!(braced("fn a(b) { if b { \"}\" } else { 1 } } fn c() { 2 }"), Some(" if b { \"}\" } else { 1 } "));
        assert_eq!(braced("fn a(b) { // }\n 1 }"), Some(" // }\n 1 "));
        assert_eq!(braced("fn a(b) { 1"), None);
    }

    #[test]
    fn money_keeps_its_cents_and_ratios_lose_their_zeros() {
        let number = |text: &str| Value::Decimal(text.parse().unwrap_or_default());
        assert_eq!(show(&number("5.1"), "EUR"), "5.10");
        assert_eq!(show(&number("5.125"), "EUR"), "5.125");
        assert_eq!(show(&number("0.85000000"), ""), "0.85");
    }
}
