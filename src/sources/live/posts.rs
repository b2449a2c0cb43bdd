//! What the platforms' feeds of posts share.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use crate::{
    domain::talk::{Platform, Post},
    sources::{Entry, Outcome},
};

/// What is older says nothing about the usual any more.
const OLDEST: TimeDelta = TimeDelta::days(7);
/// Letters of a post that are looked at.
const LONGEST: usize = 4_000;

/// One post, as its platform tells it.
pub struct Told<'a> {
    pub platform: Platform,
    pub id: &'a str,
    pub author: Option<&'a str>,
    pub text: String,
    pub at: DateTime<Utc>,
}

impl Told<'_> {
    pub fn outcome(self, now: DateTime<Utc>) -> Outcome {
        if self.id.is_empty() || self.id.len() > 64 {
            return Outcome::Refused("a post without a number".into());
        }
        if self.at > now + TimeDelta::hours(1) {
            return Outcome::Refused("it is of the future".into());
        }
        if self.at < now - OLDEST {
            return Outcome::Skipped("older than a week");
        }
        // who was deleted, or does not want to be told apart
        let author = self.author.map(|name| name.trim_start_matches("/u/")).filter(|name| !matches!(*name, "" | "[deleted]"));
        Outcome::Values(vec![Entry::Post(Box::new(Post {
            platform: self.platform,
            id: self.id.to_owned(),
            author: author.map(|name| hashed(self.platform, name)),
            // the database's texts hold no zero
            text: self.text.chars().filter(|letter| *letter != '\0').take(LONGEST).collect(),
            posted_at: self.at,
        }))])
    }
}

/// Tells authors apart without naming them.
fn hashed(platform: Platform, name: &str) -> String {
    let hash = Sha256::digest(format!("{platform} {name}"));
    // twelve bytes keep millions of authors apart
    STANDARD.encode(&hash[..12])
}
