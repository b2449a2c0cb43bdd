//! The log's vocabulary stands in one place, `.deploy/README.md`, for whoever greps: each line of the log that an operator
//! sees has an event out of it, and each event of it is logged somewhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::scan::root;

const LEVELS: [(&str, &str); 3] = [("info!(", "INFO"), ("warn!(", "WARN"), ("error!(", "ERROR")];

/// What stands between the parentheses of a call, from behind the first.
fn arguments(text: &str) -> &str {
    let (mut depth, mut in_text, mut escaped) = (1, false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            '(' if !in_text => depth += 1,
            ')' if !in_text => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..at];
        }
    }
    text
}

/// Every call that logs at a level an operator sees: where, the level, and the event where it has one.
fn calls(path: &str, text: &str) -> Vec<(String, &'static str, Option<String>)> {
    let production = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let mut found = Vec::new();
    for (name, level) in LEVELS {
        for (at, _) in production.match_indices(name) {
            // part of a longer word, such as `anyhow_error!(`
            if production[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_') {
                continue;
            }
            let line = production[..at].lines().count();
            let event = arguments(&production[at + name.len()..]).split("event = \"").nth(1).and_then(|rest| rest.split('"').next());
            found.push((format!("{path}:{line}"), level, event.map(str::to_owned)));
        }
    }
    found
}

fn sources(folder: &Path, into: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn every_line_of_the_log_has_an_event_of_the_vocabulary_and_every_event_is_logged() {
    let readme = fs::read_to_string(root().join(".deploy/README.md")).unwrap();
    let table = readme.split("| event | level | when |").nth(1).unwrap().split("\n\n").next().unwrap();
    let known: BTreeMap<&str, &str> = table.lines().filter_map(|line| Some((line.strip_prefix("| `")?.split('`').next()?, line))).collect();
    assert!(known.len() > 40, "{known:?}");
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut logged = BTreeSet::new();
    let mut wrong = Vec::new();
    for (at, level, event) in files.iter().flat_map(|(path, text)| calls(path, text)) {
        match event {
            None => wrong.push(format!("{at}: no event")),
            Some(event) => {
                match known.get(event.as_str()) {
                    None => wrong.push(format!("{at}: \"{event}\" is not in the table of .deploy/README.md")),
                    Some(line) if !line.contains(level) => {
                        wrong.push(format!("{at}: \"{event}\" is logged as {level}, and the table says otherwise"));
                    }
                    Some(_) => {}
                }
                logged.insert(event);
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    let unheard: Vec<&&str> = known.keys().filter(|event| !logged.contains(**event)).collect();
    assert_eq!(unheard, Vec::<&&str>::new(), "in the table, and logged by nobody");
}

#[test]
fn a_call_without_an_event_and_one_inside_a_test_are_told_apart() {
    let text = "fn f() {\n    tracing::info!(event = \"one\", x = f(\"(\"), \"a) b\");\n    warn!(\"two\");\n    tracing::debug!(\"x\");\n}\n\n#[cfg(test)]\nmod tests {\n    error!(\"x\");\n}";
    let found: Vec<(&str, Option<String>)> = calls("x.rs", text).into_iter().map(|(_, level, event)| (level, event)).collect();
    assert_eq!(found, [("INFO", Some("one".to_owned())), ("WARN", None)]);
}
