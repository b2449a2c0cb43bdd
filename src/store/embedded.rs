//! A PostgreSQL of our own under the data folder: a child process on a unix socket, shared by all our processes, that
//! outlives each of them.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::time::Instant;

use self::{binaries::Binaries, process::Postmaster, runner::Runner};
use super::{Tell, server};

mod binaries;
mod process;
mod runner;

/// The database of the service.
pub const DATABASE: &str = "tcgradar";
/// The login that the service uses: no rights but to become `tcg_service` or `tcg_tenant`.
pub const LOGIN: &str = "tcg_radar";
const SUPERUSER: &str = "postgres";
/// Names the socket's file; no TCP port is opened.
const PORT: u16 = 5432;
/// A unix socket's path may have 107 bytes; its file is `/.s.PGSQL.5432.lock` while it is made.
const LONGEST_SOCKET_FOLDER: usize = 107 - "/.s.PGSQL.5432.lock".len();
const READY_WITHIN: Duration = Duration::from_mins(1);
const STOP_WITHIN: Duration = Duration::from_mins(1);

/// Why there is no embedded database.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error(
        "no PostgreSQL 15 or newer was found, and none could be installed ({0}): install one (Debian: `apt-get install postgresql`), or name \
         its folder in TCG_PG_BIN, or name a server in DATABASE_URL"
    )]
    NotInstalled(String),

    #[error("TCG_PG_BIN names {}, which holds no PostgreSQL 15 or newer: expected the folder of `initdb` and `postgres`", .0.display())]
    NoPrograms(PathBuf),

    #[error("{} was made by PostgreSQL {wanted}, and only {found} was found: install PostgreSQL {wanted}, or name its folder in TCG_PG_BIN", path.display())]
    WrongVersion { path: PathBuf, wanted: u32, found: String },

    #[error(
        "PostgreSQL refuses to run as root, and neither the user `postgres` (or the database's owner) can reach {} nor does `unshare -U` work \
         here: move the data folder (TCG_RADAR_HOME), or start as another user",
        .0.display()
    )]
    RootRefused(PathBuf),

    #[error("cannot {doing} {}: {source}: set that right, or choose another data folder (TCG_RADAR_HOME)", path.display())]
    File { doing: &'static str, path: PathBuf, source: std::io::Error },

    #[error("cannot run {program}: {source}")]
    Program { program: String, source: std::io::Error },

    #[error("{program} failed: {output}")]
    Failed { program: &'static str, output: String },

    #[error("the embedded PostgreSQL did not start: {log}")]
    NotReady { log: String },

    #[error("the embedded PostgreSQL (process {pid}) runs but does not answer at {}: stop it with `tcg-radar db stop`, then try again", socket.display())]
    Deaf { pid: u32, socket: PathBuf },

    #[error("the embedded PostgreSQL (process {0}) did not stop within a minute: a client may hold it; try again")]
    NotStopped(u32),

    #[error("{} is not a folder of ours: remove it, or choose another data folder (TCG_RADAR_HOME)", .0.display())]
    ForeignFolder(PathBuf),

    #[error("cannot prepare the embedded database: {0}")]
    Prepare(String),
}

impl EmbeddedError {
    /// Whether the same call may succeed later without anyone changing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::NotReady { .. } | Self::NotStopped(_) | Self::Prepare(_))
    }
}

/// A running embedded server.
#[derive(Debug, Clone)]
pub struct Embedded {
    folder: Folder,
    socket: PathBuf,
}

/// What became of a request to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It ran and was stopped.
    Now,
    NotRunning,
}

impl Embedded {
    /// Connects to the server of this data folder; installs, creates and starts what is missing. Processes that start
    /// together take turns under a file lock. `programs` names the folder of PostgreSQL's programs, where it is not to be
    /// searched for.
    ///
    /// # Errors
    /// See [`EmbeddedError`]; every one says what to do.
    pub async fn start(home: &Path, programs: Option<&Path>, tell: Tell<'_>) -> Result<Self, EmbeddedError> {
        let folder = Folder::of(home)?;
        if let Some(running) = folder.running().await {
            return Ok(running);
        }
        let lock = folder.lock(tell).await?;
        // whoever held the lock before us may have started it
        let running = match folder.running().await {
            Some(running) => running,
            None => folder.bring_up(programs, tell).await?,
        };
        drop(lock);
        Ok(running)
    }

    /// Stops the server of a data folder; open transactions are rolled back.
    ///
    /// # Errors
    /// It does not stop within a minute.
    pub async fn stop(home: &Path) -> Result<Stopped, EmbeddedError> {
        let folder = Folder::of(home)?;
        let _lock = folder.lock(&|_| ()).await?;
        let Some(postmaster) = Postmaster::read(&folder.data()).filter(Postmaster::is_alive) else {
            return Ok(Stopped::NotRunning);
        };
        postmaster.interrupt()?;
        let deadline = Instant::now() + STOP_WITHIN;
        while postmaster.is_alive() {
            if Instant::now() > deadline {
                return Err(EmbeddedError::NotStopped(postmaster.pid));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Stopped::Now)
    }

    /// The process id of the running server.
    pub fn pid(&self) -> Option<u32> {
        Postmaster::read(&self.folder.data()).filter(Postmaster::is_alive).map(|postmaster| postmaster.pid)
    }

    /// The folder that holds the socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// A superuser's session: creates roles and databases, and becomes the owner to migrate.
    pub(super) fn superuser(&self, database: &str) -> PgConnectOptions {
        options(&self.socket, SUPERUSER, database)
    }

    pub(super) fn login(&self, database: &str) -> PgConnectOptions {
        options(&self.socket, LOGIN, database)
    }
}

fn options(socket: &Path, user: &str, database: &str) -> PgConnectOptions {
    // every part is set, so that PGHOST and its kind have no say
    PgConnectOptions::new_without_pgpass()
        .socket(socket)
        .port(PORT)
        .username(user)
        .database(database)
        .application_name("tcg-radar")
        .ssl_mode(sqlx::postgres::PgSslMode::Disable)
}

/// Where the embedded server keeps its things.
#[derive(Debug, Clone)]
struct Folder {
    /// `<home>/postgres`, absolute and free of links.
    root: PathBuf,
}

impl Folder {
    fn of(home: &Path) -> Result<Self, EmbeddedError> {
        let root = home.join("postgres");
        create_folder(&root)?;
        let root = root.canonicalize().map_err(file("find", &root))?;
        Ok(Self { root })
    }

    fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    fn log(&self) -> PathBuf {
        self.root.join("server.log")
    }

    /// The socket lies beside the data unless the path is too long for one; then in `/tmp`, named by the data folder.
    fn socket(&self) -> PathBuf {
        let beside = self.root.join("run");
        if beside.as_os_str().len() <= LONGEST_SOCKET_FOLDER {
            return beside;
        }
        let digest = Sha256::digest(self.root.as_os_str().as_encoded_bytes());
        let name = digest.iter().take(8).fold(0_u64, |name, byte| name << 8 | u64::from(*byte));
        Path::new("/tmp").join(format!("tcg-radar-{name:016x}"))
    }

    /// The server, if it runs and is fully prepared.
    async fn running(&self) -> Option<Embedded> {
        let found = Embedded { folder: self.clone(), socket: self.socket() };
        // anyone may make a folder in /tmp: only the one of the data's owner is ours
        if runner::owner(&found.socket)? != runner::owner(&self.data())? {
            return None;
        }
        answers(&found.login(DATABASE)).await.then_some(found)
    }

    async fn lock(&self, tell: Tell<'_>) -> Result<File, EmbeddedError> {
        let path = self.root.join("lock");
        let lock = File::create(&path).map_err(file("open", &path))?;
        if lock.try_lock().is_ok() {
            return Ok(lock);
        }
        tell("waiting for another process that is starting or stopping the database");
        let waited = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await;
        match waited {
            Ok(locked) => locked.map_err(file("lock", &path)),
            Err(_) => Err(EmbeddedError::Prepare("the wait for the lock was cut off".into())),
        }
    }

    /// Everything from nothing to a prepared server. The lock is held.
    async fn bring_up(&self, programs: Option<&Path>, tell: Tell<'_>) -> Result<Embedded, EmbeddedError> {
        let server = Embedded { folder: self.clone(), socket: self.socket() };
        if !self.is_up(&server).await? {
            let binaries = Binaries::find_or_install(&self.root, programs, process::major_version(&self.data()), tell).await?;
            let runner = Runner::choose(&self.root, &self.data(), &binaries)?;
            if !self.data().join("PG_VERSION").exists() {
                tell(&format!("creating a PostgreSQL {} database in {}", binaries.major, self.root.display()));
                self.create_cluster(&binaries, &runner).await?;
            }
            process::clear_stale_files(&self.data(), &server.socket)?;
            tell("starting the embedded PostgreSQL");
            self.start_until_ready(&server, &binaries, &runner).await?;
        }
        server::prepare_embedded(&server).await.map_err(|error| EmbeddedError::Prepare(error.to_string()))?;
        Ok(server)
    }

    /// Whether a server answers already, also one that is on its way up or down from another process's hand.
    async fn is_up(&self, server: &Embedded) -> Result<bool, EmbeddedError> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            if answers(&server.superuser("postgres")).await {
                return Ok(true);
            }
            let Some(postmaster) = Postmaster::read(&self.data()).filter(Postmaster::is_alive) else { return Ok(false) };
            if Instant::now() > deadline {
                return Err(EmbeddedError::Deaf { pid: postmaster.pid, socket: server.socket.clone() });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Into a folder of another name first: one that was cut short never looks like a database. The name is new each time,
    /// as the `initdb` of a killed process may still be writing to the last one.
    async fn create_cluster(&self, binaries: &Binaries, runner: &Runner) -> Result<(), EmbeddedError> {
        const UNFINISHED: &str = "unfinished-";
        let entries = fs::read_dir(&self.root).map_err(file("read", &self.root))?;
        for old in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(UNFINISHED)) {
            // one that is still written to is left for the next time
            let _ = fs::remove_dir_all(old.path());
        }
        let unfinished = self.root.join(format!("{UNFINISHED}{}", uuid::Uuid::new_v4().simple()));
        runner.create_folder(&unfinished)?;
        let mut initdb = runner.command(&binaries.program("initdb"));
        initdb.arg("--pgdata").arg(&unfinished);
        initdb.args([
            "--username",
            SUPERUSER,
            "--encoding=UTF8",
            "--locale=C",
            "--auth-local=trust",
            "--auth-host=reject",
            "--no-instructions",
        ]);
        process::run(initdb, "initdb").await?;
        fs::rename(&unfinished, self.data()).map_err(file("rename", &unfinished))
    }

    async fn start_until_ready(&self, server: &Embedded, binaries: &Binaries, runner: &Runner) -> Result<(), EmbeddedError> {
        runner.create_folder(&server.socket)?;
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let mut child =
                process::spawn_server(runner.command(&binaries.program("postgres")), &self.data(), &server.socket, &self.log())?;
            loop {
                if answers(&server.superuser("postgres")).await {
                    return Ok(());
                }
                if child.has_ended() {
                    break;
                }
                if Instant::now() > deadline {
                    return Err(EmbeddedError::NotReady { log: process::last_lines(&self.log()) });
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            // after a kill -9 the backends of the dead server hold its shared memory until they notice
            let log = process::last_lines(&self.log());
            if !log.contains("shared memory block") || Instant::now() > deadline {
                return Err(EmbeddedError::NotReady { log });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn answers(options: &PgConnectOptions) -> bool {
    match tokio::time::timeout(Duration::from_secs(5), PgConnection::connect_with(options)).await {
        Ok(Ok(connection)) => connection.close().await.is_ok(),
        _ => false,
    }
}

fn create_folder(path: &Path) -> Result<(), EmbeddedError> {
    fs::create_dir_all(path).map_err(file("create", path))
}

/// Wraps an I/O error with what was tried on which path.
fn file(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> EmbeddedError {
    let path = path.to_owned();
    move |source| EmbeddedError::File { doing, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deep_data_folder_gets_a_short_socket() {
        let shallow = Folder { root: "/srv/radar/postgres".into() };
        assert_eq!(shallow.socket(), Path::new("/srv/radar/postgres/run"));
        let deep = Folder { root: Path::new("/").join("d".repeat(120)) };
        let other = Folder { root: Path::new("/").join("e".repeat(120)) };
        assert!(deep.socket().starts_with("/tmp"));
        assert!(deep.socket().as_os_str().len() <= LONGEST_SOCKET_FOLDER);
        assert_ne!(deep.socket(), other.socket());
    }
}
