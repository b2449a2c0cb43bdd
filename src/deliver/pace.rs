//! How fast a platform takes messages: buckets of tokens for the whole bot, a chat and a group, and what the platform
//! itself asked for.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

/// So many messages in any stretch of this length.
pub type Limit = (usize, TimeDelta);

/// What a platform allows.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub whole: Limit,
    /// `None` where the platform tells by its answers.
    pub chat: Option<Limit>,
    /// Of a group, whose number is negative, besides.
    pub group: Option<Limit>,
}

/// A platform counts by its own clock, and messages do not all travel equally fast: a little more than the second.
const SECOND: TimeDelta = TimeDelta::milliseconds(1_050);

/// About 30 messages a second, one a second to a chat, 20 a minute to a group.
pub const TELEGRAM: Limits = Limits { whole: (30, SECOND), chat: Some((1, SECOND)), group: Some((20, TimeDelta::milliseconds(61_000))) };
/// 50 requests a second; each channel by its headers.
pub const DISCORD: Limits = Limits { whole: (50, SECOND), chat: None, group: None };

/// So many chats that were asked to be slower at the same time mean that it is the bot that is too fast.
const SLOW_CHATS: usize = 3;

/// Tokens of which each comes back a fixed time after it was taken, so that no stretch of that length sees more.
#[derive(Debug, Clone)]
struct Bucket {
    limit: Limit,
    taken: VecDeque<DateTime<Utc>>,
}

impl Bucket {
    const fn new(limit: Limit) -> Self {
        Self { limit, taken: VecDeque::new() }
    }

    fn free(&mut self, now: DateTime<Utc>) -> usize {
        // the clock may be set back: what is far in the future is no recent message either
        self.taken.retain(|moment| (now - *moment).abs() < self.limit.1);
        self.limit.0.saturating_sub(self.taken.len())
    }

    fn next(&self) -> Option<DateTime<Utc>> {
        self.taken.front().map(|moment| *moment + self.limit.1)
    }
}

/// See the module.
#[derive(Debug)]
pub struct Pace {
    limits: Limits,
    whole: Bucket,
    chats: HashMap<i64, Vec<Bucket>>,
    /// Chats that the platform wants left alone until then.
    resting: HashMap<i64, DateTime<Utc>>,
    all_rest: Option<DateTime<Utc>>,
}

impl Pace {
    pub fn new(limits: Limits) -> Self {
        Self { limits, whole: Bucket::new(limits.whole), chats: HashMap::new(), resting: HashMap::new(), all_rest: None }
    }

    /// How many messages may go now.
    pub fn room(&mut self, now: DateTime<Utc>) -> usize {
        self.all_rest = self.all_rest.filter(|until| *until > now);
        if self.all_rest.is_some() { 0 } else { self.whole.free(now) }
    }

    /// Chats that may not be written to now.
    pub fn busy(&mut self, now: DateTime<Utc>) -> Vec<i64> {
        self.resting.retain(|_, until| *until > now);
        self.chats.retain(|_, buckets| buckets.iter_mut().any(|bucket| bucket.free(now) < bucket.limit.0));
        let is_out = |buckets: &mut Vec<Bucket>| buckets.iter_mut().any(|bucket| bucket.free(now) == 0);
        let out = self.chats.iter_mut().filter_map(|(chat, buckets)| is_out(buckets).then_some(*chat));
        let mut busy: Vec<i64> = out.chain(self.resting.keys().copied()).collect();
        busy.sort_unstable();
        busy.dedup();
        busy
    }

    /// A message goes to a chat.
    pub fn take(&mut self, chat: i64, now: DateTime<Utc>) {
        self.whole.taken.push_back(now);
        let limits = self.limits.chat.into_iter().chain(self.limits.group.filter(|_| chat < 0));
        let buckets = self.chats.entry(chat).or_insert_with(|| limits.map(Bucket::new).collect());
        for bucket in buckets {
            bucket.taken.push_back(now);
        }
    }

    /// The platform wants a chat left alone for a while.
    pub fn rest(&mut self, chat: i64, until: DateTime<Utc>) {
        let rest = self.resting.entry(chat).or_insert(until);
        *rest = (*rest).max(until);
    }

    /// The platform found us too fast.
    pub fn slower(&mut self, chat: i64, until: DateTime<Utc>, whole_bot: bool, now: DateTime<Utc>) {
        self.rest(chat, until);
        self.resting.retain(|_, until| *until > now);
        if whole_bot || self.resting.len() >= SLOW_CHATS && self.limits.chat.is_some() {
            self.all_rest = self.all_rest.max(Some(until));
        }
    }

    /// When more may go than now, if anything holds us up.
    pub fn next(&mut self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if let Some(until) = self.all_rest.filter(|until| *until > now) {
            return Some(until);
        }
        if self.whole.free(now) == 0 {
            return self.whole.next();
        }
        let chats = self.chats.values_mut().flatten().filter_map(|bucket| if bucket.free(now) == 0 { bucket.next() } else { None });
        chats.chain(self.resting.values().copied()).filter(|moment| *moment > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(milliseconds)
    }

    #[test]
    fn a_chat_gets_one_message_a_second_and_a_group_twenty_a_minute() {
        let mut pace = Pace::new(TELEGRAM);
        let mut sent = 0;
        for second in 0..60 {
            for half in [0, 500] {
                let now = at(second * 1_050 + half);
                if !pace.busy(now).contains(&-7) {
                    pace.take(-7, now);
                    sent += 1;
                }
            }
        }
        assert_eq!(sent, 22, "20 in the first 61 s, then one for each that comes back");
        pace.take(7, at(100_000));
        assert_eq!(pace.busy(at(101_049)), [7]);
        assert!(pace.busy(at(101_050)).is_empty());
    }

    #[test]
    fn no_second_sees_more_than_thirty() {
        let mut pace = Pace::new(TELEGRAM);
        for chat in 0..30 {
            assert!(pace.room(at(0)) > 0);
            pace.take(chat + 1, at(0));
        }
        assert_eq!(pace.room(at(1_049)), 0);
        assert_eq!(pace.next(at(10)), Some(at(1_050)));
        assert_eq!(pace.room(at(1_050)), 30);
    }

    #[test]
    fn one_chat_that_is_asked_to_wait_holds_nobody_else_up_but_three_do() {
        let mut pace = Pace::new(TELEGRAM);
        pace.slower(1, at(9_000), false, at(0));
        assert_eq!((pace.room(at(0)), pace.busy(at(0))), (30, vec![1]));
        pace.slower(2, at(9_000), false, at(0));
        pace.slower(3, at(8_000), false, at(0));
        assert_eq!((pace.room(at(7_999)), pace.next(at(0))), (0, Some(at(8_000))));
        assert_eq!((pace.room(at(8_000)), pace.busy(at(8_000))), (30, vec![1, 2]));
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nobody_for_longer_than_the_limit() {
        let mut pace = Pace::new(TELEGRAM);
        pace.take(1, at(60_000));
        assert!(pace.busy(at(0)).is_empty());
    }
}
