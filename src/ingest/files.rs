//! Files in, rows in the database: each file is read on a thread of its own and stored in one transaction or not at all.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
    time::Instant,
};

use chrono::{DateTime, Utc};

use super::{FileReport, rows};
use crate::{
    sources::{self, Input, SourceError},
    store::{Store, StoreError},
};

/// Told how an import goes on.
pub trait Progress: Send + Sync {
    /// A file begins; `passed` counts its stored bytes as they are read, up to `size`.
    fn begins(&self, file: &str, size: u64, passed: Arc<AtomicU64>);
    /// All rows have been read and are being settled in the database.
    fn settles(&self);
    fn ends(&self, report: &FileReport);
}

/// The files themselves: folders are walked, in the order of their names, without hidden entries.
///
/// # Errors
/// A path that is not there, or a folder that cannot be listed.
pub fn walk(paths: &[PathBuf]) -> Result<Vec<PathBuf>, ImportError> {
    let mut files = Vec::new();
    for path in paths {
        let unreadable = |fault| ImportError::Path { path: path.clone(), fault };
        if path.as_os_str() == "-" || !std::fs::metadata(path).map_err(unreadable)?.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            // A link may lead back to its own folder.
            let is_link = entry.file_type().map_err(unreadable)?.is_symlink();
            if !is_link && !entry.file_name().as_encoded_bytes().starts_with(b".") {
                inside.push(entry.path());
            }
        }
        inside.sort();
        files.extend(walk(&inside)?);
    }
    Ok(files)
}

/// Why an import stops before its last file. A bad file does not stop it.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot read {}: {fault}", path.display())]
    Path { path: PathBuf, fault: std::io::Error },
    #[error("cannot read {}: {source}", path.display())]
    File { path: PathBuf, source: SourceError },
    #[error("the reading thread died: {0}")]
    Reader(#[from] tokio::task::JoinError),
}

impl ImportError {
    /// Whether the same call may succeed later. A repeated import stores nothing twice.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_retryable())
    }
}

/// Imports files (`-` is standard input), whatever their order: sets, cards, ids, rates, then prices.
///
/// # Errors
/// The database refuses or is gone. A file that cannot be understood is in the reports.
pub async fn import_files(
    store: &Store,
    files: &[PathBuf],
    now: DateTime<Utc>,
    progress: &dyn Progress,
) -> Result<Vec<FileReport>, ImportError> {
    let mut reports = Vec::new();
    let mut known = Vec::new();
    for path in files {
        match recognised(path) {
            Ok((phase, whole)) => known.push((phase, path, whole)),
            Err(error) => {
                let mut report = FileReport::new(&path.display().to_string());
                report.refuse_whole(error.to_string());
                progress.ends(&report);
                reports.push(report);
            }
        }
    }
    known.sort_by(|(a, path_a, _), (b, path_b, _)| a.cmp(b).then(path_a.cmp(path_b)));
    for (_, path, whole) in known {
        let begun = Instant::now();
        let mut report = FileReport::new(&path.display().to_string());
        let input = whole.map_or_else(|| Input::file(path), Ok);
        if let Err(fault) = import_input(store, input, now, progress, &mut report).await {
            match fault {
                Fault::File(error) => report.refuse_whole(error.to_string()),
                Fault::Import(error) => return Err(error),
            }
        }
        report.took = begun.elapsed();
        progress.ends(&report);
        reports.push(report);
    }
    Ok(reports)
}

/// The phase of a file; standard input can be read once only, so it stays open.
pub(super) fn recognised(path: &Path) -> Result<(sources::Phase, Option<Input>), SourceError> {
    let is_stdin = path.as_os_str() == "-";
    let input = if is_stdin { Input::stream("-", std::io::stdin().lock())? } else { Input::file(path)? };
    let phase = sources::recognise(input.head())?.phase;
    Ok((phase, is_stdin.then_some(input)))
}

enum Fault {
    File(SourceError),
    Import(ImportError),
}

impl From<SourceError> for Fault {
    fn from(error: SourceError) -> Self {
        Self::File(error)
    }
}

impl<E: Into<ImportError>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Import(error.into())
    }
}

async fn import_input(
    store: &Store,
    input: Result<Input, SourceError>,
    now: DateTime<Utc>,
    progress: &dyn Progress,
    report: &mut FileReport,
) -> Result<(), Fault> {
    let input = input?;
    let format = sources::recognise(input.head())?;
    report.kind = Some(format.name);
    progress.begins(&report.file, input.size(), input.passed());

    let mut tx = store.service_bulk().await?;
    let (sender, parcels) = rows::channel();
    // parsing waits for the disk, storing for the database
    let reader = tokio::task::spawn_blocking(move || rows::send(&sender, |emit| (format.read)(input.into_body(now), emit)));
    let stored = rows::store(&mut tx, parcels, now, None, &|| progress.settles(), report).await;
    // The receiver is gone by now, so the reader ends even where storing failed.
    let read = reader.await.map_err(ImportError::from)?;
    let stored = stored.map_err(ImportError::from)?;
    read?;
    let counts = stored.unwrap_or_default().counts;
    if report.values() == 0 && report.refused_rows > 0 {
        let first = report.refused.first().map(|refusal| refusal.reason.clone()).unwrap_or_default();
        return Err(SourceError::NothingUnderstood { rows: report.refused_rows, first }.into());
    }
    report.rekeyed = counts.rekeyed;
    report.store(counts.total());
    tx.commit().await?;
    Ok(())
}
