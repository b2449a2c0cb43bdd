//! Small packs for what random ones found, and for what they would hardly find.

use super::{
    fuzz::{Seen, errors},
    ground::{Facts, Ground},
};
use crate::rules::{
    facts::Stage,
    lower::{Lowered, Unfit, refusal::Why},
    pack::Pack,
    source::PackSource,
    value::{Type, Value},
};

const MANIFEST: &str = "name: corner\ngates: []\ntype: [ { type: arbitrage } ]\n";

fn pack(facts: &str, more: &[(&str, &str)]) -> Pack {
    let files = [("pack.yaml", MANIFEST), ("facts/a.rhai", facts)].into_iter().chain(more.iter().copied());
    let files = files.map(|(name, text)| (name.into(), text.into())).collect();
    Pack::from_source(PackSource { files, ..PackSource::default() }).unwrap_or_else(|faults| panic!("{}", errors(&faults)))
}

/// Facts by name; an empty text is unknown.
fn facts(pack: &Pack, named: &[(&str, &str)]) -> Facts {
    let fact = |(name, text): &(&str, &str)| {
        let id = pack.graph.id(name).unwrap();
        let value_type = pack.graph.fact(id).value_type.unwrap_or(Type::Decimal);
        (id, if text.is_empty() { Value::Unknown } else { Value::parse(value_type, text).unwrap() })
    };
    named.iter().map(fact).collect()
}

type Named<'a> = &'a [(&'a str, &'a str)];

/// Compares interpreter and columns on these rows and tenants, fact by fact.
fn compared(pack: &Pack, rows: &[Named<'_>], tenants: &[Named<'_>]) -> Seen {
    let all = |named: &[Named<'_>]| named.iter().map(|named| facts(pack, named)).collect();
    Ground::of(pack, all(rows), all(tenants)).compare("a corner")
}

#[test]
fn tenants_who_want_the_same_are_all_answered() {
    let facts = "/// Told.\nfn dear(buy_jump_ratio, min_score) { buy_jump_ratio > min_score }\n\
                 /// Told.\nfn worth(min_score, sell_jump_ratio) { min_score + sell_jump_ratio }\n";
    let gates = "name: corner\ngates: [ { reason: DEAR, when: dear } ]\ntype: [ { type: arbitrage } ]\nscore: worth\n";
    let pack = pack(facts, &[("pack.yaml", gates)]);
    let tenant: Named<'_> = &[("min_score", "1")];
    let rows: [Named<'_>; 2] = [&[("buy_jump_ratio", "0.5"), ("sell_jump_ratio", "2")], &[("buy_jump_ratio", "7")]];
    let seen = compared(&pack, &rows, &[tenant; 3]);
    assert_eq!((seen.pairs, seen.open), (6, 0), "{seen:?}");
}

/// Codes take a byte: 63 gates are the most whose codes it holds.
#[test]
fn the_last_gate_that_a_byte_holds_is_told_and_one_more_is_the_interpreters() {
    let facts = "/// Told.\nfn dear(buy_jump_ratio, min_score) { buy_jump_ratio > min_score }\n\
                 /// Told.\nfn late(sell_jump_ratio, min_score) { sell_jump_ratio > min_score }\n";
    let with_gates = |count: usize| {
        let first = "{ reason: DEAR, when: dear }, ".repeat(count - 1);
        let manifest = format!("name: corner\ngates: [ {first}{{ reason: LATE, when: late }} ]\ntype: [ {{ type: arbitrage }} ]\n");
        pack(facts, &[("pack.yaml", &manifest)])
    };
    let rows: [Named<'_>; 3] = [
        &[("buy_jump_ratio", "0.5"), ("sell_jump_ratio", "2")],
        &[("buy_jump_ratio", "0.5"), ("sell_jump_ratio", "0.5")],
        &[("buy_jump_ratio", "2"), ("sell_jump_ratio", "2")],
    ];
    let seen = compared(&with_gates(63), &rows, &[&[("min_score", "1")]]);
    assert_eq!((seen.pairs, seen.rejected, seen.signals, seen.open), (3, 2, 1, 0), "{seen:?}");
    let refused = Lowered::new(&with_gates(64), "2026-07-15".parse().unwrap(), &[], &[]).unwrap_err();
    assert_eq!(refused, Unfit::Gates);
}

#[test]
fn money_of_the_rows_that_no_row_covers_is_the_tenants_own() {
    let table = "table: t\nkey: [origin]\ncolumns: { postage: { type: decimal, unit: home } }\nrows: [ { origin: EU, postage: \"1\" } ]\n\
                 otherwise: { postage: { amount: \"10\", currency: GBP } }\n";
    let pack = pack("", &[("tables/t.yaml", table)]);
    assert_eq!(pack.graph.fact(pack.graph.id("postage").unwrap()).stage, Stage::Tenant);
    let (one, two): (Named<'_>, Named<'_>) = (
        &[("home_currency", "EUR"), ("rate_gbp", "1.2"), ("forex_buffer", "0")],
        &[("home_currency", "USD"), ("rate_gbp", "1.3"), ("forex_buffer", "0.1")],
    );
    compared(&pack, &[&[("origin", "US")], &[("origin", "EU")]], &[one, two]);
}

#[test]
fn a_number_too_large_to_be_chosen_by_a_return_is_the_interpreters() {
    let facts = "/// Told.\nfn chosen(seller_known, sales_30d, active_listings, buy_jump_ratio, sell_jump_ratio) {\n    \
                 if seller_known { return ratio(sales_30d, active_listings, 18); }\n    return buy_jump_ratio * sell_jump_ratio;\n}\n";
    let row = |known, ratio| {
        [("seller_known", known), ("sales_30d", "1"), ("active_listings", "3"), ("buy_jump_ratio", ratio), ("sell_jump_ratio", ratio)]
    };
    let seen = compared(&pack(facts, &[]), &[&row("false", "10000000"), &row("false", "2"), &row("true", "2")], &[&[]]);
    assert_eq!((seen.facts_known, seen.facts_open), (2, 1), "{seen:?}");
}

#[test]
fn a_doubt_is_remembered_for_tenants_who_are_alike() {
    let parameter = "dear: { unit: EUR, from: 2020-01-01, value: \"1000000000000000000.01\" }\n";
    let pack = pack("", &[("params/p.yaml", parameter)]);
    let tenant: Named<'_> = &[("home_currency", "USD"), ("rate_eur", "999999.9999999999")];
    let seen = compared(&pack, &[&[]], &[tenant; 2]);
    assert_eq!((seen.facts_known, seen.facts_open), (0, 2), "{seen:?}");
}

#[test]
fn a_whole_number_on_some_rows_has_the_limit_of_whole_numbers_there() {
    let facts = "/// Told.\nfn large(seller_known, seller_sales, sales_30d) {\n    \
                 let number = if seller_known { seller_sales * sales_30d } else { 1.5 };\n    number * 100\n}\n\
                 /// Told.\nfn negative(sales_30d) { -(-9223372036854775807 - sales_30d) }\n\
                 /// Told.\nfn distance(sales_30d) { abs(-9223372036854775807 - sales_30d) }\n";
    let row = |known, count| [("seller_known", known), ("seller_sales", count), ("sales_30d", count)];
    let seen = compared(&pack(facts, &[]), &[&row("true", "1000000000"), &row("false", "1000000000"), &row("true", "0")], &[&[]]);
    assert_eq!(seen.facts_open, 5, "{seen:?}");
}

#[test]
fn what_the_interpreter_stops_at_is_left_to_it() {
    let nested =
        "private fn inner(x) { x + 1 }\nprivate fn outer(x) { inner(x) + 1 }\n/// Told.\nfn told(sales_30d) { outer(sales_30d) }\n";
    let names: Vec<String> = (0..70).map(|number| format!("let v{number} = sales_30d;\n")).collect();
    let names = format!("/// Told.\nfn told(sales_30d) {{\n{}sales_30d\n}}\n", names.concat());
    let sum = format!("/// Told.\nfn told(sales_30d) {{ {} }}\n", ["sales_30d"; 30].join(" + "));
    let limited = |limits: &str| format!("{MANIFEST}limits: {limits}\n");
    for (facts, limits, why) in [
        (nested, limited("{ call_depth: 2 }"), Why::Depth),
        (names.as_str(), limited("{ call_depth: 2 }"), Why::Names),
        (sum.as_str(), limited("{ operations: 40 }"), Why::Steps),
    ] {
        let pack = pack(facts, &[("pack.yaml", &limits)]);
        let lowered = Lowered::new(&pack, "2026-07-15".parse().unwrap(), &[], &[Vec::new()]).unwrap();
        assert!(lowered.refused().is_empty(), "nobody asked for it yet");
        let seen = compared(&pack, &[&[("sales_30d", "3")], &[("sales_30d", "")]], &[&[]]);
        assert_eq!(seen.refused, 1, "{why:?}: {seen:?}");
    }
}

#[test]
fn a_case_for_the_unknown_is_taken_where_nobody_knows() {
    let facts = "/// Told.\nfn told(maybe_origin, maybe_sales_30d) {\n    \
                 switch maybe_origin { \"EU\" => 1, () => switch maybe_sales_30d { () => 2, 3 => 4, _ => 5 }, _ => 6 }\n}\n";
    let rows: Vec<[(&str, &str); 2]> =
        ["EU", "US", ""].iter().flat_map(|origin| ["", "3", "9"].map(|sales| [("origin", *origin), ("sales_30d", sales)])).collect();
    let rows: Vec<Named<'_>> = rows.iter().map(<[_; 2]>::as_slice).collect();
    let seen = compared(&pack(facts, &[]), &rows, &[&[]]);
    assert_eq!((seen.facts_known, seen.facts_open), (9, 0), "{seen:?}");
}

#[test]
fn an_interpreted_number_beyond_what_a_column_takes_is_open() {
    let facts = "/// Told.\nfn large(buy_jump_ratio, seller_sales, sales_30d) { switch buy_jump_ratio { 1.5 => 0, _ => seller_sales * sales_30d } }\n\
                 /// Told.\nfn dear(large) { large > 2000000000000 }\n";
    let row = |count| [("buy_jump_ratio", "1"), ("seller_sales", count), ("sales_30d", count)];
    let seen = compared(&pack(facts, &[]), &[&row("1000000000"), &row("1000"), &row("1000000")], &[&[]]);
    assert_eq!((seen.facts_known, seen.facts_open, seen.refused), (4, 2, 1), "{seen:?}");
}

#[test]
fn a_quotient_by_a_constant_that_comes_out_exact_needs_no_rounding() {
    let facts = "/// Told.\nfn hundredth(buy_price, p_eighth) { buy_price / 100 - buy_price / p_eighth + buy_price / -1 }\n\
                 /// Told.\nfn third(buy_price) { buy_price / 3 }\n";
    let pack = pack(facts, &[("params/p.yaml", "eighth: { unit: ratio, from: 2020-01-01, value: \"0.0125\" }\n")]);
    let seen = compared(&pack, &[&[("buy_price", "9999999.99")], &[("buy_price", "0.01")]], &[&[]]);
    // a third of a cent has more places than a column keeps
    assert_eq!((seen.facts_known, seen.facts_open, seen.refused), (5, 1, 1), "{seen:?}");
}

#[test]
fn thousands_of_cases_do_not_exhaust_the_stack() {
    let cases: Vec<String> = (0..4_000).map(|number| format!("{number}=>{},", number % 7)).collect();
    let facts = format!("/// Told.\nfn cases(sales_30d) {{ switch sales_30d {{ {} _ => 9 }} }}\n", cases.concat());
    let limits = format!("{MANIFEST}limits: {{ operations: 1000000 }}\n");
    let rows: [Named<'_>; 3] = [&[("sales_30d", "3999")], &[("sales_30d", "5000")], &[]];
    let seen = compared(&pack(&facts, &[("pack.yaml", &limits)]), &rows, &[&[]]);
    assert_eq!((seen.facts_known, seen.facts_open), (2, 0), "{seen:?}");
}
