//! What a fuzz target does with one input; the tests replay the corpus through the same functions.
//!
//! An input's first byte chooses which file of a good pack the rest replaces. Whatever it says, the answer is a pack or
//! a list of faults, the same twice, and a pack that loads answers the edges of every input.

use std::sync::{Arc, LazyLock};

use rust_decimal::Decimal;
use tcg_radar::rules::{
    diagnostic::Diagnostics,
    facts::{Domain, INPUTS},
    interpret::{Evaluation, Slot},
    pack::Pack,
    source::PackSource,
    value::{Type, Value},
};

/// The good pack that the input is put into.
const GOOD: &[(&str, &str)] = &[
    ("pack.yaml", include_str!("../packs/hostile/good/pack.yaml")),
    ("facts/good.rhai", include_str!("../packs/hostile/good/facts/good.rhai")),
    ("params/limit.yaml", include_str!("../packs/hostile/good/params/limit.yaml")),
    ("tables/age.yaml", include_str!("../packs/hostile/good/tables/age.yaml")),
    ("tables/fee.yaml", include_str!("../packs/hostile/good/tables/fee.yaml")),
    ("tables/border.yaml", include_str!("../packs/hostile/good/tables/border.yaml")),
    ("fees/tcgplayer.yaml", include_str!("../packs/hostile/good/fees/tcgplayer.yaml")),
    ("customs/world.yaml", include_str!("../packs/hostile/good/customs/world.yaml")),
    ("customs/active.yaml", include_str!("../packs/hostile/good/customs/active.yaml")),
];

/// Files that the target `yaml` replaces; one that does not exist yet is added.
const YAML: &[&str] =
    &["pack.yaml", "params/limit.yaml", "tables/age.yaml", "fees/tcgplayer.yaml", "customs/world.yaml", "customs/active.yaml"];
/// Files that the target `evaluate` replaces.
const EVALUATED: &[&str] = &["facts/fuzz.rhai", "facts/good.rhai", "params/limit.yaml", "tables/age.yaml", "fees/tcgplayer.yaml"];

static SOURCE: LazyLock<PackSource> = LazyLock::new(|| PackSource {
    files: GOOD.iter().map(|(path, text)| (Arc::from(*path), Arc::from(*text))).collect(),
    ..PackSource::default()
});

/// Loads a pack, one of whose YAML files is the input.
pub fn yaml(data: &[u8]) {
    if let Some(source) = source(YAML, data) {
        drop(load(&source));
    }
}

/// Loads a pack with one file of the input's, and computes everything from the edges of every input.
pub fn evaluate(data: &[u8]) {
    let Some(Ok(pack)) = source(EVALUATED, data).map(|source| load(&source)) else { return };
    for edge in [Edge::Unknown, Edge::Low, Edge::High, Edge::Usual] {
        let answers = answer(&pack, edge);
        assert_eq!(answers, answer(&pack, edge), "two evaluations of the same facts differ");
    }
}

fn source(files: &[&str], data: &[u8]) -> Option<PackSource> {
    let (choice, text) = data.split_first()?;
    let text = std::str::from_utf8(text).ok()?;
    let file = files.get(usize::from(choice.wrapping_sub(b'0')) % files.len())?;
    let mut source = SOURCE.clone();
    source.files.insert(Arc::from(*file), Arc::from(text));
    Some(source)
}

fn load(source: &PackSource) -> Result<Pack, Diagnostics> {
    let (one, other) = (Pack::from_source(source.clone()), Pack::from_source(source.clone()));
    match (&one, &other) {
        (Ok(one), Ok(other)) => assert_eq!(one.hash, other.hash),
        (Err(one), Err(other)) => {
            assert!(one.has_errors(), "a pack is refused without an error");
            assert_eq!(one.to_string(), other.to_string(), "two readings find different faults");
        }
        _ => panic!("a pack loads once and not twice"),
    }
    one
}

#[derive(Debug, Clone, Copy)]
enum Edge {
    Unknown,
    Low,
    High,
    Usual,
}

fn answer(pack: &Pack, edge: Edge) -> Vec<String> {
    let mut evaluation = Evaluation::new(pack);
    for input in INPUTS {
        let value = match (edge, input.domain) {
            (Edge::Unknown, _) => continue,
            (Edge::Low, Domain::Decimal { min, .. }) => Value::Decimal(min.into()),
            (Edge::High, Domain::Decimal { max, places, .. }) => Value::Decimal(Decimal::from(max) - Decimal::new(1, places)),
            (Edge::Low, Domain::Integer { min, .. }) => Value::Integer(min),
            (Edge::High, Domain::Integer { max, .. }) => Value::Integer(max),
            (Edge::Low, Domain::Bool) => Value::Bool(false),
            (Edge::High, Domain::Bool) => Value::Bool(true),
            (Edge::Low, Domain::Date) => Value::Date(chrono::NaiveDate::MIN),
            (Edge::High, Domain::Date) => Value::Date(chrono::NaiveDate::MAX),
            (_, domain) => Value::parse(domain.value_type(), input.example).unwrap_or_default(),
        };
        if let Some(id) = pack.graph.id(input.name) {
            evaluation.set(id, value).unwrap_or_else(|error| panic!("{error}"));
        }
    }
    let mut answers = vec![format!("{:?}", evaluation.verdict())];
    for id in pack.graph.ids() {
        let declared = pack.graph.fact(id).value_type;
        if let (Some(declared), Slot::Known(value)) = (declared, evaluation.slot(id)) {
            let numbers = [Some(Type::Decimal), Some(Type::Integer)];
            let fits = value.value_type() == Some(declared) || numbers.contains(&Some(declared)) && numbers.contains(&value.value_type());
            assert!(fits, "{} was found to be a {declared} and is {value:?}", pack.graph.fact(id).name);
        }
        answers.push(format!("{:?}", evaluation.slot(id)));
    }
    answers.push(format!("{:?} {:?} {:?}", evaluation.flags(), evaluation.signal_type(), evaluation.score()));
    answers
}
