//! The loop that makes an edit live: read all, compile, check, put the pack's own cases to it, then swap once, or keep what
//! was good.

mod fault;
mod files;
mod watch;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    pulse::Pulse,
    rules::live::{Current, Live},
    store::{
        Store, StoreError,
        rule_status::{self, RuleChange, RuleStatus},
        scans, users,
    },
};

pub use fault::{Fault, StartError};
use files::Fingerprint;
pub use files::{Files, Fit};
use watch::Watch;

/// How often the files are looked at although nothing woke the loop: not every file system tells of changes.
const POLL: Duration = Duration::from_secs(1);
/// How often `looked_at` is written while nothing happens.
const HEARTBEAT: TimeDelta = TimeDelta::seconds(10);

/// Keeps the live value at what the files say.
#[derive(Debug)]
pub struct Reloader {
    files: Files,
    store: Store,
    current: Arc<Current>,
    /// What the last decision was about.
    seen: Option<Fingerprint>,
    /// As it was last saved.
    status: RuleStatus,
    /// Texts of the live presets.
    presets: Json,
}

/// What a look at the files came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// They are as they were.
    Nothing,
    /// They say something new, and it is live.
    Live,
    /// They say what is live already: an edit was taken back.
    Reverted,
    /// They cannot be used; what was live stays so.
    Refused,
    /// They are as they were, and the date brought another customs regime.
    Calendar,
}

/// Looks at the files when they change, and once a second, until `shutdown`.
///
/// # Errors
/// None yet that would end the loop: without the database, what is live stays so.
pub async fn run(mut reloader: Reloader, clock: Clock, pulse: Pulse, shutdown: CancellationToken) -> Result<(), StoreError> {
    let mut watch = Watch::new(reloader.files.targets());
    let mut cut_off = false;
    loop {
        watch.refresh();
        let turn = pulse.turn();
        let looked = reloader.reload_once(clock.now()).await;
        turn.ends(looked.is_ok());
        match looked {
            Ok(_) => cut_off = false,
            // once, not once a second
            Err(error) if !cut_off => {
                tracing::error!(event = "reload_failed", retryable = error.is_retryable(), "no edit can become live: {error}");
                cut_off = true;
            }
            Err(_) => {}
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = watch.woken() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

impl Reloader {
    /// What the service begins with: what the files say, or else the last good rules of an earlier run.
    ///
    /// # Errors
    /// The files cannot be used and there is nothing to fall back to, or the database is gone.
    pub async fn start(files: Files, store: Store, now: DateTime<Utc>) -> Result<Self, StartError> {
        let reading = files.settled().await;
        let (seen, mut presets) = (Some(reading.fingerprint), reading.presets_json());
        let mut tx = store.service().await?;
        let (before, last_good) = (rule_status::load(&mut tx).await?, rule_status::last_good(&mut tx).await?);
        tx.commit().await?;
        let (live, fault) = match files.compile(reading, now).await {
            Ok(live) => (live, None),
            Err(fault) => {
                let Some(good) = last_good else { return Err(StartError::Rules(fault)) };
                let Ok(live) = files.restore(&good) else { return Err(StartError::Rules(fault)) };
                tracing::error!(event = "started_with_last_good", pack = %good.pack_hash, "the files cannot be used, so the last good rules hold:\n{fault}");
                presets = good.presets;
                (live, Some(fault))
            }
        };
        let status = status_of(&live, fault.as_ref().map(|fault| (fault.to_json(), now)), now);
        let reloader = Self { files, store, current: Arc::new(Current::new(live)), seen, status, presets };
        let told = before.as_ref().map(|before| (before.pack_hash.as_str(), before.customs_regime.as_deref()));
        reloader.save(&reloader.current.get(), &reloader.status, &reloader.presets, told, now).await?;
        Ok(reloader)
    }

    /// The holder that everybody else reads.
    pub fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current)
    }

    /// One look at the files, and what follows from it.
    ///
    /// # Errors
    /// The database is gone. What was live stays so, and the next look tries again.
    pub async fn reload_once(&mut self, now: DateTime<Utc>) -> Result<Turn, StoreError> {
        if Some(self.files.read().await.fingerprint) == self.seen {
            return self.nothing_new(now).await;
        }
        let reading = self.files.settled().await;
        let fingerprint = reading.fingerprint;
        if Some(fingerprint) == self.seen {
            return self.nothing_new(now).await;
        }
        let presets = reading.presets_json();
        let compiled = self.files.compile(reading, now).await;
        let turn = match self.with_presets_in_use(compiled).await? {
            Ok(live) => self.accept(live, presets, now).await?,
            Err(fault) => self.refuse(&fault, now).await?,
        };
        self.seen = Some(fingerprint);
        Ok(turn)
    }

    /// A preset that tenants start from may not go: they would silently get no signals.
    async fn with_presets_in_use(&self, compiled: Result<Live, Fault>) -> Result<Result<Live, Fault>, StoreError> {
        let Ok(live) = compiled else { return Ok(compiled) };
        let mut tx = self.store.service().await?;
        let in_use = users::presets_in_use(&mut tx).await?;
        tx.commit().await?;
        let old = self.current.get();
        let gone = in_use.into_iter().find(|name| old.presets.get(name).is_ok() && live.presets.get(name).is_err());
        Ok(gone.map_or(Ok(live), |name| Err(Fault::PresetGone { name, folder: self.files.profiles.clone() })))
    }

    async fn accept(&mut self, live: Live, presets: Json, now: DateTime<Utc>) -> Result<Turn, StoreError> {
        let old = self.current.get();
        let same = (&live.pack.hash, &live.customs_variable, &presets) == (&old.pack.hash, &old.customs_variable, &self.presets);
        if same {
            let taken_back = self.status.fault.is_some();
            let status = RuleStatus { fault: None, from_files: true, looked_at: now, ..self.status.clone() };
            let from = (&*status.pack_hash, status.customs_regime.as_deref());
            self.save(&old, &status, &presets, Some(from), now).await?;
            self.status = status;
            return Ok(if taken_back { Turn::Reverted } else { Turn::Nothing });
        }
        let status = status_of(&live, None, now);
        let from = (&*self.status.pack_hash, self.status.customs_regime.as_deref());
        self.save(&live, &status, &presets, Some(from), now).await?;
        tracing::info!(
            event = "rules_live", pack = %status.pack_hash, from_pack = from.0, regime = status.customs_regime, from_regime = from.1,
        );
        (self.status, self.presets) = (status, presets);
        self.current.publish(Arc::new(live));
        Ok(Turn::Live)
    }

    async fn refuse(&mut self, fault: &Fault, now: DateTime<Utc>) -> Result<Turn, StoreError> {
        let json = fault.to_json();
        let status = RuleStatus { fault: Some((json.clone(), now)), looked_at: now, ..self.status.clone() };
        let mut tx = self.store.service().await?;
        rule_status::save(&mut tx, &status, &self.presets).await?;
        let (from_pack, from_regime) = (Some(&*status.pack_hash), status.customs_regime.as_deref());
        let change = RuleChange { at: now, from_pack, to_pack: None, from_regime, to_regime: None, fault: Some(&json) };
        rule_status::record(&mut tx, &change).await?;
        tx.commit().await?;
        tracing::error!(event = "rules_refused", pack = %status.pack_hash, "the edit is not live, the last good rules hold:\n{fault}");
        self.status = status;
        Ok(Turn::Refused)
    }

    async fn nothing_new(&mut self, now: DateTime<Utc>) -> Result<Turn, StoreError> {
        let live = self.current.get();
        let regime = live.regime(now).ok().flatten();
        if regime != self.status.customs_regime.as_deref() {
            let status = RuleStatus { customs_regime: regime.map(str::to_owned), looked_at: now, ..self.status.clone() };
            let from = (&*self.status.pack_hash, self.status.customs_regime.as_deref());
            self.save(&live, &status, &self.presets, Some(from), now).await?;
            tracing::info!(event = "regime_begins", pack = %status.pack_hash, regime = status.customs_regime, from_regime = from.1);
            self.status = status;
            self.current.announce();
            return Ok(Turn::Calendar);
        }
        if now - self.status.looked_at >= HEARTBEAT {
            let mut tx = self.store.service().await?;
            rule_status::looked(&mut tx, now).await?;
            tx.commit().await?;
            self.status.looked_at = now;
        }
        Ok(Turn::Nothing)
    }

    /// Keeps the pack, the status, and where it came `from`, all or nothing.
    async fn save(
        &self,
        live: &Live,
        status: &RuleStatus,
        presets: &Json,
        from: Option<(&str, Option<&str>)>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut tx = self.store.service().await?;
        scans::keep_pack(&mut tx, &live.pack.hash, &live.pack.source.to_json(), now).await?;
        rule_status::save(&mut tx, status, presets).await?;
        let to = (&*status.pack_hash, status.customs_regime.as_deref());
        if from != Some(to) {
            let (from_pack, from_regime) = (from.map(|from| from.0), from.and_then(|from| from.1));
            let change = RuleChange { at: now, from_pack, to_pack: Some(to.0), from_regime, to_regime: to.1, fault: None };
            rule_status::record(&mut tx, &change).await?;
        }
        tx.commit().await
    }
}

fn status_of(live: &Live, fault: Option<(Json, DateTime<Utc>)>, now: DateTime<Utc>) -> RuleStatus {
    RuleStatus {
        pack_hash: live.pack.hash.clone(),
        customs_variable: live.customs_variable.clone(),
        customs_regime: live.regime(now).ok().flatten().map(str::to_owned),
        from_files: fault.is_none(),
        live_since: now,
        looked_at: now,
        fault,
    }
}
