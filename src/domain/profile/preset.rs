//! Presets: what a kind of reseller usually has, in YAML. Amounts are quoted decimals.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{BadSetting, Settings};

/// A named starting point for tenants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preset {
    /// One sentence for `user add --help` and the like.
    pub doc: String,
    pub settings: Settings,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    doc: String,
    settings: Settings,
}

impl Preset {
    /// Reads one file's text; `path` is for the error only.
    ///
    /// # Errors
    /// Bad YAML, an unknown key, an unquoted amount, a value outside its range.
    pub fn parse(path: &str, text: &str) -> Result<Self, PresetError> {
        let File { doc, settings } = serde_yaml::from_str(text).map_err(|error| {
            let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
            PresetError::Yaml { path: path.into(), line, column, fault: plain(&error.to_string()) }
        })?;
        settings.validate().map_err(|fault| PresetError::Value { path: path.into(), line: line_of(text, fault.setting), fault })?;
        Ok(Self { doc: doc.trim().to_owned(), settings })
    }
}

/// All presets by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presets {
    by_name: BTreeMap<String, Preset>,
}

impl Presets {
    /// # Errors
    /// As [`Preset::parse`].
    pub fn add(&mut self, name: &str, path: &str, text: &str) -> Result<(), PresetError> {
        self.by_name.insert(name.to_owned(), Preset::parse(path, text)?);
        Ok(())
    }

    /// # Errors
    /// There is no such preset; the error lists those that there are.
    pub fn get(&self, name: &str) -> Result<&Preset, PresetError> {
        self.by_name.get(name).ok_or_else(|| PresetError::Unknown {
            name: name.to_owned(),
            choice: match self.names().collect::<Vec<_>>()[..] {
                [] => {
                    "there are none here, so start in the project's folder or name the folder of presets in TCG_RADAR_PROFILES".to_owned()
                }
                ref known => format!("use one of {}", known.join(", ")),
            },
        })
    }

    /// In alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

/// Why a preset cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PresetError {
    #[error("{path}:{line}:{column}: {fault}")]
    Yaml { path: String, line: usize, column: usize, fault: String },

    #[error("{path}:{line}: {fault}")]
    Value { path: String, line: usize, fault: BadSetting },

    #[error("unknown preset \"{name}\": {choice}")]
    Unknown { name: String, choice: String },
}

/// The parser ends its text with the place, which we put in front.
fn plain(fault: &str) -> String {
    fault.split(" at line ").next().unwrap_or(fault).to_owned()
}

/// The line of a key such as `forwarders.EU`: its last part.
fn line_of(text: &str, setting: &str) -> usize {
    let key = setting.rsplit('.').next().unwrap_or(setting);
    text.lines().position(|line| line.trim_start().strip_prefix(key).is_some_and(|rest| rest.starts_with(':'))).map_or(1, |index| index + 1)
}

/// Reads and writes an optional decimal as quoted text: YAML would make a binary fraction of a bare 3.50.
pub(in crate::domain) mod quoted {
    use std::fmt;

    use rust_decimal::Decimal;
    use serde::{Deserializer, Serializer, de};

    #[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
    pub fn serialize<S: Serializer>(value: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
        deserializer.deserialize_any(Quoted)
    }

    struct Quoted;

    impl de::Visitor<'_> for Quoted {
        type Value = Option<Decimal>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a decimal number in quotes, such as \"3.50\"")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            text.parse().map(Some).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    fn fault(text: &str) -> String {
        Preset::parse("profiles/x.yaml", text).unwrap_err().to_string()
    }

    #[test]
    fn an_unquoted_amount_is_refused_at_its_place() {
        let error = fault("doc: x\nsettings:\n  min_profit_threshold: 5.00\n");
        assert!(error.starts_with("profiles/x.yaml:3:"), "{error}");
        assert!(error.contains("in quotes"), "{error}");
        assert!(fault("doc: x\nsettings:\n  min_score: 5\n").contains("in quotes"));
    }

    #[test]
    fn an_unknown_key_is_refused_at_its_place() {
        let error = fault("doc: x\nsettings:\n  currency: USD\n  min_proffit: \"5\"\n");
        assert!(error.starts_with("profiles/x.yaml:4:"), "{error}");
        assert!(error.contains("min_proffit"), "{error}");
    }

    #[test]
    fn a_preset_cannot_name_what_belongs_to_a_tenant() {
        assert!(fault("doc: x\nsettings:\n  use_forwarder: true\n").contains("use_forwarder"));
    }

    #[test]
    fn a_value_outside_its_range_is_refused_at_its_line() {
        let error = fault("doc: x\nsettings:\n  currency: USD\n  forex_buffer: \"2\"\n");
        assert_eq!(error, "profiles/x.yaml:4: forex_buffer is 2: expected a share from 0 to below 1, such as \"0.025\"");
    }

    #[test]
    fn an_unknown_preset_lists_the_known_ones() {
        let mut presets = Presets::default();
        presets.add("owner", "owner.yaml", "doc: x\nsettings: {}\n").unwrap();
        presets.add("other", "other.yaml", "doc: x\nsettings: {}\n").unwrap();
        assert_eq!(presets.get("onwer").unwrap_err().to_string(), "unknown preset \"onwer\": use one of other, owner");
    }
}
