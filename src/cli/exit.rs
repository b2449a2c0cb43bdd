//! The exit codes: what a script may rely on.

use std::{error::Error, process::ExitCode};

use crate::{
    config::ConfigError,
    domain::profile::PresetError,
    ingest::ImportError,
    reload::StartError,
    rules::diagnostic::Diagnostics,
    scan::ScanError,
    simulate::WriteError,
    store::{StoreError, backup::BackupError},
    web::WebError,
};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Good = 0,
    /// A test or a gate failed.
    Failed = 1,
    /// The rules do not load.
    BadRules = 2,
    /// Warnings, under `--strict`.
    Warnings = 3,
    /// Nothing ran.
    NothingRan = 4,
    /// A replay looked ahead, or did not repeat itself.
    NotReproducible = 5,
    /// The command line or the configuration is wrong.
    Usage = 64,
    /// History is missing for the range.
    NoHistory = 65,
    /// The database cannot be reached.
    NoDatabase = 69,
    Internal = 70,
    /// Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    /// The code of an error that ended a command.
    pub fn of(error: &anyhow::Error) -> Self {
        for cause in error.chain() {
            if let Some(store) = of_store(cause) {
                return match store {
                    StoreError::DuplicateChat(_) | StoreError::NoSuchMigration(_) | StoreError::BadAddress => Self::Usage,
                    _ if store.is_unreachable() => Self::NoDatabase,
                    _ => Self::Internal,
                };
            }
            match cause.downcast_ref::<BackupError>() {
                Some(BackupError::Damaged { .. }) => return Self::Failed,
                Some(BackupError::Store(_)) | None => {}
                Some(_) => return Self::Usage,
            }
            match cause.downcast_ref::<ScanError>() {
                Some(ScanError::UnknownSource { .. } | ScanError::ShiftedTwice(_) | ScanError::Regime(_)) => return Self::Usage,
                Some(ScanError::Window(_) | ScanError::NoBuffer) => return Self::BadRules,
                Some(ScanError::Store(_) | ScanError::Copy(_) | ScanError::Superseded | ScanError::Broke(_)) | None => {}
            }
            if let Some(ImportError::Path { .. } | ImportError::File { .. }) = cause.downcast_ref::<ImportError>() {
                return Self::Usage;
            }
            if cause.is::<Diagnostics>() || cause.is::<StartError>() {
                return Self::BadRules;
            }
            if cause.is::<ConfigError>() || cause.is::<PresetError>() || cause.is::<WrongUsage>() || cause.is::<WebError>() {
                return Self::Usage;
            }
        }
        Self::Internal
    }
}

/// The database's error, also where a transparent one hides it from the chain.
fn of_store<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a StoreError> {
    if let Some(ScanError::Store(store)) = cause.downcast_ref() {
        return Some(store);
    }
    if let Some(ImportError::Store(store)) = cause.downcast_ref() {
        return Some(store);
    }
    if let Some(WriteError::Store(store)) = cause.downcast_ref() {
        return Some(store);
    }
    if let Some(BackupError::Store(store)) = cause.downcast_ref() {
        return Some(store);
    }
    if let Some(StartError::Store(store)) = cause.downcast_ref() {
        return Some(store);
    }
    cause.downcast_ref()
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Arguments that are each right and do not fit together, or do not fit what is stored.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongUsage(pub String);

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn the_cause_decides_however_deep_it_lies() {
        let unreachable: anyhow::Error = StoreError::from(sqlx::Error::PoolTimedOut).into();
        assert_eq!(Exit::of(&unreachable.context("while scanning")), Exit::NoDatabase);
        let gone = || StoreError::from(sqlx::Error::PoolTimedOut);
        let hidden: [anyhow::Error; 4] = [
            ScanError::from(gone()).into(),
            ImportError::from(gone()).into(),
            WriteError::from(gone()).into(),
            StartError::from(gone()).into(),
        ];
        assert_eq!(hidden.map(|error| Exit::of(&error)), [Exit::NoDatabase; 4]);
        let usage: anyhow::Result<()> = Err(WrongUsage("no such thing".into())).context("outer");
        assert_eq!(usage.map_err(|error| Exit::of(&error)), Err(Exit::Usage));
        assert_eq!(Exit::of(&anyhow::anyhow!("who knows")), Exit::Internal);
    }
}
