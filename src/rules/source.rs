//! The files of a pack, read once: regular files under the root, size-capped, and a hash over all of them.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::diagnostic::{Code, Diagnostic, Place, Sink, Span};

/// Bytes that one rule file may have.
pub const MAX_FILE_BYTES: u64 = 1 << 20;
/// Bytes of all files together.
pub const MAX_PACK_BYTES: u64 = 8 << 20;
/// Files that a pack may have.
pub const MAX_FILES: usize = 2_000;
/// Names that the folder may hold: whoever points at a whole disk by mistake must not wait for it to be walked.
const MAX_ENTRIES: usize = 5_000;

/// A pack's text, by path relative to its root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackSource {
    pub files: BTreeMap<Arc<str>, Arc<str>>,
    /// `tests/*.test.yaml`. They decide nothing, so they are neither hashed nor kept with a pack that was live.
    pub tests: BTreeMap<Arc<str>, Arc<str>>,
}

impl PackSource {
    /// Reads every `.yaml` and `.rhai` file below `root`, of its tests those called `.test.yaml`. Faults go to `sink`.
    pub fn read(root: &Path, sink: &Sink) -> Self {
        let mut source = Self::default();
        let Ok(canonical) = root.canonicalize() else {
            let place = Place { file: relative(root, root), span: Span::default() };
            let fault = Diagnostic::error(Code::UnreadableFile, place, format!("there is no folder {}", root.display()));
            sink.report(fault.with_help("name the folder that holds pack.yaml, by `--pack` or TCG_RADAR_RULES"));
            return source;
        };
        // where the root is a link, it may be turned to another folder meanwhile: one reading is of one folder
        let root = canonical.as_path();
        let report = |code: Code, path: &Path, message: String| {
            let place = Place { file: relative(root, path), span: Span::default() };
            sink.report(Diagnostic::error(code, place, message).with_help(code.remedy()));
        };
        let refuse = |path: &Path, message: String| report(Code::UnreadableFile, path, message);
        let too_large = |path: &Path, message: String| report(Code::TooLarge, path, message);
        let mut folders = vec![root.to_owned()];
        let (mut entries_left, mut bytes_left) = (MAX_ENTRIES, MAX_PACK_BYTES);
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) => {
                    refuse(&folder, format!("the folder cannot be read: {error}"));
                    continue;
                }
            };
            for entry in entries.filter_map(Result::ok) {
                let path = entry.path();
                let Some(left) = entries_left.checked_sub(1) else {
                    too_large(root, format!("the folder holds more than {MAX_ENTRIES} names: is it a folder of rules?"));
                    return source;
                };
                entries_left = left;
                if is_hidden(&path) {
                    continue;
                }
                let in_tests = path.strip_prefix(root).is_ok_and(|inside| inside.starts_with("tests"));
                let inside = path.canonicalize().is_ok_and(|target| target.starts_with(&canonical));
                match fs::metadata(&path) {
                    _ if !inside => refuse(&path, "it leads out of the rules folder; rules are regular files under it".to_owned()),
                    // a link to a folder could lead round in a circle
                    Ok(kind) if kind.is_dir() && path.is_symlink() => refuse(&path, "it is a link to a folder".to_owned()),
                    Ok(kind) if kind.is_dir() => folders.push(path),
                    Ok(kind) if !kind.is_file() => refuse(&path, "it is not a regular file".to_owned()),
                    Ok(_) if in_tests && !is_test_file(&path) => {}
                    Ok(_) if !in_tests && !is_rule_file(&path) => {
                        if is_meant_as_rule_file(&path) {
                            let place = Place { file: relative(root, &path), span: Span::default() };
                            let fault = Diagnostic::error(Code::StrayFile, place, "nobody reads this file");
                            sink.report(fault.with_help("rule files end in .yaml or .rhai, in small letters"));
                        }
                    }
                    Ok(kind) if kind.len() > MAX_FILE_BYTES => too_large(&path, format!("it is larger than {MAX_FILE_BYTES} bytes")),
                    Ok(_) if source.files.len() + source.tests.len() >= MAX_FILES => {
                        too_large(root, format!("the folder holds more than {MAX_FILES} rule files"));
                        return source;
                    }
                    Ok(kind) if kind.len() > bytes_left => {
                        too_large(root, format!("the rule files are larger than {MAX_PACK_BYTES} bytes together"));
                        return source;
                    }
                    Ok(kind) => match read_capped(&path) {
                        Ok(text) => {
                            bytes_left -= kind.len();
                            let files = if in_tests { &mut source.tests } else { &mut source.files };
                            files.insert(relative(root, &path), text.into());
                        }
                        Err(error) => refuse(&path, format!("it cannot be read: {error}")),
                    },
                    Err(error) => refuse(&path, format!("it cannot be read: {error}")),
                }
            }
        }
        source
    }

    /// Text by path, as packs are stored.
    pub fn to_json(&self) -> Json {
        Json::Object(self.files.iter().map(|(path, text)| (path.to_string(), Json::from(&**text))).collect())
    }

    /// What [`PackSource::to_json`] gave.
    pub fn from_json(files: &Json) -> Self {
        let files = files.as_object().into_iter().flatten();
        let files = files.filter_map(|(path, text)| Some((path.as_str().into(), text.as_str()?.into()))).collect();
        Self { files, ..Self::default() }
    }

    /// SHA-256 over paths and contents, as hex: the same text has the same hash on every machine.
    pub fn hash(&self) -> String {
        let mut hasher = Sha256::new();
        for (path, text) in &self.files {
            for part in [path.as_bytes(), text.as_bytes()] {
                hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
                hasher.update(part);
            }
        }
        let digest: [u8; 32] = hasher.finalize().into();
        let (high, low) = digest.split_at(16);
        let half = |bytes: &[u8]| bytes.iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
        format!("{:032x}{:032x}", half(high), half(low))
    }

    /// A line's text, counted from 1.
    pub fn line(&self, file: &str, line: usize) -> Option<&str> {
        self.files.get(file).or_else(|| self.tests.get(file))?.lines().nth(line.checked_sub(1)?)
    }

    /// The files of one folder with one ending, in order.
    pub fn folder<'a>(&'a self, folder: &'a str, ending: &'a str) -> impl Iterator<Item = (&'a Arc<str>, &'a Arc<str>)> + 'a {
        self.files
            .iter()
            .filter(move |(path, _)| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')) && path.ends_with(ending))
    }
}

fn relative(root: &Path, path: &Path) -> Arc<str> {
    let relative = path.strip_prefix(root).unwrap_or(path);
    let relative = if relative.as_os_str().is_empty() { PathBuf::from(".") } else { relative.to_owned() };
    // a name may steer the terminal that shows it
    relative.to_string_lossy().replace('\\', "/").replace(char::is_control, "\u{fffd}").into()
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

fn is_test_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".test.yaml"))
}

fn is_rule_file(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "yaml" || ending == "rhai")
}

/// Whether its author is likely to believe that the file is read.
fn is_meant_as_rule_file(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    matches!(ending.as_deref(), Some("yaml" | "yml" | "rhai"))
}

/// Reads a file whose size may have grown since it was asked for.
fn read_capped(path: &Path) -> io::Result<String> {
    use io::Read;
    let mut text = String::new();
    fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length <= MAX_FILE_BYTES) {
        return Ok(text);
    }
    Err(io::Error::other("it is being written to"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    #[test]
    fn a_symlink_out_of_the_root_and_a_binary_file_are_refused_without_showing_their_text() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::NamedTempFile::new().unwrap();
        fs::write(outside.path(), "secret: yes").unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("leak.yaml")).unwrap();
        fs::write(folder.path().join("binary.yaml"), [0xff, 0xfe]).unwrap();
        fs::write(folder.path().join("good.yaml"), "a: b").unwrap();
        let sink = Sink::default();
        let source = PackSource::read(folder.path(), &sink);
        let faults = sink.finish(|file, line| source.line(file, line));
        assert_eq!(source.files.keys().map(|path| &**path).collect::<Vec<_>>(), ["good.yaml"]);
        assert_eq!(faults.0.len(), 2);
        assert!(!faults.to_string().contains("secret"));
    }

    #[test]
    fn a_file_that_looks_like_a_rule_file_is_told_and_a_note_beside_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["profit.yml", "Profit.YAML", "notes.txt", "README.md"] {
            fs::write(folder.path().join(name), "a: b").unwrap();
        }
        let sink = Sink::default();
        PackSource::read(folder.path(), &sink);
        let faults = sink.finish(|_, _| None).0;
        assert_eq!(
            faults.iter().map(|fault| (fault.code, &*fault.place.file)).collect::<Vec<_>>(),
            [(Code::StrayFile, "Profit.YAML"), (Code::StrayFile, "profit.yml")]
        );
    }

    #[test]
    fn the_hash_depends_on_names_and_text() {
        let one = PackSource { files: [("a".into(), "b".into())].into(), ..PackSource::default() };
        let two = PackSource { files: [("ab".into(), "".into())].into(), ..PackSource::default() };
        assert_ne!(one.hash(), two.hash());
        assert_eq!(one.hash(), one.clone().hash());
        let tested = PackSource { tests: [("tests/a.test.yaml".into(), "".into())].into(), ..one.clone() };
        assert_eq!(one.hash(), tested.hash());
    }
}
