//! What the running service goes by: one immutable value, swapped whole, so that nothing ever sees half of a change.

use std::sync::Arc;

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::{customs::UnknownRegime, pack::Pack};
use crate::domain::{plan::Plans, profile::Presets};

/// Everything that an edit can change while the service runs. Whoever begins a piece of work takes it once
/// ([`Current::get`]) and keeps it to the end.
///
/// What is made ready from it for many tenants goes by its pack's hash, so that no other pack is ever judged by it.
#[derive(Debug)]
pub struct Live {
    pub pack: Pack,
    /// `CUSTOMS_REGIME`: what [`super::customs::Active::Environment`] follows.
    pub customs_variable: Option<String>,
    /// The presets of `profiles/`.
    pub presets: Presets,
    /// `profiles/plans.yaml`.
    pub plans: Plans,
}

impl Live {
    /// The customs regime in force at a moment; `None` for a pack without regimes.
    ///
    /// # Errors
    /// `CUSTOMS_REGIME` names a regime that the pack does not have.
    pub fn regime(&self, moment: DateTime<Utc>) -> Result<Option<&str>, UnknownRegime> {
        self.pack.customs.as_ref().map(|customs| customs.at(self.customs_variable.as_deref(), moment)).transpose()
    }

    /// Whether a decision by that pack and regime is what this one would decide at a moment.
    pub fn goes_by(&self, pack_hash: &str, regime: Option<&str>, moment: DateTime<Utc>) -> bool {
        self.pack.hash == pack_hash && self.regime(moment).is_ok_and(|now| now == regime)
    }
}

/// The holder of the live value. Reading it takes no lock.
#[derive(Debug)]
pub struct Current {
    live: ArcSwap<Live>,
    changed: watch::Sender<()>,
}

impl Current {
    pub fn new(live: Live) -> Self {
        Self { live: ArcSwap::from_pointee(live), changed: watch::Sender::new(()) }
    }

    /// The value of this moment; it stays as it is, whatever is published later.
    pub fn get(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// Swaps, then wakes whoever watches.
    pub fn publish(&self, live: Arc<Live>) {
        self.live.store(live);
        self.announce();
    }

    /// Wakes whoever watches: the same value means something else from now on, as when a date brings another regime.
    pub fn announce(&self) {
        self.changed.send_replace(());
    }

    /// Learns of every change after this call; several at once may count as one.
    pub fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}
