//! Reads `profiles/`: one preset a file, one a kind of reseller; and the plans.

use std::{collections::BTreeMap, fs, path::Path};

use super::ConfigError;
use crate::domain::{plan::Plans, profile::Presets};

/// The one file that is no preset.
const PLANS: &str = "plans.yaml";

/// Text by file name.
pub type Texts = BTreeMap<String, String>;

/// Every `*.yaml` of the folder. A folder that does not exist holds none.
///
/// # Errors
/// An unreadable file, or one that is no valid preset, with line and column.
pub fn read(folder: &Path) -> Result<Presets, ConfigError> {
    parse(folder, &texts(folder)?)
}

/// The files as they are, not looked into.
///
/// # Errors
/// An unreadable file.
pub fn texts(folder: &Path) -> Result<Texts, ConfigError> {
    let fault = |path: &Path| {
        let path = path.to_owned();
        move |source| ConfigError::File { path, source }
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Texts::new()),
        Err(error) => return Err(fault(folder)(error)),
    };
    let mut texts = Texts::new();
    for entry in entries {
        let path = entry.map_err(fault(folder))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if path.extension().is_some_and(|extension| extension == "yaml") {
            texts.insert(name.to_owned(), fs::read_to_string(&path).map_err(fault(&path))?);
        }
    }
    Ok(texts)
}

/// `folder` is where they lie, for the errors only.
///
/// # Errors
/// One that is no valid preset, with line and column.
pub fn parse(folder: &Path, texts: &Texts) -> Result<Presets, ConfigError> {
    let mut presets = Presets::default();
    for (file, text) in texts.iter().filter(|(file, _)| *file != PLANS) {
        presets.add(file.trim_end_matches(".yaml"), &folder.join(file).display().to_string(), text)?;
    }
    Ok(presets)
}

/// The plans among the files, or the shipped ones where there is no such file. `folder` is for the error only.
///
/// # Errors
/// Plans that cannot be used, with line and column.
pub fn plans(folder: &Path, texts: &Texts) -> Result<Plans, ConfigError> {
    let text = texts.get(PLANS).map_or(Plans::SHIPPED, String::as_str);
    Ok(Plans::parse(&folder.join(PLANS).display().to_string(), text)?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    #[test]
    fn the_shipped_presets_are_valid_and_say_what_they_are_for() {
        let presets = read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/profiles"))).unwrap();
        let names: Vec<_> = presets.names().collect();
        assert_eq!(names, ["de_cardmarket_us_forwarder", "sea_owner", "uk_reseller", "us_tcgplayer_eu_forwarder"]);
        for name in names {
            assert!(!presets.get(name).unwrap().doc.is_empty());
        }
    }

    #[test]
    fn a_folder_that_does_not_exist_holds_none() {
        assert_eq!(read(Path::new("/nonexistent")).unwrap().names().count(), 0);
    }
}
