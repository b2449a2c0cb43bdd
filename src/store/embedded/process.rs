//! The server as a process: starting it, reading its pid file, clearing what a crash left behind.

use std::{
    fs::{self, File},
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{EmbeddedError, file};

/// Settings for a small server that is fed in bulk. Durability stays on: a kill -9 loses nothing that was committed.
const TUNING: &[&str] = &[
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "max_connections=60",
    "shared_buffers=256MB",
    "work_mem=16MB",
    "maintenance_work_mem=128MB",
    "effective_cache_size=1GB",
    // an import writes a gigabyte of log: fewer checkpoints, smaller pages in them
    "max_wal_size=2GB",
    "checkpoint_timeout=15min",
    "wal_compression=on",
    // nobody replicates from here
    "wal_level=minimal",
    "max_wal_senders=0",
    // the plans are short; compiling them costs more than it saves
    "jit=off",
    "random_page_cost=1.1",
    "log_checkpoints=off",
    "log_timezone=UTC",
    "timezone=UTC",
    "cluster_name=tcg-radar",
];

/// The running server as its pid file describes it.
#[derive(Debug, Clone)]
pub(super) struct Postmaster {
    pub pid: u32,
    data: PathBuf,
}

impl Postmaster {
    pub fn read(data: &Path) -> Option<Self> {
        let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let pid = text.lines().next()?.trim().parse().ok()?;
        Some(Self { pid, data: data.to_owned() })
    }

    /// Whether that process is a server of this data folder, and not a stranger that got the number after a reboot, nor a
    /// dead one that nobody has collected yet.
    pub fn is_alive(&self) -> bool {
        let Ok(command) = fs::read(format!("/proc/{}/cmdline", self.pid)) else {
            return !Path::new("/proc/self").exists() && signal("-0", self.pid).is_ok();
        };
        let data = self.data.as_os_str().as_encoded_bytes();
        command.split(|byte| *byte == 0).any(|argument| argument == data)
    }

    /// Asks for a fast shutdown.
    pub fn interrupt(&self) -> Result<(), EmbeddedError> {
        signal("-INT", self.pid)
    }
}

/// The shell has `kill` built in, so that no package is needed for it.
fn signal(name: &str, pid: u32) -> Result<(), EmbeddedError> {
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"kill "$1" "$2""#, "sh", name, &pid.to_string()]).stdin(Stdio::null());
    let output = shell.output().map_err(|source| EmbeddedError::Program { program: "sh".into(), source })?;
    if output.status.success() {
        return Ok(());
    }
    Err(EmbeddedError::Failed { program: "kill", output: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
}

/// Removes the lock files of a server that is gone. PostgreSQL does so itself unless the process number is in use again.
pub(super) fn clear_stale_files(data: &Path, socket: &Path) -> Result<(), EmbeddedError> {
    if Postmaster::read(data).is_some_and(|postmaster| postmaster.is_alive()) {
        return Ok(());
    }
    for path in [data.join("postmaster.pid"), socket.join(".s.PGSQL.5432.lock"), socket.join(".s.PGSQL.5432")] {
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(file("remove", &path)(error)),
        }
    }
    Ok(())
}

/// The major version that made a data folder.
pub(super) fn major_version(data: &Path) -> Option<u32> {
    fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// A server that we started. It lives on when we end.
pub(super) struct Child {
    ended: Arc<AtomicBool>,
}

impl Child {
    pub fn has_ended(&mut self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

pub(super) fn spawn_server(mut command: Command, data: &Path, socket: &Path, log: &Path) -> Result<Child, EmbeddedError> {
    if log.exists() {
        // one generation back is enough to see why it fell
        fs::rename(log, log.with_extension("log.1")).map_err(file("rename", log))?;
    }
    let output = File::options().write(true).create_new(true).mode(0o600).open(log).map_err(file("create", log))?;
    let errors = output.try_clone().map_err(file("open", log))?;
    command.arg("-D").arg(data).arg("-k").arg(socket);
    for setting in TUNING {
        command.args(["-c", setting]);
    }
    // a process group of its own: Ctrl-C at our terminal would be a shutdown order to it
    command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().map_err(|source| EmbeddedError::Program { program, source })?;
    let ended = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ended);
    // collects the exit status: an uncollected dead server would still hold its process number
    std::thread::spawn(move || {
        let _ = child.wait();
        flag.store(true, Ordering::Release);
    });
    Ok(Child { ended })
}

/// Runs a program to its end; its output is shown only when it fails.
pub(super) async fn run(mut command: Command, name: &'static str) -> Result<String, EmbeddedError> {
    command.stdin(Stdio::null());
    let program = command.get_program().to_string_lossy().into_owned();
    let outcome = tokio::task::spawn_blocking(move || command.output()).await;
    let output =
        outcome.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(|source| EmbeddedError::Program { program, source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(EmbeddedError::Failed { program: name, output: tail(&text) })
}

/// The end of the server's log, for an error message.
pub(super) fn last_lines(log: &Path) -> String {
    fs::read_to_string(log).map_or_else(|_| format!("its log {} cannot be read", log.display()), |text| tail(&text))
}

fn tail(text: &str) -> String {
    const LINES: usize = 6;
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].join("; ")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    #[test]
    fn a_process_number_that_a_stranger_got_is_not_our_server() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("postmaster.pid"), format!("{}\n", std::process::id())).unwrap();
        let postmaster = Postmaster::read(folder.path()).unwrap();
        assert!(!postmaster.is_alive());
        clear_stale_files(folder.path(), folder.path()).unwrap();
        assert!(Postmaster::read(folder.path()).is_none());
    }

    #[test]
    fn an_error_shows_the_end_of_the_log() {
        let text = (1..=20).map(|line| format!("line {line}")).collect::<Vec<_>>().join("\n\n");
        assert_eq!(tail(&text), "line 15; line 16; line 17; line 18; line 19; line 20");
    }
}
