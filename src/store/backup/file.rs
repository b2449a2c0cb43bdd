//! The file of a backup: gzip of lines. A first line names the form, the second is the manifest; then for each table a line
//! with its name, its rows in the text form of COPY, the line `\.` that no row can be, and what they came to; `end` at the end.

use std::{
    fmt::Display,
    fs::{self, File},
    io::{self as stdio, BufRead, BufReader, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};

use super::{BackupError, Content, Digest, Manifest, io};

const FORM: &str = "tcg-radar backup 1";
const ROWS_END: &[u8] = b"\\.\n";
const END: &str = "end";

/// Takes rows, table by table.
pub trait Keep {
    fn row(&mut self, line: &[u8]) -> Result<(), BackupError>;
    /// The table is over; this is what it came to.
    fn end(&mut self, content: &Content) -> Result<(), BackupError>;
}

/// Only counts.
pub struct Nowhere;

impl Keep for Nowhere {
    fn row(&mut self, _: &[u8]) -> Result<(), BackupError> {
        Ok(())
    }

    fn end(&mut self, _: &Content) -> Result<(), BackupError> {
        Ok(())
    }
}

/// Writes a file under a name that nobody takes for a backup.
pub struct Writer {
    path: PathBuf,
    out: GzEncoder<BufWriter<File>>,
}

impl Writer {
    pub fn create(path: &Path, manifest: &Manifest) -> Result<Self, BackupError> {
        let file = File::options().write(true).create_new(true).mode(0o600).open(path).map_err(io("create", path))?;
        let mut writer = Self { path: path.to_owned(), out: GzEncoder::new(BufWriter::new(file), Compression::fast()) };
        let manifest = serde_json::to_string(manifest).map_err(stdio::Error::from);
        let head = manifest.and_then(|manifest| writeln!(writer.out, "{FORM}\n{manifest}"));
        head.map_err(io("write", path))?;
        Ok(writer)
    }

    /// Gives it the name of a backup once all of it is on the disk. How large it is.
    pub fn finish(mut self, path: &Path) -> Result<u64, BackupError> {
        let written = |out: &mut GzEncoder<BufWriter<File>>| -> stdio::Result<()> {
            writeln!(out, "{END}")?;
            out.try_finish()?;
            out.get_mut().flush()?;
            out.get_ref().get_ref().sync_all()
        };
        written(&mut self.out).map_err(io("write", &self.path))?;
        fs::rename(&self.path, path).map_err(io("rename", &self.path))?;
        if let Some(folder) = path.parent() {
            // the name, too, has to be on the disk
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(io("write", folder))?;
        }
        Ok(fs::metadata(path).map_err(io("look at", path))?.len())
    }
}

impl Keep for Writer {
    fn row(&mut self, line: &[u8]) -> Result<(), BackupError> {
        self.out.write_all(line).map_err(io("write", &self.path))
    }

    fn end(&mut self, content: &Content) -> Result<(), BackupError> {
        let content = serde_json::to_string(content).map_err(stdio::Error::from);
        let written = content.and_then(|content| {
            self.out.write_all(ROWS_END)?;
            writeln!(self.out, "{content}")
        });
        written.map_err(io("write", &self.path))
    }
}

/// Reads a file from its beginning to its end.
pub struct Reader {
    path: PathBuf,
    lines: BufReader<MultiGzDecoder<BufReader<File>>>,
    pub manifest: Manifest,
}

impl Reader {
    /// # Errors
    /// There is no such file, or it is no backup.
    pub fn open(path: &Path) -> Result<Self, BackupError> {
        let file = File::open(path).map_err(io("open", path))?;
        let mut lines = BufReader::with_capacity(1 << 16, MultiGzDecoder::new(BufReader::new(file)));
        let mut line = || -> stdio::Result<String> {
            let mut text = String::new();
            lines.read_line(&mut text)?;
            Ok(text.trim_end_matches('\n').to_owned())
        };
        let head = line().and_then(|form| Ok((form, line()?)));
        let (form, manifest) = head.map_err(|fault| damaged(path, fault))?;
        if form != FORM {
            return Err(damaged(path, format!("it does not begin with \"{FORM}\"")));
        }
        let manifest = serde_json::from_str(&manifest).map_err(|fault| damaged(path, fault))?;
        Ok(Self { path: path.to_owned(), lines, manifest })
    }

    /// The rows of the next table.
    pub fn table(&mut self, name: &str) -> Rows<'_> {
        Rows { reader: self, name: name.to_owned(), count: 0, digest: Digest::default(), over: false }
    }

    /// The end has to be there, and gzip's own sum has to fit.
    pub fn ends(&mut self) -> Result<(), BackupError> {
        let mut rest = Vec::new();
        stdio::Read::read_to_end(&mut self.lines, &mut rest).map_err(|fault| damaged(&self.path, fault))?;
        if rest == format!("{END}\n").into_bytes() { Ok(()) } else { Err(damaged(&self.path, "its end is missing")) }
    }
}

/// The rows of one table.
pub struct Rows<'r> {
    reader: &'r mut Reader,
    name: String,
    count: u64,
    digest: Digest,
    over: bool,
}

impl Rows<'_> {
    /// Bytes that are handed over at once.
    const ENOUGH: usize = 1 << 18;

    /// Some more of them; nothing where there are no more.
    pub fn some(&mut self) -> Result<Option<Vec<u8>>, BackupError> {
        let mut some = Vec::new();
        while !self.over && some.len() < Self::ENOUGH {
            let begin = some.len();
            self.reader.lines.read_until(b'\n', &mut some).map_err(|fault| damaged(&self.reader.path, fault))?;
            let line = &some[begin..];
            if line == ROWS_END {
                some.truncate(begin);
                self.over = true;
            } else if line.ends_with(b"\n") {
                self.digest.add(line);
                self.count += 1;
            } else {
                return Err(damaged(&self.reader.path, format!("it ends within {}", self.name)));
            }
        }
        Ok((!some.is_empty()).then_some(some))
    }

    /// What they came to, held against what is written behind them.
    pub fn end(self) -> Result<Content, BackupError> {
        let Self { reader, name, count: rows, digest, .. } = self;
        let mut told = String::new();
        reader.lines.read_line(&mut told).map_err(|fault| damaged(&reader.path, fault))?;
        let told: Content = serde_json::from_str(&told).map_err(|fault| damaged(&reader.path, fault))?;
        let found = Content { table: name, rows, digest };
        if told == found {
            return Ok(found);
        }
        Err(damaged(&reader.path, format!("the rows of {} are not those that were written", found.table)))
    }
}

fn damaged(path: &Path, fault: impl Display) -> BackupError {
    BackupError::Damaged { path: path.to_owned(), fault: fault.to_string() }
}
