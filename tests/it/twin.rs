//! The frozen benchmark pack means what a careful engineer would have written by hand: on random rows, the interpreter and
//! the twin give the same verdicts, flags, types and figures, to the last digit.
//!
//! `TWIN_ROWS=1000000 cargo test --release --test it twin` compares a million rows.

#[path = "../twin.rs"]
mod by_hand;

use std::path::Path;

use rayon::prelude::*;
use rust_decimal::Decimal;
use tcg_radar::{
    domain::market::Direction,
    rules::{
        interpret::{Evaluation, Slot, Verdict as Found},
        pack::Pack,
        value::Value,
    },
};

use by_hand::{
    Assessment, Case, Fact, Gap, Verdict,
    inputs::{DATE, Route, Tenant, seller_density},
};

const SEED: u64 = 20_260_501;
/// Rows of one mixture, drawn, judged and forgotten together.
const BLOCK: u64 = 1_000;
/// Of a thousand facts of a row, how many are odd: from ordinary rows to mad ones.
const ODD: [i64; 5] = [0, 3, 10, 40, 200];

fn pack() -> Pack {
    Pack::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packs/bench")).unwrap_or_else(|faults| panic!("{faults:?}"))
}

/// Changing the frozen pack starts a new series of figures: those measured before can't be compared with those after.
#[test]
fn the_benchmark_pack_is_frozen() {
    assert_eq!(pack().hash, "fece5b4723bd6b1bd0b3f4e4f88b411ef4fd63445a1a8f94d492b7c850dc0e91");
}

/// What may be read of the pack beside verdict, flags and type.
fn figures(one: &Assessment) -> [(&'static str, Fact<Decimal>); 10] {
    [
        ("proceeds", one.proceeds),
        ("effective_buy", one.effective_buy),
        ("import_cost", one.import_cost),
        ("outbound_shipping", one.outbound_shipping),
        ("forwarder_cost", one.forwarder_cost),
        ("net_profit", one.net_profit),
        ("spread", one.spread),
        ("velocity", one.velocity),
        ("headache", one.headache),
        ("composite_score", one.score),
    ]
}

struct Row {
    route: Route,
    tenant: Tenant,
    seller_density: i64,
    bundle_logic: bool,
}

impl Row {
    fn draw(number: u64) -> Self {
        let odd = ODD[usize::try_from(number).unwrap() % ODD.len()];
        let direction = Direction::ALL[usize::try_from(number / 5).unwrap() % 2];
        let row = Self {
            route: Route::draw(SEED, number, direction, odd),
            tenant: Tenant::draw(SEED, number, direction, odd),
            seller_density: seller_density(SEED, number, odd),
            bundle_logic: !number.is_multiple_of(16),
        };
        row.sharpened(number)
    }

    fn case(&self) -> Case<'_> {
        Case { route: &self.route, tenant: &self.tenant, seller_density: self.seller_density, bundle_logic: self.bundle_logic }
    }

    /// Puts the tenant's floors where the route just passes, or just does not.
    fn sharpened(mut self, number: u64) -> Self {
        let step = i64::try_from(number / 7 % 3).unwrap() - 1;
        let found = self.case().assess();
        let fits = |floor: Decimal| (floor.abs() < Decimal::from(1_000_000)).then_some(floor);
        match (number / 11 % 6, found.net_profit, found.score) {
            (0, Ok(profit), _) => self.tenant.min_profit_threshold = fits(profit + Decimal::new(step, 2)),
            (1, Ok(profit), _) => {
                self.tenant.min_profit_threshold = fits(profit);
                self.tenant.min_headache_score = fits(profit + Decimal::new(step, 2));
            }
            (2, _, Ok(score)) => {
                self.tenant.min_profit_threshold = Some(Decimal::from(-1_000_000));
                self.tenant.min_headache_score = Some(Decimal::from(-1_000_000));
                self.tenant.min_score = fits((score + Decimal::new(step, 4)).max(Decimal::ZERO));
            }
            _ => {}
        }
        self
    }

    fn enter<'p>(&self, pack: &'p Pack) -> Evaluation<'p> {
        let mut evaluation = Evaluation::new(pack);
        let constants = [
            ("date", Value::Date(DATE.parse().unwrap())),
            ("customs_regime", Value::Text("world".into())),
            ("bundle_logic_enabled", Value::Bool(self.bundle_logic)),
            ("seller_density", Value::Integer(self.seller_density)),
        ];
        for (name, value) in constants.into_iter().chain(self.route.facts()).chain(self.tenant.facts()) {
            evaluation.set(pack.graph.id(name).unwrap(), value).unwrap();
        }
        evaluation
    }

    /// What the interpreter and the twin disagree about.
    fn differences(&self, pack: &Pack, reached: &mut Reached) -> Vec<String> {
        let mut evaluation = self.enter(pack);
        let by_hand = self.case().assess();
        let mut found = Vec::new();
        let mut compare = |what: &str, interpreter: String, twin: String| {
            if interpreter != twin {
                found.push(format!("{what}: the pack says {interpreter}, the twin {twin}"));
            }
        };
        let verdict = verdict(&evaluation.verdict());
        compare("verdict", format!("{verdict:?}"), format!("{:?}", by_hand.verdict));
        compare("verdict alone", format!("{verdict:?}"), format!("{:?}", self.case().verdict()));
        for (name, figure) in figures(&by_hand) {
            let of_pack = match evaluation.slot(pack.graph.id(name).unwrap()) {
                Slot::Known(value) => Ok(value.as_decimal().unwrap()),
                Slot::Unknown(_) => Err(Gap::Unknown),
                Slot::Fault(_) => Err(Gap::Fault),
                Slot::Pending => unreachable!("a fact that was asked for is computed"),
            };
            if of_pack != figure {
                compare(name, format!("{of_pack:?}"), format!("{figure:?}"));
            }
        }
        let flags = pack.flags.iter().enumerate().fold(0, |flags, (bit, flag)| flags | u32::from(evaluation.holds(flag.when)) << bit);
        compare("flags", format!("{flags:023b}"), format!("{:023b}", by_hand.flags));
        compare("type", evaluation.signal_type().unwrap().to_string(), by_hand.kind.as_str().to_owned());
        let counts = evaluation.holds(pack.graph.id("bundle_candidate").unwrap());
        compare("bundle_candidate", counts.to_string(), by_hand.bundle_candidate.to_string());
        reached.note(verdict, flags);
        found
    }
}

fn verdict(found: &Found) -> Verdict {
    match found {
        Found::Signal => Verdict::Signal,
        Found::Rejected { gate } => Verdict::Rejected(*gate),
        Found::Incomplete { gate, .. } => Verdict::Incomplete(*gate),
        Found::Failed { gate, .. } => Verdict::Failed(*gate),
    }
}

/// What the rows came to: a comparison that never leaves the first gates proves little.
#[derive(Debug, Default, Clone, Copy)]
struct Reached {
    signals: u64,
    rejected: [u64; 29],
    incomplete: [u64; 29],
    failed: u64,
    flags: [u64; 23],
}

impl Reached {
    fn note(&mut self, verdict: Verdict, flags: u32) {
        match verdict {
            Verdict::Signal => self.signals += 1,
            Verdict::Rejected(gate) => self.rejected[gate] += 1,
            Verdict::Incomplete(gate) => self.incomplete[gate] += 1,
            Verdict::Failed(_) => self.failed += 1,
        }
        for (bit, count) in self.flags.iter_mut().enumerate() {
            *count += u64::from(flags >> bit & 1);
        }
    }

    fn add(mut self, other: Self) -> Self {
        self.signals += other.signals;
        self.failed += other.failed;
        let add = |mine: &mut [u64], others: &[u64]| mine.iter_mut().zip(others).for_each(|(mine, other)| *mine += other);
        add(&mut self.rejected, &other.rejected);
        add(&mut self.incomplete, &other.incomplete);
        add(&mut self.flags, &other.flags);
        self
    }
}

#[test]
fn the_interpreter_and_the_hand_written_twin_agree_to_the_cent() {
    let rows: u64 = std::env::var("TWIN_ROWS").map_or(20_000, |rows| rows.parse().unwrap());
    let pack = pack();
    let (differences, reached) = (0..rows.div_ceil(BLOCK))
        .into_par_iter()
        .map(|block| {
            let (mut found, mut reached) = (Vec::new(), Reached::default());
            for number in block * BLOCK..rows.min((block + 1) * BLOCK) {
                let row = Row::draw(number);
                let differences = row.differences(&pack, &mut reached);
                if !differences.is_empty() {
                    found.push(format!("row {number}: {}", differences.join("; ")));
                }
            }
            (found, reached)
        })
        .reduce(
            || (Vec::new(), Reached::default()),
            |(mut one, left), (other, right)| {
                one.extend(other);
                (one, left.add(right))
            },
        );
    println!("{rows} rows: {reached:?}");
    assert!(
        differences.is_empty(),
        "{} of {rows} rows differ, such as\n{}",
        differences.len(),
        differences[..differences.len().min(20)].join("\n")
    );

    // on that day the rule on small singles is not in force, and no mark is before its rotation
    let never = ["CUSTOMS_SINGLE_SUPPRESS", "ROTATION_RISK", "DEATH_SPIRAL"];
    let silent_gates = pack.gates.iter().zip(reached.rejected).filter(|(_, count)| *count == 0).map(|(gate, _)| &*gate.reason);
    let silent_flags = pack.flags.iter().zip(reached.flags).filter(|(_, count)| *count == 0).map(|(flag, _)| &*flag.flag);
    assert_eq!(silent_gates.chain(silent_flags).collect::<Vec<_>>(), never, "{reached:?}");
    assert!(reached.signals > rows / 100 && reached.failed > 0, "{reached:?}");
}
