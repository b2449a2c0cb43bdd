//! Reads what `pack.yaml` says about the facts of the graph: gates, flags, types, aggregates, waterfall, score, outputs.

use super::{Aggregate, Flag, Gate, Side, SignalType};
use crate::rules::{
    diagnostic::{Code, Diagnostic, Sink},
    graph::{FactId, Graph, Kind},
    infer::in_words,
    value::Type,
    yaml::{Fields, Node},
};

/// The lists of `pack.yaml`, and the key that only their entries have.
const HEADS: [(&str, &str); 3] = [("gates", "reason"), ("flags", "flag"), ("type", "type")];

/// Reads what `pack.yaml` says about facts of the graph.
pub(super) struct Reader<'a> {
    pub graph: &'a Graph,
    pub fields: &'a Fields<'a>,
    pub sink: &'a Sink,
}

impl<'a> Reader<'a> {
    fn fact(&self, node: &Node, expected: Type) -> Option<FactId> {
        let id = self.graph.resolve(node.text(self.sink, "a fact")?, &node.place, self.sink)?;
        let fact = self.graph.fact(id);
        let fits = match (expected, fact.value_type) {
            (_, None) => true,
            (Type::Decimal, Some(found)) => matches!(found, Type::Decimal | Type::Integer),
            (expected, Some(found)) => expected == found,
        };
        if fits {
            return Some(id);
        }
        let (code, wanted) = if expected == Type::Bool { (Code::NotBoolean, "true or false") } else { (Code::NotNumber, "a number") };
        let found = fact.value_type.map_or("something else", Type::as_str);
        let fault = Diagnostic::error(code, node.place.clone(), format!("\"{}\" is a {found}, but {wanted} is needed here", fact.name));
        self.sink.report(match expected {
            Type::Bool => fault.with_help(format!(
                "write a formula that compares it, such as `fn {}_miss({}, floor) {{ {} < floor }}`",
                fact.name, fact.name, fact.name
            )),
            _ => fault.with_help("name a fact that is a number"),
        });
        None
    }

    /// The entries of a list of mappings, each read by `read`.
    fn list<T>(&self, name: &str, required: bool, read: impl Fn(&Fields<'a>) -> Option<T>) -> Vec<T> {
        let node = if required { self.fields.required(name) } else { self.fields.optional(name) };
        let items = node.and_then(|node| node.items(self.sink, name)).unwrap_or_default();
        items
            .iter()
            .filter_map(|item| {
                let fields = item.fields(self.sink, name)?;
                if self.report_misplaced(name, &fields) {
                    return None;
                }
                let value = read(&fields);
                fields.finish();
                value
            })
            .collect()
    }

    /// Reports an entry that belongs into another list, as its first word tells.
    fn report_misplaced(&self, name: &str, fields: &Fields<'a>) -> bool {
        let has = |word: &str| fields.entries().iter().find(|(key, _)| key.name == word);
        let misplaced = HEADS.iter().filter(|(list, _)| *list != name).find_map(|(list, word)| Some((list, &has(word)?.0)));
        let right = HEADS.iter().any(|(list, word)| *list == name && has(word).is_some());
        let (Some((list, key)), false) = (misplaced, right) else { return false };
        let message = format!("\"{}\" begins a line of the list `{list}:`, but this is the list `{name}:`", key.name);
        self.sink.report(Diagnostic::error(Code::UnknownKey, key.place.clone(), message).with_help(format!("move the line to `{list}:`")));
        true
    }

    pub fn gates(&self) -> Vec<Gate> {
        self.list("gates", true, |fields| {
            let (reason, when) = (self.word(fields, "reason"), fields.required("when"));
            let side = fields.optional("side").and_then(|node| match node.text(self.sink, "side")? {
                "buy" => Some(Side::Buy),
                "sell" => Some(Side::Sell),
                other => {
                    let fault = Diagnostic::error(Code::BadValue, node.place.clone(), format!("there is no side \"{other}\""));
                    self.sink.report(fault.with_help("write buy or sell"));
                    None
                }
            });
            Some(Gate { reason: reason?.into(), when: self.fact(when?, Type::Bool)?, side, place: when?.place.clone() })
        })
    }

    pub fn flags(&self) -> Vec<Flag> {
        self.list("flags", false, |fields| {
            let (flag, when) = (self.word(fields, "flag"), fields.required("when"));
            Some(Flag { flag: flag?.into(), when: self.fact(when?, Type::Bool)? })
        })
    }

    pub fn types(&self) -> Vec<SignalType> {
        let types = self.list("type", true, |fields| {
            let (name, when) = (self.word(fields, "type"), fields.optional("when"));
            let when = when.map_or(Some(None), |node| self.fact(node, Type::Bool).map(Some));
            Some(SignalType { name: name?.into(), when: when? })
        });
        let items = self.fields.optional("type").and_then(|node| node.items(self.sink, "type")).unwrap_or_default();
        let conditional = |node: &Node| node.entry("when").is_some();
        if let Some((last, earlier)) = items.split_last() {
            for always in earlier.iter().filter(|node| !conditional(node)) {
                let fault =
                    Diagnostic::error(Code::MissingKey, always.place.clone(), "no type after this one could ever hold: it has no `when`");
                self.sink.report(fault.with_help("add `when:`, or move it to the end of the list"));
            }
            if conditional(last) {
                let fault = Diagnostic::error(
                    Code::MissingKey,
                    last.place.clone(),
                    "a signal of which no type's `when` is true would have no type",
                );
                self.sink.report(fault.with_help("end the list with a type that always holds, such as `- { type: arbitrage }`"));
            }
        }
        types
    }

    /// The name of an outcome, which stands in reports and is asked for by programs: one word.
    fn word(&self, fields: &Fields<'a>, name: &str) -> Option<&'a str> {
        let node = fields.required(name)?;
        let text = node.text(self.sink, name)?;
        let is_word = text.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && text.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'_');
        if !is_word {
            let fault = Diagnostic::error(Code::BadValue, node.place.clone(), format!("\"{text}\" cannot be a {name}"));
            self.sink.report(fault.with_help("write one word of plain letters, digits and `_`, such as `PRICE_TOO_HIGH`"));
        }
        Some(text)
    }

    pub fn aggregates(&self) -> Vec<Aggregate> {
        let Some(aggregates) = self.fields.optional("aggregates").and_then(|node| node.fields(self.sink, "aggregates")) else {
            return Vec::new();
        };
        let is_count = |id: FactId| matches!(self.graph.fact(id).kind, Kind::Aggregate);
        aggregates
            .entries()
            .iter()
            .filter_map(|(key, node)| {
                let fields = node.fields(self.sink, &key.name)?;
                let (over, condition) = (fields.required("over"), fields.required("count_where"));
                fields.finish();
                let over = over?;
                let over = self.graph.resolve(over.text(self.sink, "over")?, &over.place, self.sink)?;
                let count_where = self.fact(condition?, Type::Bool)?;
                let fact = self.graph.id(&key.name).filter(|id| matches!(self.graph.fact(*id).kind, Kind::Aggregate))?;
                // all counts are made at once, so none may rest on another
                for (how, asked) in [("where", count_where), ("over", over)] {
                    let Some(count) = self.graph.basis(asked, is_count) else { continue };
                    let (asked, count) = (&self.graph.fact(asked).name, &self.graph.fact(count).name);
                    let message = format!("{} counts {how} \"{asked}\", which itself depends on {count}", key.name);
                    let fault = Diagnostic::error(Code::AggregateCycle, key.place.clone(), message);
                    self.sink.report(fault.with_help("count by a fact that knows nothing of any count"));
                }
                Some(Aggregate { fact, over, count_where })
            })
            .collect()
    }

    pub fn waterfall(&self) -> Vec<FactId> {
        let items = self.fields.optional("waterfall").and_then(|node| node.items(self.sink, "waterfall")).unwrap_or_default();
        let lines: Vec<(FactId, &Node)> = items.iter().filter_map(|node| Some((self.fact(node, Type::Decimal)?, node))).collect();
        let unit_of = |id: FactId| self.graph.fact(id).unit;
        if let Some((first, unit)) = lines.first().and_then(|(first, _)| Some((*first, unit_of(*first)?))) {
            for (id, node) in &lines {
                let Some(other) = unit_of(*id).filter(|other| *other != unit) else { continue };
                let (first, name) = (&self.graph.fact(first).name, &self.graph.fact(*id).name);
                let message = format!("\"{name}\" is {}, but the waterfall begins with \"{first}\" {}", in_words(other), in_words(unit));
                let fault = Diagnostic::error(Code::UnitMismatch, node.place.clone(), message);
                self.sink.report(fault.with_help("the lines of a waterfall are added up: let all be money of the tenant's account"));
            }
        }
        lines.into_iter().map(|(id, _)| id).collect()
    }

    pub fn score(&self) -> Option<FactId> {
        self.fact(self.fields.optional("score")?, Type::Decimal)
    }

    /// Facts that people or the program read, though no fact does.
    pub fn outputs(&self) -> Vec<FactId> {
        let items = self.fields.optional("outputs").and_then(|node| node.items(self.sink, "outputs")).unwrap_or_default();
        items.iter().filter_map(|node| self.graph.resolve(node.text(self.sink, "a fact")?, &node.place, self.sink)).collect()
    }
}
