//! The loop that brings the outbox to the platforms: leases what is due and what their pace allows, sends it with no
//! transaction open, and settles what became of it together with what that means for the signal.

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    domain::message::{Channel, Message, Notice},
    notify::{Arrived, Notifier, Trouble},
    pulse::Pulse,
    store::{
        JobLock, ServiceTx, Store, StoreError, dead_chats,
        outbox::{self, End, Leased, Missed, NewMessage},
        routings,
    },
};

mod lane;
pub mod pace;

use self::lane::{Lane, back_off, put};

/// A send is over long before, or its process is gone.
const LEASE: TimeDelta = TimeDelta::minutes(2);
/// How long nobody looks where nothing was said to be due.
const IDLE: TimeDelta = TimeDelta::seconds(1);
/// A token that is not taken is tried again after this.
const LOCKED_OUT: TimeDelta = TimeDelta::minutes(1);
/// A settlement that met another transaction, or no database, is tried so often in all: half a minute, within the lease.
const SETTLE_TRIES: u32 = 8;
/// Before the second of these tries; twice as long before each further one.
const SETTLE_REST: Duration = Duration::from_millis(250);
/// The operator hears of trouble within a day or not at all.
const NOTICE_LIFE: TimeDelta = TimeDelta::days(1);
/// The database is asked again after a fault of its own.
const DATABASE_REST: Duration = Duration::from_secs(2);
/// How long a second process waits for its turn.
const TURN: Duration = Duration::from_secs(5);

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Delivery(Arc<Inner>);

struct Inner {
    store: Store,
    lanes: Vec<Lane>,
    /// The operator's channel on Discord.
    operator: Option<i64>,
    clock: Clock,
    /// Somebody put something into the outbox.
    woken: Notify,
}

/// What a round came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// Requests that were made.
    pub sent: usize,
    /// Messages that can no longer be sent.
    pub missed: usize,
    /// When to look again.
    pub next: Option<DateTime<Utc>>,
}

impl Delivery {
    pub fn new(store: Store, notifiers: Vec<Arc<dyn Notifier>>, operator: Option<i64>, clock: Clock) -> Self {
        Self(Arc::new(Inner { store, lanes: notifiers.into_iter().map(Lane::new).collect(), operator, clock, woken: Notify::new() }))
    }

    /// Lets the loop look at once.
    pub fn wake(&self) {
        self.0.woken.notify_one();
    }

    /// Sends what may go now and waits until all of it is settled.
    ///
    /// # Errors
    /// The database refuses or is gone; what was leased is sent again when its lease has ended.
    pub async fn deliver_once(&self) -> Result<Round, StoreError> {
        let mut round = self.settle_missed().await?;
        let mut sends = JoinSet::new();
        let mut fault = self.send_due(&mut sends).await.err();
        round.sent = sends.len();
        while let Some(ended) = sends.join_next().await {
            fault = fault.or(ended.ok().and_then(Result::err));
        }
        round.next = self.next().await?;
        fault.map_or(Ok(round), Err)
    }

    /// Leases on every platform as many messages as may go now, and sends them. What one platform's lease gave is under way
    /// before the next one is asked for, which may fail: its chats would wait for ever for sends that nobody makes.
    async fn send_due(&self, sends: &mut JoinSet<Result<(), StoreError>>) -> Result<(), StoreError> {
        for (index, lane) in self.0.lanes.iter().enumerate() {
            let now = self.0.clock.now();
            let (room, busy) = lane.openings(now);
            if room == 0 {
                continue;
            }
            let mut tx = self.0.store.service().await?;
            let leased = outbox::lease(&mut tx, lane.notifier.channel(), room, &busy, now, self.0.clock.of_wall(LEASE)).await?;
            tx.commit().await?;
            lane.set_out(&leased, now);
            for one in leased {
                sends.spawn(self.clone().send(index, one));
            }
        }
        Ok(())
    }

    /// Sends one part and settles it.
    async fn send(self, lane: usize, leased: Leased) -> Result<(), StoreError> {
        let Some(lane) = self.0.lanes.get(lane) else { return Ok(()) };
        let settled = self.send_on(lane, &leased).await;
        lane.come_back(leased.chat_id);
        settled
    }

    async fn send_on(&self, lane: &Lane, leased: &Leased) -> Result<(), StoreError> {
        let began = self.0.clock.now();
        if began >= leased.deadline {
            let (arrived, end) = (leased.arrived.clone(), End::Again { not_before: leased.deadline, doubtful: false, fault: None });
            return self.settle(lane, leased, &arrived, &end).await;
        }
        let (outcome, parts) = put(lane.notifier.as_ref(), leased).await;
        let now = self.0.clock.now();
        let mut arrived = leased.arrived.clone();
        let again = |after: TimeDelta, doubtful, trouble: &Trouble| End::Again {
            not_before: now + after,
            // an edit that arrives twice says the same twice
            doubtful: doubtful && leased.edits.is_none(),
            fault: Some(trouble.to_string()),
        };
        let end = match &outcome {
            Ok(Arrived { id, rest }) => {
                if let Some(rest) = rest {
                    lane.pace().rest(leased.chat_id, now + *rest);
                }
                arrived.push(*id);
                let is_whole = arrived.len() >= parts;
                if is_whole { End::Sent } else { End::Again { not_before: now, doubtful: false, fault: None } }
            }
            Err(trouble @ Trouble::Slower { after, whole_bot }) => {
                lane.pace().slower(leased.chat_id, now + *after, *whole_bot, now);
                again(*after, false, trouble)
            }
            Err(trouble @ Trouble::Failed(_)) => again(back_off(leased), false, trouble),
            Err(trouble @ Trouble::Lost(_)) => again(back_off(leased), true, trouble),
            Err(trouble @ Trouble::Locked(_)) => {
                lane.pace().slower(leased.chat_id, now + LOCKED_OUT, true, now);
                again(LOCKED_OUT, false, trouble)
            }
            Err(Trouble::Dead(fault)) => End::Parked { fault: fault.clone() },
            Err(Trouble::Refused(fault)) => End::Refused { fault: fault.clone() },
        };
        tell(leased, &end, outcome.as_ref().err(), now - began);
        self.settle(lane, leased, &arrived, &end).await
    }

    /// What was sent must not be sent again because two transactions waited for each other, or the database was started
    /// anew.
    async fn settle(&self, lane: &Lane, leased: &Leased, arrived: &[i64], end: &End) -> Result<(), StoreError> {
        for attempt in 1..SETTLE_TRIES {
            match self.try_settle(lane, leased, arrived, end).await {
                Err(error) if error.is_retryable() => tokio::time::sleep(SETTLE_REST * (1 << (attempt - 1))).await,
                settled => return settled,
            }
        }
        self.try_settle(lane, leased, arrived, end).await
    }

    async fn try_settle(&self, lane: &Lane, leased: &Leased, arrived: &[i64], end: &End) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        let mut tx = self.0.store.service().await?;
        if !outbox::settle(&mut tx, leased, arrived, end, now).await? {
            tracing::warn!(event = "lease_lost", delivery_id = %leased.id, "it took longer than its lease: somebody else sends it, too");
            return Ok(());
        }
        let mine = Missed {
            id: leased.id,
            signal_id: leased.signal_id,
            with_signals: leased.with_signals.clone(),
            is_edit: leased.edits.is_some(),
            doubtful: leased.doubts > 0,
        };
        match end {
            End::Sent => signals_delivered(&mut tx, &mine, now).await?,
            End::Again { .. } => {}
            End::Parked { fault } => {
                let channel = lane.notifier.channel();
                let mut missed = dead_chats::bury(&mut tx, channel, leased.chat_id, fault, now).await?;
                missed.push(mine);
                for one in &missed {
                    signals_missed(&mut tx, one, now).await?;
                }
                self.tell_operator(&mut tx, leased, &format!("A chat on {channel} takes nothing from us"), fault, now).await?;
            }
            End::Refused { fault } => {
                signals_missed(&mut tx, &mine, now).await?;
                let title = format!("{} refused a message", lane.notifier.channel());
                self.tell_operator(&mut tx, leased, &title, fault, now).await?;
            }
        }
        tx.commit().await
    }

    /// Settles what can no longer be sent.
    async fn settle_missed(&self) -> Result<Round, StoreError> {
        let now = self.0.clock.now();
        let channels: Vec<Channel> = self.0.lanes.iter().map(|lane| lane.notifier.channel()).collect();
        let mut tx = self.0.store.service().await?;
        let missed = outbox::settle_missed(&mut tx, &channels, now).await?;
        for one in &missed {
            signals_missed(&mut tx, one, now).await?;
            tracing::warn!(event = "delivery_missed", delivery_id = %one.id, signal_id = one.signal_id.map(tracing::field::display), doubtful = one.doubtful);
        }
        tx.commit().await?;
        Ok(Round { missed: missed.len(), ..Round::default() })
    }

    async fn tell_operator(
        &self,
        tx: &mut ServiceTx,
        about: &Leased,
        title: &str,
        fault: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let has_discord = self.0.lanes.iter().any(|lane| lane.notifier.channel() == Channel::Discord);
        let Some(chat_id) = self.0.operator.filter(|_| has_discord) else { return Ok(()) };
        // trouble with telling the operator is for the log
        let Some(tenant) = about.tenant else { return Ok(()) };
        let text = format!("{fault}\nTenant {tenant}; `tcg-radar user show {tenant}` says who that is.");
        let message = Message::Notice(Notice { title: title.to_owned(), text });
        let notice = NewMessage {
            tenant: None,
            signal_id: None,
            with_signals: &[],
            channel: Channel::Discord,
            chat_id,
            message: &message,
            priority: 0,
            deadline: now + NOTICE_LIFE,
            not_before: now,
        };
        outbox::enqueue(tx, &notice, now).await.map(|_| ())
    }

    /// When to look again: when something is due and the pace allows it.
    async fn next(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let mut tx = self.0.store.service().await?;
        let Some(due) = outbox::next_due(&mut tx).await? else { return Ok(None) };
        let now = self.0.clock.now();
        let paced = self.0.lanes.iter().filter_map(|lane| lane.pace().next(now)).min();
        Ok(Some(if due > now { due } else { paced.unwrap_or(now + IDLE) }))
    }
}

fn tell(leased: &Leased, end: &End, trouble: Option<&Trouble>, took: TimeDelta) {
    let (delivery_id, channel) = (leased.id, leased.channel);
    let signal_id = leased.signal_id.map(tracing::field::display);
    let tenant_id = leased.tenant.map(tracing::field::display);
    let duration_ms = took.num_milliseconds();
    match (end, trouble) {
        (End::Sent, _) => tracing::info!(event = "delivered", %delivery_id, signal_id, tenant_id, %channel, duration_ms),
        (End::Again { .. }, None) => tracing::debug!(event = "part_delivered", %delivery_id, %channel, duration_ms),
        (End::Again { .. }, Some(trouble)) => {
            tracing::warn!(event = "delivery_retried", %delivery_id, signal_id, %channel, attempt = leased.attempts, duration_ms, "{trouble}");
        }
        (End::Parked { fault } | End::Refused { fault }, _) => {
            tracing::warn!(event = "delivery_failed", %delivery_id, signal_id, tenant_id, %channel, duration_ms, "{fault}");
        }
    }
}

/// A first message arrived, or may have: its signals' windows begin.
async fn signals_delivered(tx: &mut ServiceTx, one: &Missed, now: DateTime<Utc>) -> Result<(), StoreError> {
    for signal in one.signal_id.iter().chain(&one.with_signals).filter(|_| !one.is_edit) {
        routings::delivered(tx, *signal, now).await?;
    }
    Ok(())
}

/// A first message ended unsent. Where it may have arrived nevertheless, nobody else may hear of the deal meanwhile;
/// where nothing reached anybody, the signals go on.
async fn signals_missed(tx: &mut ServiceTx, one: &Missed, now: DateTime<Utc>) -> Result<(), StoreError> {
    if one.doubtful {
        return signals_delivered(tx, one, now).await;
    }
    for signal in one.signal_id.iter().chain(&one.with_signals).filter(|_| !one.is_edit) {
        if outbox::reached_nobody(tx, *signal).await? {
            routings::undeliverable(tx, *signal, now).await?;
        }
    }
    Ok(())
}

/// Delivers until shut down; then finishes what is on its way. Of several processes one delivers: the platforms count
/// all of them together.
///
/// # Errors
/// Never: faults of the database are waited out.
pub async fn run(delivery: Delivery, pulse: Pulse, shutdown: CancellationToken) -> Result<(), StoreError> {
    let mut sends = JoinSet::new();
    while !shutdown.is_cancelled() {
        let asked = pulse.turn();
        let job = delivery.0.store.job("deliver").await;
        asked.ends(job.is_ok());
        match job {
            Ok(Some(mut turn)) => {
                if let Err(error) = take_turn(&delivery, &mut turn, &mut sends, &pulse, &shutdown).await {
                    tracing::error!(event = "delivery_halted", "{error}");
                    pause(DATABASE_REST, &shutdown).await;
                }
                turn.release().await;
            }
            Ok(None) => pause(TURN, &shutdown).await,
            Err(error) => {
                tracing::error!(event = "delivery_halted", "{error}");
                pause(DATABASE_REST, &shutdown).await;
            }
        }
    }
    while sends.join_next().await.is_some() {}
    Ok(())
}

async fn take_turn(
    delivery: &Delivery,
    turn: &mut JobLock,
    sends: &mut JoinSet<Result<(), StoreError>>,
    pulse: &Pulse,
    shutdown: &CancellationToken,
) -> Result<(), StoreError> {
    while !shutdown.is_cancelled() {
        let beat = pulse.turn();
        turn.hold().await?;
        delivery.settle_missed().await?;
        delivery.send_due(sends).await?;
        let now = delivery.0.clock.now();
        let due = delivery.next().await?;
        beat.ends(true);
        let next = due.map_or(now + IDLE, |next| next.min(now + IDLE));
        let wait = (next - now).to_std().unwrap_or_default().max(Duration::from_millis(10));
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = delivery.0.woken.notified() => {}
            () = delivery.0.clock.sleep(wait) => {}
            Some(ended) = sends.join_next() => ended.unwrap_or(Ok(()))?,
        }
    }
    Ok(())
}

async fn pause(length: Duration, shutdown: &CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = tokio::time::sleep(length) => {}
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Delivery")
    }
}
