//! What moves a card beyond its prices: a tournament, a burst of talk, a rumour. A card is flagged for as long as it does.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{book::CardIndex, market::closed_set};

closed_set! {
    /// What has happened.
    EventKind, "kind of event" {
        /// It did well at a tournament.
        Tournament = "TOURNAMENT",
        /// It is played together with a card that did.
        Synergy = "SYNERGY",
        /// Suddenly many people write about it.
        SocialSpike = "SOCIAL_SPIKE",
        Rotation = "ROTATION",
        /// It may be played no more; the metadata will say so later.
        Ban = "BAN",
        ReprintRumour = "REPRINT_RUMOUR",
    }
}

/// A flag of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flag {
    pub card: CardIndex,
    pub kind: EventKind,
    pub started_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

impl Flag {
    /// The moment of its end is none of its moments.
    pub fn is_live(&self, at: DateTime<Utc>) -> bool {
        self.started_at <= at && at < self.expires_at
    }
}

/// The flags of one card, of some that are ascending by card.
pub fn of_card(flags: &[Flag], card: CardIndex) -> &[Flag] {
    let from = flags.partition_point(|flag| flag.card < card);
    let count = flags[from..].partition_point(|flag| flag.card == card);
    &flags[from..from + count]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    fn flag(card: usize, kind: EventKind) -> Flag {
        let started_at: DateTime<Utc> = "2026-11-24T12:00:00Z".parse().unwrap();
        Flag { card: CardIndex(card), kind, started_at, expires_at: started_at + chrono::TimeDelta::hours(4) }
    }

    #[test]
    fn a_flag_lives_from_its_start_and_not_at_its_end() {
        let flag = flag(0, EventKind::Ban);
        let at = |seconds| flag.is_live(flag.started_at + chrono::TimeDelta::seconds(seconds));
        assert_eq!([-1, 0, 4 * 3600 - 1, 4 * 3600].map(at), [false, true, true, false]);
    }

    #[test]
    fn a_cards_flags_are_found_among_those_of_others() {
        let flags = [flag(1, EventKind::Ban), flag(3, EventKind::Tournament), flag(3, EventKind::Ban), flag(9, EventKind::Ban)];
        let counts = [0, 1, 2, 3, 9, 10].map(|card| of_card(&flags, CardIndex(card)).len());
        assert_eq!(counts, [0, 1, 0, 2, 1, 0]);
    }
}
