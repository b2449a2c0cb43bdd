//! The four tasks of `rules/README.md`, done as they are written there: a page that a newcomer trips over is wrong.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use std::path::Path;

use tcg_radar::rules::{
    diagnostic::{Code, Sink},
    eval::Question,
    pack::Pack,
    source::PackSource,
    value::Value,
};

const README: &str = include_str!("../../rules/README.md");

/// The blocks of a section in one language, without the indentation of the list that they stand in.
fn blocks(section: &str, language: &str) -> Vec<String> {
    let text = README.split(&format!("\n## {section}")).nth(1).unwrap().split("\n## ").next().unwrap();
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == format!("```{language}") {
            let indent = line.len() - line.trim_start().len();
            let block = lines.by_ref().take_while(|line| line.trim() != "```");
            let block: Vec<&str> = block.map(|line| line.get(indent..).unwrap_or_default()).collect();
            blocks.push(block.join("\n") + "\n");
        }
    }
    blocks
}

/// The shipped pack, to be edited as the page says.
struct Edited(PackSource);

impl Edited {
    fn new() -> Self {
        Self(PackSource::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("rules"), &Sink::default()))
    }

    fn append(&mut self, file: &str, text: &str) {
        let text = format!("{}\n{text}", self.0.files.get(file).map_or("", |text| text));
        self.0.files.insert(file.into(), text.into());
    }

    fn replace(&mut self, file: &str, from: &str, to: &str) {
        let text = &self.0.files[file];
        assert!(text.contains(from), "{file}: {text}");
        self.0.files.insert(file.into(), text.replacen(from, to, 1).into());
    }

    /// The pack, about which nothing is said but what is said of these facts that nobody reads.
    fn load(&self, unread: &[&str]) -> Pack {
        let pack = Pack::from_source(self.0.clone()).unwrap_or_else(|faults| panic!("{faults}"));
        let said = pack.warnings.0.iter().filter(|finding| finding.code != Code::UnverifiedFigure);
        let said: Vec<&str> = said.map(|finding| finding.message.as_str()).collect();
        assert_eq!(said.len(), unread.len(), "{said:?}");
        for (message, name) in said.iter().zip(unread) {
            assert!(message.starts_with("nobody reads") && message.contains(name), "{message}");
        }
        pack
    }
}

/// Does with a pack what a block of shell commands says: `echo FACTS | tcg-radar rules eval … --want …` answers the line
/// that follows as a comment.
fn answers_as_written(pack: &Pack, shell: &str) {
    let facts = shell.split('\'').nth(1).unwrap();
    let want: Vec<&str> = shell.split("--want ").nth(1).unwrap().split_whitespace().next().unwrap().split(',').collect();
    let expected: serde_json::Value = serde_json::from_str(shell.split("# ").nth(1).unwrap()).unwrap();
    let date = "2026-11-24".parse().unwrap();
    let mut question = Question::new(pack, &want, date).unwrap();
    if let (Some(customs), Some(id)) = (&pack.customs, pack.graph.id("customs_regime")) {
        question.defaults.push((id, Value::Text(customs.on(None, date).unwrap().into())));
    }
    assert_eq!(serde_json::Value::Object(question.answer(facts).unwrap()), expected);
}

#[test]
fn a_newcomer_adds_a_fact_a_threshold_a_gate_and_a_customs_regime() {
    let [rhai, yaml, shell] = ["rhai", "yaml", "sh"].map(|language| blocks("Four tasks", language));
    let ([fact, question], [parameter, gate, regime]) = (rhai.as_slice(), yaml.as_slice()) else { panic!("{rhai:?} {yaml:?}") };
    let mut edited = Edited::new();
    edited.append("facts/profit.rhai", fact);
    answers_as_written(&edited.load(&["return_pct"]), &shell[0]);
    edited.append("params/profit.yaml", parameter);
    edited.load(&["return_pct", "profit_min_return"]);
    edited.append("facts/profit.rhai", question);
    edited.replace("pack.yaml", "\nflags:", &format!("{gate}\nflags:"));
    let gates = edited.load(&[]).gates;
    assert_eq!(gates.last().map(|gate| &*gate.reason), Some("RETURN_TOO_SMALL"));
    edited.append("customs/flat_2027.yaml", regime);
    edited.replace("customs/active.yaml", "active: env", "active: flat_2027");
    answers_as_written(&edited.load(&[]), &shell[1]);
}
