//! Which customs regime is in force: a file says so, or the guide's variable, or the date.

use chrono::NaiveDate;

use super::{
    diagnostic::{Code, Diagnostic, Place, Sink, nearest},
    source::PackSource,
    tables::Folder,
    yaml,
};

/// The file that chooses the regime.
pub const ACTIVE: &str = "customs/active.yaml";
/// The regime where neither file nor variable names one: what the law says.
pub const FALLBACK: &str = "world";
/// The field of a regime's file that names it.
const NAME: &str = "customs_regime";

/// How the regime is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Active {
    /// The variable `CUSTOMS_REGIME`, else [`FALLBACK`].
    Environment,
    /// The regime with the latest `auto_from` not after the date.
    Auto,
    Named(String),
}

/// The regimes of a pack and the choice among them.
#[derive(Debug, Clone)]
pub struct Customs {
    pub active: Active,
    /// Names and the day from which `auto` takes them.
    pub regimes: Vec<(String, Option<NaiveDate>)>,
}

/// A choice that no file supplies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no customs regime \"{name}\": use one of {}", known.join(", "))]
pub struct UnknownRegime {
    pub name: String,
    pub known: Vec<String>,
}

impl Customs {
    /// Reads `customs/active.yaml` and the names of the regimes; `None` for a pack without regimes.
    pub fn read(source: &PackSource, folder: Option<&Folder>, sink: &Sink) -> Option<Self> {
        let folder = folder?;
        let regimes: Vec<(String, Option<NaiveDate>)> =
            folder.files.iter().filter_map(|file| Some((file.fields.get(NAME)?.clone(), file.auto_from))).collect();
        let (file, text) = source.files.get_key_value(ACTIVE).or_else(|| {
            let place = Place { file: ACTIVE.into(), span: super::diagnostic::Span::default() };
            let fault = Diagnostic::error(Code::MissingFile, place, "no file says which customs regime is in force");
            sink.report(fault.with_help("write the one line `active: env` into it, or the name of a regime"));
            None
        })?;
        let root = yaml::parse(file, text, sink)?;
        let fields = root.fields(sink, "the file")?;
        let node = fields.required("active")?;
        let active = match node.text(sink, "active")? {
            "env" => Active::Environment,
            "auto" => Active::Auto,
            name => Active::Named(name.to_owned()),
        };
        fields.finish();
        if let Active::Named(name) = &active
            && !regimes.iter().any(|(known, _)| known == name)
            && !folder.broken
        {
            let fault = Diagnostic::error(Code::UnknownRegime, node.place.clone(), format!("no file in customs/ is the regime \"{name}\""));
            sink.report(match nearest(name, regimes.iter().map(|(known, _)| known.as_str())) {
                Some(near) => fault.with_help(format!("did you mean \"{near}\"?")),
                None => fault.with_help(format!(
                    "use env, auto, {}",
                    regimes.iter().map(|(known, _)| known.as_str()).collect::<Vec<_>>().join(", ")
                )),
            });
        }
        Some(Self { active, regimes })
    }

    /// The regime in force on a day, given the variable's value.
    ///
    /// # Errors
    /// A variable that names no regime, or `auto` before the first regime's day.
    pub fn in_force(&self, variable: Option<&str>, date: NaiveDate) -> Result<&str, UnknownRegime> {
        let known = |name: &str| {
            self.regimes.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim())).map(|(known, _)| known.as_str()).ok_or_else(
                || UnknownRegime {
                    name: name.to_owned(),
                    known: self.regimes.iter().map(|(known, _)| known.clone()).chain(["auto".to_owned()]).collect(),
                },
            )
        };
        let by_date = || {
            let begun = self.regimes.iter().filter(|(_, from)| from.is_some_and(|from| from <= date));
            begun
                .max_by_key(|(_, from)| *from)
                .map(|(name, _)| name.as_str())
                .ok_or_else(|| UnknownRegime { name: "auto".to_owned(), known: Vec::new() })
        };
        match &self.active {
            Active::Named(name) => known(name),
            Active::Auto => by_date(),
            Active::Environment => match variable.map(str::trim) {
                Some(name) if name.eq_ignore_ascii_case("auto") => by_date(),
                Some(name) => known(name),
                None => known(FALLBACK),
            },
        }
    }
}
