//! Writes random rule packs: parameters, tables, formulas with helpers, gates, an aggregate, a score.

use std::{fmt::Write as _, sync::Arc};

use super::{
    dice::{AMOUNTS, COUNTS, DATES, Dice, TEXTS},
    words::{Called, Kind, Named, Size, Unit, Writer},
};
use crate::rules::{
    facts::{Domain, INPUTS, Input, Stage},
    source::PackSource,
};

/// A pack that was written.
pub struct Written {
    pub source: PackSource,
    /// It may hold what can't be lowered.
    pub wild: bool,
}

/// The pack of a seed.
pub fn pack(dice: &mut Dice) -> Written {
    let wild = dice.chance(15);
    let mut generator =
        Generator { dice, facts: Vec::new(), wild, params: String::new(), scripts: String::new(), files: Vec::new(), truths: Vec::new() };
    generator.inputs();
    for index in 0..3 + generator.dice.below(5) {
        generator.parameter(index);
    }
    let counted_from = generator.dice.below(20);
    let mut aggregate = None;
    for index in 0..5 + generator.dice.below(8) {
        if index == counted_from && !generator.truths.is_empty() {
            aggregate = Some(generator.aggregate());
        }
        if generator.dice.chance(25) {
            generator.table(index);
        } else {
            generator.formula(index);
        }
    }
    let manifest = generator.manifest(aggregate.as_deref());
    let mut files = generator.files;
    files.push(("facts/a.rhai".to_owned(), generator.scripts));
    files.push(("params/p.yaml".to_owned(), generator.params));
    files.push(("pack.yaml".to_owned(), manifest));
    let files = files.into_iter().map(|(name, text)| (Arc::from(name), Arc::from(text))).collect();
    Written { source: PackSource { files, ..PackSource::default() }, wild }
}

struct Generator<'a> {
    dice: &'a mut Dice,
    facts: Vec<Named>,
    wild: bool,
    params: String,
    scripts: String,
    files: Vec<(String, String)>,
    /// Formulas that are true or false.
    truths: Vec<String>,
}

/// How a formula sees an input.
fn named(input: &Input) -> Named {
    let unit = match input.unit {
        "home" => Unit::Home,
        "buy" => Unit::Buy,
        "sell" => Unit::Sell,
        "home/buy" => Unit::PerBuy,
        "home/sell" => Unit::PerSell,
        "days" => Unit::Days,
        "hours" => Unit::Hours,
        _ => Unit::Plain,
    };
    let digits = |min: i64, max: i64| min.unsigned_abs().max(max.unsigned_abs()).max(1).ilog10() + 1;
    let (kind, size, texts) = match input.domain {
        Domain::Decimal { places, min, max } => (Kind::Number(unit), Size::of(places, digits(min, max)), Vec::new()),
        Domain::Integer { min, max } => (Kind::Number(unit), Size::whole(digits(min, max)), Vec::new()),
        Domain::Bool => (Kind::Truth, Size::whole(1), Vec::new()),
        Domain::Enum(members) => (Kind::Text, Size::whole(1), members.iter().map(|member| (*member).to_owned()).collect()),
        Domain::Text => (Kind::Text, Size::whole(1), TEXTS.map(str::to_owned).to_vec()),
        Domain::Date => (Kind::Date, Size::whole(1), Vec::new()),
    };
    Named { name: input.name.to_owned(), kind, texts, size }
}

impl Generator<'_> {
    /// Some of the inputs, so that formulas meet the same ones.
    fn inputs(&mut self) {
        for input in INPUTS {
            let often = ["date", "buy_price", "cost_rate", "set_code"].contains(&input.name);
            if often || self.dice.chance(22) {
                self.facts.push(named(input));
            }
        }
    }

    fn parameter(&mut self, index: usize) {
        let units = ["ratio", "count", "percent", "days", "hours", "home", "EUR", "USD", "GBP", "bool", "text", "date"];
        let unit = *self.dice.of(&units);
        let (kind, size) = match unit {
            "days" => (Kind::Number(Unit::Days), Size::of(3, 5)),
            "hours" => (Kind::Number(Unit::Hours), Size::of(3, 5)),
            "home" => (Kind::Number(Unit::Home), Size::of(3, 5)),
            "EUR" | "USD" | "GBP" => (Kind::Number(Unit::Home), Size::of(2, 11)),
            "bool" => (Kind::Truth, Size::whole(1)),
            "text" => (Kind::Text, Size::whole(1)),
            "date" => (Kind::Date, Size::whole(1)),
            _ => (Kind::Number(Unit::Plain), Size::of(3, 5)),
        };
        let mut value = || match kind {
            Kind::Truth => self.dice.chance(50).to_string(),
            Kind::Text => format!("\"{}\"", self.dice.of(&TEXTS)),
            Kind::Date => format!("\"{}\"", self.dice.of(&DATES)),
            Kind::Number(_) => {
                let sign = if self.dice.chance(10) { "-" } else { "" };
                format!("\"{sign}{}\"", self.dice.of(&AMOUNTS))
            }
        };
        let (one, two) = (value(), value());
        let text = match self.dice.below(4) {
            0 => format!("values: [ {{ from: 2020-01-01, value: {one} }}, {{ from: {}, value: {two} }} ]", self.dice.of(&DATES[1..])),
            1 if self.dice.chance(30) => format!("from: 2026-07-16, value: {one}"),
            _ => format!("from: {}, value: {one}", self.dice.of(&["2020-01-01", "2026-07-15"])),
        };
        let _ = writeln!(self.params, "f{index}: {{ unit: {unit}, {text} }}");
        let texts = if kind == Kind::Text { TEXTS.map(str::to_owned).to_vec() } else { Vec::new() };
        self.facts.push(Named { name: format!("p_f{index}"), kind, texts, size });
    }

    /// A formula, now and then with private functions that call each other.
    fn formula(&mut self, index: usize) {
        let mut helpers: Vec<Called> = Vec::new();
        for number in 0..self.dice.below(3) {
            helpers.push(self.helper(&format!("h{index}_{number}"), &helpers.clone()));
        }
        let facts = self.facts.clone();
        let depth = 2 + self.dice.below(3);
        let mut writer = Writer::new(self.dice, &facts, &helpers, Vec::new(), self.wild);
        let kind = writer.kind();
        let body = writer.body(kind, depth);
        let parameters = writer.parameters(&body.text);
        let name = format!("d{index}");
        let _ = writeln!(self.scripts, "/// Told.\nfn {name}({}) {{\n    {}\n}}", parameters.join(", "), body.text);
        if kind == Kind::Truth {
            self.truths.push(name.clone());
        }
        self.facts.push(Named { name, kind, texts: body.texts, size: body.size });
    }

    fn helper(&mut self, name: &str, helpers: &[Called]) -> Called {
        let takes: Vec<Kind> = (0..=self.dice.below(3))
            .map(|_| *self.dice.of(&[Kind::Number(Unit::Plain), Kind::Number(Unit::Home), Kind::Truth, Kind::Date]))
            .collect();
        let size = |kind: Kind| if matches!(kind, Kind::Number(_)) { Size::of(6, 12) } else { Size::whole(1) };
        let locals: Vec<Named> = takes
            .iter()
            .enumerate()
            .map(|(at, kind)| Named { name: format!("a{at}"), kind: *kind, texts: Vec::new(), size: size(*kind) })
            .collect();
        let mut writer = Writer::new(self.dice, &[], helpers, locals, self.wild);
        let gives = writer.kind();
        let body = writer.body(gives, 2);
        let names: Vec<String> = (0..takes.len()).map(|at| format!("a{at}")).collect();
        // a private function must use what it takes, too
        let uses: Vec<String> = names.iter().map(|name| format!("known({name})")).collect();
        let _ = writeln!(
            self.scripts,
            "private fn {name}({}) {{\n    let used = {};\n    {}\n}}",
            names.join(", "),
            uses.join(" && "),
            body.text
        );
        Called { name: name.to_owned(), takes, gives, size: body.size, texts: body.texts }
    }

    /// The name of a count, which later formulas may read.
    fn aggregate(&mut self) -> String {
        let (over, counted) =
            (*self.dice.of(&["seller_id", "set_code", "condition", "id_verified"]), self.dice.of(&self.truths.clone()).clone());
        self.facts.push(Named { name: "density".into(), kind: Kind::Number(Unit::Plain), texts: Vec::new(), size: Size::whole(7) });
        format!("aggregates: {{ density: {{ over: {over}, count_where: {counted} }} }}\n")
    }

    fn manifest(&mut self, aggregate: Option<&str>) -> String {
        let mut text = "name: random\ngates:\n".to_owned();
        for number in 0..=self.dice.below(6) {
            let asked = self.facts.iter().filter(|fact| fact.kind == Kind::Truth).map(|fact| fact.name.clone()).collect::<Vec<_>>();
            if !asked.is_empty() {
                let _ = writeln!(text, "  - {{ reason: R{number}, when: {} }}", self.dice.of(&asked));
            }
        }
        if text.ends_with("gates:\n") {
            text = "name: random\ngates: []\n".to_owned();
        }
        text.push_str("type: [ { type: arbitrage } ]\n");
        text.push_str(aggregate.unwrap_or_default());
        let numbers: Vec<&Named> = self.facts.iter().filter(|fact| matches!(fact.kind, Kind::Number(_))).collect();
        if self.dice.chance(80) && !numbers.is_empty() {
            let _ = writeln!(text, "score: {}", self.dice.of(&numbers).name);
        }
        if self.dice.chance(5) {
            let _ =
                writeln!(text, "limits: {{ operations: {}, call_depth: {} }}", self.dice.of(&[5, 40, 200, 20_000]), 1 + self.dice.below(4));
        }
        text
    }

    fn table(&mut self, index: usize) {
        let mut text = format!("table: t{index}\n");
        let keys: Vec<Named> = (0..=self.dice.below(2)).map(|_| self.dice.of(&self.facts.clone()).clone()).collect();
        let keys: Vec<Named> = keys
            .iter()
            .enumerate()
            .filter(|(at, key)| keys[..*at].iter().all(|other| other.name != key.name))
            .map(|(_, key)| key.clone())
            .collect();
        let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
        let _ = writeln!(text, "key: [{}]\ncolumns:", names.join(", "));
        let mut columns = Vec::new();
        for number in 0..=self.dice.below(3) {
            let (kind, unit, written) = *self.dice.of(&[
                (Kind::Number(Unit::Plain), "ratio", "type: decimal"),
                (Kind::Number(Unit::Plain), "whole", "type: integer, unit: count"),
                (Kind::Number(Unit::Home), "home", "type: decimal, unit: home"),
                (Kind::Number(Unit::Home), "EUR", "type: decimal, unit: EUR"),
                (Kind::Number(Unit::Home), "USD", "type: decimal, unit: USD"),
                (Kind::Number(Unit::Days), "days", "type: decimal, unit: days"),
                (Kind::Truth, "bool", "type: bool"),
                (Kind::Text, "text", "type: text"),
                (Kind::Date, "date", "type: date"),
            ]);
            let name = format!("t{index}_{number}");
            let _ = writeln!(text, "  {name}: {{ {written} }}");
            columns.push((name, kind, unit));
        }
        let cells: Vec<Vec<String>> = keys.iter().map(|key| self.cells(key)).collect();
        let whole = self.dice.chance(30);
        text.push_str("rows:\n");
        for one in &cells[0] {
            for two in cells.get(1).unwrap_or(&vec![String::new()]) {
                if whole || self.dice.chance(80) {
                    let cells: Vec<String> = [one, two].into_iter().filter(|cell| !cell.is_empty()).cloned().collect();
                    let cells = [cells, self.values(&columns)].concat();
                    let _ = writeln!(text, "  - {{ {} }}", cells.join(", "));
                }
            }
        }
        if text.ends_with("rows:\n") {
            let values = self.values(&columns);
            let _ = writeln!(text, "  - {{ {} }}", values.join(", "));
        }
        if self.dice.chance(50) {
            text.push_str("otherwise: unknown\n");
        } else {
            let values = self.values(&columns);
            let _ = writeln!(text, "otherwise: {{ {} }}", values.join(", "));
        }
        self.files.push((format!("tables/t{index}.yaml"), text));
        for (name, kind, unit) in columns {
            let size = match unit {
                "whole" => Size::whole(4),
                "EUR" | "USD" => Size::of(2, 11),
                _ => Size::of(3, 5),
            };
            let texts = if kind == Kind::Text { TEXTS.map(str::to_owned).to_vec() } else { Vec::new() };
            self.facts.push(Named { name, kind, texts, size });
        }
    }

    /// Cells of a key that have nothing in common.
    fn cells(&mut self, key: &Named) -> Vec<String> {
        let name = &key.name;
        let mut cells: Vec<String> = match key.kind {
            _ if name == "date" => {
                let middle = *self.dice.of(&["2026-07-14", "2026-07-15", "2026-07-16"]);
                return vec![format!("until: {middle}"), format!("from: {middle}")];
            }
            Kind::Truth => vec![format!("{name}: \"true\""), format!("{name}: [\"false\"]")],
            Kind::Text => {
                let mut texts = key.texts.clone();
                texts.sort();
                texts.dedup();
                let at = self.dice.below(texts.len() + 1);
                let list = |texts: &[String]| {
                    let quoted: Vec<String> = texts.iter().map(|text| format!("\"{text}\"")).collect();
                    (!quoted.is_empty()).then(|| format!("{name}: [{}]", quoted.join(", ")))
                };
                [list(&texts[..at]), list(&texts[at..])].into_iter().flatten().collect()
            }
            Kind::Date => vec![format!("{name}: \"2026-07-15\""), format!("{name}: [\"2020-02-29\", \"2026-07-14\"]")],
            Kind::Number(unit) => {
                let money = if unit == Unit::Home && self.dice.chance(50) {
                    format!(", currency: {}", self.dice.of(&["EUR", "USD", "GBP"]))
                } else {
                    String::new()
                };
                // a share is at most 1
                let share = key.size.digits <= 1 && !key.size.whole && INPUTS.iter().any(|input| input.name == *name);
                if money.is_empty() && self.dice.chance(25) {
                    let above = if share { "above: \"0\", below: \"1\"" } else { "above: \"1\"" };
                    vec![format!("{name}: [\"0\", \"1\", \"1.0\"]"), format!("{name}: {{ {above} }}")]
                } else {
                    let bounds: &[(&str, &str)] =
                        if share { &[("0.25", "0.5"), ("0.1", "0.75")] } else { &[("0.5", "1.5"), ("5", "10"), ("1", "25.50")] };
                    let (low, high) = *self.dice.of(bounds);
                    let (including, excluding) = *self.dice.of(&[("to", "above"), ("below", "from")]);
                    vec![
                        format!("{name}: {{ {including}: \"{low}\"{money} }}"),
                        format!("{name}: {{ {excluding}: \"{low}\", {including}: \"{high}\"{money} }}"),
                        format!("{name}: {{ {excluding}: \"{high}\"{money} }}"),
                    ]
                }
            }
        };
        if self.dice.chance(30) {
            cells.push(format!("{name}: unknown"));
        }
        if self.dice.chance(10) { vec![format!("{name}: any")] } else { cells }
    }

    fn values(&mut self, columns: &[(String, Kind, &str)]) -> Vec<String> {
        let mut values = Vec::new();
        for (name, kind, unit) in columns {
            let value = match (kind, *unit) {
                _ if self.dice.chance(8) => continue,
                _ if self.dice.chance(4) => "unknown".to_owned(),
                (Kind::Number(_), "whole") => format!("\"{}\"", self.dice.of(&COUNTS)),
                (Kind::Number(_), "EUR" | "USD" | "home") if self.dice.chance(30) => {
                    format!("{{ amount: \"{}\", currency: {} }}", self.dice.of(&AMOUNTS), self.dice.of(&["EUR", "USD", "GBP"]))
                }
                (Kind::Number(_), _) => format!("\"{}\"", self.dice.of(&AMOUNTS)),
                (Kind::Truth, _) => self.dice.chance(50).to_string(),
                (Kind::Text, _) => format!("\"{}\"", self.dice.of(&TEXTS)),
                (Kind::Date, _) => format!("\"{}\"", self.dice.of(&DATES)),
            };
            values.push(format!("{name}: {value}"));
        }
        values
    }
}

/// Inputs of these stages.
pub fn inputs(first: Stage, last: Stage) -> impl Iterator<Item = &'static Input> {
    INPUTS.iter().filter(move |input| (first..=last).contains(&input.stage))
}
