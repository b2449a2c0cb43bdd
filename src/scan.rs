//! The scan: the book, a rule pack and the tenants become signals, near misses and a count of every reason.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Instant,
};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::{
    domain::{
        book::{CardIndex, SourceShift},
        decision::{Decision, Opportunity, Scan, ScanKind, Standing},
        profile::Profile,
    },
    rules::{customs::UnknownRegime, diagnostic::Diagnostics, pack::Pack},
    store::{
        Store, StoreError,
        opportunities::{self, Wanted},
        scans, wishes,
    },
};

pub mod afresh;
pub mod audit;
pub mod columns;
pub mod explain;
pub mod feeds;
pub mod findings;
pub mod ground;
pub mod inputs;
pub mod judge;
pub mod part;
pub mod periodic;
pub mod ready;
pub mod rehearsal;
pub mod replay;
pub mod report;
pub mod review;
pub mod routes;
pub mod standing;
pub mod tenants;
pub mod windows;

use self::{
    findings::Findings,
    ground::{Ground, load_book},
    judge::Case,
    report::{Opportunities, Report, Scope},
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

impl Options {
    /// Whether the prices of this moment are looked at: what is found then is on offer.
    fn is_of(&self, now: DateTime<Utc>) -> bool {
        self.shifts.is_empty() && self.as_of == now
    }
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
    #[error("the pack cannot be compiled once more, which is a fault of this program: {0}")]
    Copy(Diagnostics),
    #[error("the rules have changed while it was judged, so nothing of it was written")]
    Superseded,
    #[error("the scan broke off, which is a fault of this program: {0}")]
    Broke(#[source] tokio::task::JoinError),
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
    let findings = columns::judge(&case, options.near_misses, &|done| progress(done, case.routes.len()));
    let look = Look { case: &case, ground: &ground, findings: &findings, only: None, holds: &|| true };
    conclude(store, &look, options, now, began).await
}

/// What was looked at, and how far each route came.
struct Look<'a> {
    case: &'a Case<'a>,
    ground: &'a Ground,
    findings: &'a Findings,
    /// The cards that are decided; nothing for all.
    only: Option<&'a BTreeSet<CardIndex>>,
    /// Whether the rules are still those in force.
    holds: &'a (dyn Fn() -> bool + Sync),
}

/// Writes what was found unless `dry_run`. What is on offer of other cards stays as it is.
async fn conclude(store: &Store, look: &Look<'_>, options: &Options, now: DateTime<Utc>, began: Instant) -> Result<Report, ScanError> {
    let book = look.case.book;
    let cards: Option<Vec<String>> =
        look.only.map(|only| only.iter().filter_map(|card| Some(book.card(*card)?.card_id.to_string())).collect());
    let wanted = Wanted { cards: cards.as_deref(), ..Wanted::default() };
    // what is found at the prices of another moment neither makes nor ends an offer
    let wanted = options.is_of(now).then_some(wanted);
    let standing = match wanted {
        Some(wanted) if !options.dry_run => standing(store, wanted).await?,
        _ => Vec::new(),
    };
    let mut report = decide(look, &standing, options, now);
    report.scan.finished_at = now + began.elapsed();
    if !options.dry_run {
        write(store, look, &standing, &mut report, wanted).await?;
    }
    Ok(report)
}

async fn standing(store: &Store, wanted: Wanted<'_>) -> Result<Vec<Standing>, StoreError> {
    let mut tx = store.service().await?;
    let standing = opportunities::standing(&mut tx, wanted).await?;
    tx.commit().await?;
    Ok(standing)
}

fn decide(look: &Look<'_>, standing: &[Standing], options: &Options, now: DateTime<Utc>) -> Report {
    let Look { case, ground, findings, only, .. } = *look;
    let (book, routes) = (case.book, case.routes);
    let mut ids = Opportunities::standing(standing::routes_of(case, standing));
    let signals = report::signals(case, findings, &mut ids);
    let near_misses = report::near_misses(case, findings, &mut ids);
    let held = standing::held(case, standing, &[&signals, &near_misses], &mut ids);
    let reasons = report::count_reasons(case, findings);
    let counts = report::counts(case, findings);
    let mut report = Report {
        scan: Scan {
            scan_id: Uuid::now_v7(),
            kind: ScanKind::Scan,
            as_of: options.as_of,
            started_at: now,
            finished_at: now,
            pack_hash: case.pack.hash.clone(),
            customs_regime: ground.regime.clone(),
            shift: describe_shifts(&options.shifts),
            summary: Json::Null,
        },
        rates: ground.rates.clone(),
        customs_regime: ground.regime.clone(),
        scope: if only.is_some() { Scope::Changed } else { Scope::Full },
        cards: only.map_or(book.cards.len(), BTreeSet::len),
        routes: routes.len(),
        one_sided: ground.one_sided,
        unmapped: book.series.iter().filter(|one| one.cards.is_empty()).count(),
        tenants: case.profiles.len(),
        feeds: ground.health.feeds(),
        signals,
        near_misses,
        held,
        reasons,
        counts,
    };
    report.scan.summary = json!({
        "scope": report.scope.as_str(), "cards": report.cards, "routes": report.routes, "signals": report.signals.len(),
        "reasons": report.reasons.iter().map(|(reason, line)| (reason.clone(), json!(line.by_direction.iter().sum::<usize>()))).collect::<Map<_, _>>(),
    });
    report
}

/// Shifts in words; `None` for an honest scan.
pub fn describe_shifts(shifts: &[SourceShift]) -> Option<String> {
    let parts: Vec<String> = shifts.iter().map(|shift| format!("{}={:+}d", shift.source, shift.days)).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// Writes a scan, and what becomes of the offers that it is about. One that is about none only says what it would have found.
async fn write(
    store: &Store,
    look: &Look<'_>,
    standing: &[Standing],
    report: &mut Report,
    about: Option<Wanted<'_>>,
) -> Result<(), ScanError> {
    let mut tx = store.service().await?;
    opportunities::take_turn(&mut tx).await?;
    // whoever changes the rules from here on has it reviewed after this turn
    if !(look.holds)() {
        return Err(ScanError::Superseded);
    }
    let pack = look.case.pack;
    let mut still = Vec::new();
    if let Some(wanted) = about {
        // a review, or another process, may have withdrawn or offered something meanwhile
        still = opportunities::standing(&mut tx, wanted).await?;
        settle_ids(standing, &still, report);
        let looked_at: HashSet<Uuid> =
            standing.iter().map(id_of).chain(report.all().map(|found| found.opportunity.opportunity_id)).collect();
        still.retain(|one| looked_at.contains(&id_of(one)));
    }
    let mut seen = HashSet::new();
    let all = report.all().map(|found| &found.opportunity).filter(|one| seen.insert(one.opportunity_id));
    let opportunities: Vec<Opportunity> = all.cloned().collect();
    let decisions: Vec<Decision> = report.all().map(|found| found.decision.clone()).collect();
    let changes = if about.is_some() { standing::changes(&still, &opportunities, &decisions) } else { standing::Changes::default() };
    let known: HashSet<Uuid> = still.iter().map(id_of).collect();
    let new: Vec<Opportunity> = opportunities.into_iter().filter(|one| !known.contains(&one.opportunity_id)).collect();
    let rows =
        scans::Rows { opportunities: &new, decisions: &decisions, changes: &changes.changed, kept: &changes.kept, reasons: &report.counts };
    scans::keep_pack(&mut tx, &pack.hash, &pack.source.to_json(), report.scan.started_at).await?;
    scans::record(&mut tx, &report.scan, &rows).await?;
    if about.is_some() {
        let offered: Vec<Uuid> = new.iter().map(|one| one.opportunity_id).collect();
        wishes::about_stale(&mut tx, report.scan.scan_id, &offered, report.scan.started_at).await?;
    }
    tx.commit().await?;
    Ok(())
}

fn id_of(standing: &Standing) -> Uuid {
    standing.opportunity.opportunity_id
}

/// The same route has the id under which it stands at this moment. What was withdrawn since `before` comes back as a new one.
fn settle_ids(before: &[Standing], now: &[Standing], report: &mut Report) {
    let mut by_route: HashMap<String, Uuid> = now.iter().map(|one| (one.opportunity.route_key.clone(), id_of(one))).collect();
    let stood: HashSet<Uuid> = before.iter().map(id_of).collect();
    for found in report.all_mut() {
        let id = found.opportunity.opportunity_id;
        let fresh = || if stood.contains(&id) { Uuid::now_v7() } else { id };
        let id = *by_route.entry(found.opportunity.route_key.clone()).or_insert_with(fresh);
        found.opportunity.opportunity_id = id;
        found.decision.opportunity_id = id;
    }
}
