//! The European Central Bank's reference rates: the whole history in one zipped table. No key.

use std::io::{Cursor, Read};

use chrono::TimeDelta;

use super::{About, Fault, NO_KEY, Run, Source, Step, file, good};
use crate::{
    config::outbound::BaseUrl,
    domain::feed::Budget,
    sources::{
        Emit, SourceError, ecb,
        http::{Address, Answer, Request, Validators},
    },
};

/// Unpacked, the history since 1999 has 3 MB.
const LARGEST: u64 = 64 * 1024 * 1024;

pub struct Ecb {
    about: About,
    base: BaseUrl,
}

impl Ecb {
    pub fn new(base: BaseUrl, cadence: TimeDelta) -> Self {
        Self { about: About { name: ecb::SOURCE, cadence, budget: Budget::default(), asks_for: None, batch: 0, is_archive: true }, base }
    }
}

impl Source for Ecb {
    fn about(&self) -> &About {
        &self.about
    }

    fn next(&self, run: &Run) -> Option<Request> {
        let address = Address::of(&self.base).path("stats/eurofxref/eurofxref-hist.zip");
        Some(Request { validators: run.state(), ..Request::get(address) })
    }

    fn read(&self, run: &Run, mut answer: Answer, emit: &mut Emit<'_>) -> Result<Step, Fault> {
        let mut held: Validators = run.state();
        if !answer.is_unchanged() {
            good(&answer, NO_KEY)?;
            if answer.body.starts_with(b"PK") {
                answer.body = unzipped(&answer.body)?.into();
            }
            file(&ecb::FORMAT, &answer.from, &answer, run, emit)?;
            held = answer.validators;
        }
        Step::to(&held, false)
    }
}

/// The one file in the archive.
fn unzipped(archive: &[u8]) -> Result<Vec<u8>, SourceError> {
    let damaged = |error: zip::result::ZipError| SourceError::Truncated(error.to_string());
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).map_err(damaged)?;
    let mut text = Vec::new();
    archive.by_index(0).map_err(damaged)?.take(LARGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(SourceError::TooLarge { what: "the unpacked file", limit: LARGEST });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use std::io::Write;

    use super::{super::testing::*, *};
    use crate::sources::testing::told;

    fn zipped(text: &str) -> Vec<u8> {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        archive.start_file("eurofxref-hist.csv", zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
        archive.finish().unwrap().into_inner()
    }

    #[test]
    fn the_zipped_history_is_read_and_a_cut_one_refused() {
        let feed = configured().ecb;
        let source = Ecb::new(feed.base, feed.cadence);
        let archive = zipped("Date,USD,JPY,GBP,\n2026-11-20,1.1525,180.5,0.8793,\n");
        let (step, rows) = read(&source, &run(serde_json::Value::Null, &[]), answer(200, &archive)).unwrap();
        assert_eq!(told(&rows), "2: 1.1525 USD on 2026-11-20\n2: 0.8793 GBP on 2026-11-20\n");
        assert!(!step.more);
        let cut = read(&source, &run(serde_json::Value::Null, &[]), answer(200, &archive[..archive.len() / 2]));
        assert!(matches!(cut, Err(Fault::Content(SourceError::Truncated(_)))));
        assert!(matches!(read(&source, &run(serde_json::Value::Null, &[]), answer(200, "<html>")), Err(Fault::Format(_))));
    }

    #[test]
    fn a_renamed_currency_is_no_rate() {
        let feed = configured().ecb;
        let source = Ecb::new(feed.base, feed.cadence);
        for header in ["Date,Dollar,JPY,GBP,", "Date,USD,JPY,Pound,", "Day,USD,JPY,GBP,"] {
            let archive = zipped(&format!("{header}\n2026-11-20,1.1525,180.5,0.8793,\n"));
            let fault = read(&source, &run(serde_json::Value::Null, &[]), answer(200, &archive)).unwrap_err();
            assert!(matches!(fault, Fault::Format(_)), "{header}: {fault}");
        }
    }
}
