//! `rules bench` as a person or a pipeline uses it. No test looks at how long anything took.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

const SMALL: [&str; 6] = ["--pack", "tests/packs/bench", "--rows", "3", "--tenants", "2"];

fn bench(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcg-radar"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("TCG_RADAR_RULES");
    let output = command.args(["rules", "bench"]).args(SMALL).args(arguments).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// Measures against an earlier measurement that somebody has changed.
fn against(folder: &Path, earlier: &Value) -> (i32, String, String) {
    let file = folder.join("earlier.json");
    std::fs::write(&file, earlier.to_string()).unwrap();
    bench(&["--baseline", file.to_str().unwrap(), "--fail-over", "25%"])
}

#[test]
fn a_measurement_says_what_was_timed_and_names_the_dearest_facts() {
    let (code, output, errors) = bench(&["--format", "json"]);
    assert_eq!(code, 0, "{errors}");
    let report: Value = serde_json::from_str(&output).unwrap();
    assert_eq!((&report["rows"], &report["tenants"], &report["as_of"]), (&json!(3), &json!(2), &json!("2026-05-01")));
    assert_eq!(report["engines"][0]["engine"], "interpreter");
    assert!(report["engines"][0]["ns_per_pair"].is_string(), "{report}");
    assert_eq!(report["facts"].as_array().unwrap().len(), 10);

    let (_, output, _) = bench(&[]);
    assert!(output.contains("ns per route and tenant") && output.contains("cargo bench --bench decide"), "{output}");
}

#[test]
fn an_engine_that_became_slower_than_the_limit_fails_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut earlier: Value = serde_json::from_str(&bench(&["--format", "json"]).1).unwrap();
    // a second for a decision, then less than a cycle
    for (ns, expected) in [("1000000000", 0), ("0.0001", 1)] {
        earlier["engines"][0]["ns_per_pair"] = json!(ns);
        let (code, output, errors) = against(folder.path(), &earlier);
        assert_eq!(code, expected, "{output}{errors}");
        assert_eq!(output.contains("slower than the baseline allows: interpreter"), expected == 1, "{output}");
    }
}

#[test]
fn a_measurement_of_other_rows_is_no_baseline() {
    let folder = tempfile::tempdir().unwrap();
    let mut earlier: Value = serde_json::from_str(&bench(&["--format", "json"]).1).unwrap();
    earlier["rows"] = json!(4);
    let (code, _, errors) = against(folder.path(), &earlier);
    assert_eq!(code, 64, "{errors}");
    assert!(errors.contains("--rows 4"), "{errors}");
    let (code, _, errors) = bench(&["--baseline", "tests/packs/bench/pack.yaml"]);
    assert_eq!(code, 64, "{errors}");
    assert!(errors.contains("cannot read the baseline"), "{errors}");
}
