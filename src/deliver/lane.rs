//! One platform on the way: its pace, the chats that a message is on its way to, and how a part is put there.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::pace::{DISCORD, Pace, TELEGRAM};
use crate::{
    domain::message::{Channel, Line, Span, Words},
    notify::{Arrived, Notifier, Trouble},
    store::outbox::Leased,
};

/// The first wait after a fault; each further one is twice as long.
const BACK_OFF: TimeDelta = TimeDelta::seconds(2);
const LONGEST_BACK_OFF: TimeDelta = TimeDelta::minutes(5);
/// One platform.
pub struct Lane {
    pub notifier: Arc<dyn Notifier>,
    pace: Mutex<Pace>,
    /// Chats that a message is on its way to.
    under_way: Mutex<HashSet<i64>>,
}

impl Lane {
    pub fn new(notifier: Arc<dyn Notifier>) -> Self {
        let limits = match notifier.channel() {
            Channel::Telegram => TELEGRAM,
            Channel::Discord => DISCORD,
        };
        Self { notifier, pace: Mutex::new(Pace::new(limits)), under_way: Mutex::default() }
    }

    pub fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many messages may go now, and which chats get none.
    pub fn openings(&self, now: DateTime<Utc>) -> (i64, Vec<i64>) {
        let mut pace = self.pace();
        let mut busy = pace.busy(now);
        busy.extend(self.under_way.lock().unwrap_or_else(PoisonError::into_inner).iter());
        (i64::try_from(pace.room(now)).unwrap_or(i64::MAX), busy)
    }

    /// A chat is free for its next message.
    pub fn come_back(&self, chat: i64) {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&chat);
    }

    pub fn set_out(&self, leased: &[Leased], now: DateTime<Utc>) {
        let mut pace = self.pace();
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        for one in leased {
            pace.take(one.chat_id, now);
            under_way.insert(one.chat_id);
        }
    }
}

/// Puts the next part of a message where it belongs; and how many parts there are in all.
pub async fn put(notifier: &dyn Notifier, leased: &Leased) -> (Result<Arrived, Trouble>, usize) {
    let parts = notifier.parts(&leased.message.words());
    let (at, shown) = (leased.arrived.len(), leased.edits.as_deref().unwrap_or_default());
    let count = parts.len().max(shown.len());
    // a message that became shorter leaves parts behind
    let empty = notifier.parts(&Words::of_lines(vec![Line::from([Span::Plain("(no longer needed)".to_owned())])]));
    let Some(part) = parts.get(at).or(empty.first()) else {
        return (Err(Trouble::Refused("there is nothing to say".to_owned())), count);
    };
    let nonce = nonce(leased.id, at);
    (notifier.put(leased.chat_id, part, shown.get(at).copied(), &nonce).await, count)
}

/// The same for the same part of the same message, within Discord's 25 letters.
fn nonce(id: Uuid, part: usize) -> String {
    let text = id.simple().to_string();
    format!("{}{part:03}", &text[10..])
}

/// Twice as long after each fault, a little more or less so that not all come back together.
pub fn back_off(leased: &Leased) -> TimeDelta {
    let faults = usize::try_from(leased.attempts).unwrap_or(1).saturating_sub(leased.arrived.len() + 1).min(16);
    let wait = (BACK_OFF * (1 << faults)).min(LONGEST_BACK_OFF);
    // from three quarters to five quarters, by what is random in the id and differs with each attempt
    let dice = leased.id.as_u128().wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(leased.attempts.unsigned_abs()) % 512;
    wait * 3 / 4 + wait * i32::try_from(dice).unwrap_or(0) / 1024
}
