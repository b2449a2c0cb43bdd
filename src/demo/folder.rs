//! The folder of the demonstration: its own copy of the rules and presets, and its `.env`, to be edited while it runs.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// A week is too long to wait for a digest: the demonstration has one a day, of what is two hours old.
const DAILY_DIGEST: &str = r#"    digest: { at: "08:00", top: 10, delay_hours: [2, 48] }"#;

/// See the module.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes it anew.
    pub fn make(path: &Path, rules: &Path, profiles: &Path) -> anyhow::Result<Self> {
        if path.exists() {
            fs::remove_dir_all(path).with_context(|| format!("cannot remove the last demonstration's folder {}", path.display()))?;
        }
        let folder = Self(path.to_owned());
        copy(rules, &folder.rules())?;
        copy(profiles, &folder.profiles())?;
        let plans = folder.profiles().join("plans.yaml");
        let text = fs::read_to_string(&plans).with_context(|| format!("cannot read {}", plans.display()))?;
        let line = |line: &str| format!("{}\n", if line.trim_start().starts_with("digest:") { DAILY_DIGEST } else { line });
        fs::write(&plans, text.lines().map(line).collect::<String>()).with_context(|| format!("cannot write {}", plans.display()))?;
        Ok(folder)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn rules(&self) -> PathBuf {
        self.0.join("rules")
    }

    pub fn profiles(&self) -> PathBuf {
        self.0.join("profiles")
    }

    pub fn dotenv(&self) -> PathBuf {
        self.0.join(".env")
    }

    /// Writes `.env`, for nobody else to read.
    pub fn write_dotenv(&self, variables: &[(&str, String)]) -> anyhow::Result<()> {
        let line = |(name, value): &(&str, String)| format!("{name}='{value}'\n");
        self.replace_dotenv(&variables.iter().map(line).collect::<String>())
    }

    /// Gives a variable of `.env` another value; the other lines stay.
    pub fn set_variable(&self, name: &str, value: &str) -> anyhow::Result<()> {
        let text = fs::read_to_string(self.dotenv()).with_context(|| format!("cannot read {}", self.dotenv().display()))?;
        let is_its = |line: &str| line.split('=').next() == Some(name);
        self.replace_dotenv(
            &text.lines().map(|line| if is_its(line) { format!("{name}='{value}'\n") } else { format!("{line}\n") }).collect::<String>(),
        )
    }

    /// Nobody ever reads half of it.
    fn replace_dotenv(&self, text: &str) -> anyhow::Result<()> {
        let beside = self.0.join(".env.new");
        let written = || format!("cannot write {}", beside.display());
        let mut file = fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&beside).with_context(written)?;
        file.write_all(text.as_bytes()).with_context(written)?;
        fs::rename(&beside, self.dotenv()).with_context(written)
    }
}

/// Copies a folder with all regular files in it.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    let entries = fs::read_dir(from).with_context(|| {
        format!("cannot read {}: start in the project's folder, or name the folders by --pack and TCG_RADAR_PROFILES", from.display())
    })?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", from.display()))?;
        let (path, copied) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().with_context(|| format!("cannot read {}", path.display()))?;
        if kind.is_dir() {
            copy(&path, &copied)?;
        } else if kind.is_file() {
            fs::copy(&path, &copied).with_context(|| format!("cannot copy {} to {}", path.display(), copied.display()))?;
        }
    }
    Ok(())
}
