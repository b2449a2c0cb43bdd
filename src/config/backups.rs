//! Where backups lie, how often one is made, and for how long they are kept.

use std::path::{Path, PathBuf};

use chrono::TimeDelta;

use super::{ConfigError, Variables};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backups {
    /// `TCG_RADAR_BACKUPS`; beside the embedded database where it is not set.
    pub folder: PathBuf,
    /// `BACKUP_EVERY_HOURS`; none where somebody else makes them.
    pub every: Option<TimeDelta>,
    /// `BACKUP_KEEP_DAYS`: of so many days with a backup, the newest of each is kept.
    pub keep_days: usize,
}

impl Backups {
    pub(super) fn read<F: Fn(&str) -> Option<String>>(vars: &Variables<F>, home: &Path) -> Result<Self, ConfigError> {
        let hours = vars.whole("BACKUP_EVERY_HOURS", "whole hours from 1 to 168, or 0 for none", 0..=168)?.unwrap_or(24);
        let days = vars.whole("BACKUP_KEEP_DAYS", "whole days from 7 to 3650", 7..=3650)?.unwrap_or(14);
        Ok(Self {
            folder: vars.text("TCG_RADAR_BACKUPS").map_or_else(|| home.join("backups"), PathBuf::from),
            every: (hours > 0).then(|| TimeDelta::hours(i64::from(hours))),
            keep_days: usize::try_from(days).unwrap_or(usize::MAX),
        })
    }
}
