//! Which customs regime is in force: a file says so, or the guide's variable, or the date.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

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
    /// The regime whose `auto_from` has begun last, at midnight of its own time zone.
    Auto,
    Named(String),
}

/// The regimes of a pack and the choice among them.
#[derive(Debug, Clone)]
pub struct Customs {
    pub active: Active,
    pub regimes: Vec<Regime>,
}

/// One file of `customs/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regime {
    pub name: String,
    /// The day from which `auto` takes it.
    pub auto_from: Option<NaiveDate>,
    /// Whose midnight begins that day.
    pub time_zone: Tz,
}

impl Regime {
    /// The first moment of its day, where `auto` takes it at all.
    pub fn begins(&self) -> Option<DateTime<Utc>> {
        let midnight = self.auto_from?.and_time(NaiveTime::MIN);
        // where the clock is put forward over midnight, the day begins an hour later
        let local = midnight.and_local_timezone(self.time_zone).earliest();
        local.or_else(|| (midnight + TimeDelta::hours(1)).and_local_timezone(self.time_zone).earliest()).map(|begins| begins.to_utc())
    }
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
        let regimes: Vec<Regime> = (folder.files.iter())
            .filter_map(|file| Some(Regime { name: file.fields.get(NAME)?.clone(), auto_from: file.auto_from, time_zone: file.time_zone }))
            .collect();
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
            && !regimes.iter().any(|known| known.name == *name)
            && !folder.broken
        {
            let fault = Diagnostic::error(Code::UnknownRegime, node.place.clone(), format!("no file in customs/ is the regime \"{name}\""));
            sink.report(match nearest(name, regimes.iter().map(|known| known.name.as_str())) {
                Some(near) => fault.with_help(format!("did you mean \"{near}\"?")),
                None => fault.with_help(format!(
                    "use env, auto, {}",
                    regimes.iter().map(|known| known.name.as_str()).collect::<Vec<_>>().join(", ")
                )),
            });
        }
        Some(Self { active, regimes })
    }

    /// The regime in force on a calendar day, wherever that day is, given the variable's value.
    ///
    /// # Errors
    /// A variable that names no regime, or `auto` before the first regime's day.
    pub fn on(&self, variable: Option<&str>, date: NaiveDate) -> Result<&str, UnknownRegime> {
        self.chosen(variable, |regime| regime.auto_from.filter(|from| *from <= date).map(|from| from.and_time(NaiveTime::MIN).and_utc()))
    }

    /// The regime in force at a moment. The end of a day still belongs to it, as everywhere.
    ///
    /// # Errors
    /// As [`Customs::on`].
    pub fn at(&self, variable: Option<&str>, moment: DateTime<Utc>) -> Result<&str, UnknownRegime> {
        self.chosen(variable, |regime| regime.begins().filter(|begins| *begins < moment))
    }

    /// Whether the date decides, given the variable's value.
    pub fn is_auto(&self, variable: Option<&str>) -> bool {
        let names_auto = || variable.is_some_and(|name| name.trim().eq_ignore_ascii_case("auto"));
        self.active == Active::Auto || (self.active == Active::Environment && names_auto())
    }

    fn chosen(&self, variable: Option<&str>, begun: impl Fn(&Regime) -> Option<DateTime<Utc>>) -> Result<&str, UnknownRegime> {
        let names = || self.regimes.iter().map(|regime| regime.name.clone()).chain(["auto".to_owned()]).collect();
        let known = |name: &str| {
            let found = self.regimes.iter().find(|regime| regime.name.eq_ignore_ascii_case(name.trim()));
            found.map(|regime| regime.name.as_str()).ok_or_else(|| UnknownRegime { name: name.to_owned(), known: names() })
        };
        if self.is_auto(variable) {
            let begun = self.regimes.iter().filter_map(|regime| Some((begun(regime)?, regime.name.as_str())));
            return begun.max().map(|(_, name)| name).ok_or_else(|| UnknownRegime { name: "auto".to_owned(), known: Vec::new() });
        }
        match &self.active {
            Active::Named(name) => known(name),
            Active::Environment | Active::Auto => known(variable.unwrap_or(FALLBACK)),
        }
    }
}
