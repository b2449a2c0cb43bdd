//! Interpreter and columns, side by side on the shipped packs.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

mod corners;
mod dice;
mod fuzz;
mod generator;
mod ground;
mod numbers;
mod told;
mod words;

use std::path::Path;

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use rust_decimal::Decimal;

use super::{ALONE, Answer, Batch, Column, LANES, Lowered, Machine, Setting, Settings, Slice, Suits};
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

fn constants(pack: &Pack) -> Vec<(FactId, Value)> {
    let date = "2026-07-15".parse().unwrap();
    let named = [("date", Value::Date(date)), ("customs_regime", Value::Text("world".into())), ("bundle_logic_enabled", Value::Bool(true))];
    named.into_iter().filter_map(|(name, value)| Some((pack.graph.id(name)?, value))).collect()
}

fn tenant(pack: &Pack, random: &mut ChaCha8Rng) -> Vec<(FactId, Value)> {
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

fn interpreted(pack: &Pack, facts: &[&[(FactId, Value)]]) -> (Answer, Option<Decimal>) {
    let mut evaluation = Evaluation::new(pack);
    for (id, value) in facts.iter().copied().flatten() {
        if let Err(error) = evaluation.set(*id, value.clone()) {
            evaluation.set_fault(*id, &error.to_string());
        }
    }
    let verdict = evaluation.verdict();
    let score = if verdict == Verdict::Signal { evaluation.score() } else { None };
    (Answer::of_verdict(&verdict, score.is_some()), score.map(|score| score.normalize()))
}

/// What an aggregate counted on a row, whatever it means.
fn density(row: usize, aggregate: usize) -> i64 {
    i64::try_from((row * 7 + aggregate) % 6 + 1).unwrap()
}

/// Compares both on random rows and tenants; tells how many answers were signals, rejections, others, and left
/// open, and how many rows nobody had hope for.
fn compare(folder: &str, seed: u64, rows: usize, tenants: usize) -> [usize; 5] {
    let pack = load(folder);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let constants = constants(&pack);
    let tenants: Vec<Vec<(FactId, Value)>> = (0..tenants).map(|_| tenant(&pack, &mut random)).collect();
    let as_settings =
        |facts: &Vec<(FactId, Value)>| -> Settings { facts.iter().map(|(id, value)| (*id, Setting::Is(value.clone()))).collect() };
    let settings: Vec<Settings> = tenants.iter().map(as_settings).collect();
    let mut lowered = Lowered::new(&pack, "2026-07-15".parse().unwrap(), &constants, &settings).unwrap();
    lowered.form_kinds();
    let data: Vec<Vec<(FactId, Value)>> = (0..rows).map(|_| row(&pack, &mut random)).collect();
    let mut filling = lowered.rows(0);
    for row in &data {
        let mut facts = vec![Some(Value::Unknown); pack.graph.facts.len()];
        for (id, value) in row {
            facts[id.0] = Some(value.clone());
        }
        lowered.push(&pack, &mut filling, &facts);
    }
    let cards = lowered.screen(&filling);
    let through = Answer::Signal { scored: true }.code(pack.gates.len());
    let mut counts = [0; 4];
    let mut hopeless = 0;
    let mut check = |row: usize, tenant: usize, code: i64, score: Option<Decimal>, suits: Option<Suits>| {
        let counted = pack.aggregates.iter().enumerate();
        let counted: Vec<(FactId, Value)> =
            counted.map(|(aggregate, counted)| (counted.fact, Value::Integer(density(row, aggregate)))).collect();
        let expected = interpreted(&pack, &[&constants, &data[row], &tenants[tenant], &counted]);
        let found = Answer::of(code, pack.gates.len());
        counts[match found {
            Answer::Signal { .. } => 0,
            Answer::Rejected(_) => 1,
            Answer::Unknown(_) | Answer::Failed(_) => 2,
            // the interpreter is asked
            Answer::Open(_) => 3,
        }] += 1;
        if !matches!(found, Answer::Open(_)) {
            let score = if found == (Answer::Signal { scored: true }) { score.map(|score| score.normalize()) } else { None };
            assert_eq!((found, score), expected, "row {row}, tenant {tenant}: {:?}", data[row]);
        }
        assert!(suits.is_some() || !matches!(expected.0, Answer::Signal { .. }), "row {row}, tenant {tenant}: a signal that was not told");
    };
    for batch in lowered.batches() {
        let mut machine = Machine::default();
        for first in (0..rows).step_by(LANES) {
            let lanes = LANES.min(rows - first);
            let columns: Vec<Column> = cards.columns.iter().map(|column| column.pick(first..first + lanes)).collect();
            let counted = (0..pack.aggregates.len()).map(|aggregate| (first..first + lanes).map(|row| density(row, aggregate)).collect());
            let counted: Vec<Vec<i64>> = counted.collect();
            let columns: Vec<Slice<'_>> =
                columns.iter().map(Column::slice).chain(counted.iter().map(|column| Slice::Numbers(column))).collect();
            let (suited, hopes) = suited(&lowered, tenants.len(), &columns, lanes);
            assert_counts(&lowered, tenants.len(), batch, &columns, lanes);
            hopeless += lanes - hopes;
            batch.judge(&mut machine, &columns, lanes, |position, codes, scores| {
                let tenant = batch.tenants[position];
                for (lane, suits) in suited[tenant].iter().copied().enumerate() {
                    let code = codes.of(lane).into();
                    assert!(agree(suits, Answer::of(code, pack.gates.len()), scores.of(lane)), "row {}, tenant {tenant}", first + lane);
                    let screened = cards.codes[first + lane];
                    let code = if screened == through { code } else { screened };
                    check(first + lane, tenant, code, scores.of(lane), suits);
                }
            });
        }
    }
    let [signals, rejected, other, open] = counts;
    [signals, rejected, other, open, hopeless]
}

/// What suits each tenant, by lane, and how many lanes there is hope for.
fn suited(lowered: &Lowered, tenants: usize, columns: &[Slice<'_>], lanes: usize) -> (Vec<Vec<Option<Suits>>>, usize) {
    let mut machine = Machine::default();
    let mut hoping = vec![false; lanes];
    let mut suited = vec![vec![None; lanes]; tenants];
    for part in lowered.kinds().unwrap().judging.parts() {
        let (mut hoped, of_part) = (vec![false; lanes], part.tenants());
        part.hope(&mut machine, columns, lanes, |lane| hoped[lane] = true);
        part.left(&mut machine, columns, lanes, |left| {
            assert!(hoped[left.lane], "what suits somebody was hoped for");
            for tenant in left.places().map(|place| of_part[place]) {
                assert!(suited[tenant][left.lane].replace(left.suits).is_none(), "it is told once");
            }
        });
        hoping.iter_mut().zip(hoped).for_each(|(hoping, hoped)| *hoping |= hoped);
    }
    (suited, hoping.iter().filter(|hoping| **hoping).count())
}

/// What all tenants count at once is what they count batch by batch: which rows, and which only the interpreter can tell.
fn assert_counts(lowered: &Lowered, tenants: usize, batch: &Batch, columns: &[Slice<'_>], lanes: usize) {
    let mut machine = Machine::default();
    for aggregate in 0..lowered.aggregates {
        let mut counted = vec![vec![0; lanes]; tenants];
        for part in lowered.kinds().unwrap().counting[aggregate].parts() {
            let of_part = part.tenants();
            part.left(&mut machine, columns, lanes, |left| {
                for place in left.places() {
                    counted[of_part[place]][left.lane] = if left.suits == Suits::Open { 2 } else { 1 };
                }
            });
        }
        batch.count(&mut machine, columns, lanes, |position, codes| {
            let class = batch.classes[position];
            let (_, in_columns) = lowered.class(class);
            let code = |lane: usize| if in_columns { codes.of(lane) } else { 2 };
            for tenant in batch.tenants.iter().filter(|tenant| lowered.classes_of(**tenant)[aggregate] == class) {
                assert!((0..lanes).map(code).eq(counted[*tenant].iter().copied()), "tenant {tenant} counts other rows");
            }
        });
    }
}

/// Whether what is told of a row for a tenant is what judging answers. What only the interpreter can tell may be told to stop.
fn agree(suits: Option<Suits>, answer: Answer, score: Option<Decimal>) -> bool {
    match (answer, suits) {
        (Answer::Signal { scored }, Some(Suits::Signal(found))) => found == score.filter(|_| scored),
        (Answer::Signal { .. }, _) => false,
        (Answer::Open(_), suits) => suits.is_none_or(|suits| suits == Suits::Open),
        (Answer::Rejected(_) | Answer::Unknown(_) | Answer::Failed(_), suits) => suits.is_none(),
    }
}

#[test]
fn the_shipped_pack_means_the_same_in_columns() {
    let seen = compare("rules", 1, 1_500, 6);
    assert!(seen[0] > 0 && seen[1] > 100 && seen[2] > 10 && seen[4] > 100, "{seen:?}");
    assert_eq!(seen[3], 0, "nothing of the shipped pack is left to the interpreter: {seen:?}");
}

#[test]
fn every_fact_of_the_shipped_pack_is_lowered() {
    let pack = load("rules");
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let tenant: Settings = tenant(&pack, &mut random).into_iter().map(|(id, value)| (id, Setting::Is(value))).collect();
    let lowered = Lowered::new(&pack, "2026-07-15".parse().unwrap(), &constants(&pack), &[tenant]).unwrap();
    let named: Vec<String> = lowered.refused().iter().map(|(id, because)| format!("{}: {because}", pack.graph.fact(*id).name)).collect();
    assert!(named.is_empty(), "{named:?}");
    assert!(lowered.screen(&lowered.rows(0)).groups.iter().all(|groups| groups.iter().all(|group| *group == ALONE)));
}
