//! Live feeds: what each asks its vendor, and what the answers say. One file a vendor.
//!
//! A source does no I/O of its own. It says what to ask next and reads the answer; the ingest loop sends, spends the
//! quota, waits, and stores rows and state together. So a source is tested by feeding it answers, and a run that was cut
//! off goes on where it stopped.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value as Json;

use super::{
    Emit, Entry, Format, Input, NO_PRICE, Outcome, Row, SourceError,
    http::{Answer, HttpError, Request},
};
use crate::domain::{
    feed::{Budget, Period, Told},
    market::Market,
};

mod cardmarket;
mod catalogue;
mod discord_channels;
mod ecb;
mod exchangerate;
mod justtcg;
mod limitless;
mod pokemontcg;
mod poketrace;
mod posts;
mod reddit;
mod tcgcsv;
mod x_counts;

pub use self::catalogue::{all, social};

/// A vendor's live feed: one of the two open edges of the program.
pub trait Source: Send + Sync {
    fn about(&self) -> &About;

    /// What to ask next, or none where the run has all that there is.
    fn next(&self, run: &Run) -> Option<Request>;

    /// Hands over what the answer to [`Source::next`] says, and where the run goes on.
    ///
    /// # Errors
    /// An answer that is no good; nothing that was handed over is stored then.
    fn read(&self, run: &Run, answer: Answer, emit: &mut Emit<'_>) -> Result<Step, Fault>;
}

/// What scheduler, database and operator know a source by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    pub name: &'static str,
    /// From one run to the next.
    pub cadence: TimeDelta,
    pub budget: Budget,
    /// What it asks for by name or number, where it cannot ask for everything.
    pub asks_for: Option<Asks>,
    /// Ids that one request may name, until the vendor tells.
    pub batch: u32,
    /// Whether it brings days that were there to be known long before they are fetched.
    pub is_archive: bool,
}

/// What a source asks for, one or some at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// A market's products, by number.
    Products(Market),
    /// The names of cards.
    Names,
}

/// Where a run stands.
#[derive(Debug, Clone)]
pub struct Run {
    pub now: DateTime<Utc>,
    pub began: DateTime<Utc>,
    /// What the source's last [`Step`] left.
    pub state: Json,
    /// Requests that this run may still make, this one included.
    pub left: u32,
    /// Ids that one request may name.
    pub batch: usize,
    /// Products or names to ask for, the most urgent first.
    pub wanted: Vec<String>,
}

impl Run {
    /// The state in the source's own form; a form of another version is a fresh start.
    pub fn state<T: DeserializeOwned + Default>(&self) -> T {
        T::deserialize(&self.state).unwrap_or_default()
    }

    /// The products that the next request names.
    pub fn batch(&self) -> &[String] {
        &self.wanted[..self.wanted.len().min(self.batch)]
    }
}

/// What an answer leaves behind beside its rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Step {
    pub state: Json,
    /// Whether there is more to ask in this run.
    pub more: bool,
    pub told: Told,
    /// Products that the answer was about, whether it knew them or not.
    pub asked: Vec<String>,
    /// When there will be something new, where the vendor says so.
    pub resume_at: Option<DateTime<Utc>>,
}

impl Step {
    /// # Errors
    /// A state that has no JSON form: none of ours.
    pub fn to(state: &impl Serialize, more: bool) -> Result<Self, Fault> {
        let state = serde_json::to_value(state).map_err(|error| Fault::Format(error.to_string()))?;
        Ok(Self { state, more, ..Self::default() })
    }
}

/// Why an answer is no good.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("{from} refused the key (status {status}): {how}")]
    Key { from: String, status: u16, how: &'static str },
    #[error("{from} answered that the {period}'s quota is spent (status 429)")]
    Quota { from: String, period: Period, retry_after: Option<TimeDelta> },
    #[error("{from} is in trouble (status {status})")]
    Server { from: String, status: u16, retry_after: Option<TimeDelta> },
    #[error("{from} refused the request (status {status})")]
    Refused { from: String, status: u16 },
    #[error("not what the vendor documents: {0}")]
    Format(String),
    #[error(transparent)]
    Content(#[from] SourceError),
}

impl Fault {
    /// Whether the same request may succeed later without anyone changing anything.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Http(error) => error.is_retryable(),
            Self::Quota { .. } | Self::Server { .. } | Self::Format(_) | Self::Content(_) => true,
            Self::Key { .. } | Self::Refused { .. } => false,
        }
    }

    /// How long the vendor asks us to wait.
    pub const fn retry_after(&self) -> Option<TimeDelta> {
        match self {
            Self::Quota { retry_after, .. } | Self::Server { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// The bytes of a good answer; `key` names the variable to correct where the vendor refuses it.
fn good(answer: &Answer, key: &'static str) -> Result<(), Fault> {
    let (from, status, retry_after) = (answer.from.clone(), answer.status, answer.retry_after);
    match status {
        200 => Ok(()),
        401 | 403 => Err(Fault::Key { from, status, how: key }),
        429 => Err(Fault::Quota { from, period: Period::Minute, retry_after }),
        500.. => Err(Fault::Server { from, status, retry_after }),
        _ => Err(Fault::Refused { from, status }),
    }
}

/// What [`good`] says of a feed that needs no key.
const NO_KEY: &str = "the feed needs none, so the vendor does not want us: ask it less often";

/// A good answer's text, which must be JSON: a web page between us and the vendor is none.
fn json(answer: &Answer) -> Result<&[u8], Fault> {
    let text = answer.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&answer.body);
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{' | b'[') => Ok(text),
        Some(b'<') => Err(Fault::Format(format!("{} sent a web page where JSON was due", answer.from))),
        _ => Err(Fault::Format(format!("{} sent something else than JSON", answer.from))),
    }
}

/// Reads a document of a good answer.
fn document<'a, T: serde::Deserialize<'a>>(answer: &'a Answer) -> Result<T, Fault> {
    Ok(super::json::document(json(answer)?)?)
}

/// Hands over the rows of an answer that is one of the files that can be imported, too. An answer all of whose rows are
/// empty or refused is refused whole: that is what a renamed field looks like.
fn file(format: &Format, name: &str, answer: &Answer, run: &Run, emit: &mut Emit<'_>) -> Result<(), Fault> {
    let input = Input::stream(name, &*answer.body)?;
    if !(format.recognises)(input.head()) {
        return Err(Fault::Format(format!("{} sent no {}", answer.from, format.name)));
    }
    understood(run.now, emit, |emit| (format.read)(input.into_body(run.now), emit))
}

/// Refuses an answer none of whose rows has a price or can be understood: that is what a renamed field looks like.
fn understood(now: DateTime<Utc>, emit: &mut Emit<'_>, read: impl FnOnce(&mut Emit<'_>) -> Result<(), SourceError>) -> Result<(), Fault> {
    let (mut values, mut empty, mut first) = (0_u64, 0_u64, None);
    let latest = now + AHEAD;
    read(&mut |mut row: Row| {
        if let Outcome::Values(entries) = &row.outcome {
            let is_ahead = |entry: &Entry| match entry {
                Entry::Observation(seen) => seen.observed_at > latest,
                Entry::Rate(rate) => rate.date > latest.date_naive(),
                _ => false,
            };
            if entries.iter().any(is_ahead) {
                row.outcome = Outcome::Refused("it is of the future".into());
            }
        }
        let why = match &row.outcome {
            Outcome::Values(entries) if entries.iter().all(lacks_its_price) => Some(NO_PRICE),
            Outcome::Values(_) => {
                values += 1;
                None
            }
            Outcome::Skipped(why) => (*why == NO_PRICE).then_some(*why),
            Outcome::Refused(why) => Some(why.as_str()),
        };
        if let Some(why) = why {
            empty += 1;
            first.get_or_insert_with(|| why.to_owned());
        }
        emit(row)
    })?;
    if empty > 0 && values == 0 {
        return Err(SourceError::NothingUnderstood { rows: empty, first: first.unwrap_or_default() }.into());
    }
    Ok(())
}

/// What is asked for a thing does not make up for its price.
fn lacks_its_price(entry: &Entry) -> bool {
    matches!(entry, Entry::Observation(seen) if seen.price.is_none())
}

/// A vendor's clock may be a little ahead of ours.
const AHEAD: TimeDelta = TimeDelta::hours(24);

#[cfg(test)]
mod testing;
