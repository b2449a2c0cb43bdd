//! `rules eval | facts | check` as a person or a script uses them.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

/// Runs `rules …` on the shipped pack with a text on standard input: exit code, standard output, standard error.
fn rules(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcg-radar"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("CUSTOMS_REGIME").env_remove("TCG_RADAR_RULES");
    let mut child =
        command.arg("rules").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // a command that does not read its input may be gone already
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn decimals_go_in_and_out_as_they_are_written() {
    let input = "{\"net_profit\": 45.01, \"headache_transactions\": 3, \"home_currency\": \"USD\"}\n\
                 {\"net_profit\": \"45.00\", \"headache_transactions\": 3, \"home_currency\": \"USD\"}\n";
    let (code, output, errors) = rules(&["eval", "--facts", "-", "--want", "net_profit,headache_tier", "--as-of", "2026-05-01"], input);
    assert_eq!(code, 0, "{errors}");
    // 45.01 / 3 = 15.0033… is above 15, 45.00 / 3 is not
    assert_eq!(
        lines(&output),
        [json!({"net_profit": "45.01", "headache_tier": "tier_1"}), json!({"net_profit": "45.00", "headache_tier": "tier_2"})]
    );
}

#[test]
fn a_missing_input_is_named() {
    let (code, output, _) = rules(&["eval", "--facts", "-", "--want", "effective_buy"], "{\"cost_rate\": \"1.1016\"}\n");
    assert_eq!(code, 0);
    let answer = &lines(&output)[0];
    assert_eq!(answer["effective_buy"], Value::Null);
    assert!(answer["missing"]["effective_buy"].is_string(), "{answer}");
}

#[test]
fn a_bad_line_is_told_by_its_number_and_the_rest_is_answered() {
    let input = "{\"net_profit\": \"1\"}\n\nnot json\n{\"net_proft\": \"1\"}\n{\"buy_price\": \"-1\"}\n{\"net_profit\": [1]}\n{\"net_profit\": \"2\"}\n";
    let (code, output, _) = rules(&["eval", "--facts", "-", "--want", "net_profit"], input);
    assert_eq!(code, 1);
    let answers = lines(&output);
    assert_eq!(answers.len(), 6);
    assert_eq!((&answers[0]["net_profit"], &answers[5]["net_profit"]), (&json!("1"), &json!("2")));
    let told: Vec<(u64, &str)> =
        answers[1..5].iter().map(|line| (line["line"].as_u64().unwrap(), line["error"].as_str().unwrap())).collect();
    assert_eq!(told.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 4, 5, 6]);
    assert!(told[1].1.contains("did you mean net_profit?"), "{told:?}");
    assert!(told[2].1.contains("expected a number from 0"), "{told:?}");
}

#[test]
fn the_date_chooses_the_figures_and_the_regime_follows_the_choice() {
    let ask = |date: &str| {
        let (code, output, errors) = rules(&["eval", "--facts", "-", "--want", "customs_regime,date", "--as-of", date], "{}\n");
        assert_eq!(code, 0, "{errors}");
        lines(&output).remove(0)
    };
    assert_eq!(ask("2026-07-01"), json!({"customs_regime": "world", "date": "2026-07-01"}));
}

#[test]
fn a_fact_is_described_and_a_misspelt_one_is_guessed() {
    let (code, output, _) = rules(&["facts", "net_profit"], "");
    assert_eq!(code, 0);
    assert!(
        output.contains("facts/profit.rhai:") && output.contains("is read by:") && output.contains("profit_threshold_miss"),
        "{output}"
    );
    let (code, _, errors) = rules(&["facts", "net_proft"], "");
    assert!(code == 64 && errors.contains("did you mean net_profit?"), "{errors}");
    let (code, _, errors) = rules(&["eval", "--facts", "nowhere.jsonl", "--want", "net_profit"], "");
    assert!(code == 64 && errors.contains("nowhere.jsonl"), "{errors}");
}

#[test]
fn the_shipped_pack_and_the_reference_pack_are_good() {
    for pack in ["rules", "tests/packs/reference"] {
        let (code, output, errors) = rules(&["check", "--pack", pack], "");
        assert_eq!(code, 0, "{output}{errors}");
        assert!(output.contains("is good"), "{output}");
    }
}

#[test]
fn warnings_are_printed_and_fail_only_under_strict() {
    let (code, output, _) = rules(&["check"], "");
    assert_eq!(code, 0);
    assert!(output.contains("warning[unverified-figure]") && output.contains("is good"), "{output}");
    assert_eq!(rules(&["check", "--strict"], "").0, 3);
    assert_eq!(rules(&["check", "--strict", "--pack", "tests/packs/small"], "").0, 0);
    let (code, output, _) = rules(&["check", "--format", "json"], "");
    let answer = &lines(&output)[0];
    assert_eq!((code, &answer["name"]), (0, &json!("default")));
    let first = &answer["diagnostics"][0];
    assert_eq!((&first["severity"], first["line"].is_u64()), (&json!("warning"), true), "{first}");
}

#[test]
fn costs_tell_what_is_lowered_and_where_what_is_not_stands() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("pack.yaml", "name: costly\ngates: [ { reason: THIN, when: too_thin } ]\ntype: [ { type: arbitrage } ]\noutputs: [own_share]\n");
    write(
        "facts/share.rhai",
        "/// A share that nobody rounded.\nfn share(sales_30d, active_listings) {\n    if active_listings == 0 { return 0 }\n    \
         sales_30d / active_listings\n}\n/// Told by the tenant's floor.\nfn too_thin(share, min_score) { share < min_score }\n\
         /// The tenant's own.\nfn own_share(sales_30d, min_score, share) {\n    let own = (sales_30d + 1) / (min_score * 3);\n    own + share\n}\n",
    );
    let pack = folder.path().to_str().unwrap();
    let (code, output, errors) = rules(&["check", "--pack", pack, "--costs"], "");
    assert_eq!(code, 0, "{errors}");
    for part in [
        "1 of 3 formulas, columns and parameters are lowered",
        "facts/share.rhai:4:15: share is not: a quotient is not rounded: write ratio(a, b, places)\n    computed by the interpreter, once a route",
        "facts/share.rhai:10:31: own_share is not: a quotient is not rounded",
        "interpreter, for each route and tenant",
    ] {
        assert!(output.contains(part), "{part}: {output}");
    }
    let (_, output, _) = rules(&["check", "--pack", pack, "--costs", "--format", "json"], "");
    let costs = &lines(&output)[0]["costs"];
    let of = |name: &str| costs["facts"].as_array().unwrap().iter().find(|fact| fact["fact"] == name).unwrap().clone();
    assert_eq!((of("share")["lowered"].clone(), of("too_thin")["lowered"].clone()), (json!(false), json!(true)));
    assert_eq!(of("share")["refused"]["place"], json!({"file": "facts/share.rhai", "line": 4, "column": 15, "length": 1}));
    // one comparison, and what is known of both sides
    assert!(of("too_thin")["instructions"].as_u64().is_some_and(|count| (1..10).contains(&count)), "{costs}");
    assert!(costs["route"].is_u64() && costs["tenant"].is_u64() && costs["pair"].is_string(), "{costs}");
    // a loop is no matter of cost: the pack is refused, and its place told
    write("facts/share.rhai", "/// Told.\nfn share(sales_30d) {\n    while sales_30d > 0 { }\n    1\n}\n");
    let (code, output, _) = rules(&["check", "--pack", pack, "--costs"], "");
    assert!(code == 2 && output.contains("forbidden-script") && output.contains("facts/share.rhai:3:5"), "{output}");
}

#[test]
fn the_shipped_pack_is_lowered_whole() {
    let (code, output, errors) = rules(&["check", "--costs", "--format", "json", "--as-of", "2026-07-15"], "");
    assert_eq!(code, 0, "{errors}");
    let costs = &lines(&output)[0]["costs"];
    let facts = costs["facts"].as_array().unwrap();
    let left: Vec<&Value> = facts.iter().filter(|fact| fact["lowered"] != true).collect();
    assert!(facts.len() > 200 && left.is_empty(), "{left:?}");
}

#[test]
fn a_day_tells_which_figures_have_run_out() {
    let ended = |date: &str| rules(&["check", "--pack", "tests/packs/small", "--strict", "--as-of", date], "");
    assert_eq!(ended("2026-07-01").0, 0);
    let (code, output, _) = ended("2019-06-01");
    assert_eq!(code, 3);
    assert!(output.contains("warning[expiring-table]") && output.contains("\"profit_floor\" has no value on 2019-06-01"), "{output}");
}

#[test]
fn a_broken_pack_is_told_whole_and_ends_with_its_own_code() {
    let (code, output, _) = rules(&["check", "--pack", "tests/packs/bad/cycle"], "");
    assert_eq!(code, 2);
    assert!(
        output.contains("error[missing-file]") && output.contains("error[cycle]") && output.ends_with("3 errors, 0 warnings\n"),
        "{output}"
    );
}

#[test]
fn a_code_is_explained_and_a_misspelt_one_is_guessed() {
    let (code, output, _) = rules(&["check", "--explain", "unit-mismatch"], "");
    assert_eq!(code, 0);
    for part in ["error[unit-mismatch]", "why it matters", "for example", "mended"] {
        assert!(output.contains(part), "{part}: {output}");
    }
    let (_, output, _) = rules(&["check", "--explain", "unread-fact", "--format", "json"], "");
    assert_eq!(lines(&output)[0]["severity"], json!("warning"));
    let (code, _, errors) = rules(&["check", "--explain", "unit-mismatsh"], "");
    assert!(code == 64 && errors.contains("did you mean unit-mismatch?"), "{errors}");
}
