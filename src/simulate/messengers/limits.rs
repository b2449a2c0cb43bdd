//! Counts messages as a platform does, by its own clock.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

/// Moments of the last messages, of the bot and of each chat.
#[derive(Debug, Default)]
pub struct Limits {
    whole: VecDeque<DateTime<Utc>>,
    chats: BTreeMap<i64, VecDeque<DateTime<Utc>>>,
}

/// So many in any stretch of that length.
pub type Limit = (usize, TimeDelta);

/// Over a limit: how long until there is room, and whether it is the bot's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    pub wait: TimeDelta,
    pub whole: bool,
}

/// What is left to a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    pub remaining: usize,
    /// Until all of it is there again.
    pub reset: TimeDelta,
}

impl Limits {
    /// Counts a message, unless it is over a limit.
    pub fn take(&mut self, chat: i64, whole: Limit, of_chat: &[Limit], now: DateTime<Utc>) -> Result<(), Over> {
        let longest = of_chat.iter().map(|limit| limit.1).max().unwrap_or_default();
        let moments = self.chats.entry(chat).or_default();
        moments.retain(|moment| now - *moment < longest);
        self.whole.retain(|moment| now - *moment < whole.1);
        for (most, span) in of_chat {
            let recent: Vec<_> = moments.iter().filter(|moment| now - **moment < *span).collect();
            if let Some(first) = recent.len().checked_sub(*most).and_then(|over| recent.get(over)) {
                return Err(Over { wait: **first + *span - now, whole: false });
            }
        }
        if let Some(first) = self.whole.len().checked_sub(whole.0).and_then(|over| self.whole.get(over)) {
            return Err(Over { wait: *first + whole.1 - now, whole: true });
        }
        moments.push_back(now);
        self.whole.push_back(now);
        Ok(())
    }

    pub fn left(&self, chat: i64, limit: Limit, now: DateTime<Utc>) -> Left {
        let recent = self.chats.get(&chat).into_iter().flatten().filter(|moment| now - **moment < limit.1);
        let (count, first) = recent.fold((0, None), |(count, first), moment| (count + 1, first.or(Some(*moment))));
        let reset = first.map_or(TimeDelta::zero(), |first| first + limit.1 - now);
        Left { remaining: limit.0.saturating_sub(count), reset }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_and_the_whole_bot_are_counted_in_any_stretch() {
        let mut limits = Limits::default();
        let at = |milliseconds| DateTime::UNIX_EPOCH + TimeDelta::milliseconds(milliseconds);
        let second = TimeDelta::seconds(1);
        let mut take = |chat, now| limits.take(chat, (2, second), &[(1, second)], at(now));
        assert_eq!(take(1, 0), Ok(()));
        assert_eq!(take(1, 999), Err(Over { wait: TimeDelta::milliseconds(1), whole: false }));
        assert_eq!(take(2, 500), Ok(()));
        assert_eq!(take(3, 600), Err(Over { wait: TimeDelta::milliseconds(400), whole: true }));
        assert_eq!(take(1, 1_000), Ok(()));
    }
}
