//! Who runs PostgreSQL: ourselves, or, as it refuses root, the user `postgres` or a user namespace of our own.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{EmbeddedError, binaries::Binaries, create_folder, file};

/// An ordinary user's ids inside the namespace; outside they are root's.
const UNSHARE: &[&str] = &["-U", "--map-user=1000", "--map-group=1000"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runner {
    /// We are not root.
    Ourselves { uid: u32 },
    /// Root steps down to another user.
    User { uid: u32, gid: u32 },
    /// Root looks like an ordinary user to PostgreSQL, and its files stay root's.
    Namespace,
}

impl Runner {
    /// The owner of an existing database decides; for a new one, whichever can reach the folder.
    pub fn choose(root: &Path, data: &Path, binaries: &Binaries) -> Result<Self, EmbeddedError> {
        let uid = own_uid(root)?;
        if uid != 0 {
            return Ok(Self::Ourselves { uid });
        }
        let server = binaries.program("postgres");
        let fits = |runner: &Self| runner.can_enter(root) && runner.can_run(&server);
        let candidates = match fs::metadata(data) {
            // root may become whoever made the database
            Ok(found) if found.uid() != 0 => vec![Self::User { uid: found.uid(), gid: found.gid() }],
            Ok(_) => vec![Self::Namespace],
            Err(_) => user("postgres").into_iter().chain([Self::Namespace]).collect(),
        };
        candidates.into_iter().find(fits).ok_or_else(|| EmbeddedError::RootRefused(root.to_owned()))
    }

    /// A command that will run as this user.
    pub fn command(self, program: &Path) -> Command {
        let mut command = match self {
            Self::Ourselves { .. } => Command::new(program),
            Self::User { uid, gid } => {
                let mut command = Command::new(program);
                command.uid(uid).gid(gid);
                command
            }
            Self::Namespace => {
                let mut command = Command::new("unshare");
                command.args(UNSHARE).arg(program);
                command
            }
        };
        // our own folder may be closed to that user, and a PGDATA or PGOPTIONS of the caller is not meant for this server
        command.current_dir("/").env_remove("PGDATA").env_remove("PGOPTIONS");
        command
    }

    /// A folder that this user alone may enter. One that is there already must be just that.
    pub fn create_folder(self, path: &Path) -> Result<(), EmbeddedError> {
        let fresh = fs::symlink_metadata(path).is_err();
        if fresh {
            create_folder(path)?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(file("protect", path))?;
            if let Self::User { uid, gid } = self {
                chown(path, Some(uid), Some(gid)).map_err(file("hand over", path))?;
            }
            return Ok(());
        }
        let found = fs::symlink_metadata(path).map_err(file("look at", path))?;
        let ours = match self {
            Self::User { uid, .. } | Self::Ourselves { uid } => found.uid() == uid,
            Self::Namespace => found.uid() == 0,
        };
        if !found.is_dir() || !ours || found.permissions().mode() & 0o077 != 0 {
            return Err(EmbeddedError::ForeignFolder(path.to_owned()));
        }
        Ok(())
    }

    fn can_enter(self, folder: &Path) -> bool {
        let mut test = self.command(Path::new("test"));
        test.arg("-x").arg(folder);
        succeeds(test)
    }

    fn can_run(self, program: &Path) -> bool {
        let mut version = self.command(program);
        version.arg("--version");
        succeeds(version)
    }
}

fn succeeds(mut command: Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Asked of the file system, as the standard library does not tell who we are: what we create is ours.
pub(super) fn own_uid(root: &Path) -> Result<u32, EmbeddedError> {
    let probe = root.join("whoami");
    fs::write(&probe, "").map_err(file("write", &probe))?;
    let uid = fs::metadata(&probe).map_err(file("look at", &probe))?.uid();
    fs::remove_file(&probe).map_err(file("remove", &probe))?;
    Ok(uid)
}

pub(super) fn owner(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|found| found.uid())
}

fn user(name: &str) -> Option<Runner> {
    parse_user(&fs::read_to_string("/etc/passwd").ok()?, name)
}

fn parse_user(passwd: &str, name: &str) -> Option<Runner> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some(Runner::User { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
}

/// Where a folder's programs are looked for.
pub(super) fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_is_found_by_its_whole_name() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\npostgresql:x:7:7::/:/bin/sh\npostgres:x:101:104:admin:/var/lib/postgresql:/bin/bash\n";
        assert_eq!(parse_user(passwd, "postgres"), Some(Runner::User { uid: 101, gid: 104 }));
        assert_eq!(parse_user(passwd, "nobody"), None);
    }
}
