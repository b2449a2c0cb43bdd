//! Interpreter and columns, side by side on the shipped packs.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use std::path::Path;

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use rust_decimal::Decimal;

use super::{Answer, Lowered, Settings};
use crate::rules::{
    facts::{Domain, INPUTS, Input, Stage},
    graph::FactId,
    interpret::{Evaluation, Verdict},
    pack::Pack,
    value::Value,
};

fn pick(random: &mut ChaCha8Rng, below: u64) -> u64 {
    random.next_u64() % below
}

/// A value of an input: mostly like its example, sometimes at the edge, sometimes unknown.
///
/// Of tame values few are odd: with many odd ones every row falls at the first gates.
fn value(random: &mut ChaCha8Rng, input: &Input, tame: bool) -> Value {
    let example = Value::parse(input.domain.value_type(), input.example).unwrap();
    let price = input.name.ends_with("_price") || input.stage == Stage::Tenant;
    if tame && pick(random, if price { 2 } else { 40 }) > 0 {
        return example;
    }
    match (pick(random, 20), input.domain) {
        (0, _) => Value::Unknown,
        (_, Domain::Bool) => Value::Bool(pick(random, 3) == 0),
        (_, Domain::Enum(members)) => Value::Text(members[usize::try_from(pick(random, members.len() as u64)).unwrap()].into()),
        (1..=4, _) | (_, Domain::Text | Domain::Date) => example,
        (_, Domain::Integer { min, max }) => {
            let like = [0, 1, 2, 3, 5, 7, 10, 30, 42, 60, 90, 180, 1_000, min, max];
            Value::Integer(like[usize::try_from(pick(random, like.len() as u64)).unwrap()].clamp(min, max))
        }
        (edge, Domain::Decimal { places, min, max }) => {
            let (min, max) = (Decimal::from(min), Decimal::from(max));
            let base = example.as_decimal().unwrap();
            let factor = Decimal::new(i64::try_from(pick(random, 400)).unwrap(), 2);
            let number = match edge {
                5 => min,
                6 => base + Decimal::new(1, places),
                7 => Decimal::new(i64::try_from(pick(random, 30_000)).unwrap(), 2),
                _ => base * factor,
            };
            Value::Decimal(number.clamp(min, max).round_dp(places))
        }
    }
}

fn load(folder: &str) -> Pack {
    Pack::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap()
}

fn constants(pack: &Pack) -> Settings {
    let date = "2026-07-15".parse().unwrap();
    let named = [("date", Value::Date(date)), ("customs_regime", Value::Text("world".into())), ("bundle_logic_enabled", Value::Bool(true))];
    named.into_iter().filter_map(|(name, value)| Some((pack.graph.id(name)?, value))).collect()
}

fn tenant(pack: &Pack, random: &mut ChaCha8Rng) -> Settings {
    let tame = pick(random, 4) > 0;
    INPUTS
        .iter()
        .filter(|input| input.stage == Stage::Tenant)
        .map(|input| (pack.graph.id(input.name).unwrap(), value(random, input, tame)))
        .collect()
}

fn row(pack: &Pack, random: &mut ChaCha8Rng) -> Vec<(FactId, Value)> {
    let tame = pick(random, 4) > 0;
    let of_row = INPUTS.iter().filter(|input| matches!(input.stage, Stage::Card | Stage::Route));
    of_row.map(|input| (pack.graph.id(input.name).unwrap(), value(random, input, tame))).collect()
}

fn interpreted(pack: &Pack, facts: &[&[(FactId, Value)]]) -> (Verdict, Option<Decimal>) {
    let mut evaluation = Evaluation::new(pack);
    for (id, value) in facts.iter().copied().flatten() {
        if let Err(error) = evaluation.set(*id, value.clone()) {
            evaluation.set_fault(*id, &error.to_string());
        }
    }
    let verdict = evaluation.verdict();
    let score = if verdict == Verdict::Signal { evaluation.score() } else { None };
    (verdict, score)
}

/// Compares both on random rows and tenants; tells how many answers were signals, rejections and left open.
fn compare(folder: &str, seed: u64, rows: usize, tenants: usize) -> [usize; 3] {
    let pack = load(folder);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let constants = constants(&pack);
    let tenants: Vec<Settings> = (0..tenants).map(|_| tenant(&pack, &mut random)).collect();
    let mut lowered = Lowered::new(&pack, "2026-07-15".parse().unwrap(), &constants, &tenants, false).unwrap();
    let data: Vec<Vec<(FactId, Value)>> = (0..rows).map(|_| row(&pack, &mut random)).collect();
    let mut filling = lowered.rows();
    for row in &data {
        filling.push(&pack, &|id| row.iter().find(|(fact, _)| *fact == id).map_or(Value::Unknown, |(_, value)| value.clone()));
    }
    let filled = filling.finish();
    let density = |row: usize, tenant: usize| i64::try_from((row * 7 + tenant) % 6 + 1).unwrap();
    let mut counts = [0; 3];
    lowered.judge_counted(&filled, 0..filled.count(), &|_, row, tenant| density(row, tenant), |row, tenant, answer| {
        let counted: Settings = pack.aggregates.iter().map(|aggregate| (aggregate.fact, Value::Integer(density(row, tenant)))).collect();
        let (verdict, score) = interpreted(&pack, &[&constants, &data[row], &tenants[tenant], &counted]);
        match answer {
            Answer::Ask => {
                counts[2] += 1;
                let open = matches!(verdict, Verdict::Incomplete { .. } | Verdict::Failed { .. });
                assert!(open || (verdict == Verdict::Signal && score.is_none()), "row {row}, tenant {tenant}: left open, but {verdict:?}");
            }
            Answer::Rejected(gate) => {
                counts[1] += 1;
                assert_eq!(verdict, Verdict::Rejected { gate }, "row {row}, tenant {tenant}");
            }
            Answer::Signal(found) => {
                counts[0] += 1;
                assert_eq!(
                    (verdict, score.map(|score| score.normalize())),
                    (Verdict::Signal, found.map(|score| score.normalize())),
                    "row {row}, tenant {tenant}"
                );
            }
        }
    });
    counts
}

#[test]
fn the_shipped_pack_means_the_same_in_columns() {
    let seen = compare("rules", 1, 600, 6);
    eprintln!("{seen:?}");
    assert!(seen[0] > 0 && seen[1] > 100, "{seen:?}");
}
