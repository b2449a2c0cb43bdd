//! The review: what is on offer is decided again by new rules, at the prices that it was offered at, in a moment.
//!
//! A whole scan follows and looks at every price; the review is what acts at once when an analyst or operator edits. It
//! makes no new offers, and what is counted over several cards, as a seller's good ones, stays as the last scan counted it:
//! only a scan sees which cards have become good, and a withdrawal is for ever.

use chrono::{DateTime, Utc};
use rayon::prelude::*;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    ScanError,
    explain::again,
    periodic::{REST, Scanner},
    report, standing,
};
use crate::{
    domain::{
        decision::{Change, ChangeKind, Decision, Outcome, Scan, ScanKind, Standing},
        observation::day_of,
    },
    pulse::Pulse,
    rules::{live::Live, pack::Pack, value::Value},
    store::{
        Store,
        opportunities::{self, Wanted},
        scans,
    },
};

/// What a review found.
#[derive(Debug, Default)]
pub struct Review {
    pub changed: Vec<Change>,
    /// Tenants' answers that are no longer the same, the one that stood first.
    pub answers: Vec<(Decision, Decision)>,
    /// Opportunities that hold as they stood.
    pub kept: usize,
}

impl Review {
    pub fn count(&self, kind: ChangeKind) -> usize {
        self.changed.iter().filter(|change| change.kind == kind).count()
    }
}

/// By what is decided again.
#[derive(Debug, Clone, Copy)]
struct Rules<'a> {
    pack: &'a Pack,
    regime: Option<&'a str>,
    bundle_logic: bool,
    now: DateTime<Utc>,
}

/// Reviews at once whenever what the service goes by has changed, until `shutdown`. One that the database cut off is
/// repeated: what holds no more must not stay on offer.
///
/// # Errors
/// None yet that would end the loop.
pub async fn run(scanner: Scanner, pulse: Pulse, shutdown: CancellationToken) -> Result<(), ScanError> {
    let mut changed = scanner.current.watch();
    // what was decided before the last end may have been decided by other rules
    changed.mark_changed();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            // the holder lives as long as the loop
            _ = changed.changed() => {}
        }
        changed.mark_unchanged();
        let turn = pulse.turn();
        let went_well = scanner.review_and_tell(scanner.clock.now()).await;
        turn.ends(went_well);
        if !went_well {
            changed.mark_changed();
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(REST) => {}
            }
        }
    }
}

impl Scanner {
    /// False where it should be tried again.
    pub(super) async fn review_and_tell(&self, now: DateTime<Utc>) -> bool {
        let live = self.current.get();
        match review_once(&self.store, &live, self.settings.bundle_logic, now, false).await {
            Ok(review) if review.changed.is_empty() && review.kept == 0 => {}
            Ok(review) => tracing::info!(
                event = "reviewed", pack = %live.pack.hash, withdrawn = review.count(ChangeKind::Withdrawn),
                repriced = review.count(ChangeKind::Repriced), kept = review.kept,
            ),
            Err(error) => {
                tracing::error!(event = "review_failed", retryable = error.is_retryable(), "{error}");
                return !error.is_retryable();
            }
        }
        true
    }
}

/// Decides again whatever is on offer and was last found to hold by another pack or regime; writes what changed, unless
/// `dry_run`.
///
/// # Errors
/// The database is gone, or no regime is in force.
pub async fn review_once(store: &Store, live: &Live, bundle_logic: bool, now: DateTime<Utc>, dry_run: bool) -> Result<Review, ScanError> {
    let regime = live.regime(now)?;
    let mut tx = store.service().await?;
    if !dry_run {
        opportunities::take_turn(&mut tx).await?;
    }
    let mut standing = opportunities::standing(&mut tx, Wanted { with_facts: true, ..Wanted::default() }).await?;
    standing.retain(|one| one.pack_hash != live.pack.hash || one.customs_regime.as_deref() != regime);
    if standing.is_empty() {
        return Ok(Review::default());
    }
    let rules = Rules { pack: &live.pack, regime, bundle_logic, now };
    let decisions = decide(&standing, &rules);
    let still: Vec<_> = standing.iter().map(|one| one.opportunity.clone()).collect();
    let found = standing::changes(&standing, &still, &decisions);
    let answers = answers(&standing, decisions);
    let review = Review { kept: found.kept.len(), changed: found.changed, answers };
    if !dry_run {
        let scan = Scan {
            scan_id: Uuid::now_v7(),
            kind: ScanKind::Review,
            as_of: now,
            started_at: now,
            finished_at: now,
            pack_hash: live.pack.hash.clone(),
            customs_regime: regime.map(str::to_owned),
            shift: None,
            summary: json!({
                "withdrawn": review.count(ChangeKind::Withdrawn), "repriced": review.count(ChangeKind::Repriced), "kept": review.kept,
            }),
        };
        let decisions: Vec<Decision> = review.answers.iter().map(|(_, now)| now.clone()).collect();
        let rows = scans::Rows { changes: &review.changed, kept: &found.kept, decisions: &decisions, ..scans::Rows::default() };
        scans::keep_pack(&mut tx, &live.pack.hash, &live.pack.source.to_json(), now).await?;
        scans::record(&mut tx, &scan, &rows).await?;
        tx.commit().await?;
    }
    Ok(review)
}

/// Answers that differ from those that stood, beside them.
fn answers(standing: &[Standing], decisions: Vec<Decision>) -> Vec<(Decision, Decision)> {
    let stood = standing.iter().flat_map(|one| &one.held);
    stood.zip(decisions).filter(|(stood, now)| !now.says_the_same(stood)).map(|(stood, now)| (stood.clone(), now)).collect()
}

/// All decisions in the order of what stands.
fn decide(standing: &[Standing], rules: &Rules<'_>) -> Vec<Decision> {
    let held: Vec<&Decision> = standing.iter().flat_map(|one| &one.held).collect();
    held.into_par_iter().map(|held| decide_one(held, rules)).collect()
}

fn decide_one(held: &Decision, rules: &Rules<'_>) -> Decision {
    let mut evaluation = again(rules.pack, &held.facts);
    let regime = rules.regime.map_or(Value::Unknown, |regime| Value::Text(regime.into()));
    let now =
        [("date", Value::Date(day_of(rules.now))), ("bundle_logic_enabled", Value::Bool(rules.bundle_logic)), ("customs_regime", regime)];
    for (name, value) in now {
        if let Some(id) = rules.pack.graph.id(name)
            && let Err(error) = evaluation.set(id, value)
        {
            evaluation.set_fault(id, &error.to_string());
        }
    }
    let verdict = evaluation.verdict();
    let reason = verdict.reason(rules.pack);
    let outcome = if reason.is_none() { Outcome::Signal } else { Outcome::Rejected };
    report::decision(&mut evaluation, held.tenant, held.opportunity_id, outcome, reason)
}
