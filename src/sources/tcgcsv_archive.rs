//! TCGCSV's daily archive: a 7z of every game's groups. Read in memory, entry by entry; nothing is unpacked to disk.

use std::io::{self, Read};

use chrono::{DateTime, Utc};
use sevenz_rust2::{ArchiveEntry, ArchiveReader, Password};

use super::{
    Body, Emit, Format, Outcome, Phase, Row, SourceError,
    tcgcsv::{self, CATEGORY, GROUP_LIMIT, OTHER_GAME, Place},
};

pub const FORMAT: Format =
    Format { name: "TCGCSV daily archive (.7z)", phase: Phase::Prices, recognises: |head| head.starts_with(b"7z\xbc\xaf\x27\x1c"), read };

/// A real day has about 10,000 groups and half a gigabyte.
const ENTRIES: u64 = 200_000;
const UNPACKED: u64 = 8 * 1024 * 1024 * 1024;

fn read(body: Body, emit: &mut Emit<'_>) -> Result<(), SourceError> {
    let now = body.now;
    let mut archive = ArchiveReader::new(body.seekable(), Password::empty()).map_err(|error| damaged(&error))?;
    let files = &archive.archive().files;
    if files.len() as u64 > ENTRIES {
        return Err(SourceError::TooLarge { what: "the archive's number of entries", limit: ENTRIES });
    }
    if files.iter().map(ArchiveEntry::size).fold(0, u64::saturating_add) > UNPACKED {
        return Err(SourceError::TooLarge { what: "the unpacked archive", limit: UNPACKED });
    }
    // The crate's callback has its own error type, so ours leaves by this door.
    let mut fault = None;
    let mut groups = 0_u64;
    let walked = archive.for_each_entries(|entry, content| {
        match member(entry, content, now, emit) {
            Ok(is_group) => groups += u64::from(is_group),
            Err(error) => fault = Some(error),
        }
        Ok(fault.is_none())
    });
    if let Some(fault) = fault {
        return Err(fault);
    }
    walked.map_err(|error| damaged(&error))?;
    if groups == 0 {
        return Err(SourceError::Archive("it holds no DATE/CATEGORY/GROUP/prices".into()));
    }
    Ok(())
}

fn damaged(error: &sevenz_rust2::Error) -> SourceError {
    SourceError::Archive(error.to_string())
}

/// Reads one entry; says whether it was a group of prices.
fn member(entry: &ArchiveEntry, content: &mut dyn Read, now: DateTime<Utc>, emit: &mut Emit<'_>) -> Result<bool, SourceError> {
    let Some(place) = Place::of_path(entry.name()).filter(|_| !entry.is_directory() && entry.has_stream()) else {
        return Ok(false);
    };
    let mut labelled = |mut row: Row| {
        row.member = Some(entry.name().to_owned());
        emit(row)
    };
    if place.category != CATEGORY {
        labelled(Row::new(1, Outcome::Skipped(OTHER_GAME)))?;
        return Ok(true);
    }
    let mut text = Vec::new();
    content.take(GROUP_LIMIT + 1).read_to_end(&mut text).map_err(|error: io::Error| SourceError::Archive(error.to_string()))?;
    if text.len() as u64 > GROUP_LIMIT {
        return Err(SourceError::TooLarge { what: "a group's prices", limit: GROUP_LIMIT });
    }
    match tcgcsv::group(&text, &place, now, &mut labelled) {
        // One empty or broken group of a published day is the vendor's; the archive's own checks found it whole.
        Err(SourceError::Truncated(reason) | SourceError::Malformed { reason, .. }) => labelled(Row::new(1, Outcome::Refused(reason)))?,
        other => other?,
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn a_damaged_archive_is_refused_whole() {
        assert!(refusal("day.7z", b"7z\xbc\xaf\x27\x1c\x00\x04 and then nothing that fits").contains("the archive is damaged"));
    }

    #[test]
    fn a_real_day_is_read_without_touching_the_disk() {
        let Some(path) = real_data("3-price-history/raw/prices-2025-10-09.dev.ppmd.7z") else { return };
        let rows = read_path(&path);
        let told = told(&rows);
        assert!(told.lines().filter(|line| line.contains("market of")).count() > 1000, "{}", told.lines().take(5).collect::<String>());
        assert!(!told.contains("refused"));
    }
}
