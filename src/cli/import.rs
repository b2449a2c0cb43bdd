//! `import FILE…`: real cards, prices, ids and rates go in.

use std::{
    fmt::Write as _,
    io::{IsTerminal, Write as _, stderr},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use super::{Exit, Global, table, tell};
use crate::{
    clock::Clock,
    ingest::{self, FileReport, Progress},
    sources::FORMATS,
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files and folders, plain or .gz, in any order; `-` is standard input. The kind is recognised by the content.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let files = ingest::walk(&args.files)?;
    if files.is_empty() {
        tell("there is no file in what was named: nothing to import");
        return Ok(Exit::NothingRan);
    }
    let store = global.store().await?;
    let bars = Bars { shown: stderr().is_terminal(), bar: Mutex::new(None) };
    let reports = ingest::import_files(&store, &files, Clock::machine().now(), &bars).await?;
    global.show(&reports, |reports| pretty(reports))?;
    Ok(if reports.iter().any(|report| report.refused_whole.is_some()) { Exit::Failed } else { Exit::Good })
}

/// A bar on a terminal, a line a file elsewhere.
struct Bars {
    shown: bool,
    bar: Mutex<Option<ProgressBar>>,
}

impl Bars {
    fn replace(&self, bar: Option<ProgressBar>) {
        let old = std::mem::replace(&mut *self.bar.lock().unwrap_or_else(PoisonError::into_inner), bar);
        if let Some(old) = old {
            old.finish_and_clear();
        }
    }
}

impl Progress for Bars {
    fn begins(&self, file: &str, size: u64, passed: Arc<AtomicU64>) {
        if !self.shown {
            return;
        }
        let bar = ProgressBar::new(size).with_message(file.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3} % {elapsed} {wide_msg}") {
            bar.set_style(style);
        }
        self.replace(Some(bar.clone()));
        thread::spawn(move || {
            while !bar.is_finished() {
                bar.set_position(passed.load(Ordering::Relaxed).min(size));
                thread::sleep(Duration::from_millis(100));
            }
        });
    }

    fn settles(&self) {
        if let Some(bar) = &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            bar.set_message(format!("{}: storing", bar.message()));
        }
    }

    fn ends(&self, report: &FileReport) {
        self.replace(None);
        if !self.shown {
            let outcome = report.refused_whole.as_ref().map_or_else(
                || format!("{} rows read, {} stored, {} unchanged", report.read, report.stored + report.changed, report.unchanged),
                |reason| format!("refused: {reason}"),
            );
            // Nobody may be reading; the closing table says it all again.
            let _ = writeln!(stderr(), "{}: {outcome}", report.file);
        }
    }
}

/// Files of one kind beyond which they share a row of the table.
const ALONE: usize = 8;

/// Adds up the files of a kind that has many; the others keep a row each.
fn rows(reports: &[FileReport]) -> Vec<FileReport> {
    let key = |report: &FileReport| (report.kind, report.refused_whole.is_some());
    let mut rows: Vec<FileReport> = Vec::new();
    let mut summed: Vec<(Option<&'static str>, bool)> = Vec::new();
    for report in reports {
        let alike: Vec<&FileReport> = reports.iter().filter(|other| key(other) == key(report)).collect();
        if alike.len() <= ALONE {
            rows.push(report.clone());
        } else if !summed.contains(&key(report)) {
            summed.push(key(report));
            rows.push(FileReport {
                file: format!("{} files", alike.len()),
                kind: report.kind,
                read: alike.iter().map(|one| one.read).sum(),
                stored: alike.iter().map(|one| one.stored).sum(),
                changed: alike.iter().map(|one| one.changed).sum(),
                unchanged: alike.iter().map(|one| one.unchanged).sum(),
                skipped: [("", alike.iter().flat_map(|one| one.skipped.values()).sum())].into(),
                refused_whole: report.refused_whole.clone(),
                refused_rows: alike.iter().map(|one| one.refused_rows).sum(),
                took: alike.iter().map(|one| one.took).sum(),
                ..FileReport::default()
            });
        }
    }
    rows
}

fn pretty(reports: &[FileReport]) -> String {
    let rows = rows(reports).into_iter().map(|report| {
        vec![
            report.file,
            report.kind.unwrap_or("?").to_owned(),
            report.read.to_string(),
            report.stored.to_string(),
            report.changed.to_string(),
            report.unchanged.to_string(),
            report.skipped.values().sum::<u64>().to_string(),
            if report.refused_whole.is_some() { "whole".to_owned() } else { report.refused_rows.to_string() },
            format!("{}.{} s", report.took.as_secs(), report.took.subsec_millis() / 100),
        ]
    });
    let mut text = table(&["file", "kind", "read", "stored", "changed", "unchanged", "skipped", "refused", "time"], rows);
    text.push('\n');
    // Writing into a String cannot fail.
    let mut whole: Vec<(&str, Vec<&str>)> = Vec::new();
    for report in reports {
        let file = &report.file;
        if let Some(reason) = &report.refused_whole {
            match whole.iter_mut().find(|(known, _)| known == reason) {
                Some((_, files)) => files.push(file),
                None => whole.push((reason, vec![file])),
            }
        }
        for (reason, rows) in &report.skipped {
            let _ = write!(text, "\n{file}: {rows} rows skipped: {reason}");
        }
        for refusal in &report.refused {
            let _ = write!(text, "\n{file}: {} rows refused: {} ({})", refusal.rows, refusal.reason, refusal.examples.join(", "));
        }
        if report.rekeyed > 0 {
            let _ = write!(text, "\n{file}: {} price series now belong to their product", report.rekeyed);
        }
    }
    for (reason, files) in whole {
        let more = files.len().saturating_sub(3);
        let named = files.iter().take(3).copied().collect::<Vec<_>>().join(", ");
        let and_more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = write!(text, "\n{named}{and_more}: refused whole, nothing of it is stored: {reason}");
    }
    if reports.iter().any(|report| report.kind.is_none()) {
        let known: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
        let _ = write!(text, "\nwhat can be imported: {}", known.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ingest::Refusal;

    #[test]
    fn the_closing_table_names_every_reason_and_its_first_lines() {
        let good = FileReport {
            file: "prices.csv".into(),
            kind: Some("long price CSV"),
            read: 12,
            stored: 7,
            changed: 1,
            unchanged: 1,
            skipped: BTreeMap::from([("no price", 2)]),
            refused: vec![Refusal { reason: "\"x\" is not a number".into(), rows: 1, examples: vec!["line 5".into()] }],
            refused_rows: 1,
            took: Duration::from_millis(1234),
            ..FileReport::default()
        };
        let bad = FileReport { file: "page.html".into(), refused_whole: Some("it is a web page".into()), ..FileReport::default() };
        let text = pretty(&[good, bad]);
        let (told, known) = text.rsplit_once('\n').unwrap_or_default();
        assert!(known.starts_with("what can be imported: pokemontcg.io sets JSON, "), "{known}");
        insta::assert_snapshot!(told, @r#"
         file        kind            read  stored  changed  unchanged  skipped  refused  time
         prices.csv  long price CSV  12    7       1        1          2        1        1.2 s
         page.html   ?               0     0       0        0          0        whole    0.0 s

        prices.csv: 2 rows skipped: no price
        prices.csv: 1 rows refused: "x" is not a number (line 5)
        page.html: refused whole, nothing of it is stored: it is a web page
        "#);
    }

    #[test]
    fn many_files_of_a_kind_share_a_row_and_a_reason() {
        let cards = |number: u64| FileReport {
            file: format!("{number}.json"),
            kind: Some("cards"),
            read: number,
            stored: number,
            ..FileReport::default()
        };
        let mut reports: Vec<FileReport> = (1..=9).map(cards).collect();
        reports.extend((1..=9).map(|number| FileReport {
            file: format!("deck{number}"),
            refused_whole: Some("a deck".into()),
            ..FileReport::default()
        }));
        let text = pretty(&reports);
        assert!(text.contains("9 files  cards  45    45"), "{text}");
        assert!(text.contains("deck1, deck2, deck3 and 6 more: refused whole, nothing of it is stored: a deck"), "{text}");
        assert_eq!(text.lines().count(), 6, "{text}");
    }
}
