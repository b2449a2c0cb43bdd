//! What one decision costs: every engine, and the same rules written by hand, on the same rows in one run.
//!
//! `cargo bench --bench decide` prints the table; `-- --rows 500 --tenants 200 --format json` changes what is measured and
//! how it is told. Trust the ratios: the machine's other work moves all figures alike.
#![expect(clippy::unwrap_used, reason = "a benchmark may stop at once")]

#[path = "../twin.rs"]
#[expect(dead_code, reason = "some parts are read by the comparison with the interpreter only")]
mod by_hand;

use std::{
    fmt::Write as _,
    hint::black_box,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use clap::{Parser, ValueEnum};
use rust_decimal::Decimal;
use serde_json::json;
use tcg_radar::{
    domain::{market::Direction, money::round_half_up},
    rules::{
        bench::{Engine, Facts, Workload},
        facts::Stage,
        interpret::Evaluation,
        pack::Pack,
        value::Value,
    },
};

use by_hand::{
    Case, Verdict,
    inputs::{DATE, Route, Tenant},
};

#[derive(Debug, Parser)]
struct Args {
    /// Routes in each direction.
    #[arg(long, default_value_t = 400)]
    rows: u64,
    /// Tenants in each direction; every route is judged for each.
    #[arg(long, default_value_t = 50)]
    tenants: u64,
    /// Of a thousand facts, how many are at a bound, absurd or unknown.
    #[arg(long, default_value_t = 3)]
    odd: i64,
    /// The quickest of so many rounds counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    #[arg(long, value_enum, default_value_t = Format::Pretty)]
    format: Format,
    /// Given by `cargo bench`; without it a single small round shows that the benchmark runs.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Pretty,
    Json,
}

/// The rows of one direction, as structs and as facts.
struct Rows {
    routes: Vec<Route>,
    tenants: Vec<Tenant>,
    workload: Workload,
}

const SEED: u64 = 1;

impl Rows {
    fn draw(pack: &Pack, args: &Args, direction: Direction) -> Self {
        let routes: Vec<Route> = (0..args.rows).map(|number| Route::draw(SEED, number, direction, args.odd)).collect();
        let tenants: Vec<Tenant> = (0..args.tenants).map(|number| Tenant::draw(SEED, number, direction, args.odd)).collect();
        let named =
            |facts: Vec<(&str, Value)>| -> Facts { facts.into_iter().map(|(name, value)| (pack.graph.id(name).unwrap(), value)).collect() };
        let constants = vec![
            ("date", Value::Date(DATE.parse().unwrap())),
            ("customs_regime", Value::Text("world".into())),
            ("bundle_logic_enabled", Value::Bool(true)),
        ];
        let workload = Workload {
            constants: named(constants),
            routes: routes.iter().map(|route| named(route.facts())).collect(),
            tenants: tenants.iter().map(|tenant| named(tenant.facts())).collect(),
        };
        Self { routes, tenants, workload }
    }

    fn cases(&self) -> impl Iterator<Item = Case<'_>> {
        self.routes.iter().flat_map(|route| {
            self.tenants.iter().map(move |tenant| black_box(Case { route, tenant, seller_density: 1, bundle_logic: true }))
        })
    }
}

/// Who decides, and how much is asked.
#[derive(Debug, Clone, Copy)]
enum Candidate {
    /// Verdicts, as in a scan.
    Engine(Engine),
    ByHand,
    /// Verdict, flags, type, score and every line of the waterfall, as for a signal.
    InterpreterInFull,
    ByHandInFull,
}

impl Candidate {
    fn all() -> Vec<Self> {
        let engines = Engine::ALL.iter().copied().map(Self::Engine);
        engines.chain([Self::ByHand, Self::InterpreterInFull, Self::ByHandInFull]).collect()
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Engine(engine) => engine.as_str(),
            Self::ByHand => "by hand",
            Self::InterpreterInFull => "interpreter, in full",
            Self::ByHandInFull => "by hand, in full",
        }
    }

    /// What its time is compared with: the same question, answered by hand.
    const fn yardstick(self) -> &'static str {
        match self {
            Self::Engine(_) | Self::ByHand => "by hand",
            Self::InterpreterInFull | Self::ByHandInFull => "by hand, in full",
        }
    }

    /// Does what is done once, and returns what judges everything and tells how many signals there are.
    fn prepare<'a>(self, pack: &'a Pack, rows: &'a Rows) -> Box<dyn FnMut() -> usize + 'a> {
        match self {
            Self::Engine(engine) => {
                let mut ready = engine.prepare(pack, &rows.workload).unwrap();
                Box::new(move || ready.judge().signals)
            }
            Self::ByHand => Box::new(|| rows.cases().filter(|case| case.verdict() == Verdict::Signal).count()),
            Self::InterpreterInFull => Box::new(|| in_full(pack, &rows.workload)),
            Self::ByHandInFull => Box::new(|| rows.cases().filter(|case| black_box(case.assess()).verdict == Verdict::Signal).count()),
        }
    }
}

fn give(evaluation: &mut Evaluation<'_>, facts: &Facts) {
    for (id, value) in facts {
        evaluation.set(*id, value.clone()).unwrap();
    }
}

fn in_full(pack: &Pack, workload: &Workload) -> usize {
    let mut evaluation = Evaluation::new(pack);
    give(&mut evaluation, &workload.constants);
    let mut signals = 0;
    for route in &workload.routes {
        evaluation.forget_from(Stage::Card);
        give(&mut evaluation, route);
        for tenant in &workload.tenants {
            evaluation.forget_from(Stage::Tenant);
            give(&mut evaluation, tenant);
            signals += usize::from(evaluation.verdict().reason(pack).is_none());
            black_box((evaluation.flags(), evaluation.signal_type(), evaluation.score()));
            for line in &pack.waterfall {
                black_box(evaluation.known(*line));
            }
        }
    }
    signals
}

struct Line {
    candidate: Candidate,
    ns: Decimal,
    allocations: Decimal,
    signals: usize,
}

fn measure(pack: &Pack, both: &[Rows], rounds: usize) -> Vec<Line> {
    let pairs = Decimal::from(both.iter().map(|rows| rows.workload.pairs()).sum::<usize>().max(1));
    let mut candidates: Vec<_> = Candidate::all()
        .into_iter()
        .map(|candidate| {
            let mut parts: Vec<_> = both.iter().map(|rows| candidate.prepare(pack, rows)).collect();
            let judge = move || parts.iter_mut().map(|judge| judge()).sum::<usize>();
            (candidate, judge, Duration::MAX)
        })
        .collect();
    // in turns, so that a slow moment of the machine meets all of them
    for _ in 0..rounds.max(1) {
        for (_, judge, least) in &mut candidates {
            let start = Instant::now();
            black_box(judge());
            *least = start.elapsed().min(*least);
        }
    }
    let lines = candidates.into_iter().map(|(candidate, mut judge, least)| {
        let mut signals = 0;
        let counted = allocation_counter::measure(|| signals = judge());
        let ns = Decimal::from(u64::try_from(least.as_nanos()).unwrap());
        Line {
            candidate,
            ns: round_half_up(ns / pairs, 1),
            allocations: round_half_up(Decimal::from(counted.count_total) / pairs, 1),
            signals,
        }
    });
    lines.collect()
}

/// Times the yardstick's time; nothing where that is too short to be measured.
fn factor(lines: &[Line], line: &Line) -> Option<Decimal> {
    let yardstick = lines.iter().find(|other| other.candidate.name() == line.candidate.yardstick())?;
    line.ns.checked_div(yardstick.ns).map(|factor| round_half_up(factor, 3).normalize())
}

/// What kind of routes these are: a decision that ends at the first gate costs little.
fn mixture(pack: &Pack, both: &[Rows]) -> (usize, usize) {
    let mut ended = [0, 0];
    for case in both.iter().flat_map(Rows::cases) {
        let first_of_tenant = pack.gates.iter().position(|gate| &*gate.reason == "DIRECTION_EXCLUDED").unwrap();
        match case.verdict() {
            Verdict::Signal => ended[1] += 1,
            Verdict::Rejected(gate) | Verdict::Incomplete(gate) | Verdict::Failed(gate) => ended[0] += usize::from(gate < first_of_tenant),
        }
    }
    (ended[0], ended[1])
}

fn main() {
    let mut args = Args::parse();
    if !args.bench {
        (args.rows, args.tenants, args.rounds) = (4, 3, 1);
    }
    let pack = Pack::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packs/bench")).unwrap();
    let both: Vec<Rows> = Direction::ALL.iter().map(|direction| Rows::draw(&pack, &args, *direction)).collect();
    let pairs: usize = both.iter().map(|rows| rows.workload.pairs()).sum();
    let (screened, signals) = mixture(&pack, &both);
    let lines = measure(&pack, &both, args.rounds);
    assert!(lines.iter().all(|line| line.signals == signals), "the engines do not agree on the signals");

    let mut text = String::new();
    match args.format {
        Format::Json => {
            let engines = lines.iter().map(|line| {
                json!({
                    "engine": line.candidate.name(), "ns_per_pair": line.ns, "times_by_hand": factor(&lines, line), "allocations_per_pair": line.allocations,
                })
            });
            let engines: Vec<_> = engines.collect();
            let report = json!({
                "hash": pack.hash, "pairs": pairs, "ended_before_tenant_gates": screened, "signals": signals, "engines": engines,
            });
            writeln!(text, "{report}").unwrap();
        }
        Format::Pretty => {
            writeln!(text, "{pairs} pairs of route and tenant; {screened} end before the tenant's gates, {signals} are signals\n").unwrap();
            writeln!(text, "{:<24}{:>14}{:>14}{:>22}", "engine", "ns per pair", "x by hand", "allocations per pair").unwrap();
            for line in &lines {
                let factor = factor(&lines, line).map(|factor| factor.to_string()).unwrap_or_default();
                let (ns, allocations) = (line.ns.to_string(), line.allocations.to_string());
                writeln!(text, "{:<24}{ns:>14}{factor:>14}{allocations:>22}", line.candidate.name()).unwrap();
            }
        }
    }
    std::io::stdout().write_all(text.as_bytes()).unwrap();
}
