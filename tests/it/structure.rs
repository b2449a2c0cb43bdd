//! Holds the house to its plan: who may use whom, how long a file may be, which names say nothing, and that the map in
//! `src/lib.rs` is the tree. A rule that only people remember is soon forgotten.

use std::{collections::BTreeSet, fmt, fs, path::Path};

/// Lines of a file before its tests.
const LONGEST_FILE: usize = 400;
/// Names that say nothing about what is inside.
const BANNED_NAMES: [&str; 8] = ["util", "utils", "helper", "helpers", "common", "misc", "mod", "stuff"];
/// Where money is: no floats at all.
const EXACT: [&str; 2] = ["domain", "rules"];

const CORE: &[&str] = &["domain"];
const EDGE: &[&str] = &["domain", "config"];
const LOOP: &[&str] = &["clock", "domain", "rules", "config", "sources", "scrape", "events", "notify", "store", "pulse"];
const ANYONE: &[&str] = &["*"];

/// Which modules of the crate a module may use beside its own. The longest path wins, so a file may have a row of its own.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &[]),
    ("rules", CORE),
    ("config", CORE),
    ("sources", EDGE),
    ("scrape", EDGE),
    ("events", EDGE),
    ("notify", EDGE),
    ("store", EDGE),
    ("ingest", LOOP),
    ("scan", LOOP),
    // what is about to go to somebody is decided once more, as a scan would
    ("route", &["domain", "rules", "config", "store", "scan", "pulse"]),
    ("deliver", LOOP),
    ("bot", &["domain", "rules", "notify", "store", "scan", "deliver", "pulse"]),
    ("pulse", &[]),
    ("reload", LOOP),
    ("simulate", &["clock", "domain"]),
    // the simulated rows go the way of real ones
    ("simulate/write", &["domain", "ingest", "store"]),
    ("web", &["clock", "domain", "config", "store", "pulse"]),
    ("app", ANYONE),
    ("demo", ANYONE),
    ("cli", ANYONE),
    ("main", ANYONE),
    ("lib", &[]),
];

/// A broken rule: where, which, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    file: String,
    line: usize,
    rule: &'static str,
    advice: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.rule, self.advice)
    }
}

/// One source file: its path under the package, and its text with comments and string contents blanked out.
struct Source<'a> {
    path: &'a str,
    text: &'a str,
    code: String,
    /// Lines before the tests.
    production: usize,
    found: Vec<Violation>,
}

/// Checks one file against every rule that needs no other file. `path` is like `src/rules/ast.rs`; a file of
/// `test_files` is compiled for tests only.
fn check(path: &str, text: &str, test_files: &BTreeSet<String>) -> Vec<Violation> {
    let code = blank(text);
    let production = if path.starts_with("tests/") || is_for_tests(path, test_files) { 0 } else { lines_before_tests(&code) };
    let mut source = Source { path, text, code, production, found: Vec::new() };
    source.names();
    source.attributes();
    if path.starts_with("src/") {
        source.first_line();
        source.length();
        source.panics();
        source.floats();
        source.clocks();
        source.dependencies();
    }
    source.found
}

impl Source<'_> {
    fn report(&mut self, line: usize, rule: &'static str, advice: impl Into<String>) {
        self.found.push(Violation { file: self.path.to_owned(), line, rule, advice: advice.into() });
    }

    /// `rules/ast` for `src/rules/ast.rs`; a file `tests/it/x.rs` is `tests/it/x`.
    fn module(&self) -> &str {
        let path = self.path.strip_prefix("src/").unwrap_or(self.path);
        path.strip_suffix(".rs").unwrap_or(path)
    }

    /// The lines before the tests whose code contains a text, from 1.
    fn production_lines(&self, holds: impl Fn(&str) -> bool) -> Vec<usize> {
        let lines = self.code.lines().take(self.production).enumerate();
        lines.filter(|(_, line)| holds(line)).map(|(index, _)| index + 1).collect()
    }

    fn names(&mut self) {
        let parts: Vec<String> = self.module().split('/').map(str::to_owned).collect();
        for name in parts.iter().filter(|name| BANNED_NAMES.contains(&name.as_str())) {
            self.report(1, "a name that says nothing", format!("rename \"{name}\" after what it holds"));
        }
        let modules: Vec<(usize, String)> = self
            .code
            .lines()
            .enumerate()
            .filter_map(|(index, line)| {
                let rest = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ").strip_prefix("mod ")?;
                let name = rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next()?;
                BANNED_NAMES.contains(&name).then(|| (index + 1, name.to_owned()))
            })
            .collect();
        for (line, name) in modules {
            self.report(line, "a name that says nothing", format!("rename module \"{name}\" after what it holds"));
        }
    }

    fn attributes(&mut self) {
        let allowed: Vec<usize> = (self.code.lines().enumerate())
            .filter(|(_, line)| line.contains("#[allow(") || line.contains("#![allow("))
            .map(|(index, _)| index + 1)
            .collect();
        for line in allowed {
            self.report(line, "an allowed lint", "write #[expect(lint, reason = \"…\")]: it tells when it is needed no more");
        }
    }

    fn first_line(&mut self) {
        if !self.text.starts_with("//! ") {
            self.report(1, "no first line", "begin with a //! line that says what the file is for");
        }
    }

    fn length(&mut self) {
        if self.production > LONGEST_FILE {
            let advice = format!("split it: {} lines before the tests, at most {LONGEST_FILE}", self.production);
            self.report(LONGEST_FILE + 1, "a long file", advice);
        }
    }

    fn panics(&mut self) {
        for line in self.production_lines(|line| [".unwrap()", ".expect(", "::unwrap)", "::expect)"].iter().any(|call| line.contains(call)))
        {
            self.report(line, "a hidden panic", "return an error that says what to do, or show by types that it cannot fail");
        }
    }

    fn floats(&mut self) {
        if EXACT.contains(&self.module().split('/').next().unwrap_or_default()) {
            for line in self.production_lines(|line| words(line).any(|word| word == "f32" || word == "f64")) {
                self.report(line, "a float near money", "use Decimal or whole numbers");
            }
        }
    }

    fn clocks(&mut self) {
        if self.module() == "clock" {
            return;
        }
        for line in self.production_lines(|line| line.contains("Utc::now") || line.contains("SystemTime::now")) {
            self.report(line, "a clock of its own", "take the moment as an argument, or ask the Clock that `app` hands out");
        }
    }

    fn dependencies(&mut self) {
        let module = self.module().to_owned();
        let own = module.split('/').next().unwrap_or_default();
        let row =
            MAY_USE.iter().filter(|(name, _)| module == *name || module.starts_with(&format!("{name}/"))).max_by_key(|row| row.0.len());
        let Some((name, may_use)) = row else {
            self.report(
                1,
                "a module without a place",
                format!("add \"{own}\" to MAY_USE in tests/it/structure.rs and to the map in src/lib.rs"),
            );
            return;
        };
        for (line, used) in used_modules(&self.code, module.split('/').count()) {
            let allowed = line > self.production || used == own || may_use.contains(&used.as_str()) || *may_use == ANYONE;
            if !allowed {
                let list = if may_use.is_empty() { "no other module".to_owned() } else { may_use.join(", ") };
                let advice = format!("{name} may use {list}: move the shared part down, or let the caller pass it in");
                self.report(line, "a forbidden dependency", format!("uses {used}; {advice}"));
            }
        }
    }
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
}

/// Lines before the first test module, of a text whose comments are blanked.
fn lines_before_tests(code: &str) -> usize {
    let lines: Vec<&str> = code.lines().collect();
    let tests = lines.windows(2).position(|two| two[0].trim() == "#[cfg(test)]" && two[1].contains("mod ") && two[1].contains('{'));
    tests.unwrap_or(lines.len())
}

/// The files of modules that a file declares for tests only: `#[cfg(test)]` above `mod name;`.
fn test_files(path: &str, text: &str) -> Vec<String> {
    let code = blank(text);
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    let folder = path.strip_suffix(".rs").unwrap_or(path).trim_end_matches("/lib").trim_end_matches("/main");
    let declared = lines.windows(2).filter(|two| two[0] == "#[cfg(test)]").filter_map(|two| two[1].strip_suffix(';')?.split("mod ").nth(1));
    declared.map(|name| format!("{folder}/{name}.rs")).collect()
}

/// Whether a file is one of these, or lies under one of them: `tests/row.rs` under `tests.rs`.
fn is_for_tests(path: &str, test_files: &BTreeSet<String>) -> bool {
    test_files.contains(path)
        || test_files.iter().filter_map(|file| file.strip_suffix("rs")).any(|file| path.starts_with(&file.replace('.', "/")))
}

/// The crate's top-level modules that a file names, with line: after `crate::`, or after as many `super::` as it is deep.
fn used_modules(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut used = Vec::new();
    let root = "super::".repeat(depth);
    for start in ["crate::", root.as_str()] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == ':') {
                continue;
            }
            let line = code[..at].matches('\n').count() + 1;
            let rest = code[at + start.len()..].trim_start();
            if rest.starts_with("super::") {
                continue;
            }
            if let Some(group) = rest.strip_prefix('{') {
                used.extend(group_heads(group).into_iter().map(|(below, name)| (line + below, name)));
            } else {
                used.extend(words(rest).next().map(|name| (line, name.to_owned())));
            }
        }
    }
    used.retain(|(_, name)| name.starts_with(|letter: char| letter.is_ascii_lowercase()));
    used.sort_unstable();
    used
}

/// The first name of each member of a group whose opening brace is just before, with how many lines below it stands.
fn group_heads(group: &str) -> Vec<(usize, String)> {
    let (mut heads, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, letter) in group.char_indices() {
        let ends = depth == 0 && matches!(letter, ',' | '}');
        if ends {
            let member = &group[start..at];
            let indent = member.len() - member.trim_start().len();
            let line = group[..start + indent].matches('\n').count();
            heads.extend(words(member.trim_start()).next().filter(|name| !name.is_empty()).map(|name| (line, name.to_owned())));
            start = at + 1;
        }
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            _ => {}
        }
    }
    heads
}

/// The text with comments and the insides of string and character literals as blanks; lines stay where they are.
fn blank(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < letters.len() {
        let end = match (letters[at], letters.get(at + 1)) {
            ('/', Some('/')) => line_end(&letters, at),
            ('/', Some('*')) => block_end(&letters, at),
            ('"', _) => string_end(&letters, at),
            ('r', Some('"' | '#')) if !after_word(&letters, at) => raw_end(&letters, at),
            ('\'', Some('\\')) => find(&letters, at + 3, &['\'']),
            ('\'', Some(_)) if letters.get(at + 2) == Some(&'\'') => at + 3,
            _ => at,
        };
        if end == at {
            code.push(letters[at]);
            at += 1;
        } else {
            code.extend(letters[at..end].iter().map(|letter| if *letter == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

fn after_word(letters: &[char], at: usize) -> bool {
    at > 0 && (letters[at - 1].is_alphanumeric() || letters[at - 1] == '_') && letters[at - 1] != 'b'
}

fn line_end(letters: &[char], from: usize) -> usize {
    (from..letters.len()).find(|at| letters[*at] == '\n').unwrap_or(letters.len())
}

/// Just behind the next place where `end` stands.
fn find(letters: &[char], from: usize, end: &[char]) -> usize {
    (from..letters.len()).find(|at| letters[*at..].starts_with(end)).map_or(letters.len(), |at| at + end.len())
}

fn block_end(letters: &[char], from: usize) -> usize {
    let (mut depth, mut at) = (1, from + 2);
    while at < letters.len() && depth > 0 {
        let step = match letters[at..] {
            ['/', '*', ..] => (1, 2),
            ['*', '/', ..] => (-1, 2),
            _ => (0, 1),
        };
        depth += step.0;
        at += step.1;
    }
    at
}

fn string_end(letters: &[char], from: usize) -> usize {
    let mut at = from + 1;
    while at < letters.len() && letters[at] != '"' {
        at += if letters[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(letters.len())
}

/// Behind a raw string; `from` itself where `r` or `r#` begins a name instead.
fn raw_end(letters: &[char], from: usize) -> usize {
    let hashes = letters[from + 1..].iter().take_while(|letter| **letter == '#').count();
    if letters.get(from + 1 + hashes) != Some(&'"') {
        return from;
    }
    let mut end = vec!['"'];
    end.extend(std::iter::repeat_n('#', hashes));
    find(letters, from + 2 + hashes, &end)
}

/// The map in `lib.rs`: rows ``//! | [`name`] | what it is |`` name exactly what lies in `src/`.
fn check_map(lib: &str, tree: &BTreeSet<String>) -> Vec<Violation> {
    let report = |line, advice| Violation { file: "src/lib.rs".to_owned(), line, rule: "the map is not the tree", advice };
    let rows: Vec<(usize, String)> = lib
        .lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let name = line.strip_prefix("//! | ")?.split('|').next()?;
            let name = name.trim().trim_matches(['[', ']', '`']);
            let plain = !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || "_.".contains(letter));
            plain.then(|| (index + 1, name.to_owned()))
        })
        .collect();
    let mut found = Vec::new();
    for (line, name) in rows.iter().filter(|(_, name)| name != "where" && !tree.contains(name)) {
        found.push(report(*line, format!("\"{name}\" is not in src/: take its row out")));
    }
    for name in tree.iter().filter(|name| !rows.iter().any(|(_, row)| row == *name)) {
        found.push(report(1, format!("add a row \"//! | [`{name}`] | what it is for |\" to the map")));
    }
    found
}

/// The name of a file or folder on `src/`'s top level, as the map has it: `domain.rs` and `domain/` are both `domain`.
fn map_name(file: &str) -> Option<String> {
    match file {
        "lib.rs" => None,
        "main.rs" => Some("main.rs".to_owned()),
        _ => Some(file.strip_suffix(".rs").unwrap_or(file).to_owned()),
    }
}

fn rust_files(folder: &Path, found: &mut Vec<String>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.ends_with("fuzz/target") {
            // what a build of the fuzz targets left
        } else if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path.to_str().unwrap().to_owned());
        }
    }
}

#[test]
fn the_house_is_as_it_is_drawn() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    rust_files(&root.join("tests"), &mut files);
    assert!(files.len() > 10, "only {} files found under {}", files.len(), root.display());
    let texts: Vec<(String, String)> = files
        .iter()
        .map(|file| {
            let path = Path::new(file).strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            (path, fs::read_to_string(file).unwrap())
        })
        .collect();
    let only_tests: BTreeSet<String> = texts.iter().flat_map(|(path, text)| test_files(path, text)).collect();
    let mut found: Vec<Violation> = texts.iter().flat_map(|(path, text)| check(path, text, &only_tests)).collect();
    let tree = fs::read_dir(root.join("src")).unwrap().filter_map(|entry| map_name(entry.unwrap().file_name().to_str().unwrap()));
    found.extend(check_map(&fs::read_to_string(root.join("src/lib.rs")).unwrap(), &tree.collect()));
    let lines: Vec<String> = found.iter().map(Violation::to_string).collect();
    assert!(lines.is_empty(), "{} rules are broken:\n{}", lines.len(), lines.join("\n"));
}

/// Rule and line of everything found.
fn rules(path: &str, text: &str) -> Vec<(&'static str, usize)> {
    check(path, text, &BTreeSet::new()).into_iter().map(|violation| (violation.rule, violation.line)).collect()
}

#[test]
fn a_dependency_against_the_table_is_found_in_every_spelling() {
    for text in [
        "//! x\nuse crate::rules::Pack;\n",
        "//! x\nuse crate::{domain::card::Card, rules::{ast, graph}};\n",
        "//! x\nfn f() { crate::rules::load() }\n",
        "//! x\nuse super::rules::Pack;\n",
        "//! x\npub(in crate::rules) fn f() {}\n",
    ] {
        assert_eq!(rules("src/store.rs", text), [("a forbidden dependency", 2)], "{text}");
    }
    let deep = "//! x\nuse super::super::{\n    domain::card::Card,\n    rules::Pack,\n};\n";
    assert_eq!(rules("src/store/book.rs", deep), [("a forbidden dependency", 4)]);
    assert_eq!(rules("src/store/book.rs", "//! x\nuse super::rules;\n"), []);
}

#[test]
fn a_dependency_of_the_table_of_a_test_or_in_words_is_none() {
    for (path, text) in [
        ("src/store.rs", "//! x\nuse crate::{domain::{card::Card, market}, config};\nuse crate::store::pool;\n"),
        ("src/domain/card.rs", "//! x\nuse super::market::closed_set;\n// crate::rules is not used\nconst A: &str = \"crate::rules\";\n"),
        ("src/domain.rs", "//! x\n#[cfg(test)]\nmod tests {\n    use crate::rules::Pack;\n}\n"),
        ("src/simulate/write.rs", "//! x\nuse crate::{ingest, store::Store};\n"),
        ("src/cli/scan.rs", "//! x\nuse crate::{ingest, rules, app};\n"),
    ] {
        assert_eq!(rules(path, text), [], "{text}");
    }
    assert_eq!(rules("src/simulate/plan.rs", "//! x\nuse crate::ingest;\n"), [("a forbidden dependency", 2)]);
}

#[test]
fn a_module_that_nobody_placed_is_found() {
    assert_eq!(rules("src/cellar.rs", "//! x\n"), [("a module without a place", 1)]);
}

#[test]
fn a_file_is_long_by_its_lines_before_the_tests() {
    let lines = |count: usize| format!("//! x\n{}", "\n".repeat(count - 1));
    assert_eq!(rules("src/domain.rs", &lines(400)), []);
    assert_eq!(rules("src/domain.rs", &lines(401)), [("a long file", 401)]);
    let tested = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", lines(399), "\n".repeat(300));
    assert_eq!(rules("src/domain.rs", &tested), []);
    assert_eq!(rules("tests/it/scan.rs", &lines(900)), []);
}

#[test]
fn a_name_that_says_nothing_is_found_in_paths_and_modules() {
    for path in ["src/domain/utils.rs", "src/domain/misc/card.rs", "src/domain/mod.rs", "tests/it/common.rs"] {
        assert_eq!(rules(path, "//! x\n"), [("a name that says nothing", 1)], "{path}");
    }
    assert_eq!(rules("src/domain.rs", "//! x\npub(crate) mod helpers {}\n"), [("a name that says nothing", 2)]);
    assert_eq!(rules("src/domain/commonness.rs", "//! x\n"), []);
}

#[test]
fn panics_floats_clocks_allowed_lints_and_missing_first_lines_are_found() {
    assert_eq!(rules("src/scan.rs", "//! x\nfn f() { g().unwrap(); }\n"), [("a hidden panic", 2)]);
    assert_eq!(rules("src/scan.rs", "//! x\nfn f() { g().expect(\"x\"); }\n"), [("a hidden panic", 2)]);
    assert_eq!(rules("src/scan.rs", "//! x\nfn f() { g().unwrap_or(1); } // .unwrap()\n"), []);
    assert_eq!(rules("src/scan.rs", "//! x\n#[cfg(test)]\nmod tests {\n    fn f() { g().unwrap(); }\n}\n"), []);
    assert_eq!(rules("src/rules/graph.rs", "//! x\nfn f(x: f64) {}\n"), [("a float near money", 2)]);
    assert_eq!(rules("src/rules/graph.rs", "//! x\nfn f(half_f64: u8) {}\n"), []);
    assert_eq!(rules("src/web.rs", "//! x\nfn f(x: f64) {}\n"), []);
    assert_eq!(rules("src/web.rs", "//! x\nfn f() { Utc::now() }\n"), [("a clock of its own", 2)]);
    assert_eq!(rules("src/clock.rs", "//! x\nfn f() { Utc::now() }\n"), []);
    assert_eq!(rules("src/web.rs", "//! x\n#[allow(dead_code)]\nfn f() {}\n"), [("an allowed lint", 2)]);
    assert_eq!(rules("src/web.rs", "// x\nfn f() {}\n"), [("no first line", 1)]);
}

#[test]
fn a_file_that_only_tests_compile_may_stop_at_once() {
    let declared = test_files("src/sources.rs", "//! x\n#[cfg(test)]\nmod testing;\nmod tcgcsv;\n");
    assert_eq!(declared, ["src/sources/testing.rs"]);
    assert_eq!(test_files("src/lib.rs", "//! x\n#[cfg(test)]\npub(crate) mod testing;\n"), ["src/testing.rs"]);
    assert_eq!(test_files("src/sources.rs", "//! x\n#[cfg(test)]\nmod tests {\n}\n"), Vec::<String>::new());
    let text = "//! x\nfn f() { g().unwrap(); }\n";
    let declared = declared.into_iter().collect();
    assert_eq!(check("src/sources/testing.rs", text, &declared), []);
    assert_eq!(check("src/sources/testing/row.rs", text, &declared), []);
    assert_eq!(check("src/sources/testing_row.rs", text, &declared).len(), 1);
    assert_eq!(rules("src/sources/testing.rs", text), [("a hidden panic", 2)]);
}

#[test]
fn blanking_keeps_code_and_lines_and_nothing_else() {
    let text = "a /* b\n /* c */ d */ e // f\n\"g \\\" h\" i r#\"j\" k\"# l 'm' '\\'' n<'o> r#type";
    let words: Vec<String> = blank(text).split_whitespace().map(str::to_owned).collect();
    assert_eq!(words, ["a", "e", "i", "l", "n<'o>", "r#type"]);
    assert_eq!(blank(text).matches('\n').count(), 2);
}

#[test]
fn the_map_names_what_lies_in_the_tree() {
    let tree: BTreeSet<String> = ["domain", "main.rs"].map(str::to_owned).into();
    assert_eq!(check_map("//! Title.\n//! | where | what |\n//! |---|---|\n//! | [`domain`] | x |\n//! | `main.rs` | y |\n", &tree), []);
    let wrong = check_map("//! | [`domain`] | x |\n//! | [`cellar`] | x |\n", &tree);
    let lines: Vec<String> = wrong.iter().map(Violation::to_string).collect();
    assert_eq!(
        lines,
        [
            "src/lib.rs:2: the map is not the tree: \"cellar\" is not in src/: take its row out",
            "src/lib.rs:1: the map is not the tree: add a row \"//! | [`main.rs`] | what it is for |\" to the map",
        ]
    );
}

#[test]
fn a_broken_rule_says_where_which_and_what_to_do() {
    let found = check("src/store.rs", "//! x\nuse crate::rules::Pack;\n", &BTreeSet::new());
    assert_eq!(
        found[0].to_string(),
        "src/store.rs:2: a forbidden dependency: uses rules; store may use domain, config: move the shared part down, or let the caller pass it in"
    );
}
