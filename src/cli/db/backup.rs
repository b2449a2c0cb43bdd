//! `db backup | restore | drill`.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::{
    cli::{Exit, Global, audit, exit::WrongUsage, table, tell},
    clock::Clock,
    scan::audit::{Extent, Verified, verify},
    store::{
        Server, Store,
        backup::{self, Content, Found, Made, Scratch},
    },
};

/// Makes one now, and removes what is kept no longer.
pub async fn make(global: &Global) -> anyhow::Result<Exit> {
    let backups = &global.config.backups;
    let now = Clock::machine().now();
    let made = global.store().await?.backup(&backups.folder, now).await?;
    let removed = backup::prune(&backups.folder, backups.keep_days, now)?;
    global.show(&made, |made| {
        let rows: u64 = made.content.iter().map(|one| one.rows).sum();
        let Made { path, bytes, content, .. } = made;
        let kept = if removed.is_empty() { String::new() } else { format!("; {} older ones removed", removed.len()) };
        format!("{}: {rows} rows of {} tables, {bytes} bytes{kept}", path.display(), content.len())
    })?;
    Ok(Exit::Good)
}

pub fn list(global: &Global) -> anyhow::Result<Exit> {
    let folder = &global.config.backups.folder;
    let found = backup::list(folder)?;
    global.show(&found, |found| {
        if found.is_empty() {
            return format!("no backup in {}", folder.display());
        }
        let row = |one: &Found| vec![one.made_at.format("%F %T").to_string(), one.path.display().to_string()];
        table(&["made (UTC)", "file"], found.iter().map(row))
    })?;
    Ok(Exit::Good)
}

pub async fn restore(global: &Global, file: &Path, force: bool) -> anyhow::Result<Exit> {
    let server = Server::find(&global.config.database, &global.config.home, &tell).await?;
    let content = server.restore(file, force, &tell).await?;
    global.show(&content, |content| {
        let rows: u64 = content.iter().map(|one| one.rows).sum();
        format!(
            "restored {rows} rows of {} tables from {}; `tcg-radar audit verify` runs what was decided again",
            content.len(),
            file.display()
        )
    })?;
    Ok(Exit::Good)
}

/// What a rehearsal found.
#[derive(Serialize)]
struct Drill {
    file: PathBuf,
    tables: Vec<Compared>,
    /// Stored decisions of the restored database, run again.
    decisions: Verified,
    /// The backup is of an older schema, which was brought up after it had been restored: tables cannot be compared.
    schema_from: Option<i64>,
    seconds: u64,
}

#[derive(Serialize)]
struct Compared {
    table: String,
    rows: u64,
    restored_rows: u64,
    same: bool,
}

impl Drill {
    fn exit(&self) -> Exit {
        let same = self.schema_from.is_some() || self.tables.iter().all(|one| one.same);
        match audit::exit(&self.decisions) {
            _ if !same => Exit::Failed,
            // a young database has decided nothing yet
            Exit::NothingRan => Exit::Good,
            exit => exit,
        }
    }
}

/// Restores into a database of its own, holds it against the file, runs decisions again, and removes it.
pub async fn drill(global: &Global, file: Option<PathBuf>, sample: i64) -> anyhow::Result<Exit> {
    let began = std::time::Instant::now();
    let folder = &global.config.backups.folder;
    let Some(file) = file.or(backup::list(folder)?.pop().map(|newest| newest.path)) else {
        return Err(WrongUsage(format!("no backup in {}: `tcg-radar db backup` makes one", folder.display())).into());
    };
    let server = Server::find(&global.config.database, &global.config.home, &tell).await?;
    let scratch = Scratch::create(&server).await?;
    let rehearsed = rehearse(&scratch.server, &file, sample).await;
    scratch.drop(&server).await?;
    let (tables, decisions, schema_from) = rehearsed?;
    let drill = Drill { file, tables, decisions, schema_from, seconds: began.elapsed().as_secs() };
    let exit = drill.exit();
    global.show(&drill, pretty)?;
    Ok(exit)
}

async fn rehearse(server: &Server, file: &Path, sample: i64) -> anyhow::Result<(Vec<Compared>, Verified, Option<i64>)> {
    let theirs = backup::Reader::open(file)?.manifest.schema;
    let written = server.restore(file, false, &tell).await?;
    let store = Store::connect(server).await?;
    let schema_from = (theirs != backup::newest_schema()).then_some(theirs);
    let restored = store.content().await?;
    let tables = written.into_iter().map(|one| compare(one, &restored)).collect();
    tell(&format!("running {sample} stored decisions again"));
    let decisions = verify(&store, Extent::Sample(sample), &|_| ()).await?;
    store.close().await;
    Ok((tables, decisions, schema_from))
}

fn compare(written: Content, restored: &[Content]) -> Compared {
    let found = restored.iter().find(|one| one.table == written.table);
    Compared { same: found == Some(&written), restored_rows: found.map_or(0, |one| one.rows), table: written.table, rows: written.rows }
}

fn pretty(drill: &Drill) -> String {
    let rows = drill.tables.iter().map(|one| {
        let same = match (one.same, drill.schema_from) {
            (_, Some(_)) => "not compared",
            (true, None) => "the same",
            (false, None) => "DIFFERENT",
        };
        vec![one.table.clone(), one.rows.to_string(), one.restored_rows.to_string(), same.to_owned()]
    });
    let tables = table(&["table", "rows", "restored", ""], rows);
    let migrated = drill.schema_from.map(|from| format!("the backup was of migration {from} and was brought up\n")).unwrap_or_default();
    let Drill { file, seconds, .. } = drill;
    format!("{} restored and removed again in {seconds} s\n\n{tables}\n\n{migrated}{}", file.display(), audit::verified(&drill.decisions))
}
