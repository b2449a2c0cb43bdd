//! The scan: the book, a rule pack and the tenants become signals, near misses and a count of every reason.

use std::{collections::HashSet, time::Instant};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::{
    domain::{
        book::SourceShift,
        decision::{Decision, Opportunity, Scan},
        profile::Profile,
    },
    rules::{customs::UnknownRegime, pack::Pack},
    store::{Store, StoreError, scans},
};

pub mod columns;
pub mod explain;
pub mod feeds;
pub mod findings;
pub mod ground;
pub mod inputs;
pub mod judge;
pub mod rehearsal;
pub mod replay;
pub mod report;
pub mod routes;
pub mod windows;

use self::{
    ground::{Ground, load_book},
    judge::Case,
    report::{Opportunities, Report},
    windows::MissingWindow,
};

/// What to scan, and as of when.
#[derive(Debug, Clone)]
pub struct Options {
    pub as_of: DateTime<Utc>,
    pub shifts: Vec<SourceShift>,
    /// Decide and report, but write nothing.
    pub dry_run: bool,
    /// Near misses kept per tenant.
    pub near_misses: usize,
}

/// What the operator's configuration says about decisions.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `CUSTOMS_REGIME`.
    pub customs_regime: Option<String>,
    /// `ENABLE_BUNDLE_LOGIC`.
    pub bundle_logic: bool,
    /// `EUR_USD_RATE`, for a book without rates.
    pub eur_usd_rate: Decimal,
}

/// Why a scan did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Window(#[from] MissingWindow),
    #[error(transparent)]
    Regime(#[from] UnknownRegime),
    #[error("the source \"{0}\" is moved in time twice: give it one shift")]
    ShiftedTwice(String),
    #[error("no price comes from a source called \"{name}\": {}", one_of(known))]
    UnknownSource { name: String, known: Vec<String> },
    #[error(
        "the pack has no number forex_default_buffer, which holds where a tenant sets no buffer: add default_buffer to params/forex.yaml"
    )]
    NoBuffer,
}

fn one_of(known: &[String]) -> String {
    if known.is_empty() {
        "there are no prices yet, `tcg-radar import FILE…` stores some".to_owned()
    } else {
        format!("use one of {}", known.join(", "))
    }
}

impl ScanError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_retryable())
    }
}

/// Told as routes are judged: how many more, of how many.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// Loads the book once, judges every route for every tenant, and writes what it found unless `dry_run`.
///
/// # Errors
/// The database is gone, or the pack or configuration lacks something that every scan needs.
pub async fn scan_once(
    store: &Store,
    pack: &Pack,
    profiles: &[Profile],
    settings: &Settings,
    options: &Options,
    now: DateTime<Utc>,
    progress: Progress<'_>,
) -> Result<Report, ScanError> {
    let began = Instant::now();
    let (book, windows) = load_book(store, pack, options.as_of, &options.shifts).await?;
    let ground = Ground::of(&book, &windows, pack, settings)?;
    let case = ground.case(pack, &book, &ground.routes, profiles);
    let mut report = decide(&case, &ground, options, now, progress);
    report.scan.finished_at = now + began.elapsed();
    if !options.dry_run {
        write(store, pack, &report, now).await?;
    }
    Ok(report)
}

fn decide(case: &Case<'_>, ground: &Ground, options: &Options, now: DateTime<Utc>, progress: Progress<'_>) -> Report {
    let (book, routes) = (case.book, case.routes);
    let findings = columns::judge(case, options.near_misses, &|done| progress(done, routes.len()));
    let mut ids = Opportunities::default();
    let signals = report::signals(case, &findings, &mut ids);
    let near_misses = report::near_misses(case, &findings, &mut ids);
    let reasons = report::count_reasons(case, &findings);
    let counts = report::counts(case, &findings);
    let mut report = Report {
        scan: Scan {
            scan_id: Uuid::now_v7(),
            as_of: options.as_of,
            started_at: now,
            finished_at: now,
            pack_hash: case.pack.hash.clone(),
            shift: describe_shifts(&options.shifts),
            summary: Json::Null,
        },
        rates: ground.rates.clone(),
        customs_regime: ground.regime.clone(),
        cards: book.cards.len(),
        routes: routes.len(),
        one_sided: ground.one_sided,
        unmapped: book.series.iter().filter(|one| one.cards.is_empty()).count(),
        tenants: case.profiles.len(),
        feeds: ground.health.feeds(),
        signals,
        near_misses,
        reasons,
        counts,
    };
    report.scan.summary = json!({
        "cards": report.cards, "routes": report.routes, "signals": report.signals.len(),
        "reasons": report.reasons.iter().map(|(reason, line)| (reason.clone(), json!(line.by_direction.iter().sum::<usize>()))).collect::<Map<_, _>>(),
    });
    report
}

/// Shifts in words; `None` for an honest scan.
pub fn describe_shifts(shifts: &[SourceShift]) -> Option<String> {
    let parts: Vec<String> = shifts.iter().map(|shift| format!("{}={:+}d", shift.source, shift.days)).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

async fn write(store: &Store, pack: &Pack, report: &Report, now: DateTime<Utc>) -> Result<(), ScanError> {
    let files: Map<String, Json> = pack.source.files.iter().map(|(path, text)| (path.to_string(), json!(&**text))).collect();
    let all = || report.signals.iter().chain(&report.near_misses);
    let mut written = HashSet::new();
    let fresh = all().map(|found| &found.opportunity).filter(|one| written.insert(one.opportunity_id));
    let opportunities: Vec<Opportunity> = fresh.cloned().collect();
    let decisions: Vec<Decision> = all().map(|found| found.decision.clone()).collect();
    let mut tx = store.service().await?;
    scans::keep_pack(&mut tx, &pack.hash, &Json::Object(files), now).await?;
    scans::record(&mut tx, &report.scan, &opportunities, &decisions, &report.counts).await?;
    tx.commit().await?;
    Ok(())
}
