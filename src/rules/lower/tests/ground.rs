//! A pack with rows and tenants, judged by interpreter and columns and compared.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{
    agree, assert_counts,
    dice::{Dice, TEXTS, TODAY},
    fuzz::Seen,
    generator::inputs,
    suited,
    told::Told,
};
use crate::rules::{
    facts::{Input, Stage},
    graph::{FactId, Kind},
    interpret::{Evaluation, Slot},
    lower::{Answer, Column, LANES, Lowered, Machine, Setting, Settings, Slice, rows::Cards},
    pack::Pack,
    value::Value,
};

pub type Facts = Vec<(FactId, Value)>;

/// An answer and its score, and whether it is told among what suits the tenant.
type Answered = ((Answer, Option<Decimal>), bool);

/// A pack with rows and tenants to judge.
pub struct Ground<'p> {
    pub pack: &'p Pack,
    pub constants: Facts,
    pub rows: Vec<Facts>,
    pub tenants: Vec<Tenant>,
}

pub struct Tenant {
    /// What it was before, so that a changed tenant is judged by what it is now.
    before: Settings,
    pub settings: Settings,
    /// Sets that it wants nothing of.
    excluded: Option<Vec<Box<str>>>,
    facts: Facts,
}

fn drawn(pack: &Pack, dice: &mut Dice, inputs: impl Iterator<Item = &'static Input>) -> Facts {
    let tame = dice.chance(70);
    inputs.map(|input| (pack.graph.id(input.name).unwrap(), dice.value(input, tame))).collect()
}

fn settings(pack: &Pack, facts: &Facts, excluded: Option<&[Box<str>]>) -> Settings {
    let admitted = |id: FactId, value: &Value| match pack.graph.fact(id).kind {
        Kind::Input(input) => input.admit(value).is_ok(),
        _ => true,
    };
    let set = |(id, value): &(FactId, Value)| (*id, if admitted(*id, value) { Setting::Is(value.clone()) } else { Setting::Fault });
    let mut settings: Settings = facts.iter().map(set).collect();
    if let Some(texts) = excluded {
        let of = pack.graph.id("set_code").unwrap();
        settings.push((pack.graph.id("set_excluded").unwrap(), Setting::Among(of, texts.to_vec())));
    }
    settings
}

fn enter(evaluation: &mut Evaluation<'_>, facts: &Facts) {
    for (id, value) in facts {
        if let Err(error) = evaluation.set(*id, value.clone()) {
            evaluation.set_fault(*id, &error.to_string());
        }
    }
}

pub fn today() -> NaiveDate {
    TODAY.parse().unwrap()
}

/// What an aggregate counted on a row, whatever it means.
pub fn density(row: usize, aggregate: usize) -> i64 {
    i64::try_from((row * 7 + aggregate) % 6 + 1).unwrap()
}

impl<'p> Ground<'p> {
    pub fn draw(pack: &'p Pack, dice: &mut Dice, pairs: usize) -> Self {
        let constants = drawn(pack, dice, inputs(Stage::Constant, Stage::Constant));
        let date = (pack.graph.id("date").unwrap(), Value::Date(today()));
        let constants = constants.into_iter().filter(|(id, _)| *id != date.0).chain([date.clone()]).collect();
        let tenants = *dice.of(&[2, 3, 4, 8]);
        let rows = (0..pairs.div_ceil(tenants)).map(|_| drawn(pack, dice, inputs(Stage::Card, Stage::Route))).collect();
        let tenants = (0..tenants)
            .map(|_| {
                let facts = drawn(pack, dice, inputs(Stage::Tenant, Stage::Tenant));
                let before = if dice.chance(30) { drawn(pack, dice, inputs(Stage::Tenant, Stage::Tenant)) } else { facts.clone() };
                let excluded = dice.chance(50).then(|| vec![Box::from(*dice.of(&TEXTS)), Box::from("delta")]);
                Tenant { before: settings(pack, &before, None), settings: settings(pack, &facts, excluded.as_deref()), excluded, facts }
            })
            .collect();
        Self { pack, constants, rows, tenants }
    }

    /// These rows and tenants, of which each was always what it is.
    pub fn of(pack: &'p Pack, rows: Vec<Facts>, tenants: Vec<Facts>) -> Self {
        let date = (pack.graph.id("date").unwrap(), Value::Date(today()));
        let tenants = tenants.into_iter().map(|facts| {
            let settings = settings(pack, &facts, None);
            Tenant { before: settings.clone(), settings, excluded: None, facts }
        });
        Self { pack, constants: vec![date], rows, tenants: tenants.collect() }
    }

    /// Whether the tenant excludes the row's set.
    fn taste(&self, row: usize, tenant: usize) -> Option<(FactId, Value)> {
        let excluded = self.tenants[tenant].excluded.as_ref()?;
        let set = self.pack.graph.id("set_code").unwrap();
        let (_, set) = self.rows[row].iter().find(|(id, _)| *id == set).unwrap();
        let found = matches!(set, Value::Text(set) if excluded.iter().any(|text| **text == **set));
        Some((self.pack.graph.id("set_excluded").unwrap(), Value::Bool(found)))
    }

    /// Compares everything; `about` is told of what differs.
    pub fn compare(&self, about: &str) -> Seen {
        let mut seen = Seen { packs: 1, pairs: self.rows.len() * self.tenants.len(), ..Seen::default() };
        let (lowered, cards) = self.lowered();
        let facts = Told::of(self);
        seen.refused = facts.refused;
        let answers = self.answers(&lowered, &cards);
        let dependents: Vec<(FactId, Vec<FactId>)> =
            self.pack.aggregates.iter().map(|aggregate| (aggregate.fact, self.pack.graph.dependents(aggregate.fact))).collect();
        let mut evaluation = Evaluation::new(self.pack);
        enter(&mut evaluation, &self.constants);
        for (row, of_row) in self.rows.iter().enumerate() {
            evaluation.forget_from(Stage::Card);
            enter(&mut evaluation, of_row);
            for (tenant, answers) in answers.iter().enumerate() {
                self.enter_tenant(&mut evaluation, row, tenant);
                let verdict = evaluation.verdict();
                let score = if verdict.reason(self.pack).is_none() { evaluation.score() } else { None };
                let meant = (Answer::of_verdict(&verdict, score.is_some()), score);
                let (found, is_told) = answers[row];
                assert!(
                    is_told || verdict.reason(self.pack).is_some(),
                    "a signal that was not told: {}",
                    self.described(about, row, tenant)
                );
                seen.count(found.0);
                if !matches!(found.0, Answer::Open(_)) {
                    assert_eq!(found, meant, "{}", self.described(about, row, tenant));
                }
                for (aggregate, dependents) in &dependents {
                    evaluation.pin(*aggregate, Value::Integer(density(0, tenant)), dependents).unwrap();
                }
                facts.compare(self, &mut evaluation, (row, tenant), about, &mut seen);
            }
        }
        seen
    }

    fn enter_tenant(&self, evaluation: &mut Evaluation<'_>, row: usize, tenant: usize) {
        evaluation.forget_from(Stage::Tenant);
        enter(evaluation, &self.tenants[tenant].facts);
        if let Some((id, value)) = self.taste(row, tenant) {
            evaluation.set(id, value).unwrap();
        }
        for (number, aggregate) in self.pack.aggregates.iter().enumerate() {
            evaluation.set(aggregate.fact, Value::Integer(density(row, number))).unwrap();
        }
    }

    pub fn described(&self, about: &str, row: usize, tenant: usize) -> String {
        let tell = |facts: &Facts| {
            facts.iter().map(|(id, value)| format!("{}={value}", self.pack.graph.fact(*id).name)).collect::<Vec<_>>().join(" ")
        };
        format!(
            "{about}\nrow {row}: {}\ntenant {tenant}: {}\nconstants: {}",
            tell(&self.rows[row]),
            tell(&self.tenants[tenant].facts),
            tell(&self.constants)
        )
    }

    /// The facts of a row as columns take them, those that the interpreter has to compute among them.
    pub fn given(&self, row: usize, interpreted: &[FactId]) -> Vec<Option<Value>> {
        let mut facts = vec![Some(Value::Unknown); self.pack.graph.facts.len()];
        for (id, value) in &self.rows[row] {
            facts[id.0] = Some(value.clone());
        }
        let mut evaluation = Evaluation::new(self.pack);
        for id in interpreted {
            enter(&mut evaluation, &self.constants);
            enter(&mut evaluation, &self.rows[row]);
            facts[id.0] = match evaluation.slot(*id) {
                Slot::Known(value) => Some(value.clone()),
                Slot::Unknown(_) => Some(Value::Unknown),
                Slot::Fault(_) | Slot::Pending => None,
            };
        }
        facts
    }

    /// The pack lowered for what tenants were before, then changed to what they are.
    fn lowered(&self) -> (Lowered, Cards) {
        let before: Vec<Settings> = self.tenants.iter().map(|tenant| tenant.before.clone()).collect();
        let now: Vec<Settings> = self.tenants.iter().map(|tenant| tenant.settings.clone()).collect();
        let mut lowered = Lowered::new(self.pack, today(), &self.constants, &before).unwrap();
        lowered.form_kinds();
        let changed = (0..now.len()).all(|tenant| lowered.set_tenant(self.pack, tenant, &now[tenant]).is_ok());
        if !changed {
            lowered = Lowered::new(self.pack, today(), &self.constants, &now).unwrap();
            lowered.form_kinds();
        }
        let interpreted: Vec<FactId> = lowered.interpreted().collect();
        let mut filling = lowered.rows(0);
        for row in 0..self.rows.len() {
            lowered.push(self.pack, &mut filling, &self.given(row, &interpreted));
        }
        let cards = lowered.screen(&filling);
        (lowered, cards)
    }

    /// By tenant and row.
    fn answers(&self, lowered: &Lowered, cards: &Cards) -> Vec<Vec<Answered>> {
        let gates = self.pack.gates.len();
        let through = Answer::Signal { scored: true }.code(gates);
        let mut answers = vec![Vec::new(); self.tenants.len()];
        for batch in lowered.batches() {
            let mut machine = Machine::default();
            for first in (0..self.rows.len()).step_by(LANES) {
                let lanes = LANES.min(self.rows.len() - first);
                let columns: Vec<Column> = cards.columns.iter().map(|column| column.pick(first..first + lanes)).collect();
                let counted =
                    (0..self.pack.aggregates.len()).map(|aggregate| (first..first + lanes).map(|row| density(row, aggregate)).collect());
                let counted: Vec<Vec<i64>> = counted.collect();
                let columns: Vec<Slice<'_>> =
                    columns.iter().map(Column::slice).chain(counted.iter().map(|column| Slice::Numbers(column))).collect();
                assert_counts(lowered, self.tenants.len(), batch, &columns, lanes);
                let (suited, _) = suited(lowered, self.tenants.len(), &columns, lanes);
                batch.judge(&mut machine, &columns, lanes, |position, codes, scores| {
                    let agrees = |lane: usize| {
                        agree(suited[batch.tenants[position]][lane], Answer::of(codes.of(lane).into(), gates), scores.of(lane))
                    };
                    assert!((0..lanes).all(agrees), "signals that are told alone are others");
                    let lane = |lane: usize| {
                        let code = cards.codes[first + lane];
                        let answer = Answer::of(if code == through { codes.of(lane).into() } else { code }, gates);
                        let score = if answer == (Answer::Signal { scored: true }) { scores.of(lane) } else { None };
                        ((answer, score), suited[batch.tenants[position]][lane].is_some())
                    };
                    answers[batch.tenants[position]].extend((0..lanes).map(lane));
                });
            }
        }
        answers
    }
}
