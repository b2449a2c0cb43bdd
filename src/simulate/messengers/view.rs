//! What the reader of a chat sees.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Platforms, discord::FIRST_ID};

/// A chat with its messages, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chat {
    pub platform: String,
    pub chat: i64,
    pub messages: Vec<Seen>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    pub id: i64,
    pub at: DateTime<Utc>,
    /// By the bot; else by somebody in the chat.
    pub ours: bool,
    /// Without markup.
    pub text: String,
    pub links: Vec<String>,
    /// What each button says, and what it sends.
    pub buttons: Vec<(String, String)>,
    /// `#rrggbb`, on Discord.
    pub colour: Option<String>,
    /// How often it was changed.
    pub edits: u32,
    /// Short words that came up when a button was pressed.
    pub popups: Vec<String>,
}

impl Seen {
    /// Its place among all messages of both platforms.
    pub const fn number(&self) -> i64 {
        self.id % FIRST_ID
    }
}

impl Platforms {
    /// Both platforms count on from the same number, but Discord from another beginning.
    pub(super) fn written_after(&self, number: i64) -> Vec<(String, i64, Seen)> {
        let of_chat = |((platform, chat), messages): (&(String, i64), &Vec<Seen>)| {
            let new = messages.iter().rev().take_while(|seen| seen.number() > number).filter(|seen| seen.ours);
            new.map(|seen| (platform.clone(), *chat, seen.clone())).collect::<Vec<_>>()
        };
        let mut new: Vec<_> = self.chats.iter().flat_map(of_chat).collect();
        new.sort_by_key(|(_, _, seen)| seen.number());
        new
    }

    pub(super) fn seen(&self) -> Vec<Chat> {
        let chat = |((platform, chat), messages): (&(String, i64), &Vec<Seen>)| Chat {
            platform: platform.clone(),
            chat: *chat,
            messages: messages.clone(),
        };
        self.chats.iter().map(chat).collect()
    }
}

/// All chats as text.
pub fn plain(chats: &[Chat]) -> String {
    let mut text = String::new();
    for chat in chats {
        let _ = writeln!(text, "=== {} {}", chat.platform, chat.chat);
        for message in &chat.messages {
            let who = if message.ours { "TCG Radar" } else { "you" };
            let edited = if message.edits > 0 { ", edited" } else { "" };
            let _ = writeln!(text, "\n[{}] {who}, {}{edited}", message.id, message.at.format("%H:%M:%S"));
            for line in message.text.lines() {
                let _ = writeln!(text, "    {line}");
            }
            if !message.buttons.is_empty() {
                let labels: Vec<String> = message.buttons.iter().map(|(label, _)| format!("[{label}]")).collect();
                let _ = writeln!(text, "    {}", labels.join(" "));
            }
            for popup in &message.popups {
                let _ = writeln!(text, "    ({popup})");
            }
        }
        text.push('\n');
    }
    text
}
