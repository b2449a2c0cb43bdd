//! The values of a test file: each is read as the type of the fact that it is for, and must be one that the fact can have.

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use super::{Expected, Reader};
use crate::rules::{
    diagnostic::{Code, Diagnostic, Place, nearest},
    facts::Domain,
    graph::{Fact, FactId, Kind},
    pack::{DATA_INCOMPLETE, FAULT},
    testing::expect::{NONE, Wanted, What},
    tree::Literal,
    value::{Type, Value},
    yaml::{Data, Node},
};

/// Expectations that are about no fact.
const ABOUT_GATES: [(&str, What); 5] =
    [("verdict", What::Verdict), ("reason", What::Reason), ("flags", What::Flags), ("type", What::Type), ("missing", What::Missing)];

impl Reader<'_> {
    /// A fact that a test may give.
    pub(super) fn given_fact(&self, name: &str, place: &Place) -> Option<FactId> {
        let instead = match name {
            "date" => "as_of",
            "customs_regime" => "regime",
            _ => return self.pack.graph.resolve(name, place, self.sink),
        };
        let fault = Diagnostic::error(Code::UnknownKey, place.clone(), format!("\"{name}\" is stated as `{instead}`"));
        self.sink.report(fault.with_help(format!("write `{instead}: …` beside `given`, not in it")));
        None
    }

    pub(super) fn regime(&self, node: &Node) -> Option<Value> {
        let name = node.text(self.sink, "regime")?;
        let known = || self.pack.customs.iter().flat_map(|customs| customs.regimes.iter().map(|regime| regime.name.as_str()));
        self.one_of(name, &node.place, "customs regime", known())?;
        Some(Value::Text(name.into()))
    }

    /// Whether a name is known; reports one that is not.
    fn one_of<'n>(&self, name: &str, place: &Place, what: &str, known: impl Iterator<Item = &'n str>) -> Option<()> {
        let known: BTreeSet<&str> = known.collect();
        if known.contains(name) {
            return Some(());
        }
        let fault = Diagnostic::error(Code::BadValue, place.clone(), format!("there is no {what} \"{name}\""));
        self.sink.report(match nearest(name, known.iter().copied()) {
            Some(near) => fault.with_help(format!("did you mean {near}?")),
            None if known.is_empty() => fault.with_help("the pack has none"),
            None => fault.with_help(format!("use one of {}", known.into_iter().collect::<Vec<_>>().join(", "))),
        });
        None
    }

    /// A value that a fact is given.
    pub(super) fn given_value(&self, id: FactId, node: &Node) -> Option<Value> {
        let fact = self.pack.graph.fact(id);
        let value = self.value(fact, node)?;
        // a computed text may be given any value: how a formula takes a bad one is worth a test
        if let Kind::Input(input) = fact.kind
            && let Err(error) = input.admit(&value)
        {
            let fault = Diagnostic::error(Code::OutOfRange, node.place.clone(), error.to_string());
            let near = match (input.domain, &value) {
                (Domain::Enum(members), Value::Text(text)) => nearest(text, members.iter().copied()),
                _ => None,
            };
            self.sink.report(match near {
                Some(near) => fault.with_help(format!("did you mean {near}?")),
                None => fault.with_help(format!("`tcg-radar rules facts {}` tells about it", fact.name)),
            });
            return None;
        }
        Some(value)
    }

    fn value(&self, fact: &Fact, node: &Node) -> Option<Value> {
        if is_unknown(node) {
            return Some(Value::Unknown);
        }
        let name = fact.name.as_str();
        match fact.value_type {
            Some(Type::Bool) => node.boolean(self.sink, name).map(Value::Bool),
            Some(Type::Date) => node.date(self.sink, name).map(Value::Date),
            Some(Type::Decimal) => node.decimal(self.sink, name).map(Value::Decimal),
            Some(Type::Integer) => self.integer(name, node),
            Some(Type::Text) => node.text(self.sink, name).map(|text| Value::Text(text.into())),
            None => self.untyped(name, node),
        }
    }

    /// Whole numbers lose nothing without quotes.
    pub(super) fn integer(&self, name: &str, node: &Node) -> Option<Value> {
        let text = node.text(self.sink, name)?;
        let number = text.parse().ok();
        if number.is_none() {
            let fault = Diagnostic::error(Code::BadValue, node.place.clone(), format!("{name} \"{text}\" is not a whole number"));
            self.sink.report(fault.with_help("write digits, or `unknown`"));
        }
        number.map(Value::Integer)
    }

    /// A formula whose type nobody can tell: quoted numbers are decimals.
    fn untyped(&self, name: &str, node: &Node) -> Option<Value> {
        match &node.data {
            Data::Scalar { text, quoted: false } if text == "true" || text == "false" => Some(Value::Bool(text == "true")),
            Data::Scalar { text, .. } if Decimal::from_str_exact(text).is_err() => Some(Value::Text(text.as_str().into())),
            _ => node.decimal(self.sink, name).map(Value::Decimal),
        }
    }

    /// What a name in `expect` asks.
    pub(super) fn what(&self, name: &str, place: &Place) -> Option<What> {
        if let Some(fact) = self.pack.graph.id(name) {
            return Some(What::Fact(fact));
        }
        if let Some((_, what)) = ABOUT_GATES.iter().find(|(known, _)| *known == name) {
            return Some(*what);
        }
        // a near miss of one of ours goes before the facts
        if let Some(near) = nearest(name, ABOUT_GATES.iter().map(|(known, _)| *known)) {
            let fault = Diagnostic::error(Code::UnknownFact, place.clone(), format!("no fact is called \"{name}\""));
            self.sink.report(fault.with_help(format!("did you mean `{near}`?")));
            return None;
        }
        self.pack.graph.resolve(name, place, self.sink).map(What::Fact)
    }

    pub(super) fn expectations(&self, node: &Node) -> Option<Vec<Expected>> {
        let fields = node.fields(self.sink, "expect")?;
        if fields.entries().is_empty() {
            self.sink.error(Code::MissingKey, &node.place, "the case expects nothing");
        }
        let entries = fields.entries().iter();
        Some(entries.filter_map(|(key, value)| self.expected(self.what(&key.name, &key.place)?, value)).collect())
    }

    pub(super) fn expected(&self, what: What, node: &Node) -> Option<Expected> {
        let wanted = match what {
            What::Fact(id) => self.wanted(self.pack.graph.fact(id), node)?,
            What::Verdict => self.word(node, "verdict", ["signal", "rejected"].into_iter())?,
            What::Reason => {
                let reasons = self.pack.gates.iter().map(|gate| &*gate.reason);
                self.word(node, "reason", reasons.chain([DATA_INCOMPLETE, FAULT, NONE]))?
            }
            What::Type => self.word(node, "type", self.pack.types.iter().map(|kind| &*kind.name))?,
            What::Missing => {
                let name = node.text(self.sink, "missing")?;
                if name != NONE {
                    self.pack.graph.resolve(name, &node.place, self.sink)?;
                }
                Wanted::Word(name.to_owned())
            }
            What::Flags => {
                let items = node.items(self.sink, "flags")?;
                let known = || self.pack.flags.iter().map(|flag| &*flag.flag);
                let flags = items.iter().filter_map(|item| {
                    let name = item.text(self.sink, "a flag")?;
                    self.one_of(name, &item.place, "flag", known())?;
                    Some(name.to_owned())
                });
                Wanted::Words(flags.collect())
            }
        };
        Some(Expected { what, wanted, place: node.place.clone() })
    }

    fn word<'n>(&self, node: &Node, what: &str, known: impl Iterator<Item = &'n str>) -> Option<Wanted> {
        let word = node.text(self.sink, what)?;
        self.one_of(word, &node.place, what, known)?;
        Some(Wanted::Word(word.to_owned()))
    }

    /// `{ fault: "part of its message" }`, or a value.
    fn wanted(&self, fact: &Fact, node: &Node) -> Option<Wanted> {
        if let Data::Mapping(_) = node.data {
            let fields = node.fields(self.sink, &fact.name)?;
            let message = fields.required_text("fault");
            fields.finish();
            return Some(Wanted::Fault(message?.to_owned()));
        }
        let value = self.value(fact, node)?;
        let possible = fact.possible.iter().flatten().filter_map(|literal| match literal {
            Literal::Text(text) => Some(&**text),
            _ => None,
        });
        let possible: Vec<&str> = possible.collect();
        if let (Value::Text(text), false) = (&value, possible.is_empty()) {
            self.one_of(text, &node.place, &format!("{} called", fact.name), possible.into_iter())?;
        }
        Some(Wanted::Value(value))
    }
}

fn is_unknown(node: &Node) -> bool {
    matches!(&node.data, Data::Scalar { text, quoted: false } if text == "unknown")
}
