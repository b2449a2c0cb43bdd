//! The whole database in one file, and back. It is read through the service's own door in one snapshot, so no further
//! program, right or password is needed: `pg_dump` would want a role that row security does not bind.

use std::{
    fs,
    path::{Path, PathBuf},
};

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ServiceTx, Store, StoreError, migrate};

mod digest;
mod file;
mod load;

use self::file::{Keep, Writer};
pub use self::{digest::Digest, file::Reader, load::Scratch};

/// How times stand in names, which therefore sort as they were made.
const STAMP: &str = "%Y%m%dT%H%M%SZ";
const PREFIX: &str = "tcg-radar-";
const ENDING: &str = ".backup.gz";
/// Of one that is being written.
const PART: &str = ".part";

/// What a backup says of itself before its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub made_at: DateTime<Utc>,
    /// Of the program that made it.
    pub program: String,
    /// The newest migration of the database.
    pub schema: i64,
    /// Months of prices, by any of their days: each has a partition.
    pub months: Vec<NaiveDate>,
    /// In the order in which they can be filled.
    pub tables: Vec<Table>,
}

/// A table and its columns, but for those that PostgreSQL computes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub name: String,
    pub columns: Vec<String>,
}

impl Table {
    fn columns(&self) -> String {
        self.columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
    }
}

/// A name as SQL has it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What is in a table, whatever the order of its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    pub table: String,
    pub rows: u64,
    pub digest: Digest,
}

/// A backup that was made.
#[derive(Debug, Clone, Serialize)]
pub struct Made {
    pub path: PathBuf,
    pub bytes: u64,
    pub manifest: Manifest,
    pub content: Vec<Content>,
}

/// A backup that is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Found {
    pub made_at: DateTime<Utc>,
    pub path: PathBuf,
}

/// Why a backup cannot be made, read or brought back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot {doing} {}: {source}", path.display())]
    File { doing: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{} is no whole backup: {fault}: choose another, `tcg-radar db backup --list` shows them", path.display())]
    Damaged { path: PathBuf, fault: String },
    #[error("{} holds the schema of migration {theirs}, and this program knows {ours} only: use the program that made it", path.display())]
    TooNew { path: PathBuf, theirs: i64, ours: i64 },
    #[error(
        "the database has the schema of migration {there} and the backup that of {theirs}: restore into an empty database (the embedded one: \
         `tcg-radar db stop`, and move the folder `postgres` of TCG_RADAR_HOME away)"
    )]
    OtherSchema { there: i64, theirs: i64 },
    #[error("the database is not empty (there are rows in {0}): --force replaces all that it holds")]
    NotEmpty(String),
    #[error("{0} other sessions use the database: stop the service, then try again")]
    InUse(i64),
    #[error(
        "the login may not create a scratch database: let an administrator `ALTER ROLE … CREATEDB`, or rehearse on the embedded PostgreSQL: \
         DATABASE_URL= tcg-radar db drill FILE"
    )]
    NoScratch,
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl BackupError {
    /// Whether the same call may succeed later without anyone changing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_retryable())
    }
}

impl Store {
    /// Writes all there is into a new file of a folder, whole or not at all; only its owner may read it.
    ///
    /// # Errors
    /// The database is gone, or the folder cannot be written to.
    pub async fn backup(&self, folder: &Path, now: DateTime<Utc>) -> Result<Made, BackupError> {
        fs::create_dir_all(folder).map_err(io("create", folder))?;
        let path = folder.join(format!("{PREFIX}{}{ENDING}", now.format(STAMP)));
        let part = folder.join(format!("{PREFIX}{}{PART}", Uuid::new_v4().simple()));
        let made = self.write(&part, &path, now).await;
        if made.is_err() {
            // nobody needs half a backup; that it cannot be removed says less than why it was not made
            let _ = fs::remove_file(&part);
        }
        made
    }

    async fn write(&self, part: &Path, path: &Path, now: DateTime<Utc>) -> Result<Made, BackupError> {
        let mut tx = ServiceTx::begin(&self.pool, SNAPSHOT).await?;
        let manifest = manifest(&mut tx, now).await?;
        let mut writer = Writer::create(part, &manifest)?;
        let content = export(&mut tx, &manifest.tables, &mut writer).await?;
        tx.commit().await?;
        let bytes = writer.finish(path)?;
        Ok(Made { path: path.to_owned(), bytes, manifest, content })
    }
}

/// One moment's view, in which every value has one form whatever the server is set to.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL ROLE tcg_service; SET LOCAL timezone = 'UTC'; \
    SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'postgres'; SET LOCAL bytea_output = 'hex'; \
    SET LOCAL extra_float_digits = 1; SET LOCAL statement_timeout = 0";

async fn manifest(tx: &mut ServiceTx, now: DateTime<Utc>) -> Result<Manifest, BackupError> {
    let applied = migrate::list(tx.db()).await?;
    let schema = applied.iter().filter(|step| step.state != migrate::MigrationState::Pending).map(|step| step.version).max().unwrap_or(0);
    let months = sqlx::query_scalar!(
        r#"SELECT to_date(right(c.relname::text, 7), 'YYYY_MM') AS "month!" FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid
        WHERE inhparent = 'public.price_history'::regclass ORDER BY 1"#
    );
    let months = months.fetch_all(tx.db()).await?;
    Ok(Manifest { made_at: now, program: env!("CARGO_PKG_VERSION").to_owned(), schema, months, tables: tables(tx).await? })
}

/// Every table of ours, those that others refer to first.
async fn tables(tx: &mut ServiceTx) -> Result<Vec<Table>, BackupError> {
    let rows = sqlx::query!(
        r#"SELECT c.relname::text AS "name!",
            (SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute
             WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '') AS "columns!",
            ARRAY(SELECT DISTINCT r.relname::text FROM pg_constraint AS k JOIN pg_class AS r ON r.oid = k.confrelid
                  WHERE k.contype = 'f' AND k.conrelid = c.oid AND r.oid <> c.oid) AS "needs!"
        FROM pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> '_sqlx_migrations'
        ORDER BY c.relname"#
    )
    .fetch_all(tx.db())
    .await?;
    let mut waiting: Vec<(Table, Vec<String>)> =
        rows.into_iter().map(|row| (Table { name: row.name, columns: row.columns }, row.needs)).collect();
    let mut ordered: Vec<Table> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_there = |name: &String, ordered: &[Table]| ordered.iter().any(|table| table.name == *name);
        let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(_, needs)| needs.iter().all(|name| is_there(name, &ordered)));
        if ready.is_empty() {
            let names: Vec<&str> = rest.iter().map(|(table, _)| table.name.as_str()).collect();
            let fault = format!("tables that refer to each other in a circle: {}", names.join(", "));
            return Err(StoreError::BadRow { table: "pg_constraint", fault }.into());
        }
        ordered.extend(ready.into_iter().map(|(table, _)| table));
        waiting = rest;
    }
    Ok(ordered)
}

/// Hands every row of every table over.
async fn export(tx: &mut ServiceTx, tables: &[Table], keep: &mut impl Keep) -> Result<Vec<Content>, BackupError> {
    let mut content = Vec::with_capacity(tables.len());
    for table in tables {
        let statement = format!("COPY (SELECT {} FROM public.{}) TO STDOUT", table.columns(), quoted(&table.name));
        let (mut rows, mut digest) = (0, Digest::default());
        {
            let mut lines = tx.db().copy_out_raw(&statement).await?;
            while let Some(line) = lines.next().await {
                let line = line?;
                // PostgreSQL sends a row at a time, and escapes line breaks
                digest.add(&line);
                rows += 1;
                keep.row(&line)?;
            }
        }
        let table = Content { table: table.name.clone(), rows, digest };
        keep.end(&table)?;
        content.push(table);
    }
    Ok(content)
}

/// The newest migration that this program knows.
pub fn newest_schema() -> i64 {
    migrate::newest()
}

/// All backups of a folder, the newest last.
///
/// # Errors
/// The folder cannot be read. One that is not there has none.
pub fn list(folder: &Path) -> Result<Vec<Found>, BackupError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io("read", folder)(error)),
    };
    let mut found: Vec<Found> =
        entries.flatten().filter_map(|entry| Some(Found { made_at: made_at(&entry.path())?, path: entry.path() })).collect();
    found.sort();
    Ok(found)
}

fn made_at(path: &Path) -> Option<DateTime<Utc>> {
    let stamp = path.file_name()?.to_str()?.strip_prefix(PREFIX)?.strip_suffix(ENDING)?;
    Some(NaiveDateTime::parse_from_str(stamp, STAMP).ok()?.and_utc())
}

/// Removes what is kept no longer, and halves that a killed process left behind. What was removed.
///
/// # Errors
/// The folder cannot be read, or a file cannot be removed.
pub fn prune(folder: &Path, keep_days: usize, now: DateTime<Utc>) -> Result<Vec<PathBuf>, BackupError> {
    let mut surplus = surplus(&list(folder)?, keep_days, now.date_naive());
    surplus.extend(halves(folder, now));
    for path in &surplus {
        fs::remove_file(path).map_err(io("remove", path))?;
    }
    Ok(surplus)
}

/// Files that a process which was killed did not finish. One that is being written is younger.
fn halves(folder: &Path, now: DateTime<Utc>) -> Vec<PathBuf> {
    let is_half = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let age = fs::metadata(path).and_then(|found| found.modified()).map(|at| now - DateTime::<Utc>::from(at));
        name.starts_with(PREFIX) && name.ends_with(PART) && age.is_ok_and(|age| age > TimeDelta::days(1))
    };
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).filter(|path| is_half(path)).collect()
}

/// Of the newest so many days that have a backup, the newest of each stays; of today all.
fn surplus(found: &[Found], keep_days: usize, today: NaiveDate) -> Vec<PathBuf> {
    let mut days: Vec<NaiveDate> = Vec::new();
    let mut surplus = Vec::new();
    for one in found.iter().rev() {
        let day = one.made_at.date_naive();
        let is_first_of_day = days.last() != Some(&day);
        if is_first_of_day {
            days.push(day);
        }
        if days.len() > keep_days || !(is_first_of_day || day == today) {
            surplus.push(one.path.clone());
        }
    }
    surplus
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { doing, path, source }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    fn found(stamps: &[&str]) -> Vec<Found> {
        let one = |stamp: &&str| {
            let path = PathBuf::from(format!("{PREFIX}{stamp}{ENDING}"));
            Found { made_at: made_at(&path).unwrap(), path }
        };
        stamps.iter().map(one).collect()
    }

    #[test]
    fn of_each_day_the_newest_backup_stays_and_of_today_all() {
        let all = found(&["20261101T030000Z", "20261102T030000Z", "20261102T150000Z", "20261103T010000Z", "20261103T030000Z"]);
        let names = |keep_days| {
            let gone = surplus(&all, keep_days, "2026-11-03".parse().unwrap());
            gone.iter().map(|path| path.to_str().unwrap()[10..18].to_owned() + &path.to_str().unwrap()[18..21]).collect::<Vec<_>>()
        };
        assert_eq!(names(7), ["20261102T03"]);
        assert_eq!(names(2), ["20261102T03", "20261101T03"]);
    }

    #[test]
    fn a_name_of_another_kind_is_no_backup_of_ours() {
        for name in ["notes.txt", "tcg-radar-x.backup.gz", "tcg-radar-20261101T030000Z.backup", "tcg-radar-0f.part"] {
            assert_eq!(made_at(Path::new(name)), None, "{name}");
        }
    }
}
