//! What is to be seen of the demonstration at one moment.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    clock::Clock,
    domain::{profile::TenantId, signal::SignalState},
    simulate::{cast::Person, messengers::Messengers},
    store::{
        Store, StoreError, feeds,
        ledger::{self, Ledger},
        rule_status,
    },
};

/// A look at everything.
#[derive(Debug, Clone, Serialize)]
pub struct Sight {
    /// What the clock shows.
    pub at: DateTime<Utc>,
    /// How long it has been running, by the machine's clock.
    pub seconds: u64,
    pub regime: Option<String>,
    pub pack: String,
    /// An edit is not live: the last good rules hold.
    pub refused: bool,
    pub feeds: Vec<Feed>,
    pub ledger: Ledger,
    /// What signals have done since the last look.
    pub steps: Vec<Step>,
    /// What was written since the last look.
    pub messages: Vec<Heard>,
}

/// How a feed stands.
#[derive(Debug, Clone, Serialize)]
pub struct Feed {
    pub name: String,
    pub last_run: Option<DateTime<Utc>>,
    /// Requests since midnight.
    pub asked_today: i64,
    pub fault: Option<String>,
}

/// A step of a signal, with its tenant by name.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    pub who: &'static str,
    #[serde(flatten)]
    pub step: ledger::Step,
}

/// The beginning of a message that a tenant got.
#[derive(Debug, Clone, Serialize)]
pub struct Heard {
    pub at: DateTime<Utc>,
    pub platform: String,
    pub who: &'static str,
    pub text: String,
}

/// Whoever looks, and what it has seen.
pub struct Eyes {
    store: Store,
    messengers: Arc<Messengers>,
    clock: Clock,
    /// By tenant.
    names: HashMap<TenantId, &'static str>,
    /// By chat.
    chats: HashMap<i64, &'static str>,
    since: DateTime<Utc>,
    seen: HashSet<(Uuid, SignalState)>,
    read: i64,
}

/// A transaction may be committed so much later than the moment that it is about.
const LATE_COMMITS: TimeDelta = TimeDelta::seconds(10);

impl Eyes {
    pub fn new(store: Store, messengers: Arc<Messengers>, clock: Clock, people: &[Person]) -> Self {
        let since = clock.now();
        Self {
            store,
            messengers,
            clock,
            names: people.iter().map(|person| (person.tenant.id(), person.name)).collect(),
            chats: people.iter().map(|person| (person.tenant.telegram_chat_id, person.name)).collect(),
            since,
            seen: HashSet::new(),
            read: 0,
        }
    }

    /// Looks at everything.
    ///
    /// # Errors
    /// The database is gone.
    pub async fn look(&mut self, running: Duration) -> Result<Sight, StoreError> {
        let at = self.clock.now();
        let mut tx = self.store.service().await?;
        let standings = feeds::standings(&mut tx, at.date_naive()).await?;
        let ledger = ledger::ledger(&mut tx).await?;
        let steps = ledger::steps(&mut tx, self.since).await?;
        let rules = rule_status::load(&mut tx).await?;
        tx.commit().await?;
        self.since = at - self.clock.of_wall(LATE_COMMITS);
        let steps = self.new_steps(steps);
        Ok(Sight {
            at,
            seconds: running.as_secs(),
            regime: rules.as_ref().and_then(|rules| rules.customs_regime.clone()),
            refused: rules.as_ref().is_some_and(|rules| rules.fault.is_some()),
            pack: rules.map(|rules| rules.pack_hash).unwrap_or_default(),
            feeds: standings
                .into_iter()
                .map(|feed| Feed { name: feed.source, last_run: feed.last_run, asked_today: feed.used_today, fault: feed.last_fault })
                .collect(),
            ledger,
            steps,
            messages: self.new_messages(),
        })
    }

    fn new_steps(&mut self, steps: Vec<ledger::Step>) -> Vec<Step> {
        let still: HashSet<_> = steps.iter().map(|step| (step.signal_id, step.state)).collect();
        let new = steps.into_iter().filter(|step| !self.seen.contains(&(step.signal_id, step.state)));
        let new = new.map(|step| Step { who: self.names.get(&step.tenant).copied().unwrap_or("somebody"), step }).collect();
        self.seen = still;
        new
    }

    fn new_messages(&mut self) -> Vec<Heard> {
        let new = self.messengers.written_after(self.read);
        self.read = new.last().map_or(self.read, |(_, _, seen)| seen.number());
        new.into_iter()
            .map(|(platform, chat, seen)| Heard {
                at: seen.at,
                platform,
                who: self.chats.get(&chat).copied().unwrap_or("somebody"),
                text: seen.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().to_owned(),
            })
            .collect()
    }
}
