//! Brings the schema up and down. The files of `migrations/` are inside the program, each with its checksum.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::{
    Executor, PgConnection,
    migrate::{Migrate, MigrateError, Migrator},
};

use super::{StoreError, Tell};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");
const TABLE: &str = "_sqlx_migrations";

/// One step of the schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Migration {
    pub version: i64,
    pub name: String,
    pub state: MigrationState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MigrationState {
    Applied,
    Pending,
    /// Applied in another wording than this program's.
    Changed,
}

/// Applies what is missing, up to `target`. The session is the owner's.
pub(super) async fn up(db: &mut PgConnection, target: Option<i64>, tell: Tell<'_>) -> Result<(), StoreError> {
    if let Some(version) = target {
        must_exist(version)?;
    }
    let wanted = |migration: &Migration| migration.state == MigrationState::Pending && target.is_none_or(|last| migration.version <= last);
    // before sqlx's own lock: the common case, a schema that is current, takes none
    let before = list(db).await?;
    refuse_changed(&before)?;
    let missing = before.iter().filter(|migration| wanted(migration)).count();
    if missing == 0 {
        return Ok(());
    }
    tell(&format!("applying {missing} database migrations"));
    let outcome = MIGRATIONS.run_direct(target, db, false).await.map_err(explain);
    // also after a failure: `db status` reads the table as the service
    db.execute("DO $$ BEGIN IF to_regclass('public._sqlx_migrations') IS NOT NULL THEN GRANT SELECT ON _sqlx_migrations TO tcg_service; END IF; END $$").await?;
    outcome
}

/// Takes back everything above `target`. The session is the owner's.
pub(super) async fn down(db: &mut PgConnection, target: i64, tell: Tell<'_>) -> Result<(), StoreError> {
    if target != 0 {
        must_exist(target)?;
    }
    let before = list(db).await?;
    refuse_changed(&before)?;
    let above = before.iter().filter(|migration| migration.state == MigrationState::Applied && migration.version > target).count();
    if above == 0 {
        return Ok(());
    }
    tell(&format!("taking back {above} database migrations"));
    MIGRATIONS.undo(db, target).await.map_err(explain)
}

/// Every migration of this program, with its state in the database.
pub(super) async fn list(db: &mut PgConnection) -> Result<Vec<Migration>, StoreError> {
    let has_table =
        sqlx::query_scalar!(r#"SELECT to_regclass('public._sqlx_migrations') IS NOT NULL AS "has!""#).fetch_one(&mut *db).await?;
    let applied = if has_table { db.list_applied_migrations(TABLE).await.map_err(explain)? } else { Vec::new() };
    let mut applied: HashMap<i64, _> = applied.into_iter().map(|row| (row.version, row.checksum)).collect();
    let ours = MIGRATIONS.iter().filter(|migration| migration.migration_type.is_up_migration());
    let list = ours.map(|migration| {
        let state = match applied.remove(&migration.version) {
            None => MigrationState::Pending,
            Some(checksum) if checksum == migration.checksum => MigrationState::Applied,
            Some(_) => MigrationState::Changed,
        };
        Migration { version: migration.version, name: migration.description.to_string(), state }
    });
    let list = list.collect();
    match applied.into_keys().max() {
        Some(version) => Err(StoreError::MigrationUnknown(version)),
        None => Ok(list),
    }
}

/// The newest migration that this program knows.
pub(super) fn newest() -> i64 {
    MIGRATIONS.iter().map(|step| step.version).max().unwrap_or(0)
}

fn must_exist(version: i64) -> Result<(), StoreError> {
    if MIGRATIONS.version_exists(version) { Ok(()) } else { Err(StoreError::NoSuchMigration(version)) }
}

fn refuse_changed(list: &[Migration]) -> Result<(), StoreError> {
    match list.iter().find(|migration| migration.state == MigrationState::Changed) {
        Some(changed) => Err(StoreError::MigrationChanged { version: changed.version, name: changed.name.clone() }),
        None => Ok(()),
    }
}

fn explain(error: MigrateError) -> StoreError {
    let name = |version: i64| {
        let found = MIGRATIONS.iter().find(|migration| migration.version == version);
        found.map_or_else(String::new, |migration| migration.description.to_string())
    };
    match error {
        MigrateError::Execute(source) => source.into(),
        MigrateError::ExecuteMigration(source, version) => StoreError::MigrationFailed { version, name: name(version), source },
        MigrateError::VersionMissing(version) => StoreError::MigrationUnknown(version),
        MigrateError::VersionMismatch(version) => StoreError::MigrationChanged { version, name: name(version) },
        other => StoreError::Query(sqlx::Error::Migrate(Box::new(other))),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    #[test]
    fn the_program_holds_every_migration_of_the_folder_in_both_directions() {
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap();
        let mut files: Vec<String> = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        let mut held: Vec<String> = MIGRATIONS
            .iter()
            .map(|step| format!("{:04}_{}{}", step.version, step.description.replace(' ', "_"), step.migration_type.suffix()))
            .collect();
        held.sort();
        assert_eq!(held, files);
        let ups = MIGRATIONS.iter().filter(|step| step.migration_type.is_up_migration()).count();
        assert_eq!(ups * 2, files.len());
    }

    #[test]
    fn the_guides_chain_comes_first_with_its_names() {
        let names: Vec<_> = MIGRATIONS
            .iter()
            .filter(|step| step.migration_type.is_up_migration())
            .map(|step| step.description.to_string())
            .take(7)
            .collect();
        let guide =
            ["initial schema", "signals schema", "phase2 schema", "synergy schema", "discord profile", "users table", "subscription tier"];
        assert_eq!(names, guide);
    }
}
