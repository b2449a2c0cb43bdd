//! `rules test` as a person or a build server uses it: on the shipped pack, and on test files with mistakes.

use std::{fs, path::Path, process::Command};

use serde_json::Value;
use tempfile::TempDir;

/// Runs `rules test …`: exit code, standard output, standard error.
fn rules_test(pack: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcg-radar"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("CUSTOMS_REGIME").env_remove("TCG_RADAR_RULES");
    let output = command.args(["rules", "test", "--pack"]).arg(pack).args(arguments).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn shipped() -> &'static Path {
    Path::new("rules")
}

/// A copy of the small pack with one test file.
fn small(tests: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(Path::new("tests/packs/small"), folder.path());
    fs::create_dir_all(folder.path().join("tests")).unwrap();
    fs::write(folder.path().join("tests/a.test.yaml"), tests).unwrap();
    folder
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(from)).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            fs::create_dir_all(to.join(entry.file_name())).unwrap();
            copy(&from.join(entry.file_name()), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn the_shipped_pack_passes_its_own_tests_which_leave_little_untested() {
    let minimum = "functions=95,reasons=100,rows=100,boundaries=95,branches=95,killed=90";
    let (code, output, errors) = rules_test(shipped(), &["--coverage", "--mutate", "200", "--min", minimum, "--format", "json"]);
    assert_eq!(code, 0, "{output}{errors}");
    let report: Value = serde_json::from_str(&output).unwrap();
    assert!(report["tests"].as_array().unwrap().len() > 600);
    let killed = report["mutation"]["killed"].as_u64().unwrap();
    let survivors = report["mutation"]["survivors"].as_array().unwrap();
    assert_eq!(killed + u64::try_from(survivors.len()).unwrap(), 200);
    // what survives is explained in rules/README.md
    let known = ["date: bound 2026-07-25 for 2026-07-24", "commission: `>=` for `>` in", "min_points: \"0\" for \"1\""];
    for survivor in survivors {
        let what = survivor["what"].as_str().unwrap();
        assert!(known.iter().any(|known| what.starts_with(known)), "{what} survives, and rules/README.md does not say why");
    }
}

const GOOD: &str = r#"as_of: 2026-05-01
given: { home_currency: USD, rate_eur: "1.08", proceeds_rate: "1", cost_rate: "1.10", sell_age_hours: "4" }
cases:
  - name: a deal
    given: { buy_price: "10.00", sell_price: "20.00" }
    expect: { verdict: signal, reason: none, type: arbitrage, flags: [], net_profit: "9.00" }
  - name: too little
    like: a deal
    given: { sell_price: "16.39" }
    expect: { reason: PROFIT_THRESHOLD_MISS, net_profit: "5.39" }
  - name: nobody knows the price
    like: a deal
    given: { sell_price: unknown }
    expect: { net_profit: unknown, reason: DATA_INCOMPLETE, missing: sell_price }
  - name: bounds of age
    table:
      given: [sell_age_hours]
      expect: [stale]
      rows: [["3.99", false], ["4", false], ["4.01", true]]
"#;

#[test]
fn every_exit_code_is_the_one_that_is_promised() {
    let good = small(GOOD);
    let (code, output, errors) = rules_test(good.path(), &[]);
    assert_eq!(code, 0, "{output}{errors}");
    assert!(output.contains("6 tests passed"), "{output}");
    let failing = small(&GOOD.replace("\"9.00\"", "\"9.01\""));
    assert_eq!(rules_test(failing.path(), &[]).0, 1);
    assert_eq!(rules_test(failing.path(), &["too little"]).0, 0, "only the tests that are asked for run");
    assert_eq!(rules_test(good.path(), &["--coverage", "--min", "rows=101"]).0, 64);
    let (code, output, _) = rules_test(good.path(), &["too little", "--coverage", "--min", "rows=100"]);
    assert!(code == 1 && output.contains("FAILED rows: 50 %, at least 100 % wanted"), "{output}");
    let (code, output, _) = rules_test(good.path(), &["--run", "^nothing is called so$"]);
    assert!(code == 4 && output.contains("none of the 6 tests"), "{output}");
    let (code, output, _) = rules_test(Path::new("tests/packs/small"), &[]);
    assert!(code == 4 && output.contains("the pack has no tests"), "{output}");
    assert_eq!(rules_test(Path::new("tests/packs/bad/cycle"), &[]).0, 2);
    assert_eq!(rules_test(small("cases: [").path(), &[]).0, 2);
    for wrong in [&["--run", "("][..], &["--min", "50"], &["--coverage", "--min", "function=5"], &["--jobs", "x"]] {
        assert_eq!(rules_test(good.path(), wrong).0, 64, "{wrong:?}");
    }
    let other = Command::new(env!("CARGO_BIN_EXE_tcg-radar")).args(["rules", "facts", "--format", "junit"]).output().unwrap();
    assert_eq!(other.status.code(), Some(64));
}

#[test]
fn a_failure_shows_both_values_the_formula_with_its_values_and_where_they_come_from() {
    let failing = small(&GOOD.replace("\"9.00\"", "\"9.01\""));
    let (_, output, _) = rules_test(failing.path(), &[]);
    insta::assert_snapshot!(output);
}

#[test]
fn mistakes_in_a_test_file_are_all_told_with_line_and_remedy() {
    let wrong = r#"as_of: 2026-05-01
cases:
  - name: misspelt
    given: { sell_prise: "1.00", buy_price: 40.00, sell_price: "-1", sell_age_hours: soon }
    expect: { net_proffit: "9", verdct: signal, reason: TO_OLD, flags: [NONE], net_profit: nine }
  - name: nothing is asked
    given: { buy_price: "1.00" }
  - name: misspelt
    like: mispelt
    expect: { stale: "true" }
  - name: whole
    like: circle
    expect: { stale: true }
  - name: circle
    like: whole
    expect: { stale: true }
  - name: dated
    given: { date: 2026-05-01 }
    regime: world
    table: { given: [sell_price], expect: [stale, net_profit], rows: [["1.00", true]] }
    expcet: {}
series:
  - name: course
    start: 2026-05-01
    prices: [{ market: tcgplayr, course: "20.00x8 20.00-7x3" }]
invariants:
  - signal implies net_proft >= 0
  - net_profit >=
"#;
    let (code, output, errors) = rules_test(small(wrong).path(), &[]);
    assert_eq!((code, errors.as_str()), (2, ""));
    insta::assert_snapshot!(output);
}

#[test]
fn a_case_needs_a_day() {
    let (code, output, _) = rules_test(small("cases: [{ name: x, expect: { stale: unknown } }]").path(), &[]);
    assert!(code == 2 && output.contains("\"x\" does not say which day it is"), "{output}");
}

#[test]
fn test_files_are_bounded() {
    let chain: String = (0..30)
        .map(|number| format!("  - {{ name: c{number}, like: c{}, expect: {{ stale: unknown }} }}\n", number + 1))
        .chain(["  - { name: c30, expect: { stale: unknown } }\n".to_owned()])
        .collect();
    let (code, output, _) = rules_test(small(&format!("as_of: 2026-05-01\ncases:\n{chain}")).path(), &[]);
    assert!(code == 2 && output.contains("error[too-large]: \"c"), "{output}");
    let rows = "[\"1\", false], ".repeat(20_001);
    let table = format!("as_of: 2026-05-01\ncases: [{{ name: x, table: {{ given: [sell_age_hours], expect: [stale], rows: [{rows}] }} }}]");
    let (code, output, _) = rules_test(small(&table).path(), &[]);
    assert!(code == 2 && output.contains("more than 20000 cases"), "{output}");
    let folder = small("cases: []");
    std::os::unix::fs::symlink("/etc/hostname", folder.path().join("tests/leak.test.yaml")).unwrap();
    let (code, output, _) = rules_test(folder.path(), &[]);
    assert!(code == 2 && output.contains("error[unreadable-file]"), "{output}");
}

/// A series that breaks what must hold of every decision.
#[test]
fn a_broken_invariant_names_the_decision_and_shows_its_values() {
    let folder = tempfile::tempdir().unwrap();
    copy(shipped(), folder.path());
    let path = folder.path().join("tests/course.test.yaml");
    let text = fs::read_to_string(&path).unwrap().replace("net_profit >= 0.10 * effective_buy", "net_profit >= 0.50 * effective_buy");
    fs::write(&path, text).unwrap();
    let (code, output, _) = rules_test(folder.path(), &["course.test", "--format", "json"]);
    assert_eq!(code, 1);
    let report: Value = serde_json::from_str(&output).unwrap();
    let failed: Vec<&Value> =
        report["tests"].as_array().unwrap().iter().filter(|test| test["failures"] != Value::Array(Vec::new())).collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["kind"], "invariant");
    // 19.39 on the day before the price has fallen too far, against 52.32 / 2
    let failure = &failed[0]["failures"][0];
    assert_eq!(failure["what"], "what everybody sells out of is no deal at 2026-05-10T12:00, eu_us");
    let picture: Vec<&str> = failure["picture"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert_eq!(
        picture,
        [
            "!signal || (net_profit >= (0.50 * effective_buy))",
            " |          |                     |",
            " true       19.39                 52.32"
        ]
    );
}

#[test]
fn junit_names_every_test_and_every_failure() {
    let named = GOOD.replace("name: too little", "name: '<too> & \"little\"'");
    let failing = small(&named.replace("\"9.00\"", "\"9.01\""));
    let (code, output, errors) = rules_test(failing.path(), &["--format", "junit"]);
    assert_eq!(code, 1, "{errors}");
    assert!(output.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"6\" failures=\"1\">"), "{output}");
    assert_eq!(output.matches("<testcase ").count(), 6);
    assert!(output.contains("<failure message=\"net_profit: expected 9.01, found 9.00\">tests/a.test.yaml:6:"), "{output}");
    assert!(output.contains("name=\"&lt;too&gt; &amp; &quot;little&quot;\""), "{output}");
}

#[test]
fn an_update_writes_figures_and_leaves_decisions_to_people() {
    let wrong =
        GOOD.replace("\"5.39\"", "\"5\"").replace("[\"4\", false]", "[\"4\", true]").replace("reason: DATA_INCOMPLETE", "reason: TOO_OLD");
    let folder = small(&wrong);
    let (code, output, _) = rules_test(folder.path(), &["--update"]);
    assert!(code == 1 && output.contains("2 expected figures were written anew"), "{output}");
    let written = fs::read_to_string(folder.path().join("tests/a.test.yaml")).unwrap();
    assert_eq!(written, GOOD.replace("reason: DATA_INCOMPLETE", "reason: TOO_OLD"));
    let folder = small(&GOOD.replace("\"5.39\"", "unknown"));
    assert_eq!(rules_test(folder.path(), &["--update"]).0, 0);
    assert_eq!(fs::read_to_string(folder.path().join("tests/a.test.yaml")).unwrap(), GOOD);
}

#[test]
fn tests_that_hold_nothing_let_planted_faults_live_and_a_seed_stands_for_the_same_faults() {
    let weak = small("as_of: 2026-05-01\ncases: [{ name: x, given: { sell_age_hours: \"1\" }, expect: { stale: false } }]");
    let (code, output, _) = rules_test(weak.path(), &["--mutate", "3", "--seed", "7", "--min", "killed=50"]);
    assert!(code == 1 && output.contains("planted, and no test noticed"), "{output}");
    assert_eq!(rules_test(weak.path(), &["--mutate", "3", "--seed", "7", "--min", "killed=50"]).1, output);
    let (_, all, _) = rules_test(small(GOOD).path(), &["--mutate", "100", "--format", "json"]);
    let report: Value = serde_json::from_str(&all).unwrap();
    let mutation = &report["mutation"];
    // `<` twice, the floor twice, the bound of age twice and its side, two truths
    assert_eq!(mutation["possible"], 9, "{mutation}");
    let survivors: Vec<&str> = mutation["survivors"].as_array().unwrap().iter().map(|one| one["what"].as_str().unwrap()).collect();
    // the floor is 5.40 USD, and no case stands there or a cent above
    assert_eq!(survivors, ["profit_miss: `<=` for `<` in `net_profit < profit_floor`", "floor: \"5.01\" for \"5.00\""]);
}
