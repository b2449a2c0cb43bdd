//! What speed is measured on: generated rows, the engines that judge them, and single facts with all that they read at hand.
//!
//! The clock is the caller's. Rows come from a seed alone, so that the same pack is always timed on the same rows.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{
    facts::{Domain, INPUTS, Input, Stage},
    graph::{FactId, Kind},
    interpret::{Evaluation, Slot, Verdict},
    lower::{Answer, Column, LANES, Lowered, Machine, Rows, Setting, Slice},
    pack::Pack,
    value::Value,
};

/// Facts of one stage.
pub type Facts = Vec<(FactId, Value)>;

/// Every route is judged for every tenant. What is counted over routes is not part of it: each is alone.
#[derive(Debug, Default)]
pub struct Workload {
    pub constants: Facts,
    /// Facts of card and route.
    pub routes: Vec<Facts>,
    pub tenants: Vec<Facts>,
}

/// Who judges. A new engine is one more member: the command and the benchmark then time it, and compare its tally.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The meaning of a pack.
    Interpreter,
    /// All tenants at once, in columns.
    Columns,
}

/// An engine that has done what it does once for a pack and its tenants, and not for every route.
#[derive(Debug)]
pub enum Ready<'a> {
    Interpreter { pack: &'a Pack, workload: &'a Workload },
    Columns(Box<Columns<'a>>),
}

/// What the judgements came to; engines that mean the same come to the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    pub signals: usize,
    /// By gate, faults and unanswered gates among them.
    pub rejected: Vec<usize>,
}

impl Engine {
    pub const ALL: &'static [Self] = &[Self::Interpreter, Self::Columns];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interpreter => "interpreter",
            Self::Columns => "columns",
        }
    }

    /// Builds what the engine needs; nothing where it can't take the pack.
    pub fn prepare<'a>(self, pack: &'a Pack, workload: &'a Workload) -> Option<Ready<'a>> {
        match self {
            Self::Interpreter => Some(Ready::Interpreter { pack, workload }),
            Self::Columns => Columns::of(pack, workload).map(|columns| Ready::Columns(Box::new(columns))),
        }
    }
}

impl Ready<'_> {
    /// Judges every pair as a scan does.
    pub fn judge(&mut self) -> Tally {
        match self {
            Self::Interpreter { pack, workload } => interpret(pack, workload),
            Self::Columns(columns) => columns.judge(),
        }
    }
}

/// The workload in columns.
#[derive(Debug)]
pub struct Columns<'a> {
    pack: &'a Pack,
    workload: &'a Workload,
    lowered: Lowered,
    rows: Rows,
}

impl<'a> Columns<'a> {
    fn of(pack: &'a Pack, workload: &'a Workload) -> Option<Self> {
        let date = workload.constants.iter().find_map(|(_, value)| if let Value::Date(date) = value { Some(*date) } else { None })?;
        let admitted = |id: FactId, value: &Value| match pack.graph.fact(id).kind {
            Kind::Input(input) => input.admit(value).is_ok(),
            _ => true,
        };
        let settings = |facts: &Facts| {
            let setting =
                |(id, value): &(FactId, Value)| (*id, if admitted(*id, value) { Setting::Is(value.clone()) } else { Setting::Fault });
            facts.iter().map(setting).collect()
        };
        let tenants: Vec<_> = workload.tenants.iter().map(settings).collect();
        let lowered = Lowered::new(pack, date, &workload.constants, &tenants).ok()?;
        let mut rows = lowered.rows(workload.routes.len());
        let mut facts = vec![Some(Value::Unknown); pack.graph.facts.len()];
        for route in &workload.routes {
            facts.fill(Some(Value::Unknown));
            for (id, value) in route {
                facts[id.0] = Some(value.clone());
            }
            lowered.push(pack, &mut rows, &facts);
        }
        Some(Self { pack, workload, lowered, rows })
    }

    /// What stops rows for all tenants first, then the others, block by block.
    fn judge(&self) -> Tally {
        let gates = self.pack.gates.len();
        let tenants = self.workload.tenants.len();
        let mut tally = Tally { signals: 0, rejected: vec![0; gates] };
        let cards = self.lowered.screen(&self.rows);
        let mut open = Vec::new();
        for (row, code) in cards.codes.iter().enumerate() {
            match Answer::of(*code, gates) {
                Answer::Rejected(gate) | Answer::Unknown(gate) | Answer::Failed(gate) => tally.rejected[gate] += tenants,
                Answer::Signal { .. } => open.push(row),
                Answer::Open(_) => match self.route(row).verdict_of(self.lowered.leading()) {
                    Verdict::Signal => open.push(row),
                    stopped => (0..tenants).for_each(|_| tally.count(&stopped)),
                },
            }
        }
        let (mut asked, mut machine) = (Vec::new(), Machine::default());
        let mut stops = vec![0; Answer::codes(gates)];
        for block in open.chunks(LANES) {
            let columns: Vec<Column> = cards.columns.iter().map(|column| column.pick(block.iter().copied())).collect();
            // each is alone in its group
            let alone = vec![1; block.len()];
            let counted = std::iter::repeat_n(Slice::Numbers(&alone), self.pack.aggregates.len());
            let columns: Vec<Slice<'_>> = columns.iter().map(Column::slice).chain(counted).collect();
            for batch in self.lowered.batches() {
                batch.judge(&mut machine, &columns, block.len(), |position, codes, _| {
                    let tenant = batch.tenants[position];
                    for (lane, row) in block.iter().enumerate() {
                        let code = i64::from(codes.of(lane));
                        stops[usize::try_from(code).unwrap_or(0)] += 1;
                        if matches!(Answer::of(code, gates), Answer::Open(_)) {
                            asked.push((*row, tenant));
                        }
                    }
                });
            }
        }
        for (count, code) in stops.into_iter().zip(0..) {
            match Answer::of(code, gates) {
                Answer::Signal { .. } => tally.signals += count,
                Answer::Rejected(gate) | Answer::Unknown(gate) | Answer::Failed(gate) => tally.rejected[gate] += count,
                Answer::Open(_) => {}
            }
        }
        self.ask(asked, &mut tally);
        tally
    }

    fn route(&self, row: usize) -> Evaluation<'_> {
        let mut evaluation = Evaluation::new(self.pack);
        give(&mut evaluation, &self.workload.constants);
        give(&mut evaluation, &self.workload.routes[row]);
        evaluation
    }

    /// Asks the interpreter about rows and tenants, route by route.
    fn ask(&self, mut pairs: Vec<(usize, usize)>, tally: &mut Tally) {
        pairs.sort_unstable();
        for of_row in pairs.chunk_by(|one, two| one.0 == two.0) {
            let mut evaluation = self.route(of_row[0].0);
            for (_, tenant) in of_row {
                evaluation.forget_from(Stage::Tenant);
                give(&mut evaluation, &self.workload.tenants[*tenant]);
                tally.count(&evaluation.verdict());
            }
        }
    }
}

/// What depends on no tenant is computed once a route; gates are asked in order.
fn interpret(pack: &Pack, workload: &Workload) -> Tally {
    let mut tally = Tally { signals: 0, rejected: vec![0; pack.gates.len()] };
    let mut evaluation = Evaluation::new(pack);
    give(&mut evaluation, &workload.constants);
    for route in &workload.routes {
        evaluation.forget_from(Stage::Card);
        give(&mut evaluation, route);
        for tenant in &workload.tenants {
            evaluation.forget_from(Stage::Tenant);
            give(&mut evaluation, tenant);
            tally.count(&evaluation.verdict());
        }
    }
    tally
}

impl Tally {
    fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Signal => self.signals += 1,
            Verdict::Rejected { gate } | Verdict::Incomplete { gate, .. } | Verdict::Failed { gate, .. } => self.rejected[*gate] += 1,
        }
    }
}

fn give(evaluation: &mut Evaluation<'_>, facts: &Facts) {
    for (id, value) in facts {
        if let Err(error) = evaluation.set(*id, value.clone()) {
            evaluation.set_fault(*id, &error.to_string());
        }
    }
}

impl Workload {
    /// Draws routes and tenants around the inputs' examples: most facts are usual, a few are unknown or another member of
    /// their set, numbers lie up to a half above or below.
    pub fn draw(pack: &Pack, date: NaiveDate, routes: usize, tenants: usize, seed: u64) -> Self {
        let mut dice = Dice(seed);
        let mut row = |first: Stage, last: Stage| -> Facts {
            let asked = INPUTS.iter().filter(|input| (first..=last).contains(&input.stage));
            asked.filter_map(|input| Some((pack.graph.id(input.name)?, dice.value(input)))).collect()
        };
        let routes = (0..routes).map(|_| row(Stage::Card, Stage::Route)).collect();
        let tenants = (0..tenants).map(|_| row(Stage::Tenant, Stage::Tenant)).collect();
        let constants = INPUTS.iter().filter(|input| input.stage == Stage::Constant);
        let constants = constants.filter_map(|input| {
            let value = if input.name == "date" { Value::Date(date) } else { example(input) };
            Some((pack.graph.id(input.name)?, value))
        });
        Self { constants: constants.collect(), routes, tenants }
    }

    pub const fn pairs(&self) -> usize {
        self.routes.len() * self.tenants.len()
    }
}

fn example(input: &Input) -> Value {
    Value::parse(input.domain.value_type(), input.example).unwrap_or_default()
}

/// Splitmix64: small, and never to be changed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below `end`, which is above 0.
    fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.roll() % u64::from(end)).unwrap_or(0)
    }

    fn value(&mut self, input: &Input) -> Value {
        match self.below(60) {
            0 => Value::Unknown,
            1 => self.other(input),
            _ => self.usual(input),
        }
    }

    fn usual(&mut self, input: &Input) -> Value {
        // half to one and a half, in thousandths
        let factor = Decimal::new(i64::from(500 + self.below(1_001)), 3);
        match (input.domain, example(input)) {
            (Domain::Decimal { places, min, max }, Value::Decimal(number)) if self.below(2) == 0 => {
                let moved = number.checked_mul(factor).unwrap_or(number).round_dp(places);
                Value::Decimal(moved.clamp(Decimal::from(min), Decimal::from(max)))
            }
            (Domain::Integer { min, max }, Value::Integer(number)) if self.below(2) == 0 => {
                let part = i64::from(self.below(1_001));
                Value::Integer((number / 2 + number.saturating_mul(part) / 1_000).clamp(min, max))
            }
            (_, example) => example,
        }
    }

    fn other(&mut self, input: &Input) -> Value {
        match (input.domain, example(input)) {
            (Domain::Enum(members), _) => {
                let count = u32::try_from(members.len()).unwrap_or(1).max(1);
                members.get(self.below(count) as usize).map_or(Value::Unknown, |member| Value::Text((*member).into()))
            }
            (Domain::Bool, Value::Bool(truth)) => Value::Bool(!truth),
            _ => self.usual(input),
        }
    }
}

/// One fact, ready to be computed for many rows: all that it reads has its value.
#[derive(Debug)]
pub struct Alone<'p> {
    pub fact: FactId,
    prepared: Vec<Evaluation<'p>>,
}

impl Alone<'_> {
    /// Computes the fact for every row, once.
    pub fn compute(&mut self) {
        for evaluation in &mut self.prepared {
            evaluation.slot(self.fact);
        }
    }

    pub const fn rows(&self) -> usize {
        self.prepared.len()
    }
}

/// Every formula, column and parameter of the pack, each alone; rows where something that it reads failed are left out.
pub fn alone<'p>(pack: &'p Pack, workload: &Workload) -> impl Iterator<Item = Alone<'p>> {
    let mut rows: Vec<Evaluation<'p>> = Vec::with_capacity(workload.pairs());
    for route in &workload.routes {
        for tenant in &workload.tenants {
            let mut evaluation = Evaluation::new(pack);
            for facts in [&workload.constants, route, tenant] {
                give(&mut evaluation, facts);
            }
            rows.push(evaluation);
        }
    }
    let computed = pack.graph.ids().filter(|id| !matches!(pack.graph.fact(*id).kind, Kind::Input(_) | Kind::Aggregate));
    computed.map(move |fact| Alone { fact, prepared: rows.iter_mut().filter_map(|row| prepare(pack, row, fact)).collect() })
}

fn prepare<'p>(pack: &'p Pack, row: &mut Evaluation<'p>, fact: FactId) -> Option<Evaluation<'p>> {
    let mut evaluation = Evaluation::new(pack);
    // a parameter reads the date without saying so
    for id in pack.graph.fact(fact).reads.iter().map(|read| read.fact).chain(pack.graph.id("date")) {
        let value = match row.slot(id) {
            Slot::Known(value) => value.clone(),
            Slot::Unknown(_) => Value::Unknown,
            Slot::Fault(_) | Slot::Pending => return None,
        };
        evaluation.set(id, value).ok()?;
    }
    Some(evaluation)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use std::path::Path;

    use super::*;

    fn pack() -> Pack {
        Pack::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packs/bench")).unwrap()
    }

    fn workload(pack: &Pack, routes: usize, tenants: usize) -> Workload {
        Workload::draw(pack, "2026-05-01".parse().unwrap(), routes, tenants, 7)
    }

    #[test]
    fn every_drawn_value_is_admitted_and_the_rows_reach_signals_and_late_gates() {
        let pack = pack();
        let workload = workload(&pack, 100, 4);
        for (id, value) in workload.routes.iter().chain(&workload.tenants).flatten() {
            let Kind::Input(input) = pack.graph.fact(*id).kind else { panic!("only inputs are drawn") };
            assert_eq!(input.admit(value), Ok(()));
        }
        let tally = Engine::Interpreter.prepare(&pack, &workload).unwrap().judge();
        assert_eq!(Engine::Columns.prepare(&pack, &workload).unwrap().judge(), tally);
        assert_eq!(tally.signals + tally.rejected.iter().sum::<usize>(), workload.pairs());
        assert!(tally.signals > 20, "{tally:?}");
        assert!(tally.rejected.iter().filter(|count| **count > 0).count() > 8, "{tally:?}");
    }

    #[test]
    fn a_fact_alone_is_what_it_is_among_the_others() {
        let pack = pack();
        // some of so many rows are neither unknown nor faulty
        let workload = workload(&pack, 30, 2);
        let net_profit = pack.graph.id("net_profit").unwrap();
        let mut found = alone(&pack, &workload).find(|one| one.fact == net_profit).unwrap();
        found.compute();
        let among: Vec<Option<Value>> = (0..60)
            .map(|row| {
                let mut whole = Evaluation::new(&pack);
                for facts in [&workload.constants, &workload.routes[row / 2], &workload.tenants[row % 2]] {
                    give(&mut whole, facts);
                }
                whole.known(net_profit)
            })
            .collect();
        let alone: Vec<Option<Value>> = found.prepared.iter_mut().map(|row| row.known(net_profit)).collect();
        assert_eq!(alone, among);
        assert!(alone.iter().any(Option::is_some), "no row tells anything");
    }
}
