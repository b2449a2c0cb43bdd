//! `db migrate | status | rollback | backup | restore | drill | stop | url`.

use std::path::PathBuf;

use clap::Subcommand;
use serde::Serialize;

use super::{Exit, Global, table, tell};
use crate::store::{
    Migration, MigrationState, Server, StoreError,
    embedded::{Embedded, Stopped},
    server::About,
};

mod backup;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Apply what is missing.
    Migrate {
        /// Stop after this migration.
        #[arg(long, value_name = "N")]
        to: Option<i64>,
    },
    /// Show the server and every migration.
    Status,
    /// Take back the newest migration, or all above N. What the older schema cannot hold is lost.
    Rollback {
        /// The migration to go back to; 0 takes back all.
        #[arg(long, value_name = "N")]
        to: Option<i64>,
    },
    /// Write the whole database into a new file of `TCG_RADAR_BACKUPS`, and remove what is kept no longer. `serve` does so daily.
    Backup {
        /// Only show what there is.
        #[arg(long)]
        list: bool,
    },
    /// Bring a backup back, all of it or nothing. The service must not run.
    Restore {
        file: PathBuf,
        /// Replace all that the database holds.
        #[arg(long)]
        force: bool,
    },
    /// Rehearse: restore the newest backup into a database of its own, hold every table against the file, run stored
    /// decisions again, and remove it. Exit code 1 on a difference.
    Drill {
        /// Another one.
        file: Option<PathBuf>,
        /// Decisions that are run again.
        #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(i64).range(1..))]
        sample: i64,
    },
    /// Stop the embedded PostgreSQL. Whatever needs it starts it again: the next command, a running `serve` at once.
    Stop,
    /// Print an address for psql, without a password.
    Url {
        /// The login that may change the schema.
        #[arg(long)]
        owner: bool,
    },
}

#[derive(Serialize)]
struct Status {
    server: About,
    migrations: Vec<Migration>,
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    match args.command {
        Command::Stop => stop(global).await,
        Command::Backup { list: true } => backup::list(global),
        Command::Backup { list: false } => backup::make(global).await,
        Command::Restore { file, force } => backup::restore(global, &file, force).await,
        Command::Drill { file, sample } => backup::drill(global, file, sample).await,
        Command::Url { owner } => {
            let url = server(global).await?.url(owner);
            global.show(&serde_json::json!({ "url": url }), |_| url.clone())?;
            Ok(Exit::Good)
        }
        Command::Migrate { to } => {
            let server = server(global).await?;
            let migrations = server.migrate(to, &tell).await?;
            show(global, &server, migrations).await
        }
        Command::Rollback { to } => {
            let server = server(global).await?;
            let target = match to {
                Some(target) => target,
                None => one_back(&server.migrations().await?),
            };
            let migrations = server.rollback(target, &tell).await?;
            show(global, &server, migrations).await
        }
        Command::Status => {
            let server = server(global).await?;
            let migrations = server.migrations().await?;
            show(global, &server, migrations).await
        }
    }
}

async fn server(global: &Global) -> Result<Server, StoreError> {
    Server::find(&global.config.database, &global.config.home, &tell).await
}

async fn show(global: &Global, server: &Server, migrations: Vec<Migration>) -> anyhow::Result<Exit> {
    global.show(&Status { server: server.about().await?, migrations }, pretty)?;
    Ok(Exit::Good)
}

async fn stop(global: &Global) -> anyhow::Result<Exit> {
    if global.config.database.url.is_some() {
        return Err(super::exit::WrongUsage("DATABASE_URL names a server that is not ours to stop".into()).into());
    }
    let stopped = Embedded::stop(&global.config.home).await.map_err(StoreError::from)? == Stopped::Now;
    global.show(&serde_json::json!({ "stopped": stopped }), |_| {
        if stopped { "the embedded PostgreSQL has stopped" } else { "the embedded PostgreSQL was not running" }.to_owned()
    })?;
    Ok(Exit::Good)
}

/// The migration below the newest applied one.
fn one_back(migrations: &[Migration]) -> i64 {
    let mut applied = migrations.iter().rev().filter(|migration| migration.state != MigrationState::Pending);
    applied.nth(1).map_or(0, |migration| migration.version)
}

fn pretty(status: &Status) -> String {
    let About { version, database, role, embedded, address } = &status.server;
    let kind = if *embedded { "embedded" } else { "DATABASE_URL" };
    let rows = status.migrations.iter().map(|migration| {
        let state = match migration.state {
            MigrationState::Applied => "applied",
            MigrationState::Pending => "pending",
            MigrationState::Changed => "changed since it was applied",
        };
        vec![format!("{:04}", migration.version), migration.name.clone(), state.to_owned()]
    });
    format!(
        "PostgreSQL {version} ({kind}) at {address}, database {database}, as {role}\n\n{}",
        table(&["migration", "name", "state"], rows)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_back_is_the_migration_below_the_newest_applied_one() {
        let list = |applied: i64| -> Vec<Migration> {
            let state = |version| if version <= applied { MigrationState::Applied } else { MigrationState::Pending };
            (1..=4).map(|version| Migration { version, name: String::new(), state: state(version) }).collect()
        };
        assert_eq!(one_back(&list(3)), 2);
        assert_eq!(one_back(&list(1)), 0);
        assert_eq!(one_back(&list(0)), 0);
    }
}
