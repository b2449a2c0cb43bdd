//! The loop that scans: at its start, then once an interval, and at once when what it goes by has changed.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{Options, ScanError, Settings, report::Report, scan_once, tenants};
use crate::{
    domain::profile::{Defaults, Profile},
    rules::live::{Current, Live},
    store::Store,
};

/// What the loop needs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Scanner {
    pub store: Store,
    pub current: Arc<Current>,
    /// From the start of one scan to the start of the next.
    pub interval: Duration,
    /// The `DEFAULT_*` variables.
    pub defaults: Defaults,
    /// `CUSTOMS_REGIME` among them comes from the live value, not from here.
    pub settings: Settings,
}

/// Near misses kept per tenant.
const NEAR_MISSES: usize = 20;

/// After a fault of the database: what it cut off must not wait for the next turn.
pub(super) const REST: Duration = Duration::from_secs(5);

/// Scans until `shutdown`. A scan that failed is told and tried again, soon where the database cut it off, else at the next
/// turn: its cause may be mended meanwhile.
///
/// # Errors
/// None yet that would end the loop.
pub async fn run(scanner: Scanner, shutdown: CancellationToken) -> Result<(), ScanError> {
    let mut changed = scanner.current.watch();
    let mut turns = tokio::time::interval(scanner.interval);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = turns.tick() => {}
            // the holder lives as long as the loop
            _ = changed.changed() => turns.reset(),
        }
        changed.mark_unchanged();
        let outcome = scanner.scan_once(Utc::now()).await;
        if changed.has_changed().unwrap_or_default() {
            // what it offers was decided by rules that hold no more
            scanner.review_and_tell(Utc::now()).await;
        }
        match outcome {
            Ok(Some(report)) => tracing::info!(
                event = "scanned", pack = %report.scan.pack_hash, regime = report.customs_regime, cards = report.cards, routes = report.routes,
                tenants = report.tenants, signals = report.signals.len(), duration_ms = (report.scan.finished_at - report.scan.started_at).num_milliseconds(),
            ),
            Ok(None) => tracing::info!(event = "scan_skipped", "there is nobody to judge for: add a tenant with `tcg-radar user add`"),
            Err(error) => {
                let retryable = error.is_retryable();
                tracing::error!(event = "scan_failed", retryable, "{error}");
                if retryable {
                    turns.reset_after(REST);
                }
            }
        }
    }
}

impl Scanner {
    /// One scan by the live value of this moment, for every tenant; `None` where there is none.
    ///
    /// # Errors
    /// As [`scan_once`].
    pub async fn scan_once(&self, now: DateTime<Utc>) -> Result<Option<Report>, ScanError> {
        let live = self.current.get();
        let profiles = self.profiles(&live).await?;
        if profiles.is_empty() {
            return Ok(None);
        }
        let options = Options { as_of: now, shifts: Vec::new(), dry_run: false, near_misses: NEAR_MISSES };
        let settings = Settings { customs_regime: live.customs_variable.clone(), ..self.settings.clone() };
        let store = self.store.clone();
        let runtime = tokio::runtime::Handle::current();
        // judging keeps a thread busy for as long as it takes; no other task may have to wait for it
        let scan = tokio::task::spawn_blocking(move || {
            runtime.block_on(async { scan_once(&store, &live.pack, &profiles, &settings, &options, now, &|_, _| ()).await })
        });
        // a panic, as this task itself is never cancelled: the service goes on without this one scan
        scan.await.map_err(ScanError::Broke)?.map(Some)
    }

    /// A tenant without its preset is left out, with a word: one mistake must not silence all.
    pub(super) async fn profiles(&self, live: &Live) -> Result<Vec<Profile>, ScanError> {
        let (resolved, unresolved) = tenants::load(&self.store, &live.presets, &self.defaults).await?;
        for left_out in unresolved {
            tracing::warn!(event = "tenant_left_out", tenant_id = %left_out.tenant.id, "{}", left_out.fault);
        }
        Ok(resolved.into_iter().map(|(_, profile)| profile).collect())
    }
}
