//! What other people's files and feeds look like: one file a format, each turns bytes into domain values; and in
//! [`live`] whom to ask for them, one file a vendor.
//!
//! A format is recognised by its content, never by its name. It reads a stream and says of every row that it is values,
//! nothing to store, or refused with the reason; a fault that puts the whole file in doubt is an error, and the caller
//! then stores nothing of it. A new format is one file here and one line in [`FORMATS`].

mod cardmarket_csv;
mod cardmarket_guide;
mod cardmarket_products;
mod crosswalk;
mod decklist;
mod dual_csv;
mod ecb;
pub mod exchangerate_api;
pub mod figure;
pub mod http;
mod input;
mod json;
pub mod live;
mod long_csv;
mod pokemontcg_cards;
mod pokemontcg_prices;
mod pokemontcg_sets;
mod quote;
pub mod reddit_titles;
mod table;
mod tcgcsv;
mod tcgcsv_archive;
mod tcgcsv_table;
#[cfg(test)]
pub mod testing;

use std::io;

use chrono::{DateTime, Utc};

use crate::domain::{
    card::{Card, CardSet},
    deck::Tournament,
    money::DailyRate,
    observation::{Activity, Observation},
    product::{CardProduct, Product},
    talk::{Post, TalkCount},
};

pub use input::{Body, Head, Input, ReadSeek};

/// One thing that a file told us.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    Set(CardSet),
    Card(Box<Card>),
    Product(Product),
    CardProduct(CardProduct),
    Rate(DailyRate),
    Observation(Box<Observation>),
    Activity(Box<Activity>),
    Tournament(Box<Tournament>),
    Post(Box<Post>),
    TalkCount(Box<TalkCount>),
}

/// What became of one row.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Everything that the row says; a card of the API brings its set and its prices.
    Values(Vec<Entry>),
    /// A good row with nothing to store, and why.
    Skipped(&'static str),
    /// A row that is not understood, and why.
    Refused(String),
}

/// The reason of a row that has no figure: a zero, a null and a dash are a feed's "no data".
pub const NO_PRICE: &str = "no price";

/// A row of a file and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The line that it begins on, counted from 1; in an archive, the line within `member`.
    pub line: u64,
    /// The archive's member that the row stands in.
    pub member: Option<String>,
    pub outcome: Outcome,
}

impl Row {
    pub const fn new(line: u64, outcome: Outcome) -> Self {
        Self { line, member: None, outcome }
    }
}

/// Takes rows as they are read. Its error stops the reading.
pub type Emit<'a> = dyn FnMut(Row) -> Result<(), SourceError> + 'a;

/// What has to be stored before what: prices find their product through ids, ids their card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Sets,
    Cards,
    Ids,
    Rates,
    Prices,
}

/// A kind of file that we understand.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    pub name: &'static str,
    pub phase: Phase,
    /// Whether the content's beginning is of this kind.
    pub recognises: fn(&Head) -> bool,
    pub read: fn(Body, &mut Emit<'_>) -> Result<(), SourceError>,
}

/// Every format, in the order in which they are tried.
pub const FORMATS: &[Format] = &[
    pokemontcg_sets::FORMAT,
    pokemontcg_cards::FORMAT,
    cardmarket_products::FORMAT,
    crosswalk::TCGPLAYER,
    crosswalk::BOTH_MARKETS,
    ecb::FORMAT,
    long_csv::FORMAT,
    tcgcsv_table::FORMAT,
    tcgcsv::FORMAT,
    tcgcsv_archive::FORMAT,
    cardmarket_guide::FORMAT,
    dual_csv::FORMAT,
    cardmarket_csv::FORMAT,
    decklist::FORMAT,
];

/// The format of a content, from its beginning.
///
/// # Errors
/// A content that no format recognises.
pub fn recognise(head: &Head) -> Result<&'static Format, SourceError> {
    FORMATS.iter().find(|format| (format.recognises)(head)).ok_or_else(|| SourceError::NotRecognised { shows: head.shows() })
}

/// A date far enough away to be a typing error.
pub(crate) fn latest_plausible(now: DateTime<Utc>) -> DateTime<Utc> {
    now + chrono::Days::new(366)
}

/// Why a file is refused whole.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("not a file that can be imported ({shows})")]
    NotRecognised { shows: String },
    #[error("the file is cut off: fetch it again ({0})")]
    Truncated(String),
    #[error("line {line}: {reason}")]
    Malformed { line: u64, reason: String },
    #[error("{what} is more than the limit of {limit}: split the file")]
    TooLarge { what: &'static str, limit: u64 },
    #[error("the archive is damaged or uses a method other than PPMd, LZMA or copy: fetch it again ({0})")]
    Archive(String),
    #[error("none of its {rows} rows can be understood; the first: {first}")]
    NothingUnderstood { rows: u64, first: String },
    #[error("cannot read: {0}")]
    Io(io::Error),
    /// The receiver of the rows has gone; it knows why.
    #[error("the import was stopped")]
    Stopped,
}

impl SourceError {
    /// Whether the same call may succeed later: a read may, a bad content may not.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Io(_) | Self::Stopped)
    }
}

impl From<io::Error> for SourceError {
    /// A stream that ends early is a fault of the content, anything else one of the machine.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Self::Truncated(error.to_string()),
            _ => Self::Io(error),
        }
    }
}
