//! When people suddenly write about a card: far more of them within half an hour than usual.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

/// What is counted together. A mention that is exactly so old is out.
pub const WINDOW: TimeDelta = TimeDelta::minutes(30);
/// The past that says what is usual.
pub const PAST: TimeDelta = TimeDelta::days(7);
/// More than so many times the usual is a spike.
pub const MULTIPLIER: Decimal = Decimal::from_parts(5, 0, 0, false, 0);

/// Somebody wrote of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    pub at: DateTime<Utc>,
    /// Who; whoever cannot be told from others is somebody else each time.
    pub author: String,
}

/// How many people wrote, and how many do usually.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spike {
    pub name: String,
    pub at: DateTime<Utc>,
    pub frequency: u32,
    /// People in half an hour, over the past; nothing where there is no past.
    pub baseline: Option<Decimal>,
}

impl Spike {
    /// How many times the usual; usual is at least one.
    pub fn strength(&self) -> Decimal {
        (Decimal::from(self.frequency) / usual(self.baseline)).round_dp(2)
    }
}

fn usual(baseline: Option<Decimal>) -> Decimal {
    baseline.unwrap_or(Decimal::ONE).max(Decimal::ONE)
}

/// Whether so many are a spike.
pub fn is_spike(frequency: u32, baseline: Option<Decimal>, multiplier: Decimal) -> bool {
    Decimal::from(frequency) > multiplier * usual(baseline)
}

/// People who wrote within the half hour up to a moment.
pub fn frequency(mentions: &[Mention], at: DateTime<Utc>) -> u32 {
    let lately = mentions.iter().filter(|mention| mention.at <= at && at - mention.at < WINDOW);
    count(lately.map(|mention| &mention.author).collect::<HashSet<_>>().len())
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// What was written of cards, each post at its own time.
#[derive(Debug, Clone, Default)]
pub struct Talk {
    /// Since when anybody has listened.
    began: Option<DateTime<Utc>>,
    /// Ascending by moment.
    by_name: BTreeMap<String, Vec<Mention>>,
}

impl Talk {
    /// Somebody wrote something, of cards or not.
    pub fn hear<'n>(&mut self, names: impl IntoIterator<Item = &'n str>, mention: &Mention) {
        self.began = Some(self.began.map_or(mention.at, |began| began.min(mention.at)));
        for name in names {
            let mentions = self.by_name.entry(name.to_owned()).or_default();
            let place = mentions.partition_point(|known| known.at <= mention.at);
            mentions.insert(place, mention.clone());
        }
    }

    /// The spike of a name at a moment, if there is one.
    pub fn spike(&self, name: &str, at: DateTime<Utc>) -> Option<Spike> {
        let mentions = self.by_name.get(name)?;
        let (frequency, baseline) = (frequency(mentions, at), self.baseline(mentions, at));
        is_spike(frequency, baseline, MULTIPLIER).then(|| Spike { name: name.to_owned(), at, frequency, baseline })
    }

    /// People in half an hour, over the windows of the past that somebody has listened in.
    fn baseline(&self, mentions: &[Mention], at: DateTime<Utc>) -> Option<Decimal> {
        let window = |moment: DateTime<Utc>| (at - moment).num_seconds() / WINDOW.num_seconds();
        let first = at - PAST;
        let windows = window(self.began?.max(first)).max(0);
        // one author counts once in each window
        let past = mentions.iter().filter(|mention| mention.at > first && at - mention.at >= WINDOW);
        let people: BTreeSet<(i64, &str)> = past.map(|mention| (window(mention.at), mention.author.as_str())).collect();
        (windows > 0).then(|| Decimal::from(people.len()) / Decimal::from(windows))
    }

    /// The first spike of each name that lasts, a moment after the other: one that goes on is told once in `quiet`.
    pub fn spikes(&self, quiet: TimeDelta) -> Vec<Spike> {
        let mut found = Vec::new();
        for (name, mentions) in &self.by_name {
            let mut last: Option<DateTime<Utc>> = None;
            for mention in mentions {
                if last.is_none_or(|last| mention.at - last >= quiet)
                    && let Some(spike) = self.spike(name, mention.at)
                {
                    last = Some(mention.at);
                    found.push(spike);
                }
            }
        }
        found.sort_by(|one, other| one.at.cmp(&other.at).then_with(|| one.name.cmp(&other.name)));
        found
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        "2026-11-24T12:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
    }

    fn talk(told: &[(i64, &str)]) -> Talk {
        let mut talk = Talk::default();
        for (minutes, author) in told {
            talk.hear(["mew"], &Mention { at: at(*minutes), author: (*author).to_owned() });
        }
        talk
    }

    #[test]
    fn one_author_counts_once_and_six_are_a_spike_where_five_are_none() {
        let mut told = vec![(1, "a"), (2, "a"), (3, "b"), (4, "c"), (5, "d"), (6, "e")];
        assert_eq!(talk(&told).spike("mew", at(6)), None, "five people");
        told.push((7, "f"));
        let spike = talk(&told).spike("mew", at(7)).unwrap();
        assert_eq!((spike.frequency, spike.baseline, spike.strength()), (6, None, Decimal::from(6)));
        assert_eq!(talk(&told).spike("mewtwo", at(7)), None);
        // at half past, the first two are exactly half an hour old or older
        assert_eq!(talk(&told).spike("mew", at(32)), None);
    }

    #[test]
    fn what_is_usual_is_the_mean_of_the_past_windows_without_the_present_one() {
        // over the ten hours before, three people in each of the twenty windows
        let mut told: Vec<(i64, &str)> = (1..=20).flat_map(|window| ["a", "b", "c"].map(|author| (-30 * window, author))).collect();
        let many = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o"];
        told.extend((0..).zip(many));
        let talk = talk(&told);
        assert_eq!(talk.spike("mew", at(14)), None, "fifteen are five times three, not more");
        let mentions = &talk.by_name["mew"];
        assert_eq!(talk.baseline(mentions, at(14)), Some(Decimal::from(3)));
    }

    #[test]
    fn a_spike_that_goes_on_is_told_once_in_a_while() {
        let told: Vec<(i64, String)> = (0..60).map(|minute| (minute, format!("p{minute}"))).collect();
        let told: Vec<(i64, &str)> = told.iter().map(|(minute, author)| (*minute, author.as_str())).collect();
        let spikes = talk(&told).spikes(TimeDelta::hours(4));
        assert_eq!(spikes.iter().map(|spike| spike.at).collect::<Vec<_>>(), [at(5)]);
    }
}
