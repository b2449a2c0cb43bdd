//! Discord: what is written in some channels that the bot may read.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{About, Fault, Run, Source, Step, document, good, posts::Told};
use crate::{
    config::outbound::BaseUrl,
    domain::{
        feed::Budget,
        talk::{Platform, discord_moment},
    },
    sources::{
        Emit, Outcome,
        http::{Address, Answer, Request},
        json,
    },
};

const KEY: &str = "let the bot read the channels of DISCORD_MONITOR_CHANNEL_IDS (view channel, message history, message content)";
const PAGE: usize = 100;

pub struct DiscordChannels {
    about: About,
    base: BaseUrl,
    token: SecretString,
    channels: Vec<u64>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// The channel that is next.
    next: usize,
    /// By channel, the last message that was read.
    last: BTreeMap<u64, u64>,
}

impl DiscordChannels {
    pub fn new(base: BaseUrl, token: SecretString, channels: Vec<u64>, cadence: TimeDelta) -> Self {
        let budget = Budget { spacing: TimeDelta::milliseconds(1_100), ..Budget::default() };
        let about = About { name: "discord_channels", cadence, budget, asks_for: None, batch: 0, is_archive: false };
        Self { about, base, token, channels }
    }
}

#[derive(Deserialize)]
struct Message {
    id: String,
    #[serde(default)]
    content: String,
    author: Author,
}

#[derive(Deserialize)]
struct Author {
    id: String,
    #[serde(default)]
    bot: bool,
}

impl Source for DiscordChannels {
    fn about(&self) -> &About {
        &self.about
    }

    fn next(&self, run: &Run) -> Option<Request> {
        let state: State = run.state();
        let channel = self.channels.get(state.next)?;
        let address = Address::of(&self.base).path(&format!("api/v10/channels/{channel}/messages")).query("limit", PAGE);
        let address = match state.last.get(channel) {
            Some(last) => address.query("after", last),
            None => address,
        };
        Some(Request { key: Some(("authorization", format!("Bot {}", self.token.expose_secret()).into())), ..Request::get(address) })
    }

    fn read(&self, run: &Run, answer: Answer, emit: &mut Emit<'_>) -> Result<Step, Fault> {
        good(&answer, KEY)?;
        let mut state: State = run.state();
        let messages: Vec<&RawValue> = document(&answer)?;
        let mut last = None;
        json::each_row(&answer.body, &messages, emit, |message: Message| {
            let Some(at) = discord_moment(&message.id) else { return vec![Outcome::Refused("a message whose number is none".into())] };
            last = last.max(message.id.parse().ok());
            if message.author.bot {
                return vec![Outcome::Skipped("written by a program")];
            }
            let author = Some(message.author.id.as_str());
            vec![Told { platform: Platform::Discord, id: &message.id, author, text: message.content, at }.outcome(run.now)]
        })?;
        let channel = self.channels.get(state.next).copied().unwrap_or_default();
        let is_first = !state.last.contains_key(&channel);
        state.last.extend(last.map(|last| (channel, last)));
        // what was written before we began to listen is not caught up with
        if messages.len() < PAGE || is_first {
            state.next += 1;
        }
        let more = state.next < self.channels.len();
        if !more {
            state.next = 0;
        }
        Step::to(&state, more)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::{super::testing::*, *};
    use crate::sources::Entry;

    #[test]
    fn a_channel_is_read_on_from_the_last_message_and_programs_are_not_heard() {
        let source = DiscordChannels::new(BaseUrl::parse("https://discord.com").unwrap(), "t".into(), vec![7, 8], TimeDelta::minutes(30));
        let fresh = run(serde_json::Value::Null, &[]);
        assert_eq!(asked(&source, &fresh).unwrap().0, "https://discord.com/api/v10/channels/7/messages?limit=100");
        // 2026-11-22T11:59:50Z is 375_278_390_000 ms after Discord's beginning
        let id = 375_278_390_000_u64 << 22;
        let body = format!(
            r#"[{{"id":"{}","content":"Mew!","author":{{"id":"1","username":"ann"}}}},{{"id":"{id}","content":"sold","author":{{"id":"2","bot":true}}}},
                {{"id":"x","content":"?","author":{{"id":"1"}}}}]"#,
            id + 5
        );
        let (step, rows) = read(&source, &fresh, answer(200, body)).unwrap();
        let Outcome::Values(entries) = &rows[0].outcome else { panic!("{rows:?}") };
        let Entry::Post(post) = &entries[0] else { panic!("{entries:?}") };
        assert_eq!((post.posted_at.to_rfc3339().as_str(), post.text.as_str()), ("2026-11-22T11:59:50+00:00", "Mew!"));
        assert!(matches!(rows[1].outcome, Outcome::Skipped(_)) && matches!(rows[2].outcome, Outcome::Refused(_)));
        assert!(step.more);
        assert_eq!(asked(&source, &run(step.state.clone(), &[])).unwrap().0, "https://discord.com/api/v10/channels/8/messages?limit=100");
        let (step, _) = read(&source, &run(step.state, &[]), answer(200, "[]")).unwrap();
        assert!(!step.more);
        let again = asked(&source, &run(step.state, &[])).unwrap().0;
        assert_eq!(again, format!("https://discord.com/api/v10/channels/7/messages?limit=100&after={}", id + 5));
    }
}
