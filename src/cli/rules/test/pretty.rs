//! What `rules test` tells people.

use std::{collections::BTreeMap, fmt::Write as _};

use super::Report;
use crate::{
    cli::table,
    rules::testing::{Failure, Outcome, Ran, coverage::Coverage, mutate::Mutation},
};

/// Things that no test reaches, of one kind, that are told; `--format json` has them all.
const LONGEST_LIST: usize = 30;

/// Everything that a run has found out. `all` tests could have run.
pub fn report(report: &Report, all: usize) -> String {
    let mut text = outcome(&report.tests, all);
    if let Some(coverage) = &report.coverage {
        let _ = write!(text, "\n\n{}", of_coverage(coverage));
    }
    if let Some(mutation) = &report.mutation {
        let _ = write!(text, "\n\n{}", of_mutation(mutation));
    }
    if let Some(updated) = report.updated {
        let _ = write!(text, "\n{updated} expected figures were written anew: read the difference before you keep it");
    }
    for line in &report.below {
        let _ = write!(text, "\nFAILED {line}");
    }
    text
}

fn of_coverage(coverage: &Coverage) -> String {
    let rows = coverage.figures.iter().map(|figure| {
        let aim = figure.aim.as_str().to_owned();
        vec![aim, figure.reached.to_string(), figure.all.to_string(), format!("{} %", figure.percent())]
    });
    let mut text = table(&["coverage", "reached", "of", ""], rows);
    for figure in &coverage.figures {
        let missed: Vec<_> = coverage.missed.iter().filter(|missed| missed.aim == figure.aim).collect();
        if missed.is_empty() {
            continue;
        }
        let rows = missed.iter().take(LONGEST_LIST).map(|missed| vec![missed.what.clone(), missed.place.to_string()]);
        let _ = write!(text, "\n\n{}", table(&[&format!("{} that no test reaches", figure.aim.as_str()), ""], rows));
        if missed.len() > LONGEST_LIST {
            let _ = write!(text, "\n and {} more: --format json has them all", missed.len() - LONGEST_LIST);
        }
    }
    text
}

fn of_mutation(mutation: &Mutation) -> String {
    let mut text = format!(
        "{} of {} planted faults were noticed ({} %), {} more did not load; {} could be planted",
        mutation.killed,
        mutation.ran(),
        mutation.percent(),
        mutation.refused,
        mutation.possible
    );
    if !mutation.survivors.is_empty() {
        let rows = mutation.survivors.iter().map(|mutant| vec![mutant.what.clone(), mutant.place.to_string()]);
        let _ = write!(text, "\n\n{}", table(&["planted, and no test noticed", ""], rows));
    }
    text
}

/// Everything that failed, then how many of each file passed.
fn outcome(outcome: &Outcome, all: usize) -> String {
    if outcome.ran.is_empty() {
        return match all {
            0 => "nothing ran: the pack has no tests; rules/README.md shows how to write tests/NAME.test.yaml".to_owned(),
            all => format!("nothing ran: none of the {all} tests is meant by these filters"),
        };
    }
    let mut text = String::new();
    for ran in outcome.failed() {
        let _ = writeln!(text, "FAILED {}\n  at {}", ran.name, ran.place);
        for failure in &ran.failures {
            let _ = writeln!(text, "\n{}", told(failure));
        }
    }
    let mut files: BTreeMap<&str, Vec<&Ran>> = BTreeMap::new();
    for ran in &outcome.ran {
        files.entry(&ran.place.file).or_default().push(ran);
    }
    let rows = files.iter().map(|(file, tests)| {
        let failed = tests.iter().filter(|ran| !ran.failures.is_empty()).count();
        let verdict = if failed == 0 { "passed".to_owned() } else { format!("{failed} FAILED") };
        vec![(*file).to_owned(), tests.len().to_string(), verdict]
    });
    let _ = writeln!(text, "{}", table(&["file", "tests", ""], rows));
    let failed = outcome.failed().count();
    let _ = match failed {
        0 => write!(text, "\n{} tests passed", outcome.ran.len()),
        failed => write!(text, "\n{failed} of {} tests failed", outcome.ran.len()),
    };
    text
}

fn told(failure: &Failure) -> String {
    let rows = [vec![failure.what.clone(), failure.expected.clone(), failure.actual.clone(), failure.place.to_string()]];
    let mut text = indented(&table(&["", "expected", "found", ""], rows));
    for line in &failure.picture {
        let _ = write!(text, "\n    {line}");
    }
    if failure.trace.len() > 1 {
        let rows = failure.trace.iter().rev().map(|line| {
            let value = match (&line.missing, &line.fault) {
                (_, Some(fault)) => format!("a fault: {fault}"),
                (Some(missing), None) => format!("unknown, for want of {missing}"),
                (None, None) => line.shown(),
            };
            vec![line.name.clone(), value, line.place.clone().unwrap_or_else(|| "not given".to_owned())]
        });
        let _ = write!(text, "\n\n{}", indented(&table(&["trace", "", ""], rows)));
    }
    text
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
