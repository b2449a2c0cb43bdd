//! Whatever stands in a rules folder, loading and evaluating it ends in a typed answer, and the program goes on.
//!
//! The first line of every file below `tests/packs/hostile` says what must become of it; larger and stranger things are
//! made here. All run in this one process, on stacks as small as a thread pool's, before a good pack is loaded and judged.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    str::FromStr,
    sync::mpsc,
    thread,
    time::Duration,
};

use tcg_radar::rules::{
    diagnostic::{Code, Severity},
    facts::INPUTS,
    interpret::{Evaluation, Slot, Verdict},
    pack::Pack,
    sandbox,
    value::Value,
};

/// A case that takes longer hangs. Nothing here should take a second, but a busy machine may be slow.
const DEADLINE: Duration = Duration::from_mins(2);
/// Bytes by the thousand that all of this, and the tests beside it, may need at once.
const MOST_MEMORY_KB: u64 = 3 << 20;
/// What a worker thread of the program has.
const STACK: usize = 2 << 20;

/// What must become of a hostile thing.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected {
    /// The pack is refused with an error of this code, or one of several: `cycle or bad-value`.
    Refused(String),
    /// The pack loads; a fact of the file fails with this text.
    Fault(String),
    /// The pack loads; no fact of the file is known.
    Unknown,
    /// The pack loads, and every fact of the file is known.
    Harmless,
}

impl FromStr for Expected {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let line = line.trim_start_matches(['#', '/', ' ']).trim_end();
        match line.split_once(": ").map_or((line, ""), |(class, rest)| (class, rest)) {
            ("refused", codes) if codes.split(" or ").all(|code| Code::ALL.iter().any(|known| known.as_str() == code)) => {
                Ok(Self::Refused(codes.to_owned()))
            }
            ("fault" | "fault:", text) => Ok(Self::Fault(text.to_owned())),
            ("unknown", "") => Ok(Self::Unknown),
            ("harmless", "") => Ok(Self::Harmless),
            _ => Err(format!("\"{line}\" says not what must become of the file")),
        }
    }
}

fn refused(code: Code) -> Expected {
    Expected::Refused(code.as_str().to_owned())
}

fn fault(text: &str) -> Expected {
    Expected::Fault(text.to_owned())
}

/// Something hostile: how to put it into a folder that holds a good pack, and what must become of it.
struct Case {
    name: String,
    /// The file whose facts are looked at.
    file: &'static str,
    plant: Box<dyn Fn(&Path) + Send>,
    expected: Expected,
}

fn hostile_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packs/hostile")
}

/// The folders of hostile files, and the place in a pack that each file takes.
const PLACES: [(&str, &str); 6] = [
    ("scripts", "facts/hostile.rhai"),
    ("params", "params/hostile.yaml"),
    ("tables", "tables/hostile.yaml"),
    ("fees", "fees/hostile.yaml"),
    ("active", "customs/active.yaml"),
    ("pack", "pack.yaml"),
];

/// One case for every file of the hostile folder.
fn files() -> Vec<Case> {
    let mut cases = Vec::new();
    for (folder, place) in PLACES {
        let mut paths: Vec<PathBuf> = fs::read_dir(hostile_folder().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            let bytes = fs::read(&path).unwrap();
            let first = String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned();
            let name = format!("{folder}/{}", path.file_name().unwrap().to_string_lossy());
            let expected = first.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
            cases.push(Case { name, file: place, plant: write(place, bytes), expected });
        }
    }
    cases
}

fn write(place: &'static str, bytes: impl Into<Vec<u8>>) -> Box<dyn Fn(&Path) + Send> {
    let bytes = bytes.into();
    Box::new(move |root| fs::write(root.join(place), &bytes).unwrap())
}

/// What is too large or too odd to be kept as a file.
fn generated() -> Vec<Case> {
    let text = |name: &str, file: &'static str, text: String, expected: Expected| Case {
        name: name.to_owned(),
        file,
        plant: write(file, text),
        expected,
    };
    let script = |name: &str, body: String, expected: Expected| text(name, "facts/hostile.rhai", body, expected);
    let body = |name: &str, body: String, expected: Expected| {
        script(name, format!("fn hostile(buy_price) {{ if buy_price < 0 {{ return (); }} {body} }}"), expected)
    };
    let params = |name: &str, body: String, expected: Expected| text(name, "params/hostile.yaml", body, expected);
    let table = |name: &str, body: String, expected: Expected| text(name, "tables/hostile.yaml", body, expected);
    let fees = |name: &str, body: String, expected: Expected| text(name, "fees/hostile.yaml", body, expected);
    let times = |text: &str, count: usize| text.repeat(count);
    let lines = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<String>();
    let nested = |open: &str, middle: &str, close: &str, depth: usize| format!("{}{middle}{}", open.repeat(depth), close.repeat(depth));
    let it = |value: &str| format!("it:\n  unit: ratio\n  from: 2020-01-01\n  value: {value}\n");
    let head = "table: hostile\nkey: [buy_price]\ncolumns:\n  column: { type: decimal }\n";
    let mut cases = vec![
        // scripts
        body("number of 10,000 digits", times("9", 10_000), refused(Code::ScriptSyntax)),
        body("decimal of 10,000 digits", format!("0.{}", times("3", 10_000)), Expected::Harmless),
        body("text of 5,000 letters", format!("\"{}\"", times("a", 5_000)), refused(Code::ScriptSyntax)),
        body("text of 1 MB", format!("\"{}\"", times("a", 1_000_000)), refused(Code::TooLarge)),
        body("200 parentheses", nested("(", "1", ")", 200), refused(Code::ScriptSyntax)),
        body("10,000 parentheses", nested("(", "1", ")", 10_000), refused(Code::ScriptSyntax)),
        body("10,000 lists in each other", nested("[", "1", "]", 10_000), refused(Code::ScriptSyntax)),
        body("5,000 maps in each other", nested("#{a:", "1", "}", 5_000), refused(Code::ScriptSyntax)),
        body("5,000 blocks in each other", nested("{", "1", "}", 5_000), refused(Code::ScriptSyntax)),
        body("2,000 conditions in each other", nested("if true { ", "1", " }", 2_000), refused(Code::ScriptSyntax)),
        body("2,000 conditions after each other", format!("{} {{ 1 }}", times("if false { 0 } else ", 2_000)), refused(Code::ScriptSyntax)),
        body("2,000 switches in each other", nested("switch 1 { _ => ", "1", " }", 2_000), refused(Code::ScriptSyntax)),
        body("20,000 signs", format!("{}1", times("-", 20_000)), refused(Code::ForbiddenScript)),
        body("20,000 negations", format!("{}true", times("!", 20_000)), refused(Code::ScriptSyntax)),
        body("a sum of 20,000", format!("1{}", times("+1", 20_000)), refused(Code::ScriptSyntax)),
        body("a conjunction of 10,000", format!("true{}", times("&&true", 10_000)), refused(Code::ScriptSyntax)),
        body("a coalescence of 10,000", format!("1{}", times("??1", 10_000)), refused(Code::ScriptSyntax)),
        body("10,000 properties of each other", format!("buy_price{}", times(".a", 10_000)), refused(Code::ScriptSyntax)),
        body("10,000 indices of each other", format!("buy_price{}", times("[0]", 10_000)), refused(Code::ScriptSyntax)),
        body("5,000 calls of each other", format!("buy_price{}", times(".abs()", 5_000)), refused(Code::ScriptSyntax)),
        body("10,000 assignments of each other", format!("{}1", times("buy_price=", 6_000)), refused(Code::ScriptSyntax)),
        body("5,000 returns of each other", format!("{}1", times("return ", 5_000)), refused(Code::ScriptSyntax)),
        body("5,000 throws of each other", format!("{}1", times("throw ", 5_000)), refused(Code::ScriptSyntax)),
        body("1,000 interpolations in each other", nested("`${", "1", "}`", 1_000), refused(Code::ScriptSyntax)),
        body("10,000 comments in each other", nested("/*", "", "*/", 10_000), Expected::Unknown),
        body("100 locals", lines(100, &|index| format!("let v{index} = 1;")) + "1", fault("")),
        body("a list of 20,000", format!("[{}]", times("1,", 20_000)), refused(Code::ScriptSyntax)),
        body("a switch of 3,000 cases", format!("switch 1 {{ {} }}", lines(3_000, &|case| format!("{case} => 1,"))), Expected::Harmless),
        body("a call with 10,000 arguments", format!("min({}1)", times("1,", 10_000)), refused(Code::UnknownFunction)),
        body("3,000 statements", times("cents(buy_price);", 3_000), Expected::Harmless),
        script("300 functions", lines(300, &|index| format!("fn f{index}(buy_price) {{ 1 }}\n")), refused(Code::ScriptSyntax)),
        script("100,000 functions", lines(100_000, &|index| format!("fn f{index}() {{ }}\n")), refused(Code::TooLarge)),
        script("49 parameters", format!("fn hostile({}) {{ 1 }}", lines(49, &|index| format!("p{index},"))), refused(Code::TooLarge)),
        script("9,000 parameters", format!("fn hostile({}) {{ 1 }}", lines(9_000, &|index| format!("p{index},"))), refused(Code::TooLarge)),
        script(
            "100,000 parameters",
            format!("fn hostile({}) {{ 1 }}", lines(100_000, &|index| format!("p{index},"))),
            refused(Code::TooLarge),
        ),
        script("a name of 50,000 letters", format!("fn {}(buy_price) {{ 1 }}", times("a", 50_000)), refused(Code::BadValue)),
        script("a parameter of 50,000 letters", format!("fn hostile({}) {{ 1 }}", times("a", 50_000)), refused(Code::UnknownFact)),
        script(
            "a function called a among 60,000 of them",
            format!("// {}\nfn a(buy_price) {{ buy_price }}", times("a", 60_000)),
            Expected::Harmless,
        ),
        script(
            "a description of 60,000 letters",
            format!("/// {}\nfn hostile(buy_price) {{ buy_price }}", times("a", 60_000)),
            Expected::Harmless,
        ),
        script("helpers that multiply", helpers_that_multiply(), fault("operations")),
        script("bytes that are not UTF-8", String::new(), Expected::Harmless),
        script("NUL bytes", "fn hostile(buy_price) { \0 }".to_owned(), refused(Code::ScriptSyntax)),
        script("a byte order mark", "\u{feff}fn hostile(buy_price) { 1 }".to_owned(), refused(Code::ScriptSyntax)),
        script("Windows line ends", "/// A fact.\r\nfn hostile(buy_price) {\r\n    buy_price\r\n}\r\n".to_owned(), Expected::Harmless),
        script("old Mac line ends", "// a\rfn hostile(buy_price) { loop { } }\r".to_owned(), refused(Code::ForbiddenScript)),
        script("an empty script", String::new(), Expected::Harmless),
        // numbers
        params("a quoted number of 10,000 digits", it(&format!("\"{}\"", times("9", 10_000))), refused(Code::BadValue)),
        params("a value of 900,000 letters", it(&format!("\"{}\"", times("a", 900_000))), refused(Code::BadValue)),
        params(
            "a name of 100,000 letters",
            format!("{}: {{ unit: ratio, from: 2020-01-01, value: \"1\" }}", times("a", 1_000)),
            refused(Code::BadValue),
        ),
        params(
            "20,000 parameters",
            lines(20_000, &|index| format!("p{index}: {{ unit: ratio, from: 2020-01-01, value: \"1\" }}\n")),
            refused(Code::TooLarge),
        ),
        params(
            "20,000 names that are wrong",
            lines(20_000, &|index| format!("P{index}: {{ unit: ratio, from: 2020-01-01, value: \"1\" }}\n")),
            refused(Code::TooLarge),
        ),
        params(
            "50,000 keys that nobody reads",
            format!("it:\n{}", lines(50_000, &|index| format!("  k{index}: 1\n"))),
            refused(Code::TooLarge),
        ),
        params(
            "20,000 dated values",
            format!("it:\n  unit: ratio\n  values:\n{}", times("    - { from: 2020-01-01, value: \"1\" }\n", 20_000)),
            refused(Code::TooLarge),
        ),
        params("lists 200,000 deep", nested("[", "", "]", 200_000), refused(Code::YamlSyntax)),
        params("mappings 20,000 deep", nested("{a: ", "1", "}", 20_000), refused(Code::YamlSyntax)),
        params("blocks 900 deep", lines(900, &|depth| format!("{}a:\n", " ".repeat(depth))), refused(Code::YamlSyntax)),
        params("dashes 300,000 deep", times("- ", 300_000), refused(Code::YamlSyntax)),
        params("question marks 300,000 deep", times("? ", 300_000), refused(Code::YamlSyntax)),
        params("900,000 blanks", times(" ", 900_000), refused(Code::WrongShape)),
        params("900,000 line ends", times("\n", 900_000), refused(Code::WrongShape)),
        params("900,000 commas", times(",", 900_000), refused(Code::YamlSyntax)),
        params("a scalar of 200,000 lines", format!("it: {}", times("a\n  ", 200_000)), refused(Code::WrongShape)),
        params("500,000 quotes", times("'", 500_001), refused(Code::YamlSyntax)),
        params("a folded block of 300,000 lines", format!("it: >\n{}", times("  a\n", 200_000)), refused(Code::WrongShape)),
        params("100,000 documents", times("---\n", 100_000), refused(Code::YamlSyntax)),
        params("a NUL byte", "it: \"\0\"\n".to_owned(), refused(Code::YamlSyntax)),
        params("a byte order mark before YAML", format!("\u{feff}{}", it("\"1\"")), Expected::Harmless),
        params("Windows line ends in YAML", it("\"1\"").replace('\n', "\r\n"), Expected::Harmless),
        params("an empty file", String::new(), refused(Code::WrongShape)),
        // tables
        table(
            "a table of 10,000 rows",
            format!("{head}rows:\n{}", lines(10_000, &|row| format!("  - {{ buy_price: \"{row}\", column: \"1\" }}\n"))),
            refused(Code::TooLarge),
        ),
        table(
            "a table of 1,900 rows that overlap",
            format!("{head}rows:\n{}", times("  - { column: \"1\" }\n", 1_900)),
            refused(Code::TooLarge),
        ),
        table("a table of 100,000 rows", format!("{head}rows:\n{}", times("  - {}\n", 100_000)), refused(Code::TooLarge)),
        table(
            "two rows of 30,000 values",
            format!("{head}rows:\n{}", times(&format!("  - {{ buy_price: [{}] }}\n", lines(30_000, &|value| format!("\"{value}\","))), 2)),
            refused(Code::TooLarge),
        ),
        table("keys that multiply", keys_that_multiply(), refused(Code::TableGap)),
        table(
            "a table of 1,000 keys",
            format!("table: hostile\nkey: [{}]\ncolumns:\n  column: {{ type: decimal }}\nrows: []\n", times("origin,", 1_000)),
            refused(Code::TooLarge),
        ),
        table(
            "a table of 20,000 columns",
            format!(
                "table: hostile\nkey: [origin]\ncolumns:\n{}rows: []\notherwise: unknown\n",
                lines(20_000, &|column| format!("  c{column}: {{ type: decimal }}\n"))
            ),
            refused(Code::TooLarge),
        ),
        fees(
            "fields that every row inherits",
            format!("{}rows:\n{}", lines(9_000, &|field| format!("f{field}: 1\n")), times("  - { line: commission }\n", 20_000)),
            refused(Code::TooLarge),
        ),
        fees(
            "20,000 rows of a folder",
            format!("sell_market: ebay\nrows:\n{}", times("  - { line: commission }\n", 20_000)),
            refused(Code::TooLarge),
        ),
        // the pack
        text(
            "20,000 gates",
            "pack.yaml",
            format!("name: x\ngates:\n{}type: [{{ type: a }}]\n", times("  - { reason: A, when: too_dear }\n", 20_000)),
            Expected::Harmless,
        ),
        text(
            "3,000 aggregates",
            "pack.yaml",
            format!(
                "name: x\ngates: []\ntype: [{{ type: a }}]\naggregates:\n{}",
                lines(3_000, &|index| format!("  a{index}: {{ over: seller_id, count_where: cheap }}\n"))
            ),
            Expected::Harmless,
        ),
        Case {
            name: "invalid UTF-8 in a script".into(),
            file: "facts/hostile.rhai",
            plant: write("facts/hostile.rhai", *b"fn hostile(buy_price) { \"\xff\xfe\" }"),
            expected: refused(Code::UnreadableFile),
        },
        Case {
            name: "invalid UTF-8 in YAML".into(),
            file: "params/hostile.yaml",
            plant: write("params/hostile.yaml", *b"it: \xc3\x28"),
            expected: refused(Code::UnreadableFile),
        },
        Case {
            name: "UTF-16".into(),
            file: "params/hostile.yaml",
            plant: write("params/hostile.yaml", *b"\xff\xfei\0t\0:\0"),
            expected: refused(Code::UnreadableFile),
        },
        Case {
            name: "a chain of 150 facts".into(),
            file: "facts/hostile00.rhai",
            plant: Box::new(|root| chain(root, 150)),
            expected: Expected::Harmless,
        },
        Case {
            name: "a chain of 1,000 facts".into(),
            file: "facts/hostile00.rhai",
            plant: Box::new(|root| chain(root, 1_000)),
            expected: refused(Code::TooLarge),
        },
        Case {
            name: "a chain of 50,000 facts".into(),
            file: "facts/hostile00.rhai",
            plant: Box::new(|root| chain(root, 50_000)),
            expected: refused(Code::TooLarge),
        },
        Case {
            name: "a circle of 4,000 facts".into(),
            file: "facts/hostile00.rhai",
            plant: Box::new(|root| circle(root, 4_000)),
            expected: refused(Code::Cycle),
        },
        Case {
            name: "1,000 facts that read 40 each that nobody computes".into(),
            file: "facts/hostile00.rhai",
            plant: Box::new(unknown_facts),
            expected: refused(Code::TooLarge),
        },
        Case {
            name: "101 tables".into(),
            file: "",
            plant: Box::new(|root| {
                for table in 0..101 {
                    let text =
                        format!("table: t{table}\nkey: []\ncolumns: {{ c{table}: {{ type: decimal }} }}\nrows: [{{ c{table}: \"1\" }}]\n");
                    fs::write(root.join(format!("tables/t{table}.yaml")), text).unwrap();
                }
            }),
            expected: refused(Code::TooLarge),
        },
        Case {
            name: "30 tables of 32 columns over one folder of 1,990 rows".into(),
            file: "",
            plant: Box::new(tables_over_one_folder),
            expected: refused(Code::TooLarge),
        },
    ];
    cases.extend(SHAPES.into_iter().map(|shape| Case {
        name: format!("the deepest recursion through {}…{}", shape.0, shape.1),
        file: "facts/hostile00.rhai",
        plant: Box::new(move |root| deep_recursion(root, shape)),
        expected: fault("tack overflow"),
    }));
    cases
}

/// Helpers each of which calls the next many times: what looks through them all looks for ever.
fn helpers_that_multiply() -> String {
    let mut text = "fn hostile(buy_price) { h0(buy_price) }\n".to_owned();
    for level in 0..12 {
        let calls = vec![format!("h{}(x)", level + 1); 30].join(" + ");
        writeln!(text, "private fn h{level}(x) {{ {calls} }}").unwrap();
    }
    text + "private fn h12(x) { x }\n"
}

/// Keys whose values combine to more than can be tried.
fn keys_that_multiply() -> String {
    let keys = ["buy_price", "sell_price", "buy_low", "sell_low", "buy_shipping", "sell_price_lp", "sell_price_mp", "sell_price_hp"];
    let mut text = format!("table: hostile\nkey: [{}]\ncolumns:\n  column: {{ type: decimal }}\nrows:\n", keys.join(", "));
    for row in 0..200 {
        let cells: Vec<String> = keys.iter().map(|key| format!("{key}: {{ from: \"{row}.1\", to: \"{row}.2\" }}")).collect();
        writeln!(text, "  - {{ {}, column: \"1\" }}", cells.join(", ")).unwrap();
    }
    text
}

/// Ways to stand deeper in an expression: before and after the inner one.
const SHAPES: [(&str, &str); 6] =
    [("min(x, ", ")"), ("(x + ", ")"), ("x + 0 * ", ""), ("if true { ", " } else { 1 }"), ("switch 1 { 1 => ", ", _ => 1 }"), ("up(", ")")];

/// A helper that calls itself below as many levels of expressions as compile, under the highest limits, and is read at
/// the end of a chain of facts.
fn deep_recursion(root: &Path, (before, after): (&str, &str)) {
    let pack = fs::read_to_string(root.join("pack.yaml")).unwrap();
    fs::write(root.join("pack.yaml"), format!("{pack}limits: {{ operations: 1000000, call_depth: 64 }}\n")).unwrap();
    let levels = (1..60).rev().find(|levels| {
        let body = format!("{}down(x){}", before.repeat(*levels), after.repeat(*levels));
        let deep = format!("fn c0(buy_price) {{ down(buy_price) }}\nprivate fn down(x) {{ {body} }}\nprivate fn up(x) {{ x }}");
        fs::write(root.join("facts/deep.rhai"), deep).unwrap();
        Pack::load(root).is_ok()
    });
    assert!(levels.is_some_and(|levels| levels > 5), "only {levels:?} levels compile");
    write_functions(root, 190, |index| format!("fn c{}(c{index}) {{ c{index} }}", index + 1));
}

fn chain(root: &Path, length: usize) {
    write_functions(root, length, |index| match index {
        0 => "fn c0(buy_price) { buy_price }".to_owned(),
        _ => format!("fn c{index}(c{}) {{ c{} }}", index - 1, index - 1),
    });
}

fn circle(root: &Path, length: usize) {
    write_functions(root, length, |index| format!("fn c{index}(c{0}) {{ c{0} }}", (index + 1) % length));
}

fn unknown_facts(root: &Path) {
    write_functions(root, 1_000, |index| {
        let params: Vec<String> = (0..40).map(|param| format!("fact_number_{index}_{param}")).collect();
        format!("fn c{index}({}) {{ 1 }}", params.join(", "))
    });
}

/// As few functions a file as keep it small.
fn write_functions(root: &Path, count: usize, function: impl Fn(usize) -> String) {
    let functions: Vec<String> = (0..count).map(function).collect();
    for (file, chunk) in functions.chunks(40).enumerate() {
        fs::write(root.join(format!("facts/hostile{file:02}.rhai")), chunk.join("\n")).unwrap();
    }
}

fn tables_over_one_folder(root: &Path) {
    let row = "  - { line: commission, rate: \"0.1\" }\n";
    fs::write(root.join("fees/hostile.yaml"), format!("sell_market: ebay\nrows:\n{}", row.repeat(1_990))).unwrap();
    for table in 0..30 {
        let mut text = format!("table: t{table}\nkey: [sell_market]\nrows_from: {{ folder: fees }}\ncolumns:\n");
        for column in 0..32 {
            writeln!(text, "  c{table}_{column}: {{ type: decimal }}").unwrap();
        }
        fs::write(root.join(format!("tables/hostile{table}.yaml")), text).unwrap();
    }
}

/// What may lie in a folder beside text.
fn folders() -> Vec<Case> {
    let case =
        |name: &str, plant: fn(&Path), expected: Expected| Case { name: name.to_owned(), file: "", plant: Box::new(plant), expected };
    let unreadable = || refused(Code::UnreadableFile);
    vec![
        case("a link to a file outside", |root| symlink("/etc/passwd", root.join("facts/leak.rhai")).unwrap(), unreadable()),
        case(
            "a link with a relative way out",
            |root| symlink("../../../../../../etc/passwd", root.join("params/leak.yaml")).unwrap(),
            unreadable(),
        ),
        case("a link to a folder outside", |root| symlink("/etc", root.join("etc")).unwrap(), unreadable()),
        case("a link to the folder itself", |root| symlink(root, root.join("facts/again")).unwrap(), unreadable()),
        case("a link to itself", |root| symlink(root.join("facts/me.rhai"), root.join("facts/me.rhai")).unwrap(), unreadable()),
        case("a link to nothing", |root| symlink("nowhere.rhai", root.join("facts/lost.rhai")).unwrap(), unreadable()),
        case(
            "a chain of links that ends outside",
            |root| {
                symlink("/etc/hostname", root.join("facts/l0.rhai")).unwrap();
                for link in 0..30 {
                    symlink(root.join(format!("facts/l{link}.rhai")), root.join(format!("facts/l{}.rhai", link + 1))).unwrap();
                }
            },
            unreadable(),
        ),
        case(
            "a link to a file inside",
            |root| symlink(root.join("facts/good.rhai"), root.join("facts/same.rhai")).unwrap(),
            refused(Code::DuplicateFact),
        ),
        case("a link to endless zeros", |root| symlink("/dev/zero", root.join("facts/zero.rhai")).unwrap(), unreadable()),
        case("a link to a terminal", |root| symlink("/dev/tty", root.join("facts/tty.rhai")).unwrap(), unreadable()),
        case("a pipe that nobody writes to", |root| fifo(&root.join("facts/pipe.rhai")), unreadable()),
        case(
            "a link to a pipe",
            |root| {
                fifo(&root.join(".pipe"));
                symlink(root.join(".pipe"), root.join("params/pipe.yaml")).unwrap();
            },
            unreadable(),
        ),
        case("a socket", |root| drop(std::os::unix::net::UnixListener::bind(root.join("facts/s.rhai")).unwrap()), unreadable()),
        case(
            "a file of 1 GB that takes no room",
            |root| fs::File::create(root.join("facts/large.rhai")).unwrap().set_len(1 << 30).unwrap(),
            refused(Code::TooLarge),
        ),
        case(
            "a file of a byte too many",
            |root| fs::write(root.join("params/large.yaml"), vec![b' '; (1 << 20) + 1]).unwrap(),
            refused(Code::TooLarge),
        ),
        case(
            "nine files of 1 MB",
            |root| (0..9).for_each(|file| fs::write(root.join(format!("params/p{file}.yaml")), vec![b'#'; 1 << 20]).unwrap()),
            refused(Code::TooLarge),
        ),
        case(
            "2,001 files",
            |root| (0..2_001).for_each(|file| fs::write(root.join(format!("params/p{file}.yaml")), "# nothing\n").unwrap()),
            refused(Code::TooLarge),
        ),
        case(
            "5,001 files of other kinds",
            |root| (0..5_001).for_each(|file| fs::write(root.join(format!("n{file}")), "").unwrap()),
            refused(Code::TooLarge),
        ),
        case(
            "folders 100 deep",
            |root| {
                let deep = root.join(vec!["d"; 100].join("/"));
                fs::create_dir_all(&deep).unwrap();
                fs::write(deep.join("a.yaml"), "a: b").unwrap();
            },
            refused(Code::StrayFile),
        ),
        case("a folder called like a script", |root| fs::create_dir(root.join("facts/folder.rhai")).unwrap(), Expected::Harmless),
        case(
            "a script among the numbers",
            |root| fs::write(root.join("params/a.rhai"), "fn a(buy_price) { 1 }").unwrap(),
            refused(Code::StrayFile),
        ),
        case(
            "a name that steers the terminal",
            |root| fs::write(root.join("facts/\u{1b}[2J\n.rhai"), "fn a(x) { 1 }").unwrap(),
            refused(Code::UnknownFact),
        ),
        case(
            "a name that is not UTF-8",
            |root| {
                use std::os::unix::ffi::OsStrExt;
                fs::write(root.join("facts").join(std::ffi::OsStr::from_bytes(b"a\xff.rhai")), "fn a(x) { 1 }").unwrap();
            },
            refused(Code::UnknownFact),
        ),
        case("a hidden file", |root| fs::write(root.join("facts/.hidden.rhai"), "loop { }").unwrap(), Expected::Harmless),
        case("no pack.yaml", |root| fs::remove_file(root.join("pack.yaml")).unwrap(), refused(Code::MissingFile)),
        case(
            "a pack.yaml that is a folder",
            |root| {
                fs::remove_file(root.join("pack.yaml")).unwrap();
                fs::create_dir(root.join("pack.yaml")).unwrap();
            },
            refused(Code::MissingFile),
        ),
        case(
            "a pack.yaml that leads out",
            |root| {
                fs::remove_file(root.join("pack.yaml")).unwrap();
                symlink("/etc/passwd", root.join("pack.yaml")).unwrap();
            },
            unreadable(),
        ),
        case("no folder at all", |root| fs::remove_dir_all(root).unwrap(), unreadable()),
        case(
            "a file in the folder's place",
            |root| {
                fs::remove_dir_all(root).unwrap();
                fs::write(root, "name: x").unwrap();
            },
            unreadable(),
        ),
        case(
            "a pipe in the folder's place",
            |root| {
                fs::remove_dir_all(root).unwrap();
                fifo(root);
            },
            unreadable(),
        ),
    ]
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn copy_good(root: &Path) {
    let good = hostile_folder().join("good");
    for folder in ["", "facts", "params", "tables", "fees", "customs"] {
        fs::create_dir_all(root.join(folder)).unwrap();
        for entry in fs::read_dir(good.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(&path, root.join(folder).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
}

/// Every input at its example.
fn usual(pack: &Pack) -> Evaluation<'_> {
    let mut evaluation = Evaluation::new(pack);
    for input in INPUTS {
        let id = pack.graph.id(input.name).unwrap();
        evaluation.set(id, Value::parse(input.domain.value_type(), input.example).unwrap()).unwrap();
    }
    evaluation
}

/// What became of it; `Err` is text for whoever reads a failure.
fn outcome(root: &Path, file: &str, expected: &Expected) -> Result<(), String> {
    let pack = match Pack::load(root) {
        Err(faults) => {
            // what is shown must neither flood nor steer the terminal, nor tell of files outside
            let shown = faults.to_string();
            if shown.len() > 4 << 20
                || shown.chars().any(|letter| letter.is_control() && !matches!(letter, '\n' | '\t'))
                || shown.contains("root:")
            {
                return Err(format!("the report is {} bytes, or shows what it must not", shown.len()));
            }
            let mut codes = faults.0.iter().filter(|fault| fault.severity == Severity::Error).map(|fault| fault.code.as_str());
            return match expected {
                Expected::Refused(expected) if codes.any(|found| expected.split(" or ").any(|code| code == found)) => Ok(()),
                _ => Err(format!("refused: {}", shown.chars().take(2_000).collect::<String>())),
            };
        }
        Ok(pack) => pack,
    };
    let mut evaluation = usual(&pack);
    // the whole pack is asked too: nothing may hang or panic there
    drop(evaluation.verdict());
    let own: Vec<_> = pack.graph.ids().filter(|id| pack.graph.fact(*id).place.as_ref().is_some_and(|place| &*place.file == file)).collect();
    let slots: Vec<Slot> = own.iter().map(|id| evaluation.slot(*id).clone()).collect();
    let good = match expected {
        Expected::Refused(_) => false,
        Expected::Fault(text) => slots
            .iter()
            .any(|slot| matches!(slot, Slot::Fault(fault) if fault.message.contains(text.as_str()) && fault.message.len() < 10_000)),
        Expected::Unknown => slots.iter().all(|slot| matches!(slot, Slot::Unknown(_))),
        Expected::Harmless => slots.iter().all(|slot| matches!(slot, Slot::Known(_))),
    };
    if good { Ok(()) } else { Err(format!("loaded: {slots:?}").chars().take(2_000).collect()) }
}

/// Runs a case on a small stack of its own, and gives up on it after the deadline.
fn run(case: Case) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("rules");
    copy_good(&root);
    let (done, wait) = mpsc::channel();
    let name = case.name.clone();
    let thread = thread::Builder::new().name(name.clone()).stack_size(STACK).spawn(move || {
        (case.plant)(&root);
        let result = outcome(&root, case.file, &case.expected);
        let _ = done.send(result.map_err(|found| format!("{}: expected {:?}, but it was {found}", case.name, case.expected)));
    });
    let result = wait.recv_timeout(DEADLINE);
    match result {
        Ok(result) => thread.unwrap().join().map_or_else(|_| Err(format!("{name}: panicked at its end")), |()| result),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(format!("{name}: panicked")),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(format!("{name}: no end after {DEADLINE:?}")),
    }
}

#[test]
fn every_hostile_thing_ends_in_a_typed_answer_and_the_program_goes_on() {
    let only = std::env::var("HOSTILE").ok();
    let cases: Vec<Case> = files()
        .into_iter()
        .chain(generated())
        .chain(folders())
        .filter(|case| only.as_ref().is_none_or(|only| case.name.contains(only)))
        .collect();
    let count = cases.len();
    let mut failures = Vec::new();
    for case in cases {
        let name = case.name.clone();
        let begun = std::time::Instant::now();
        failures.extend(run(case).err());
        if only.is_some() {
            eprintln!("{:>6} ms  {name}", begun.elapsed().as_millis());
        }
    }
    assert!(failures.is_empty(), "{} of {count}:\n{}", failures.len(), failures.join("\n\n"));
    assert!(only.is_some() || count >= 80, "only {count} hostile things are left");
    // where the system tells it: the most memory that this process ever had, other tests' included
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    assert!(peak.is_none_or(|kilobytes| kilobytes < MOST_MEMORY_KB), "{peak:?} kB");

    let pack = Pack::load(&hostile_folder().join("good")).unwrap();
    let mut evaluation = usual(&pack);
    assert_eq!(evaluation.verdict(), Verdict::Signal);
    let gain = evaluation.known(pack.graph.id("gain").unwrap()).unwrap();
    assert_eq!(gain.to_string(), "45.94");
}

/// Expressions that the checks before the engine refuse, but that the engine itself must survive too.
const REFUSED_SHAPES: [(&str, &str); 4] = [("[x, ", "][1]"), ("#{ a: ", " }.a"), ("`${", "}`"), ("{ let y = ", "; y }")];

/// Compiles a text in the bare engine under the highest limits and calls each of its functions. The answer is of no
/// interest, but that there is one.
fn run_in_the_bare_engine(text: &str) -> usize {
    let engine = sandbox::engine(sandbox::HIGHEST);
    let Ok(ast) = engine.compile(text) else { return 0 };
    let functions: Vec<(String, usize)> = ast.iter_functions().map(|function| (function.name.to_owned(), function.params.len())).collect();
    for (name, count) in &functions {
        let arguments = vec![rhai::Dynamic::from_decimal(40.into()); *count];
        let options = rhai::CallFnOptions::new().eval_ast(false);
        drop(engine.call_fn_with_options::<rhai::Dynamic>(options, &mut rhai::Scope::new(), &ast, name, arguments));
    }
    functions.len()
}

#[test]
fn the_engine_survives_every_hostile_script_without_the_checks_before_it() {
    let mut scripts: Vec<String> = fs::read_dir(hostile_folder().join("scripts"))
        .unwrap()
        .map(|entry| String::from_utf8_lossy(&fs::read(entry.unwrap().path()).unwrap()).into_owned())
        .collect();
    for (before, after) in SHAPES.iter().chain(&REFUSED_SHAPES) {
        scripts.extend((5..60).step_by(2).map(|levels| {
            let body = format!("{}down(x){}", before.repeat(levels), after.repeat(levels));
            format!("fn down(x) {{ {body} }} fn up(x) {{ x }}")
        }));
    }
    let (done, wait) = mpsc::channel();
    let thread = thread::Builder::new().stack_size(STACK).spawn(move || {
        let ran: usize = scripts.iter().map(|script| run_in_the_bare_engine(script)).sum();
        let _ = done.send(ran);
    });
    let ran = wait.recv_timeout(DEADLINE).unwrap();
    thread.unwrap().join().unwrap();
    assert!(ran > 100, "only {ran} functions ran");
}

/// Lines that `rules eval` is asked, and a part of what it must say to each; no text stands for an answer.
fn hostile_lines() -> Vec<(Vec<u8>, &'static str)> {
    let ask = |value: &str| format!("{{\"net_profit\": {value}}}").into_bytes();
    vec![
        (ask("1"), ""),
        (ask(&format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000))), "not a JSON object"),
        (ask(&format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000))), "not a JSON object"),
        ("[".repeat(1_000_000).into_bytes(), "not a JSON object"),
        (ask(&"9".repeat(100_000)), "not a decimal"),
        (ask(&format!("0.{}", "3".repeat(100_000))), "not a decimal"),
        (ask("1e400"), "not a decimal"),
        (ask("1e999999999999"), "not a decimal"),
        (ask("1e-999999999999"), "not a decimal"),
        (ask("-1e4294967296"), "not a decimal"),
        (ask("1e2"), ""),
        (ask("NaN"), "not a JSON object"),
        (ask("Infinity"), "not a JSON object"),
        (ask("\"NaN\""), "not a decimal"),
        (ask("\"1e5\""), "not a decimal"),
        (ask("0x10"), "not a JSON object"),
        (ask("1_000"), "not a JSON object"),
        (ask("\"\""), "not a decimal"),
        (ask("\"1\\u0000\""), "not a decimal"),
        (ask("\"\\ud800\""), "not a JSON object"),
        (ask(&format!("\"{}\"", "a".repeat(900_000))), "not a decimal"),
        (ask("{\"$serde_json::private::Number\": \"1\"}"), ""),
        (ask("{\"$serde_json::private::Number\": \"x\"}"), "not a JSON object"),
        (ask("{\"$serde_json::private::RawValue\": \"[[[[1]]]]\"}"), "write a string, number"),
        (ask("true"), "not a decimal"),
        (ask("79228162514264337593543950336"), "not a decimal"),
        (b"{\"net_profit\": 1, \"net_profit\": 2}".to_vec(), "stands there twice"),
        (b"{\"net_profit\": 1} {\"net_profit\": 2}".to_vec(), "not a JSON object"),
        (b"{\"net_profit\": \"\xff\xfe\"}".to_vec(), "not UTF-8"),
        (b"\xef\xbb\xbf{\"net_profit\": 1}".to_vec(), "not a JSON object"),
        (b"\0".to_vec(), "not a JSON object"),
        (b"null".to_vec(), "not a JSON object"),
        (format!("{{\"{}\": 1}}", "a".repeat(900_000)).into_bytes(), "no fact is called"),
        (format!("{{{}\"net_profit\": 1}}", "\"x\": 1, ".repeat(50_000)).into_bytes(), "stands there twice"),
        (b"{\"date\": \"+262142-12-31\", \"net_profit\": 1}".to_vec(), ""),
        (b"{\"date\": \"2026-02-30\"}".to_vec(), "not a date"),
        (b"{\"sales_30d\": 9223372036854775808}".to_vec(), "not a integer"),
        (b"{\"sales_30d\": -1}".to_vec(), "expected a whole number from 0"),
        (b"{\"forex_buffer\": \"79228162514264337593543950335\"}".to_vec(), "expected a number from 0"),
        (b"{\"net_profit\": \"79228162514264337593543950335\", \"proceeds\": \"0.0000000001\"}".to_vec(), ""),
        (vec![b'a'; 100 << 20], "more than 1048576 bytes"),
        (b"{\"net_profit\": \"2\"}\r".to_vec(), ""),
    ]
}

#[test]
fn every_hostile_line_of_facts_is_told_by_its_number_and_the_others_are_answered() {
    let hostile = hostile_lines();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("facts.jsonl");
    // the last line has no end
    fs::write(&file, hostile.iter().map(|(line, _)| line.as_slice()).collect::<Vec<_>>().join(&b'\n')).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcg-radar"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("CUSTOMS_REGIME").env_remove("TCG_RADAR_RULES");
    let output = command.args(["rules", "eval", "--want", "net_profit", "--facts"]).arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let answers: Vec<serde_json::Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), hostile.len());
    for (index, (answer, (line, expected))) in answers.iter().zip(&hostile).enumerate() {
        let begin = String::from_utf8_lossy(&line[..line.len().min(80)]);
        if expected.is_empty() {
            assert!(answer.get("net_profit").is_some(), "{begin}: {answer}");
        } else {
            assert_eq!(answer["line"], index + 1, "{begin}: {answer}");
            let error = answer["error"].as_str().unwrap();
            assert!(error.contains(expected) && error.len() < 3_000, "{begin}: {error}");
        }
    }
}
