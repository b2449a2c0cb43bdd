//! What editors and people read about rule files is what the program reads: schemas, definitions, and the lists in
//! `rules/README.md`. `UPDATE=1 cargo test --test it editor` writes what is generated anew.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use serde_json::Value as Json;
use tcg_radar::{
    domain::{plan::Plans, profile::Preset},
    rules::{
        facts::{Domain, INPUTS, Stage},
        pack::Pack,
        sandbox::FUNCTIONS,
        source::PackSource,
        testing::Suite,
    },
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

static RULES: LazyLock<Pack> = LazyLock::new(|| Pack::load(&root().join("rules")).unwrap());

/// Every YAML file of a folder and below, hidden folders left out.
fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') {
            yaml_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "yaml") {
            found.push(path);
        }
    }
}

fn schema(kind: &str) -> Json {
    serde_json::from_str(&fs::read_to_string(root().join(format!("rules/.schema/{kind}.schema.json"))).unwrap()).unwrap()
}

#[test]
fn every_shipped_yaml_file_fits_the_schema_that_its_first_line_names() {
    let mut files = Vec::new();
    yaml_files(&root().join("rules"), &mut files);
    yaml_files(&root().join("profiles"), &mut files);
    assert!(files.len() > 30);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let named = text.lines().next().unwrap().strip_prefix("# yaml-language-server: $schema=");
        let named = named.unwrap_or_else(|| panic!("{}: the first line names no schema: see rules/README.md", file.display()));
        let schema: Json = serde_json::from_str(&fs::read_to_string(file.parent().unwrap().join(named)).unwrap()).unwrap();
        let content: Json = serde_yaml::from_str(&text).unwrap();
        let faults: Vec<String> = jsonschema::validator_for(&schema)
            .unwrap()
            .iter_errors(&content)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{}: {}", file.display(), faults.join("\n"));
    }
}

#[test]
fn a_schema_finds_the_mistakes_that_it_is_there_for() {
    for (kind, text) in [
        ("params", "a: { unit: ratio, from: 2020-01-01, value: 1.5 }"),
        ("params", "a: { unit: ratio, from: 01/07/2026, value: \"1.5\" }"),
        ("params", "a: { unit: bool, from: 2020-01-01, value: \"true\" }"),
        ("params", "a: { unit: euro, from: 2020-01-01, value: \"1.5\" }"),
        ("params", "a: { unit: ratio, from: 2020-01-01, vale: \"1.5\" }"),
        ("table", "table: a\nkey: [origin]\ncolumns: { b: { type: money } }\nrows: []"),
        ("table", "table: a\nkey: [origin]\ncolumns: { b: { type: text } }"),
        ("customs", "customs_regime: a\nrows: [{ origin: EUU }]"),
        ("fees", "sell_market: ebay\nrows: [{ line: comission }]"),
        ("active", "actve: env"),
        ("pack", "name: x\ngates: [{ reason: A, wen: b }]\ntype: [{ type: a }]"),
        ("preset", "doc: x\nsettings: { min_score: 1 }"),
        ("preset", "doc: x\nsettings: { quiet_hours: 22-7 }"),
        ("plans", "rotation: {}\nplans: {}"),
        ("test", "cases: [{ name: x, given: { net_profit: 1.5 }, expect: { headache: \"1\" } }]"),
        ("test", "cases: [{ name: x, as_of: 01/07/2026, expect: { headache: \"1\" } }]"),
        ("test", "cases: [{ name: x, give: {}, expect: { headache: \"1\" } }]"),
        ("test", "cases: [{ name: x }]"),
        ("test", "cases: [{ name: x, expect: { verdict: signl } }]"),
        ("test", "series: [{ name: x, start: 2026-05-01, prices: [{ market: cardmarkt, course: \"1\" }], signals: [] }]"),
    ] {
        let content: Json = serde_yaml::from_str(text).unwrap();
        assert!(!jsonschema::is_valid(&schema(kind), &content), "{kind}: {text}");
    }
}

/// The shipped pack with one file replaced or added; the faults as text.
fn faults_with(file: &str, text: &str) -> String {
    let mut source: PackSource = RULES.source.clone();
    source.files.insert(Arc::from(file), Arc::from(text));
    Pack::from_source(source).map_or_else(|faults| faults.to_string(), |_| String::new())
}

/// The keys that the loader names when it meets one that it does not know.
fn loader_keys(file: &str, text: &str) -> BTreeSet<String> {
    let shown = faults_with(file, text);
    let list = shown.split("known keys here: ").nth(1).or_else(|| shown.split("fields that are read: ").nth(1));
    let list = list.unwrap_or_else(|| panic!("no list of keys: {shown}"));
    list.lines().next().unwrap().split(", ").map(str::to_owned).collect()
}

/// The keys that the reader of test files names when it meets one that it does not know.
fn keys_of_tests(text: &str) -> BTreeSet<String> {
    let mut pack = Pack::from_source(RULES.source.clone()).unwrap();
    pack.source.tests = [(Arc::from("tests/made.test.yaml"), Arc::from(text))].into();
    let shown = Suite::read(&pack).unwrap_err().to_string();
    let list = shown.split("known keys here: ").nth(1).unwrap_or_else(|| panic!("no list of keys: {shown}"));
    list.lines().next().unwrap().split(", ").map(str::to_owned).collect()
}

/// The properties of the object at a JSON pointer of a schema.
fn schema_keys(kind: &str, pointer: &str) -> BTreeSet<String> {
    let schema = schema(kind);
    let object = schema.pointer(&format!("{pointer}/properties")).unwrap_or_else(|| panic!("{kind}: nothing at {pointer}"));
    object.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_schemas_have_the_keys_that_the_loaders_read_and_no_others() {
    let table =
        |rest: &str| format!("table: t\nkey: [sell_age_hours]\ncolumns: {{ made_up: {{ type: decimal }} }}\n{rest}\notherwise: unknown\n");
    let pack = |line: &str| format!("name: x\ngates: []\ntype: [{{ type: a }}]\n{line}\n");
    let cases = [
        ("pack", "", "pack.yaml", pack("zzzzzzzz: 1")),
        ("pack", "/properties/gates/items", "pack.yaml", pack("").replace("[]", "[{ reason: A, when: stale, zzzzzzzz: 1 }]")),
        ("pack", "/properties/flags/items", "pack.yaml", pack("flags: [{ flag: A, when: stale, zzzzzzzz: 1 }]")),
        ("pack", "/properties/type/items", "pack.yaml", pack("").replace("type: a", "type: a, zzzzzzzz: 1")),
        (
            "pack",
            "/properties/aggregates/additionalProperties",
            "pack.yaml",
            pack("aggregates: { made_up: { over: seller_id, count_where: stale, zzzzzzzz: 1 } }"),
        ),
        ("pack", "/properties/limits", "pack.yaml", pack("limits: { zzzzzzzz: 1 }")),
        (
            "params",
            "/definitions/parameter",
            "params/made.yaml",
            "up: { unit: ratio, from: 2020-01-01, value: \"1\", zzzzzzzz: 1 }".to_owned(),
        ),
        (
            "params",
            "/definitions/dated",
            "params/made.yaml",
            "up: { unit: ratio, values: [{ from: 2020-01-01, value: \"1\", zzzzzzzz: 1 }] }".to_owned(),
        ),
        ("table", "", "tables/made.yaml", table("rows: []\nzzzzzzzz: 1")),
        ("table", "/properties/rows_from", "tables/made.yaml", table("rows_from: { folder: fees, zzzzzzzz: 1 }")),
        ("table", "/definitions/column", "tables/made.yaml", table("rows: []").replace("type: decimal", "type: decimal, zzzzzzzz: 1")),
        ("table", "/definitions/band", "tables/made.yaml", table("rows: [{ sell_age_hours: { to: \"1\", zzzzzzzz: 1 } }]")),
        ("table", "/definitions/amount", "tables/made.yaml", table("rows: [{ made_up: { amount: \"1\", currency: EUR, zzzzzzzz: 1 } }]")),
        ("active", "", "customs/active.yaml", "active: env\nzzzzzzzz: 1".to_owned()),
        ("customs", "/definitions/row", "customs/made.yaml", "customs_regime: made\nrows: [{ zzzzzzzz: 1 }]".to_owned()),
    ];
    for (kind, pointer, file, text) in cases {
        assert_eq!(schema_keys(kind, pointer), loader_keys(file, &text), "{kind}{pointer}");
    }
    // each kind of fee line has fields of its own
    let lines = ["commission", "fixed", "payout", "processing", "program"].map(|line| {
        let row = format!("line: {line}, from: 1999-01-01, until: 1999-01-02, zzzzzzzz: 1");
        loader_keys("fees/made.yaml", &format!("sell_market: ebay\nrows: [{{ {row} }}]"))
    });
    assert_eq!(schema_keys("fees", "/definitions/row"), lines.into_iter().flatten().collect());
    let test = |list: &str, inner: &str| format!("{list}: [{{ name: x, zzzzzzzz: 1, {inner} }}]");
    let series = "start: 2026-05-01, prices: [], signals: []";
    for (pointer, text) in [
        ("", "zzzzzzzz: 1".to_owned()),
        ("/definitions/case", test("cases", "expect: { headache: unknown }")),
        ("/definitions/case/properties/table", "cases: [{ name: x, table: { given: [], expect: [], rows: [], zzzzzzzz: 1 } }]".to_owned()),
        ("/definitions/card", "card: { id: sv1-25, zzzzzzzz: 1 }".to_owned()),
        ("/definitions/rates", "rates: { USD: \"1.08\", zzzzzzzz: 1 }".to_owned()),
        ("/definitions/series", test("series", series)),
        (
            "/definitions/price",
            format!(
                "series: [{{ name: x, {} }}]",
                series
                    .replace("[]", "[{ market: ebay, course: \"1\", zzzzzzzz: 1 }]")
                    .replace("signals: [{ market: ebay, course: \"1\", zzzzzzzz: 1 }]", "signals: []")
            ),
        ),
        ("/definitions/replay", test("replays", "history: db, days: 3d, tenants: [{ country: US }], expect: { signals: 1 }")),
        (
            "/definitions/replay/properties/expect",
            "replays: [{ name: x, history: db, days: 3d, tenants: [{ country: US }], expect: { signals: 1, zzzzzzzz: 1 } }]".to_owned(),
        ),
        ("/definitions/moment", format!("series: [{{ name: x, {series}, expect: [{{ at: 1d, signals: [], zzzzzzzz: 1 }}] }}]")),
    ] {
        assert_eq!(schema_keys("test", pointer), keys_of_tests(&text), "test{pointer}");
    }
    // the fields of a row may also stand at the head of its file
    for kind in ["fees", "customs"] {
        let (head, row) = (schema_keys(kind, ""), schema_keys(kind, "/definitions/row"));
        let rest: Vec<&str> = head.difference(&row).map(String::as_str).collect();
        assert_eq!(rest, ["auto_from", "doc", "rows", "time_zone"], "{kind}");
    }
    let row: BTreeSet<String> = ["from", "until", "source", "verified", "note"].map(str::to_owned).into();
    assert_eq!(schema_keys("table", "/definitions/row"), row);
    for (pointer, text) in [
        ("", "doc: x\nsettings: {}\nzzzzzzzz: 1"),
        ("/properties/settings", "doc: x\nsettings: { zzzzzzzz: 1 }"),
        ("/properties/settings/properties/forwarders", "doc: x\nsettings: { forwarders: { zzzzzzzz: {} } }"),
        ("/definitions/terms", "doc: x\nsettings: { forwarders: { EU: { zzzzzzzz: 1 } } }"),
    ] {
        let error = Preset::parse("x", text).unwrap_err().to_string();
        let known: BTreeSet<String> = error.split('`').skip(3).step_by(2).map(str::to_owned).collect();
        assert_eq!(schema_keys("preset", pointer), known, "{error}");
    }
    for (pointer, from) in [
        ("", "rotation:\n"),
        ("/properties/rotation", "  holders: 5\n"),
        ("/properties/plans", "  free:\n"),
        ("/definitions/plan", "    realtime: false\n"),
        ("/definitions/plan/properties/digest", "on: monday, "),
    ] {
        let unknown = if from.contains("on: ") {
            from.replace("on: ", "zzzzzzzz: 1, on: ")
        } else {
            format!("{}zzzzzzzz: 1\n{from}", &from[..from.len() - from.trim_start().len()])
        };
        let error = Plans::parse("x", &Plans::SHIPPED.replacen(from, &unknown, 1)).unwrap_err().to_string();
        let known: BTreeSet<String> = error.split('`').skip(3).step_by(2).map(str::to_owned).collect();
        assert_eq!(schema_keys("plans", pointer), known, "{error}");
    }
}

/// Compares a file with what it must be, or writes it where `UPDATE` is set.
fn current(path: &Path, expected: &str) {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, expected).unwrap();
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(found == expected, "{} is out of date: run UPDATE=1 cargo test --test it editor", path.display());
}

#[test]
fn the_definitions_of_host_functions_are_current() {
    let mut text =
        "// The functions that formulas may call, for editors that know Rhai. Generated: see tests/it/editor.rs.\nmodule static;\n"
            .to_owned();
    for (name, params, doc) in FUNCTIONS {
        let params: Vec<String> = params.split(", ").map(|param| format!("{param}: ?")).collect();
        write!(text, "\n/// {doc}\nfn {name}({}) -> ?;\n", params.join(", ")).unwrap();
    }
    current(&root().join("rules/.schema/host.d.rhai"), &text);
}

const BEGIN: &str = "<!-- generated: UPDATE=1 cargo test --test it editor -->";
const END: &str = "<!-- end of what is generated -->";

fn generated_lists() -> String {
    let mut text = "\n### Functions\n\n| function | what it gives |\n|---|---|\n".to_owned();
    for (name, params, doc) in FUNCTIONS {
        writeln!(text, "| `{name}({params})` | {doc} |").unwrap();
    }
    for (stage, what) in [
        (Stage::Constant, "the pack and the day alone"),
        (Stage::Card, "the card"),
        (Stage::Route, "the route: a card, a direction and its two prices"),
        (Stage::Tenant, "the tenant"),
    ] {
        write!(text, "\n### Facts of {what}\n\n| fact | values | unit | meaning | example |\n|---|---|---|---|---|\n").unwrap();
        for input in INPUTS.iter().filter(|input| input.stage == stage) {
            let values = match input.domain {
                Domain::Decimal { places, min, max } => format!("decimal of {places} places, {min} to {max}"),
                Domain::Integer { min, max } => format!("whole number, {min} to {max}"),
                Domain::Bool => "true, false".to_owned(),
                Domain::Enum(members) => members.iter().map(|member| format!("`{member}`")).collect::<Vec<_>>().join(" "),
                Domain::Text => "text".to_owned(),
                Domain::Date => "date".to_owned(),
            };
            let number = matches!(input.domain, Domain::Decimal { .. } | Domain::Integer { .. });
            let unit = if number { input.unit } else { "" };
            writeln!(text, "| `{}` | {values} | {unit} | {} | `{}` |", input.name, input.doc, input.example).unwrap();
        }
    }
    text + "\n"
}

#[test]
fn the_lists_of_facts_and_functions_in_the_readme_are_current() {
    let path = root().join("rules/README.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    current(&path, &format!("{before}{BEGIN}\n{}{END}{after}", generated_lists()));
}
