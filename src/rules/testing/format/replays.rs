//! Reads the replays of a test file.

use chrono::{Duration, NaiveDate};

use super::{Reader, Setting, subject::profile};
use crate::{
    domain::{book::SourceShift, card::CardId},
    rules::{
        diagnostic::{Code, Diagnostic},
        testing::replays::{Count, Days, Range, Replay, Told, Wanted},
        yaml::{Data, Fields, Node},
    },
};

impl Reader<'_> {
    /// One replay; its tenants and regime may be those of the head of its file.
    pub(super) fn replay(&self, node: &Node, head: &Setting) -> Option<Replay> {
        let fields = node.fields(self.sink, "a replay")?;
        let name = fields.required("name");
        fields.optional_text("doc");
        let regime = fields.optional("regime").and_then(|node| self.regime(node)).or_else(|| head.regime.clone());
        let history = fields.required("history").and_then(|node| self.told(node));
        let days = fields.required("days").and_then(|node| self.days(node));
        let every = fields.optional("every").map_or(Some(Duration::days(1)), |node| self.duration(node));
        let shifts = fields.optional("shift").map(|node| self.shifts(node)).unwrap_or_default();
        let items = |name: &str| fields.optional(name).and_then(|node| node.items(self.sink, name)).unwrap_or_default();
        let cards: Vec<CardId> = items("cards").iter().filter_map(|node| self.card_id(node)).collect();
        let tenants: Vec<_> = items("tenants").iter().filter_map(|node| profile(node, self.sink)).collect();
        let wanted = fields.optional("expect").map(|node| self.counts(node)).unwrap_or_default();
        let golden = fields.optional("golden").and_then(|node| self.file_name(node));
        let asks = !wanted.is_empty() || golden.is_some();
        fields.finish();
        let name = name?;
        let missing = |what: &str, help: &str| {
            self.sink.report(Diagnostic::error(Code::MissingKey, name.place.clone(), format!("the replay has no {what}")).with_help(help));
        };
        let tenants: Vec<_> = if tenants.is_empty() { head.subject.profile.iter().cloned().collect() } else { tenants };
        if tenants.is_empty() {
            missing("tenants", "add `tenants: [{ country: US, … }]`, or a `profile` to the head of the file");
        }
        if !asks {
            missing("expectation", "add `expect: { signals: 10..60 }`, or `golden: NAME.golden.jsonl`");
        }
        Some(Replay {
            name: name.text(self.sink, "name")?.to_owned(),
            place: name.place.clone(),
            history: history?,
            days: days?,
            every: every?,
            shifts,
            cards,
            tenants,
            regime: regime.map(|regime| regime.to_string()),
            wanted,
            golden,
        })
    }

    /// `db`, `simulate:cards=60,…`, or a list of files.
    fn told(&self, node: &Node) -> Option<Told> {
        if let Data::Sequence(files) = &node.data {
            return Some(Told::Files(files.iter().filter_map(|file| self.file_name(file)).map(|(file, _)| file).collect()));
        }
        let text = node.text(self.sink, "history")?;
        match text {
            "db" => Some(Told::Database),
            text if text == "simulate" || text.starts_with("simulate:") => Some(Told::Simulated(text.to_owned())),
            _ => self.refuse(
                node,
                &format!("\"{text}\" is no history"),
                "write db, a list of files, or such as simulate:cards=60,days=30,end=2026-05-02",
            ),
        }
    }

    fn days(&self, node: &Node) -> Option<Days> {
        let text = node.text(self.sink, "days")?;
        let day = |text: &str| text.parse::<NaiveDate>().ok();
        let found = match text.split_once("..") {
            Some((from, to)) => day(from).zip(day(to)).filter(|(from, to)| from <= to).map(|(from, to)| Days::Between(from, to)),
            None => text
                .strip_suffix('d')
                .and_then(|days| days.parse::<u16>().ok())
                .filter(|days| *days > 0)
                .map(|days| Days::Last(days.into())),
        };
        found.or_else(|| {
            self.refuse(
                node,
                &format!("\"{text}\" are no days"),
                "write days FROM..TO such as 2026-03-01..2026-04-30, or the last ones such as 90d",
            )
        })
    }

    /// `{ tcgcsv: 159 }`.
    fn shifts(&self, node: &Node) -> Vec<SourceShift> {
        let Some(fields) = node.fields(self.sink, "shift") else { return Vec::new() };
        let entries = fields.entries().iter();
        let shift = |(key, node): &(crate::rules::yaml::Key, Node)| {
            let text = node.text(self.sink, "days")?;
            let days = text.parse::<i64>().ok().filter(|days| days.abs() <= 36_500);
            let days = days.or_else(|| self.refuse(node, &format!("\"{text}\" are no days"), "write whole days, such as 159 or -30"))?;
            Some(SourceShift { source: key.name.clone(), days })
        };
        entries.filter_map(shift).collect()
    }

    fn card_id(&self, node: &Node) -> Option<CardId> {
        CardId::new(node.text(self.sink, "a card")?).map_err(|error| self.sink.error(Code::BadValue, &node.place, error.to_string())).ok()
    }

    /// `{ signals: 10..60, per_tenant_day: ..20, reasons: { FAULT: 0 } }`.
    fn counts(&self, node: &Node) -> Vec<Wanted> {
        let Some(fields) = node.fields(self.sink, "expect") else { return Vec::new() };
        let mut wanted = Vec::new();
        for (name, what) in [("signals", Count::Signals), ("per_tenant_day", Count::PerTenantDay)] {
            wanted.extend(fields.optional(name).and_then(|node| self.wanted_count(what, node)));
        }
        if let Some(reasons) = fields.optional("reasons").and_then(|node| node.fields(self.sink, "reasons")) {
            wanted.extend(self.reasons(&reasons));
        }
        fields.finish();
        wanted
    }

    fn reasons(&self, reasons: &Fields<'_>) -> Vec<Wanted> {
        let known = |name: &str| {
            use crate::rules::pack::{DATA_INCOMPLETE, FAULT};
            [DATA_INCOMPLETE, FAULT].contains(&name) || self.pack.gates.iter().any(|gate| &*gate.reason == name)
        };
        let mut wanted = Vec::new();
        for (key, node) in reasons.entries() {
            if known(&key.name) {
                wanted.extend(self.wanted_count(Count::Reason(key.name.clone()), node));
            } else {
                let fault = Diagnostic::error(Code::BadValue, key.place.clone(), format!("no gate gives the reason \"{}\"", key.name));
                self.sink.report(fault.with_help("pack.yaml lists the reasons"));
            }
        }
        wanted
    }

    fn wanted_count(&self, what: Count, node: &Node) -> Option<Wanted> {
        let text = node.text(self.sink, "a range")?;
        let range =
            Range::parse(text).or_else(|| self.refuse(node, &format!("\"{text}\" is no range"), "write 10..60, 10.., ..60 or 7"))?;
        Some(Wanted { what, range, place: node.place.clone() })
    }

    /// A file beside the test file: nothing that leads out of the pack.
    fn file_name(&self, node: &Node) -> Option<(String, crate::rules::diagnostic::Place)> {
        let text = node.text(self.sink, "a file")?;
        let leads_out = text.starts_with('/') || text.split('/').any(|part| part == ".." || part.is_empty());
        if leads_out {
            return self.refuse(node, &format!("\"{text}\" leads out of the folder"), "name a file beside the test file");
        }
        Some((text.to_owned(), node.place.clone()))
    }

    fn refuse<T>(&self, node: &Node, message: &str, help: &str) -> Option<T> {
        self.sink.report(Diagnostic::error(Code::BadValue, node.place.clone(), message.to_owned()).with_help(help));
        None
    }
}
