//! Replays the recorded cases of the domain's rules: any number of files and cases, one line of result a file.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at once")]

mod adapters;
mod ask;
mod events;
mod figures;
mod messages;
mod routing;

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use rust_decimal::Decimal;
use serde_json::Value as Json;
use tcg_radar::rules::pack::Pack;

use adapters::{ADAPTERS, Adapter};

/// The packs that the cases are put to.
pub struct Packs {
    reference: Pack,
    default: Pack,
}

/// What the program says to a case: a value for every expected field, or a refusal.
pub type Answer = Result<BTreeMap<&'static str, Json>, Refusal>;

/// Why there is no answer.
#[derive(Debug)]
pub enum Refusal {
    /// A value that the fact, or the domain, does not admit.
    Input(String),
    /// A rule failed on the values.
    Fault(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(reason) => write!(f, "a refused input ({reason})"),
            Self::Fault(reason) => write!(f, "a fault ({reason})"),
        }
    }
}

/// The folder of the case files: `$TCG_RADAR_DATA/vectors`, else beside the project.
fn folder() -> PathBuf {
    let data =
        std::env::var_os("TCG_RADAR_DATA").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    data.join("vectors")
}

fn load(folder: &str) -> Pack {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    Pack::load(&root).unwrap_or_else(|faults| panic!("{folder}: {faults:?}"))
}

#[test]
fn every_recorded_case_without_a_quirk_is_answered_as_recorded() {
    let folder = folder();
    if !folder.is_dir() {
        println!("SKIPPED: no case files in {}; set TCG_RADAR_DATA to the folder that holds vectors/", folder.display());
        return;
    }
    let packs = Packs { reference: load("tests/packs/reference"), default: load("rules") };
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let mut later = Vec::new();
    let mut failures = Vec::new();
    let mut total = (0, 0);
    println!("{:<28} {:>10} {:>10} {:>8} {:>7}", "file", "reference", "default", "quirks", "later");
    for path in &files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let Some((_, adapter)) = ADAPTERS.iter().find(|(file, _)| *file == name) else {
            later.push(name);
            continue;
        };
        let document: Json = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let tally = replay(&packs, &document, *adapter, &mut failures);
        println!("{name:<28} {:>10} {:>10} {:>8} {:>7}", tally.reference.to_string(), tally.default.to_string(), tally.quirks, tally.later);
        total.0 += tally.reference.passed + tally.default.passed;
        total.1 += tally.reference.total + tally.default.total;
    }
    println!("passed {} of {}", total.0, total.1);
    println!("not covered yet: {}", if later.is_empty() { "none".to_owned() } else { later.join(", ") });
    for failure in &failures {
        println!("{failure}");
    }
    assert!(failures.is_empty(), "{} of {} recorded cases are answered differently", failures.len(), total.1);
}

#[derive(Default)]
struct Count {
    passed: usize,
    total: usize,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.total == 0 { f.write_str("-") } else { write!(f, "{}/{}", self.passed, self.total) }
    }
}

/// The outcome of one file.
#[derive(Default)]
struct Tally {
    reference: Count,
    default: Count,
    /// Cases where we differ on purpose.
    quirks: usize,
    /// Cases of a kind that the program can't be asked yet.
    later: usize,
}

fn replay(packs: &Packs, document: &Json, adapter: Adapter, failures: &mut Vec<String>) -> Tally {
    let mut tally = Tally::default();
    for case in document["cases"].as_array().expect("a file has cases") {
        if case["quirks"].as_array().is_some_and(|quirks| !quirks.is_empty()) {
            tally.quirks += 1;
            continue;
        }
        let (input, expected) = (&case["input"], &case["expected"]);
        let answers = adapter(packs, input, document);
        if answers.reference.is_none() && answers.default.is_none() {
            tally.later += 1;
        }
        for (pack, answer, count) in
            [("reference", answers.reference, &mut tally.reference), ("default", answers.default, &mut tally.default)]
        {
            let Some(answer) = answer else { continue };
            // the default pack takes what feeds deliver, which is less than what a formula can be asked
            if pack == "default" && matches!(answer, Err(Refusal::Input(_))) && expected.get("error").is_none() {
                continue;
            }
            count.total += 1;
            if agrees(expected, &answer) {
                count.passed += 1;
            } else {
                let got = answer.map_or_else(|refusal| refusal.to_string(), |found| format!("{found:?}"));
                failures.push(format!("{} ({pack}): {input} gave {got}, expected {expected}", case["id"]));
            }
        }
    }
    tally
}

/// An expected error is any refusal, or an answer that leaves something unknown; else every expected field must be met.
fn agrees(expected: &Json, answer: &Answer) -> bool {
    let fields = expected.as_object().expect("an expectation has fields");
    match answer {
        _ if fields.contains_key("error") => answer.as_ref().map_or(true, |found| found.values().any(Json::is_null)),
        Err(_) => false,
        Ok(found) => fields.iter().all(|(name, value)| found.get(name.as_str()).is_some_and(|found| same(name, value, found))),
    }
}

/// Numbers compare as numbers, whether they are written as text or not.
fn same(name: &str, expected: &Json, found: &Json) -> bool {
    let number = |value: &Json| -> Option<Decimal> {
        match value {
            Json::String(text) => text.parse().ok(),
            Json::Number(number) => number.to_string().parse().ok(),
            _ => None,
        }
    };
    match (number(expected), number(found)) {
        // the recorder regressed in binary floating point: its sixth place is not exact
        (Some(expected), Some(found)) if name == "daily_change" => (expected - found).abs() <= Decimal::new(1, 6),
        (Some(expected), Some(found)) => expected == found,
        _ => expected == found,
    }
}
