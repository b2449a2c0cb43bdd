//! Decides opportunities once more before they go to somebody: by the rules, the prices and everybody's settings of this
//! moment. What a seller's cards count stays as the last scan counted it, as in a review.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::{
    ScanError, Settings,
    ground::{Ground, load_book},
    judge::Case,
    periodic::Scanner,
    report::{self, Opportunities},
    standing,
};
use crate::{
    domain::{
        decision::{ChangeKind, Decision, Opportunity, Outcome, Scan, ScanKind, Standing},
        profile::{Profile, TenantId},
    },
    rules::{graph::FactId, live::Live},
    store::{
        ServiceTx, Store, StoreError,
        opportunities::{self, Wanted},
        scans,
    },
};

impl Scanner {
    /// Decides these opportunities for everybody who gets them, and writes what came out differently.
    ///
    /// # Errors
    /// The database is gone, or the pack lacks something that every scan needs.
    pub async fn decide_again(&self, ids: Vec<Uuid>, now: DateTime<Utc>) -> Result<(), ScanError> {
        let live = self.current.get();
        let profiles = self.profiles(&live).await?;
        let settings = Settings { customs_regime: live.customs_variable.clone(), ..self.settings.clone() };
        let store = self.store.clone();
        let runtime = tokio::runtime::Handle::current();
        // as a scan: no other task may have to wait for a thread that judges
        let work = tokio::task::spawn_blocking(move || runtime.block_on(decide_again(&store, &live, &profiles, &settings, &ids, now)));
        work.await.map_err(ScanError::Broke)?
    }
}

async fn decide_again(
    store: &Store,
    live: &Live,
    profiles: &[Profile],
    settings: &Settings,
    ids: &[Uuid],
    now: DateTime<Utc>,
) -> Result<(), ScanError> {
    let pack = &live.pack;
    let mut tx = store.service().await?;
    let mut standing = opportunities::standing(&mut tx, Wanted { ids: Some(ids), with_facts: true, ..Wanted::default() }).await?;
    tx.commit().await?;
    if standing.is_empty() {
        return Ok(());
    }
    let (book, windows) = load_book(store, pack, now, &[]).await?;
    let ground = Ground::of(&book, &windows, pack, settings)?;
    let concerned: Vec<Profile> = profiles
        .iter()
        .filter(|profile| standing.iter().flat_map(|one| &one.held).any(|held| held.tenant == profile.tenant))
        .cloned()
        .collect();
    let found = judge(&ground.case(pack, &book, &ground.routes, &concerned), &standing);
    let mut tx = store.service().await?;
    opportunities::take_turn(&mut tx).await?;
    retain_unmoved(&mut tx, &mut standing, ids).await?;
    let stands = |id: Uuid| standing.iter().any(|one| one.opportunity.opportunity_id == id);
    let (opportunities, decisions): (Vec<Opportunity>, Vec<Decision>) =
        found.into_iter().filter(|(opportunity, _)| stands(opportunity.opportunity_id)).unzip();
    let changes = standing::changes(&standing, &opportunities, &decisions);
    if changes.changed.is_empty() {
        return Ok(());
    }
    let moved = |decision: &Decision| changes.changed.iter().any(|change| change.opportunity.opportunity_id == decision.opportunity_id);
    let decisions: Vec<Decision> = decisions.into_iter().filter(moved).collect();
    let withdrawn = changes.changed.iter().filter(|change| change.kind == ChangeKind::Withdrawn).count();
    let scan = Scan {
        scan_id: Uuid::now_v7(),
        kind: ScanKind::HandOver,
        as_of: now,
        started_at: now,
        finished_at: now,
        pack_hash: pack.hash.clone(),
        customs_regime: ground.regime.clone(),
        shift: None,
        summary: json!({ "withdrawn": withdrawn, "repriced": changes.changed.len() - withdrawn, "kept": changes.kept.len() }),
    };
    let rows = scans::Rows { decisions: &decisions, changes: &changes.changed, kept: &changes.kept, ..scans::Rows::default() };
    scans::keep_pack(&mut tx, &pack.hash, &pack.source.to_json(), now).await?;
    scans::record(&mut tx, &scan, &rows).await?;
    tx.commit().await?;
    Ok(())
}

/// Leaves out what a scan or a review decided meanwhile: that is as fresh.
async fn retain_unmoved(tx: &mut ServiceTx, standing: &mut Vec<Standing>, ids: &[Uuid]) -> Result<(), StoreError> {
    let now = opportunities::standing(tx, Wanted { ids: Some(ids), ..Wanted::default() }).await?;
    let decided = |one: &Standing| one.held.iter().map(|held| held.decision_id).collect::<Vec<_>>();
    let by_id: HashMap<Uuid, Vec<Uuid>> = now.iter().map(|one| (one.opportunity.opportunity_id, decided(one))).collect();
    standing.retain(|one| by_id.get(&one.opportunity.opportunity_id).is_some_and(|decisions| *decisions == decided(one)));
    Ok(())
}

/// One answer for each tenant that gets one of them and whose route has prices.
fn judge(case: &Case<'_>, standing: &[Standing]) -> Vec<(Opportunity, Decision)> {
    let on_offer = standing::routes_of(case, standing);
    let mut ids = Opportunities::standing(on_offer.clone());
    let routes: HashMap<Uuid, usize> = on_offer.into_iter().map(|(route, id)| (id, route)).collect();
    let tenants: HashMap<TenantId, usize> = case.profiles.iter().enumerate().map(|(index, profile)| (profile.tenant, index)).collect();
    let held = standing.iter().flat_map(|one| &one.held);
    held.filter_map(|held| {
        let (route, tenant) = (*routes.get(&held.opportunity_id)?, *tenants.get(&held.tenant)?);
        let judged = case.judge_one(route, tenant, counted(case, held));
        let outcome = if judged.is_signal() { Outcome::Signal } else { Outcome::Rejected };
        report::found(case, &judged, outcome, &mut ids).map(|found| (found.opportunity, found.decision))
    })
    .collect()
}

/// What is counted over several cards, as it was for the decision that stands.
fn counted(case: &Case<'_>, held: &Decision) -> Vec<(FactId, i64)> {
    let aggregates = case.pack.aggregates.iter();
    aggregates
        .filter_map(|aggregate| {
            let name = &case.pack.graph.fact(aggregate.fact).name;
            Some((aggregate.fact, held.facts.get(name)?.as_i64()?))
        })
        .collect()
}
