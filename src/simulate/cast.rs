//! Resellers who read their chats: some take what they are offered, some pass, some let the time run out. What each does
//! with which message is the seed's to say.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::{
    Tenant,
    dice::{Dice, Purpose},
    messengers::{Doing, Messengers, Seen},
};
use crate::{clock::Clock, domain::profile::Tier};

/// Somebody, and what it is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub name: &'static str,
    pub tenant: Tenant,
    /// Of 1,000 messages with a deal, how many it takes, and how many it passes on; the others it leaves unanswered.
    takes: i64,
    passes: i64,
    /// How long it thinks: at least, at most.
    minutes: (i64, i64),
}

const FIRST_CHAT: i64 = 9_100_000_001;

/// One person: name, country, plan, preset, habits.
type Row = (&'static str, &'static str, Tier, &'static str, (i64, i64), (i64, i64));

/// Whoever is asked first ignores everything, so that every deal goes round.
const PEOPLE: [Row; 9] = [
    ("Harbor Cards", "US", Tier::Shop, "us_tcgplayer_eu_forwarder", (0, 0), (0, 0)),
    ("Mia", "US", Tier::Pro, "us_tcgplayer_eu_forwarder", (650, 200), (4, 50)),
    ("Theo", "US", Tier::Pro, "us_tcgplayer_eu_forwarder", (100, 800), (10, 90)),
    ("Kartenhaus", "DE", Tier::Shop, "de_cardmarket_us_forwarder", (300, 300), (15, 200)),
    ("Jana", "DE", Tier::Pro, "de_cardmarket_us_forwarder", (700, 200), (2, 40)),
    ("Wei", "SG", Tier::Pro, "sea_owner", (400, 300), (20, 240)),
    ("Oliver", "GB", Tier::Trader, "uk_reseller", (0, 0), (0, 0)),
    ("Ben", "DE", Tier::Free, "de_cardmarket_us_forwarder", (0, 0), (0, 0)),
    ("Ana", "US", Tier::Free, "us_tcgplayer_eu_forwarder", (0, 0), (0, 0)),
];

/// What somebody is about to press.
#[derive(Debug)]
struct Intent {
    at: DateTime<Utc>,
    doing: Doing,
}

/// See the module.
#[derive(Debug)]
pub struct Cast {
    seed: u64,
    people: Vec<Person>,
    /// The number of the last message that was read.
    read: i64,
    /// How many deals each was told of.
    told: Vec<usize>,
    intents: Vec<Intent>,
}

impl Cast {
    pub fn new(seed: u64) -> Self {
        let people: Vec<Person> = (FIRST_CHAT..)
            .zip(PEOPLE)
            .map(|(telegram_chat_id, (name, country, tier, preset, (takes, passes), minutes))| {
                // one of them reads on Discord as well
                let discord_channel_id = (name == "Kartenhaus").then_some(telegram_chat_id);
                Person { name, tenant: Tenant { telegram_chat_id, discord_channel_id, country, tier, preset }, takes, passes, minutes }
            })
            .collect();
        Self { seed, told: vec![0; people.len()], people, read: 0, intents: Vec::new() }
    }

    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// Reads what is new and makes up its minds.
    fn read(&mut self, new: &[(String, i64, Seen)], now: DateTime<Utc>) {
        for (platform, chat, seen) in new {
            self.read = self.read.max(seen.number());
            let person = self.people.iter().position(|person| person.tenant.telegram_chat_id == *chat && platform == "telegram");
            // only a deal has buttons
            let (Some(index), false) = (person, seen.buttons.is_empty()) else { continue };
            let (person, told) = (&self.people[index], &mut self.told[index]);
            *told += 1;
            let mut dice = Dice::new(self.seed, Purpose::Cast, index << 24 | *told);
            let mood = dice.between(0, 999);
            let button = match () {
                () if mood < person.takes => "Took it",
                () if mood < person.takes + person.passes => "Pass",
                () => continue,
            };
            let at = now + TimeDelta::minutes(dice.between(person.minutes.0, person.minutes.1));
            let doing = Doing::Press { chat: *chat, user: *chat, message: seen.id, button: button.to_owned() };
            self.intents.push(Intent { at, doing });
        }
    }

    /// What is to be pressed by now.
    fn due(&mut self, now: DateTime<Utc>) -> Vec<Doing> {
        self.intents.extract_if(.., |intent| intent.at <= now).map(|intent| intent.doing).collect()
    }
}

/// Between two looks at the chats.
const LOOK: Duration = Duration::from_mins(1);

/// Lets everybody read and answer until `shutdown`.
pub async fn live(mut cast: Cast, messengers: Arc<Messengers>, clock: Clock, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        let now = clock.now();
        cast.read(&messengers.written_after(cast.read), now);
        for doing in cast.due(now) {
            // a button may be gone by now, as on a real phone
            messengers.doing(&doing);
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = clock.sleep(LOOK) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    fn deal(id: i64, chat: i64) -> (String, i64, Seen) {
        let buttons = ["Took it", "Pass"].map(|label| (label.to_owned(), "x".to_owned())).to_vec();
        let at = DateTime::UNIX_EPOCH;
        let seen = Seen { id, at, ours: true, text: "a deal".into(), links: vec![], buttons, colour: None, edits: 0, popups: vec![] };
        ("telegram".into(), chat, seen)
    }

    /// What one person presses of a hundred deals, with when.
    fn answers(seed: u64, person: usize) -> Vec<(DateTime<Utc>, String)> {
        let mut cast = Cast::new(seed);
        let chat = cast.people[person].tenant.telegram_chat_id;
        let deals: Vec<_> = (1..=100).map(|id| deal(id, chat)).collect();
        cast.read(&deals, DateTime::UNIX_EPOCH);
        let button = |intent: &Intent| match &intent.doing {
            Doing::Press { button, .. } => button.clone(),
            other => panic!("{other:?}"),
        };
        cast.intents.iter().map(|intent| (intent.at, button(intent))).collect()
    }

    #[test]
    fn the_first_holder_ignores_all_and_others_act_pass_and_ignore_as_the_seed_says() {
        assert!(answers(7, 0).is_empty());
        let mia = answers(7, 1);
        let count = |button: &str| mia.iter().filter(|(_, pressed)| pressed == button).count();
        assert!((50..80).contains(&count("Took it")) && (8..35).contains(&count("Pass")), "{mia:?}");
        assert!(mia.len() < 100, "some are left unanswered");
        assert_eq!(mia, answers(7, 1));
        assert_ne!(mia, answers(8, 1));
    }

    #[test]
    fn nobody_presses_before_it_has_thought_and_nobody_presses_twice() {
        let mut cast = Cast::new(7);
        let chat = cast.people[1].tenant.telegram_chat_id;
        cast.read(&(1..=100).map(|id| deal(id, chat)).collect::<Vec<_>>(), DateTime::UNIX_EPOCH);
        assert!(cast.due(DateTime::UNIX_EPOCH).is_empty());
        let all = cast.intents.len();
        let last = cast.intents.iter().map(|intent| intent.at).max().unwrap();
        assert_eq!(cast.due(last).len(), all);
        assert!(cast.due(last).is_empty());
        assert_eq!(cast.read, 100);
    }
}
