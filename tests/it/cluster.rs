//! One PostgreSQL for the whole run, started by the code under test, and a database of its own for each test.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tcg_radar::store::{Server, Store, embedded::Embedded};
use tokio::sync::OnceCell;

const TEMPLATE: &str = "template_radar";

struct Cluster {
    server: Server,
    /// Closed when this process ends, however it ends; the watcher then stops the server.
    _lifeline: ChildStdin,
}

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A database that no other test touches.
pub struct Database {
    pub server: Server,
}

pub fn quiet(_: &str) {}

/// The PostgreSQL that the tests are run against, where it is not the usual one.
pub fn programs() -> Option<PathBuf> {
    std::env::var_os("TCG_PG_BIN").filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// A new folder that PostgreSQL can reach whoever runs it.
pub fn folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("tcg-radar-it-").tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// Runs the program with nothing of our own environment that concerns it.
pub fn program(home: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcg-radar"));
    // a developer's .env lies in the package's folder
    command.current_dir(home).env("TCG_RADAR_HOME", home).env("TCG_RADAR_PROFILES", concat!(env!("CARGO_MANIFEST_DIR"), "/profiles"));
    command.env_remove("DATABASE_URL").env_remove("DATABASE_OWNER_URL");
    command.envs(variables.iter().copied()).args(arguments).output().unwrap()
}

/// Stops the server of a folder when the process at the other end of its standard input is gone.
pub fn stop_when_we_end(folder: &Path) -> ChildStdin {
    const WATCH: &str = r#"cat >/dev/null
        pid=$(head -n 1 "$1/postgres/data/postmaster.pid") && kill -QUIT "$pid" && while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
        rm -rf "$1""#;
    let mut watcher = Command::new("sh");
    watcher.args(["-c", WATCH, "sh"]).arg(folder).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C must reach us only
    watcher.process_group(0).spawn().unwrap().stdin.take().unwrap()
}

async fn cluster() -> &'static Cluster {
    CLUSTER
        .get_or_init(async || {
            let folder = folder().keep();
            let lifeline = stop_when_we_end(&folder);
            let server = Server::embedded(&Embedded::start(&folder, programs().as_deref(), &quiet).await.unwrap());
            let mut admin = session(&server.with_database("postgres"), true).await;
            admin.execute(AssertSqlSafe(format!("CREATE DATABASE {TEMPLATE}"))).await.unwrap();
            server.with_database(TEMPLATE).migrate(None, &quiet).await.unwrap();
            Cluster { server, _lifeline: lifeline }
        })
        .await
}

/// A session outside the store: the superuser's, or the login's that the program uses.
pub async fn session(server: &Server, superuser: bool) -> PgConnection {
    PgConnection::connect(&server.url(superuser)).await.unwrap()
}

impl Database {
    /// With every migration applied.
    pub async fn migrated() -> Self {
        Self::new(&format!("TEMPLATE {TEMPLATE}")).await
    }

    /// With nothing in it.
    pub async fn empty() -> Self {
        Self::new("").await
    }

    async fn new(from: &str) -> Self {
        let cluster = cluster().await;
        let name = format!("t{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let mut admin = session(&cluster.server.with_database("postgres"), true).await;
        admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name} {from}"))).await.unwrap();
        Self { server: cluster.server.with_database(&name) }
    }

    pub async fn store(&self) -> Store {
        Store::connect(&self.server).await.unwrap()
    }

    /// Bound by nothing: for planting rows and looking behind row security.
    pub async fn superuser(&self) -> PgConnection {
        session(&self.server, true).await
    }

    /// The program's login, as one of its roles.
    pub async fn role(&self, role: &'static str) -> PgConnection {
        let mut session = session(&self.server, false).await;
        session.execute(AssertSqlSafe(format!("SET ROLE {role}"))).await.unwrap();
        session
    }
}

/// The SQLSTATE of a statement that must fail.
pub async fn refusal(session: &mut PgConnection, sql: &'static str) -> String {
    let outcome = session.execute(sql).await;
    let state = outcome.as_ref().err().and_then(sqlx::Error::as_database_error).and_then(sqlx::error::DatabaseError::code);
    state.map_or_else(|| panic!("{sql}: {outcome:?}"), String::from)
}
