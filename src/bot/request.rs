//! What somebody wants: a command or a button, read from an update without looking anything up.

use std::str::FromStr;

use teloxide_core::types::{CallbackQueryId, Update, UpdateKind};

use crate::domain::message::Action;

/// One update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub chat: i64,
    pub user: i64,
    pub wish: Wish,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    Command(Command),
    /// A pressed button; what it says is not ours to believe.
    Button {
        query: CallbackQueryId,
        pressed: Option<(Action, String)>,
    },
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Start {
        code: Option<String>,
    },
    Signals,
    /// About a signal's id, or words of a card's name.
    Why {
        about: Option<String>,
    },
    Profile,
    Set {
        field: String,
        value: String,
    },
    Pause {
        resume: bool,
    },
    Help,
    /// Anything else.
    Other,
}

/// Letters of an update that are looked at: an id, a field and a value are short.
const LONGEST: usize = 400;

impl Request {
    /// `None` for updates that ask for nothing: joins, pictures, channel posts.
    pub fn of(update: &Update) -> Option<Self> {
        match &update.kind {
            UpdateKind::Message(message) => {
                let user = message.from.as_ref().filter(|user| !user.is_bot)?;
                let text: String = message.text()?.chars().take(LONGEST).collect();
                let chat = message.chat.id.0;
                // in a group people also talk to each other
                let command = Command::read(&text).or((chat > 0).then_some(Command::Other))?;
                Some(Self { chat, user: number(user.id.0), wish: Wish::Command(command) })
            }
            UpdateKind::CallbackQuery(query) => {
                let chat = query.message.as_ref()?.chat().id.0;
                let pressed = query.data.as_deref().and_then(pressed);
                Some(Self { chat, user: number(query.from.id.0), wish: Wish::Button { query: query.id.clone(), pressed } })
            }
            _ => None,
        }
    }
}

fn number(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

/// `take:4f2a91c0`.
fn pressed(data: &str) -> Option<(Action, String)> {
    let (action, id) = data.split_once(':')?;
    let is_id = id.len() <= 16 && !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    Some((Action::from_str(action).ok()?, id.to_owned())).filter(|_| is_id)
}

impl Command {
    /// `None` for a text that is no command. `/why@tcg_radar_bot 4f2a91c0` is said in groups.
    fn read(text: &str) -> Option<Self> {
        let mut words = text.strip_prefix('/')?.split_whitespace();
        let name = words.next()?.split('@').next()?.to_ascii_lowercase();
        let mut next = || words.next().map(str::to_owned);
        Some(match name.as_str() {
            "start" => Self::Start { code: next() },
            "signals" => Self::Signals,
            "why" => Self::Why { about: Some(words.collect::<Vec<_>>().join(" ")).filter(|words| !words.is_empty()) },
            "profile" => Self::Profile,
            "set" => Self::Set { field: next().unwrap_or_default(), value: words.collect::<Vec<_>>().join(" ") },
            "pause" => Self::Pause { resume: next().is_some_and(|word| word.eq_ignore_ascii_case("off")) },
            "resume" => Self::Pause { resume: true },
            "help" => Self::Help,
            _ => Self::Other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_with_its_words_and_talk_is_not() {
        assert_eq!(Command::read("/why@tcg_radar_bot  4f2a91c0 please"), Some(Command::Why { about: Some("4f2a91c0 please".into()) }));
        assert_eq!(Command::read("/why "), Some(Command::Why { about: None }));
        let set = Command::Set { field: "quiet_hours".into(), value: "22:00 - 07:00".into() };
        assert_eq!(Command::read("/SET quiet_hours 22:00 - 07:00"), Some(set));
        assert_eq!(Command::read("/pause off"), Some(Command::Pause { resume: true }));
        assert_eq!(Command::read("/dance"), Some(Command::Other));
        assert_eq!(Command::read("hello /why"), None);
        assert_eq!(Command::read("/"), None);
    }

    #[test]
    fn a_button_that_we_never_made_presses_nothing() {
        assert_eq!(pressed("take:4f2a91c0"), Some((Action::Take, "4f2a91c0".into())));
        for forged in ["take", "take:", "take:a'b", "drop:4f2a91c0", "take:00000000000000000", ""] {
            assert_eq!(pressed(forged), None, "{forged}");
        }
    }
}
