//! One thing that was looked at, and what this machine can say without the database and without the network.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::{
    config::{Config, DOTENV, backups::Backups, parts::Part, presets},
    rules::{diagnostic::Diagnostics, pack::Pack},
    store::backup,
};

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Ok,
    Warning,
    Fault,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub what: String,
    pub level: Level,
    pub said: String,
    /// What to do, where something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Check {
    pub fn ok(what: impl Into<String>, said: impl Into<String>) -> Self {
        Self { what: what.into(), level: Level::Ok, said: said.into(), advice: None }
    }

    pub fn warning(what: impl Into<String>, said: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what: what.into(), level: Level::Warning, said: said.into(), advice: Some(advice.into()) }
    }

    pub fn fault(what: impl Into<String>, said: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what: what.into(), level: Level::Fault, said: said.into(), advice: Some(advice.into()) }
    }
}

/// The parts without which tenants get less than the guide promises; the others are a matter of taste.
const WANTED: [&str; 2] = ["justtcg", "telegram"];

pub fn of_part(part: &Part) -> Check {
    match (&part.off, part.note) {
        (Some(why), _) if WANTED.contains(&part.name) => Check::warning(part.name, "off", why.clone()),
        (Some(why), _) => Check::ok(part.name, format!("off: {why}")),
        (None, Some(note)) => Check::warning(part.name, "on", note),
        (None, None) => Check::ok(part.name, "on"),
    }
}

/// `.env` holds every key: nobody else may read it.
pub fn of_dotenv(path: &Path) -> Check {
    match fs::metadata(path) {
        Err(_) => Check::ok(DOTENV, "none here: the environment alone says what is set"),
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            let mode = found.permissions().mode() & 0o777;
            Check::fault(DOTENV, format!("others may read it (mode {mode:03o}), and it holds keys"), "chmod 600 .env")
        }
        Ok(_) => Check::ok(DOTENV, "nobody else may read it"),
    }
}

/// The pack as the files have it, and the presets.
pub fn of_rules(loaded: &Result<Pack, Diagnostics>, profiles: &Path) -> Vec<Check> {
    let rules = match loaded {
        Ok(pack) => Check::ok("rules", format!("pack {} loads, hash {}", pack.name, pack.hash.chars().take(12).collect::<String>())),
        Err(faults) => {
            let said = format!("the pack does not load: {} faults", faults.errors().count());
            Check::fault("rules", said, "`tcg-radar rules check` says where; the running service keeps the last good one")
        }
    };
    let presets = match presets::read(profiles) {
        Ok(_) => Check::ok("presets", format!("{} is read", profiles.display())),
        Err(error) => Check::fault("presets", error.to_string(), "correct that file"),
    };
    vec![rules, presets]
}

/// Least room on a disk, in MiB: below the first the database may stop, below the second it soon will.
const SCARCE: u64 = 1_024;
const LITTLE: u64 = 5_120;

/// Room for the database and for backups.
pub fn of_disk(config: &Config) -> Vec<Check> {
    let room = |what: &str, path: &Path| {
        // what does not exist yet will lie where its nearest folder lies
        let Some(there) =
            path.ancestors().find(|folder| folder.exists()).map(|there| if there == Path::new("") { Path::new(".") } else { there })
        else {
            return Check::fault(what, format!("no folder above {} exists", path.display()), "create it");
        };
        match rustix::fs::statvfs(there) {
            Err(error) => Check::warning(what, format!("cannot look at {}: {error}", there.display()), "see whether the disk is well"),
            Ok(disk) => {
                let free = disk.f_bavail.saturating_mul(disk.f_frsize) / (1 << 20);
                let said = format!("{free} MiB free in {}", path.display());
                match free {
                    ..SCARCE => Check::fault(what, said, "free some, or move it: TCG_RADAR_HOME, TCG_RADAR_BACKUPS"),
                    SCARCE..LITTLE => Check::warning(what, said, "a year of prices needs more than 5 GiB"),
                    LITTLE.. => Check::ok(what, said),
                }
            }
        }
    };
    vec![room("disk of the database", &config.home), room("disk of backups", &config.backups.folder)]
}

/// A backup is made daily; one that is a day and a half old was missed.
pub fn of_backups(backups: &Backups, now: DateTime<Utc>) -> Check {
    const WHAT: &str = "backup";
    if backups.every.is_none() {
        return Check::warning(WHAT, "BACKUP_EVERY_HOURS is 0", "see that somebody else makes them");
    }
    let advice = "`tcg-radar serve` makes one daily, `tcg-radar db backup` at once";
    match backup::list(&backups.folder).map(|mut found| found.pop()) {
        Err(error) => Check::fault(WHAT, error.to_string(), advice),
        Ok(None) => Check::warning(WHAT, format!("none in {}", backups.folder.display()), advice),
        Ok(Some(newest)) if now - newest.made_at > TimeDelta::hours(36) => {
            Check::fault(WHAT, format!("the newest is of {}", newest.made_at.format("%F %H:%M")), advice)
        }
        Ok(Some(newest)) => {
            Check::ok(WHAT, format!("the newest is of {}; `tcg-radar db drill` rehearses it", newest.made_at.format("%F %H:%M")))
        }
    }
}

/// Names that Chromium goes by.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome-headless-shell"];

/// Only scraping needs it.
pub fn of_chromium(needed: bool) -> Check {
    const WHAT: &str = "chromium";
    let on_path = std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let places: Vec<PathBuf> = on_path.flat_map(|folder| BROWSERS.map(|name| folder.join(name))).collect();
    let found = places.into_iter().filter(|path| path.is_file()).find_map(|path| {
        let output = Command::new(&path).arg("--version").output().ok().filter(|output| output.status.success())?;
        Some(format!("{} ({})", String::from_utf8_lossy(&output.stdout).trim(), path.display()))
    });
    match (found, needed) {
        (Some(found), _) => Check::ok(WHAT, found),
        (None, true) => Check::fault(WHAT, "not found, and ENABLE_LAYER_3_SCRAPING is true", "apt-get install chromium"),
        (None, false) => Check::ok(WHAT, "not found, and not needed: scraping is off"),
    }
}

/// How far two clocks may be apart before prices are dated wrongly.
const APART: TimeDelta = TimeDelta::seconds(5);
const FAR_APART: TimeDelta = TimeDelta::minutes(1);

/// This machine's clock against another.
pub fn of_clock(whose: &str, theirs: DateTime<Utc>, ours: DateTime<Utc>) -> Check {
    let what = format!("clock against {whose}");
    let apart = (theirs - ours).abs();
    let said = format!("{} s apart", apart.num_seconds());
    match apart {
        apart if apart > FAR_APART => Check::fault(what, said, "set it by NTP: windows and deadlines are counted by this clock"),
        apart if apart > APART => Check::warning(what, said, "set it by NTP: windows and deadlines are counted by this clock"),
        _ => Check::ok(what, said),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    #[test]
    fn keys_that_others_may_read_are_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        assert_eq!(of_dotenv(&path).level, Level::Ok);
        fs::write(&path, "").unwrap();
        for (mode, level) in [(0o600, Level::Ok), (0o400, Level::Ok), (0o640, Level::Fault), (0o604, Level::Fault), (0o644, Level::Fault)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let found = of_dotenv(&path);
            assert_eq!(found.level, level, "{mode:o}");
            assert_eq!(found.advice.is_some(), level == Level::Fault);
        }
    }

    #[test]
    fn clocks_that_differ_are_told_in_both_directions() {
        let now: DateTime<Utc> = "2026-11-24T12:00:00Z".parse().unwrap();
        for (seconds, level) in
            [(0, Level::Ok), (-5, Level::Ok), (6, Level::Warning), (-60, Level::Warning), (61, Level::Fault), (-3_600, Level::Fault)]
        {
            assert_eq!(of_clock("x", now + TimeDelta::seconds(seconds), now).level, level, "{seconds}");
        }
    }

    #[test]
    fn a_missed_backup_is_a_fault_and_none_yet_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let backups = Backups { folder: folder.path().to_owned(), every: Some(TimeDelta::hours(24)), keep_days: 7 };
        let level = |at: &str| of_backups(&backups, at.parse().unwrap()).level;
        assert_eq!(level("2026-11-24T12:00:00Z"), Level::Warning);
        fs::write(folder.path().join("tcg-radar-20261123T120000Z.backup.gz"), "").unwrap();
        assert_eq!(level("2026-11-24T12:00:00Z"), Level::Ok);
        assert_eq!(level("2026-11-25T00:00:01Z"), Level::Fault);
    }

    #[test]
    fn a_key_that_the_guide_requires_is_missed_and_another_is_not() {
        let part = |name, off: Option<&str>, note| Part { name, off: off.map(str::to_owned), note };
        assert_eq!(of_part(&part("telegram", Some("TELEGRAM_BOT_TOKEN is not set"), None)).level, Level::Warning);
        assert_eq!(of_part(&part("ebay", Some("EBAY_APP_ID switches it on"), None)).level, Level::Ok);
        assert_eq!(of_part(&part("discord", None, Some("without DISCORD_CHANNEL_ID"))).level, Level::Warning);
        assert_eq!(of_part(&part("ecb", None, None)), Check::ok("ecb", "on"));
    }
}
