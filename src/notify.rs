//! The platforms that messages go to: each gives a message its own form, sends it part by part, and says what became of
//! every part in the same few words.

use std::pin::Pin;

use chrono::TimeDelta;
use serde_json::Value as Json;

use crate::domain::message::{Channel, Words};

pub mod discord;
mod http;
mod split;
pub mod telegram;

pub use self::http::SetUpError;

/// A request's outcome, as it comes about.
pub type Outcome<'a> = Pin<Box<dyn Future<Output = Result<Arrived, Trouble>> + Send + 'a>>;

/// A platform.
pub trait Notifier: Send + Sync {
    fn channel(&self) -> Channel;

    /// A message in as many parts as the platform's limits ask for. Nothing is cut.
    fn parts(&self, words: &Words) -> Vec<Part>;

    /// Sends a part to a chat, or puts it in the place of one that arrived. The same `nonce` stands for the same part,
    /// where a platform can tell.
    fn put<'a>(&'a self, chat: i64, part: &'a Part, replaces: Option<i64>, nonce: &'a str) -> Outcome<'a>;
}

/// A part of a message as the platform takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Part(pub Json);

/// A part is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    pub id: i64,
    /// How long the platform wants that chat left alone from now on.
    pub rest: Option<TimeDelta>,
}

/// A part is not there, or perhaps. No text holds an address or anything of what was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Too many messages.
    #[error("asked to wait {} ms", after.num_milliseconds())]
    Slower { after: TimeDelta, whole_bot: bool },
    /// It did not arrive; it may later.
    #[error("{0}")]
    Failed(String),
    /// It may have arrived: no answer told.
    #[error("{0}")]
    Lost(String),
    /// The token is not taken: nothing arrives before the operator mends it.
    #[error("{0}")]
    Locked(String),
    /// This chat takes nothing from us.
    #[error("{0}")]
    Dead(String),
    /// The platform will not have this part.
    #[error("{0}")]
    Refused(String),
}
