//! A backup back into a database: all of it in one transaction, or nothing; and what came of it held against the file.

use std::{path::Path, time::Duration};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use uuid::Uuid;

use super::{BackupError, Content, Reader, SNAPSHOT, export, file::Nowhere, quoted, tables};
use crate::store::{
    Server, ServiceTx, Store, Tell, connect_once, migrate,
    migrate::{Migration, MigrationState},
};

/// A database of its own for a rehearsal, beside the real one. It has to be dropped when it has served.
#[derive(Debug)]
pub struct Scratch {
    pub server: Server,
    name: String,
}

impl Scratch {
    /// # Errors
    /// The login may not create databases, or the server does not answer.
    pub async fn create(server: &Server) -> Result<Self, BackupError> {
        let name = format!("tcg_radar_drill_{}", Uuid::new_v4().simple());
        let mut db = connect_once(server.owner_options()).await?;
        match db.execute(AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0"))).await {
            Ok(_) => Ok(Self { server: server.with_database(&name), name }),
            // insufficient_privilege
            Err(sqlx::Error::Database(fault)) if fault.code().is_some_and(|code| code == "42501") => Err(BackupError::NoScratch),
            Err(error) => Err(error.into()),
        }
    }

    /// # Errors
    /// The server does not answer.
    pub async fn drop(self, server: &Server) -> Result<(), BackupError> {
        let mut db = connect_once(server.owner_options()).await?;
        db.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name))).await?;
        Ok(())
    }
}

impl Server {
    /// Brings a backup back. `force` lets it replace what the database holds. Then the schema is brought up to this
    /// program's. What every table holds now, which is what the file says.
    ///
    /// # Errors
    /// The backup is damaged or of another schema, the database is in use or not empty, or is gone. Nothing was changed
    /// then, but that an empty database may have got the backup's schema.
    pub async fn restore(&self, path: &Path, force: bool, tell: Tell<'_>) -> Result<Vec<Content>, BackupError> {
        let mut reader = Reader::open(path)?;
        let (theirs, ours) = (reader.manifest.schema, migrate::newest());
        if theirs > ours {
            return Err(BackupError::TooNew { path: path.to_owned(), theirs, ours });
        }
        let there = applied(&self.migrations().await?);
        if there == 0 {
            self.migrate(Some(theirs), tell).await?;
        } else if there != theirs {
            return Err(BackupError::OtherSchema { there, theirs });
        }
        let mut db = self.owner().await?;
        tell("restoring");
        let content = replace(&mut db, &mut reader, force).await?;
        // the session's locks go with it
        db.close().await?;
        if theirs < ours {
            self.migrate(None, tell).await?;
        }
        Ok(content)
    }
}

fn applied(migrations: &[Migration]) -> i64 {
    migrations.iter().filter(|step| step.state != MigrationState::Pending).map(|step| step.version).max().unwrap_or(0)
}

/// Everything in one transaction, as the owner.
async fn replace(db: &mut PgConnection, reader: &mut Reader, force: bool) -> Result<Vec<Content>, BackupError> {
    nobody_else(db).await?;
    let mut tx = db.begin().await?;
    tx.execute("SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL timezone = 'UTC'; SET LOCAL statement_timeout = 0").await?;
    let manifest = reader.manifest.clone();
    let names: Vec<String> = manifest.tables.iter().map(|table| format!("public.{}", quoted(&table.name))).collect();
    // forced row security binds the owner, who could not even see what is there
    let secured = sqlx::query_scalar!(
        r#"SELECT relname::text AS "name!" FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relforcerowsecurity AND relkind IN ('r', 'p')"#
    );
    let secured = secured.fetch_all(&mut *tx).await?;
    for name in &secured {
        tx.execute(AssertSqlSafe(format!("ALTER TABLE public.{} NO FORCE ROW LEVEL SECURITY", quoted(name)))).await?;
    }
    if !force {
        for (name, table) in names.iter().zip(&manifest.tables) {
            let is_filled: bool =
                sqlx::query_scalar(AssertSqlSafe(format!("SELECT EXISTS (SELECT FROM {name})"))).fetch_one(&mut *tx).await?;
            if is_filled {
                return Err(BackupError::NotEmpty(table.name.clone()));
            }
        }
    }
    tx.execute(AssertSqlSafe(format!("TRUNCATE {}", names.join(", ")))).await?;
    for month in &manifest.months {
        sqlx::query!("SELECT ensure_price_partition($1)", month).fetch_one(&mut *tx).await?;
    }
    let mut content = Vec::with_capacity(names.len());
    for (name, table) in names.iter().zip(&manifest.tables) {
        let statement = format!("COPY {name} ({}) FROM STDIN", table.columns());
        let mut copy = tx.copy_in_raw(&statement).await?;
        let mut rows = reader.table(&table.name);
        let outcome = loop {
            match rows.some() {
                Ok(Some(some)) => {
                    copy.send(some).await?;
                }
                Ok(None) => break rows.end(),
                Err(fault) => break Err(fault),
            }
        };
        match outcome {
            Ok(found) => {
                copy.finish().await?;
                content.push(found);
            }
            Err(fault) => {
                // why it is given up says more than that giving up failed
                let _ = copy.abort("the backup is damaged").await;
                return Err(fault);
            }
        }
    }
    reader.ends()?;
    number_on(&mut tx).await?;
    for name in &secured {
        tx.execute(AssertSqlSafe(format!("ALTER TABLE public.{} FORCE ROW LEVEL SECURITY", quoted(name)))).await?;
    }
    tx.commit().await?;
    Ok(content)
}

/// The server's own workers have no user. A service that goes on would write what it still has in mind of the old rows.
async fn nobody_else(db: &mut PgConnection) -> Result<(), BackupError> {
    let mut tries = 20;
    loop {
        let others = sqlx::query_scalar!(
            r#"SELECT count(*) AS "others!" FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL"#
        );
        match others.fetch_one(&mut *db).await? {
            0 => return Ok(()),
            others if tries == 0 => return Err(BackupError::InUse(others)),
            // a session that was just closed is seen for a moment yet
            _ => tries -= 1,
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Numbers that are given out go on behind the greatest one.
async fn number_on(tx: &mut PgConnection) -> Result<(), BackupError> {
    let columns = sqlx::query!(
        r#"SELECT c.relname::text AS "table!", a.attname::text AS "column!"
        FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0
            AND NOT a.attisdropped AND pg_get_serial_sequence(quote_ident(c.relname), a.attname) IS NOT NULL"#
    );
    for row in columns.fetch_all(&mut *tx).await? {
        let (table, column) = (quoted(&row.table), quoted(&row.column));
        let statement = format!(
            "SELECT setval(pg_get_serial_sequence('public.{}', '{}'), coalesce(max({column}), 0) + 1, false) FROM public.{table}",
            table.replace('\'', "''"),
            row.column.replace('\'', "''"),
        );
        tx.execute(AssertSqlSafe(statement)).await?;
    }
    Ok(())
}

impl Store {
    /// What every table holds now.
    ///
    /// # Errors
    /// The database is gone.
    pub async fn content(&self) -> Result<Vec<Content>, BackupError> {
        let mut tx = ServiceTx::begin(&self.pool, SNAPSHOT).await?;
        let tables = tables(&mut tx).await?;
        let content = export(&mut tx, &tables, &mut Nowhere).await?;
        tx.commit().await?;
        Ok(content)
    }
}
