//! What goes wrong with platforms, to be done once and on purpose.

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::Reply;

/// A deed and whom it is for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// `telegram` or `discord`.
    pub platform: String,
    /// Any chat, if none.
    #[serde(default)]
    pub chat: Option<i64>,
    pub deed: Deed,
}

/// One bad answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// A refusal: nothing is posted.
    Refuse {
        status: u16,
        #[serde(default)]
        body: Json,
        #[serde(default)]
        retry_after: Option<String>,
    },
    /// The message is posted, and the connection ends without an answer.
    Lost,
    /// The message is posted, and the answer comes too late.
    Hang { seconds: u64 },
    /// The message is posted; the first half of the answer comes.
    Truncated,
    /// The message is posted; a web page comes in place of the answer, with this status.
    WebPage { status: u16 },
}

impl Order {
    pub fn new(platform: &str, chat: Option<i64>, deed: Deed) -> Self {
        Self { platform: platform.to_owned(), chat, deed }
    }

    /// Telegram's refusal, in its words.
    pub fn telegram_refuses(chat: Option<i64>, status: u16, description: &str) -> Self {
        let body = json!({ "ok": false, "error_code": status, "description": description });
        Self::new("telegram", chat, Deed::Refuse { status, body, retry_after: None })
    }

    /// Discord's refusal, in its numbers.
    pub fn discord_refuses(chat: Option<i64>, status: u16, code: u32, message: &str) -> Self {
        Self::new("discord", chat, Deed::Refuse { status, body: json!({ "message": message, "code": code }), retry_after: None })
    }

    pub(super) fn is_about(&self, platform: &str, chat: i64) -> bool {
        self.platform == platform && self.chat.is_none_or(|wanted| wanted == chat)
    }
}

impl Deed {
    pub(super) fn spoil(&self, mut reply: Reply) -> Reply {
        match self {
            Self::Truncated => reply.body.truncate(reply.body.len() / 2),
            Self::WebPage { status } => {
                reply.status = *status;
                reply.headers = vec![("content-type", "text/html".to_owned())];
                reply.body = b"<!DOCTYPE html><html><title>Just a moment...</title></html>".to_vec();
            }
            Self::Refuse { .. } | Self::Lost | Self::Hang { .. } => {}
        }
        reply
    }
}
