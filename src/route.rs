//! The loop that gives every opportunity to one tenant at a time: the first, when its window is over the next, at most as
//! many as the plans say, and then whoever reads batches and digests.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use crate::{
    domain::message::Channel,
    pulse::Pulse,
    scan::{ScanError, periodic::Scanner},
    store::{StoreError, routings},
};

mod follow;
mod give;
mod lists;
mod members;
pub mod rotation;
mod tell;

/// Between two looks: windows end to the second, and a new scan's deals should not wait.
const POLL: Duration = Duration::from_secs(5);
/// Windows that are ended in one transaction: a tenant who answers must not wait for all.
const LAPSES: i64 = 50;
/// How often it is looked whether somebody's hour has come.
const LISTS: TimeDelta = TimeDelta::minutes(1);

/// What the loop needs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Router {
    /// The store, the rules of the moment, and how an opportunity is decided once more.
    pub scanner: Scanner,
    /// Where messages can be sent at all.
    pub channels: Vec<Channel>,
    /// How long a tenant has a signal alone, from the confirmed delivery on.
    pub window: TimeDelta,
    /// A signal that could not be sent for so long goes on.
    pub send_within: TimeDelta,
}

/// What one turn did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Routed {
    /// New on their way.
    pub adopted: u64,
    /// Windows that ended without an act.
    pub lapsed: usize,
    pub followed: follow::Followed,
    pub given: give::Given,
}

impl Routed {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Why a turn did not come to its end. What it did before lasts.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot decide once more what is to be handed over: {0}")]
    Scan(#[from] ScanError),
}

impl RouteError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Store(error) => error.is_retryable(),
            Self::Scan(error) => error.is_retryable(),
        }
    }
}

impl Router {
    /// One turn at a moment. Several workers may take turns at once.
    ///
    /// # Errors
    /// The database is gone, or the pack lacks something that every decision needs.
    pub async fn route_once(&self, now: DateTime<Utc>) -> Result<Routed, RouteError> {
        let live = self.scanner.current.get();
        let mut tx = self.scanner.store.service().await?;
        let adopted = routings::adopt(&mut tx, now).await?;
        tx.commit().await?;
        let mut lapsed = 0;
        loop {
            let mut tx = self.scanner.store.service().await?;
            let some = routings::lapse(&mut tx, &live.plans.rotation, now, LAPSES).await?;
            tx.commit().await?;
            lapsed += some;
            if i64::try_from(some).is_ok_and(|some| some < LAPSES) {
                break;
            }
        }
        let followed = self.follow(&live, now).await?;
        let given = self.give(&live, now).await?;
        Ok(Routed { adopted, lapsed, followed, given })
    }

    /// Makes the batches and digests that are due at a moment. How many of each.
    ///
    /// # Errors
    /// As [`Router::route_once`].
    pub async fn list_once(&self, now: DateTime<Utc>) -> Result<(usize, usize), RouteError> {
        let live = self.scanner.current.get();
        self.list(&live, now).await
    }

    async fn turn(&self, now: DateTime<Utc>, listed: &mut Option<DateTime<Utc>>) -> Result<(), RouteError> {
        let routed = self.route_once(now).await?;
        if !routed.is_nothing() {
            tracing::info!(
                event = "routed",
                adopted = routed.adopted,
                lapsed = routed.lapsed,
                given = routed.given.signals,
                released = routed.given.released,
                withdrawn = routed.followed.withdrawn,
                edited = routed.followed.edited,
                told_again = routed.followed.told_again,
            );
        }
        if listed.is_none_or(|last| (now - last).abs() >= LISTS) {
            let (batches, digests) = self.list_once(now).await?;
            if batches + digests > 0 {
                tracing::info!(event = "listed", batches, digests);
            }
            *listed = Some(now);
        }
        Ok(())
    }
}

/// Takes a turn every few seconds until `shutdown`. One that failed is told and tried again.
///
/// # Errors
/// None yet that would end the loop.
pub async fn run(router: Router, pulse: Pulse, shutdown: CancellationToken) -> Result<(), RouteError> {
    let mut listed = None;
    loop {
        let turn = pulse.turn();
        let outcome = router.turn(router.scanner.clock.now(), &mut listed).await;
        turn.ends(outcome.is_ok());
        if let Err(error) = outcome {
            tracing::error!(event = "route_failed", retryable = error.is_retryable(), "{error}");
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = router.scanner.clock.sleep(POLL) => {}
        }
    }
}
