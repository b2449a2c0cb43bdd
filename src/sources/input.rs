//! Opens what is to be read: a file, or standard input; plain or gzip, told apart by the first bytes.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufReader, Cursor, Read, Seek},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use chrono::{DateTime, Utc};
use flate2::read::MultiGzDecoder;

use super::{SourceError, figure::shortened};

/// As much of a content as recognition looks at.
const HEAD_BYTES: u64 = 16 * 1024;
/// Standard input cannot be rewound, so it is held in memory.
const STDIN_BYTES: u64 = 256 * 1024 * 1024;
/// Unpacked, a text may not be larger: an archive bomb ends here.
const UNPACKED_BYTES: u64 = 16 * 1024 * 1024 * 1024;
const BUFFER_BYTES: usize = 128 * 1024;

/// Bytes with a position.
pub trait ReadSeek: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadSeek for T {}

/// An opened file whose format is not known yet.
pub struct Input {
    name: String,
    size: u64,
    gzipped: bool,
    bytes: Counted,
    head: Head,
}

impl Input {
    /// Opens a file.
    ///
    /// # Errors
    /// A file that cannot be read, or that begins with damaged gzip data.
    pub fn file(path: &Path) -> Result<Self, SourceError> {
        let file = File::open(path).map_err(SourceError::Io)?;
        let size = file.metadata().map_err(SourceError::Io)?.len();
        Self::new(path.display().to_string(), size, Box::new(file))
    }

    /// Takes standard input, or any stream without a position, into memory.
    ///
    /// # Errors
    /// More than 256 MiB, or a failing read.
    pub fn stream(name: &str, stream: impl Read) -> Result<Self, SourceError> {
        let mut bytes = Vec::new();
        stream.take(STDIN_BYTES + 1).read_to_end(&mut bytes).map_err(SourceError::Io)?;
        let size = bytes.len() as u64;
        if size > STDIN_BYTES {
            return Err(SourceError::TooLarge { what: "standard input", limit: STDIN_BYTES });
        }
        Self::new(name.to_owned(), size, Box::new(Cursor::new(bytes)))
    }

    fn new(name: String, size: u64, bytes: Box<dyn ReadSeek>) -> Result<Self, SourceError> {
        let mut bytes = Counted { bytes, passed: Arc::default() };
        let mut magic = Vec::new();
        (&mut bytes).take(2).read_to_end(&mut magic).map_err(SourceError::Io)?;
        let gzipped = magic == [0x1f, 0x8b];
        bytes.rewind().map_err(SourceError::Io)?;
        let mut start = Vec::new();
        if gzipped {
            MultiGzDecoder::new(BufReader::new(&mut bytes)).take(HEAD_BYTES).read_to_end(&mut start)?;
        } else {
            (&mut bytes).take(HEAD_BYTES).read_to_end(&mut start).map_err(SourceError::Io)?;
        }
        bytes.rewind().map_err(SourceError::Io)?;
        Ok(Self { name, size, gzipped, bytes, head: Head::of(&start) })
    }

    /// The path, as given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes as stored, packed or not.
    pub const fn size(&self) -> u64 {
        self.size
    }

    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// Counts the stored bytes that have been read, for a progress bar.
    pub fn passed(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.bytes.passed)
    }

    /// What a format reads.
    pub fn into_body(self, now: DateTime<Utc>) -> Body {
        self.bytes.passed.store(0, Ordering::Relaxed);
        Body { name: self.name, now, gzipped: self.gzipped, bytes: self.bytes }
    }
}

/// A content to be read, with what the content itself does not say.
pub struct Body {
    /// The file's path; some vendors write the day of the prices only there.
    pub name: String,
    /// The clock of the import: nothing is observed long after it.
    pub now: DateTime<Utc>,
    gzipped: bool,
    bytes: Counted,
}

impl Body {
    /// The unpacked stream. A gzip stream that ends early is an error of the read.
    pub fn unpacked(self) -> Box<dyn Read + Send> {
        let buffered = BufReader::with_capacity(BUFFER_BYTES, self.bytes);
        if self.gzipped { Box::new(Capped { stream: MultiGzDecoder::new(buffered), left: UNPACKED_BYTES }) } else { Box::new(buffered) }
    }

    /// The unpacked content in memory.
    ///
    /// # Errors
    /// More than `limit` bytes, or a stream that ends early.
    pub fn whole(self, limit: u64) -> Result<Vec<u8>, SourceError> {
        let mut content = Vec::new();
        self.unpacked().take(limit + 1).read_to_end(&mut content)?;
        if content.len() as u64 > limit {
            return Err(SourceError::TooLarge { what: "the unpacked file", limit });
        }
        Ok(content)
    }

    /// The stored bytes with a position, as archives need them.
    pub fn seekable(self) -> Box<dyn ReadSeek> {
        Box::new(self.bytes)
    }
}

/// A stream that may not go on for ever. Its end is an error: a quiet one would look like the end of the file.
struct Capped<R> {
    stream: R,
    left: u64,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| io::Error::other("it unpacks to more than 16 GiB"))?;
        Ok(count)
    }
}

/// Counts what passes.
struct Counted {
    bytes: Box<dyn ReadSeek>,
    passed: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        self.passed.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl Seek for Counted {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

/// The beginning of an unpacked content, as far as recognition needs it.
#[derive(Debug, Clone)]
pub struct Head {
    start: Vec<u8>,
    columns: BTreeSet<String>,
    keys: BTreeSet<String>,
}

impl Head {
    pub(super) fn of(start: &[u8]) -> Self {
        let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).to_vec();
        let text = String::from_utf8_lossy(&start).into_owned();
        let is_json = text.trim_start().starts_with(['[', '{']);
        let header = text.lines().next().unwrap_or_default();
        let columns = if is_json { BTreeSet::new() } else { header.split(',').map(|column| column.trim().to_owned()).collect() };
        let keys = if is_json { json_keys(&text) } else { BTreeSet::new() };
        Self { start, columns, keys }
    }

    /// Whether it is a CSV whose header has all these columns.
    pub fn has_columns(&self, columns: &[&str]) -> bool {
        columns.iter().all(|column| self.columns.contains(*column))
    }

    /// Whether it is JSON whose beginning has all these keys.
    pub fn has_keys(&self, keys: &[&str]) -> bool {
        keys.iter().all(|key| self.keys.contains(*key))
    }

    pub fn starts_with(&self, magic: &[u8]) -> bool {
        self.start.starts_with(magic)
    }

    /// What a person would see at the beginning.
    pub(super) fn shows(&self) -> String {
        if self.start.is_empty() {
            return "it is empty".into();
        }
        let text = String::from_utf8_lossy(&self.start);
        if text.trim_start().starts_with('<') {
            return "it is a web page or XML".into();
        }
        if !self.keys.is_empty() {
            let keys: Vec<_> = self.keys.iter().take(6).map(String::as_str).collect();
            return format!("JSON with the keys {}", keys.join(", "));
        }
        format!("it begins with \"{}\"", shortened(text.trim_start()))
    }
}

/// The object keys in the beginning of a JSON text, which may stop anywhere.
fn json_keys(text: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut rest = text;
    while let Some(open) = rest.find('"') {
        let inside = &rest[open + 1..];
        let Some(length) = string_length(inside) else { break };
        let after = &inside[length + 1..];
        if after.trim_start().starts_with(':') {
            keys.insert(inside[..length].to_owned());
        }
        rest = after;
    }
    keys
}

/// Bytes up to the closing quote.
fn string_length(inside: &str) -> Option<usize> {
    let mut escaped = false;
    inside.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    #[test]
    fn keys_are_told_from_values_even_in_a_cut_text() {
        let head = Head::of(br#"[{"id": "supertype", "na\"me": 1, "series": "a", "prin"#);
        assert!(head.has_keys(&["id", "series"]));
        assert!(!head.has_keys(&["supertype"]));
        assert!(!head.has_keys(&["prin"]));
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_first_column() {
        assert!(Head::of("\u{feff}set,number\n".as_bytes()).has_columns(&["set", "number"]));
    }

    #[test]
    fn gzip_is_seen_by_its_bytes_and_a_cut_stream_is_an_error() {
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all("date,price\n1,2\n".repeat(100_000).as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        let input = Input::stream("-", packed.as_slice()).unwrap();
        assert!(input.head().has_columns(&["date", "price"]));
        let body = input.into_body(DateTime::UNIX_EPOCH);
        assert_eq!(body.whole(10_000_000).unwrap().len(), 1_500_000);

        let cut = Input::stream("-", &packed[..packed.len() - 20]).unwrap().into_body(DateTime::UNIX_EPOCH);
        assert!(matches!(cut.whole(10_000_000), Err(SourceError::Truncated(_))));
    }

    #[test]
    fn an_endless_stream_ends_in_an_error_not_in_an_end() {
        let mut capped = Capped { stream: io::repeat(b'a'), left: 1000 };
        assert!(io::copy(&mut capped, &mut io::sink()).is_err());
        let mut whole = Capped { stream: &b"aaa"[..], left: 3 };
        assert_eq!(io::copy(&mut whole, &mut io::sink()).ok(), Some(3));
    }

    #[test]
    fn a_bomb_ends_at_its_limit() {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&vec![b'a'; 1_000_000]).unwrap();
        let body = Input::stream("-", packed.finish().unwrap().as_slice()).unwrap().into_body(DateTime::UNIX_EPOCH);
        assert!(matches!(body.whole(1000), Err(SourceError::TooLarge { .. })));
    }
}
