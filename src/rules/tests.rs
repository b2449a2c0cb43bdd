//! Whole small packs, compiled and judged.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use super::{
    diagnostic::{Code, Diagnostics, Severity},
    interpret::{Evaluation, Verdict},
    pack::Pack,
    source::PackSource,
    value::{Type, Value},
};

const PACK: &str = "name: small
gates:
  - { reason: TOO_OLD, when: too_old }
  - { reason: PROFIT_THRESHOLD_MISS, when: profit_miss }
flags: [ { flag: STALE, when: stale } ]
type: [ { type: bundle, when: is_bundle }, { type: arbitrage } ]
aggregates: { seller_density: { over: seller_id, count_where: candidate } }
waterfall: [proceeds, effective_buy, net_profit]
score: net_profit
";

const FACTS: &str = "/// What a sale brings.
fn proceeds(sell_price, proceeds_rate) { cents(sell_price * proceeds_rate) }
fn effective_buy(buy_price, cost_rate, maybe_buy_shipping) { cents((buy_price + (maybe_buy_shipping ?? 0)) * cost_rate) }
fn net_profit(proceeds, effective_buy) { proceeds - effective_buy }
fn profit_miss(net_profit, maybe_min_profit_threshold, profit_floor) { net_profit < (maybe_min_profit_threshold ?? profit_floor) }
fn too_old(staleness) { staleness == 0 }
fn candidate(sell_price, buy_price) { sell_price > 0 && buy_price > 0 }
fn is_bundle(seller_density, bundle_size) { seller_density >= bundle_size }
";

const PARAMS: &str = "floor: { unit: EUR, from: 2020-01-01, value: \"5.00\", source: here }\n";
const BUNDLE: &str = "size: { unit: count, values: [ { from: 2020-01-01, value: \"5\" }, { from: 2026-07-01, value: \"3\" } ] }\n";
const STALENESS: &str = "table: staleness
key: [sell_age_hours]
columns: { staleness: { type: decimal }, stale: { type: bool } }
rows:
  - { sell_age_hours: { to: \"4\" }, staleness: \"1.0\", stale: false }
  - { sell_age_hours: { above: \"4\", to: \"100\" }, staleness: \"0.7\", stale: true }
  - { sell_age_hours: { above: \"100\" }, staleness: \"0\", stale: true }
";

fn files(changes: &[(&str, &str)]) -> PackSource {
    let mut files: std::collections::BTreeMap<std::sync::Arc<str>, std::sync::Arc<str>> = [
        ("pack.yaml", PACK),
        ("facts/a.rhai", FACTS),
        ("params/profit.yaml", PARAMS),
        ("params/bundle.yaml", BUNDLE),
        ("tables/staleness.yaml", STALENESS),
    ]
    .into_iter()
    .map(|(name, text)| (name.into(), text.into()))
    .collect();
    for (name, text) in changes {
        files.insert((*name).into(), (*text).into());
    }
    PackSource { files, ..PackSource::default() }
}

fn pack() -> Pack {
    Pack::from_source(files(&[])).unwrap()
}

fn faults(changes: &[(&str, &str)]) -> Diagnostics {
    Pack::from_source(files(changes)).unwrap_err()
}

fn codes(changes: &[(&str, &str)]) -> Vec<(Code, String, usize)> {
    let faults = faults(changes).0;
    let errors = faults.iter().filter(|fault| fault.severity == Severity::Error);
    errors.map(|fault| (fault.code, fault.place.file.to_string(), fault.place.span.line)).collect()
}

fn evaluation<'p>(pack: &'p Pack, changes: &[(&str, &str)]) -> Evaluation<'p> {
    let mut evaluation = Evaluation::new(pack);
    let usual = [
        ("date", "2026-05-01"),
        ("sell_age_hours", "1"),
        ("buy_price", "40.00"),
        ("cost_rate", "1.1016"),
        ("sell_price", "100.00"),
        ("proceeds_rate", "1"),
        ("home_currency", "USD"),
        ("rate_eur", "1.08"),
    ];
    for (name, text) in usual.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name)).chain(changes) {
        let id = pack.graph.id(name).unwrap();
        let value_type = pack.graph.fact(id).value_type.unwrap_or(Type::Decimal);
        let value = if text.is_empty() { Value::Unknown } else { Value::parse(value_type, text).unwrap() };
        evaluation.set(id, value).unwrap();
    }
    evaluation
}

fn known(evaluation: &mut Evaluation<'_>, pack: &Pack, name: &str) -> Option<String> {
    evaluation.known(pack.graph.id(name).unwrap()).map(|value| value.to_string())
}

#[test]
fn a_route_that_passes_every_gate_is_a_signal() {
    let pack = pack();
    let mut evaluation = evaluation(&pack, &[]);
    assert_eq!(evaluation.verdict(), Verdict::Signal);
    // 40.00 × 1.1016 = 44.064, so 44.06, and 100.00 − 44.06 = 55.94
    assert_eq!(known(&mut evaluation, &pack, "net_profit").as_deref(), Some("55.94"));
    assert_eq!(&*evaluation.signal_type().unwrap(), "arbitrage");
    assert!(evaluation.flags().is_empty());
}

#[test]
fn the_first_failing_gate_gives_the_reason() {
    let pack = pack();
    let verdict = evaluation(&pack, &[("sell_price", "49.00"), ("sell_age_hours", "200")]).verdict();
    assert_eq!(verdict.reason(&pack), Some("TOO_OLD"));
    let verdict = evaluation(&pack, &[("sell_price", "49.00")]).verdict();
    assert_eq!((verdict.reason(&pack), verdict.passed(&pack)), (Some("PROFIT_THRESHOLD_MISS"), 1));
}

#[test]
fn a_threshold_in_euro_is_converted_at_the_market_rate() {
    // 5.00 EUR × 1.08 = 5.40 USD: a profit of 5.40 passes, 5.39 does not
    let pack = pack();
    assert_eq!(evaluation(&pack, &[("sell_price", "49.46")]).verdict(), Verdict::Signal);
    assert_eq!(evaluation(&pack, &[("sell_price", "49.45")]).verdict(), Verdict::Rejected { gate: 1 });
    let mut at_home = evaluation(&pack, &[("home_currency", "EUR"), ("rate_eur", "")]);
    assert_eq!(known(&mut at_home, &pack, "profit_floor").as_deref(), Some("5.00"));
}

#[test]
fn unknown_is_not_zero_and_the_missing_fact_is_named() {
    let pack = pack();
    let verdict = evaluation(&pack, &[("buy_price", "")]).verdict();
    assert_eq!(verdict, Verdict::Incomplete { gate: 1, missing: pack.graph.id("buy_price").unwrap() });
    assert_eq!(verdict.reason(&pack), Some("DATA_INCOMPLETE"));
    // a maybe-fact may be unknown
    assert_eq!(evaluation(&pack, &[("buy_shipping", "")]).verdict(), Verdict::Signal);
    // an unknown key chooses no row
    let verdict = evaluation(&pack, &[("sell_age_hours", "")]).verdict();
    assert_eq!(verdict, Verdict::Incomplete { gate: 0, missing: pack.graph.id("sell_age_hours").unwrap() });
}

#[test]
fn dated_numbers_follow_the_date_and_any_fact_can_be_pinned() {
    let pack = pack();
    let mut early = evaluation(&pack, &[("seller_density", "3")]);
    assert_eq!(&*early.signal_type().unwrap(), "arbitrage");
    let mut late = evaluation(&pack, &[("seller_density", "3"), ("date", "2026-07-01")]);
    assert_eq!(&*late.signal_type().unwrap(), "bundle");
    let mut pinned = evaluation(&pack, &[("effective_buy", "90.00")]);
    assert_eq!(known(&mut pinned, &pack, "net_profit").as_deref(), Some("10.00"));
}

#[test]
fn a_rule_that_fails_is_a_fault_of_that_fact() {
    let facts = FACTS.replace("{ proceeds - effective_buy }", "{ if proceeds > 0 { throw \"no\" } proceeds - effective_buy }");
    let pack = Pack::from_source(files(&[("facts/a.rhai", &facts)])).unwrap();
    let verdict = evaluation(&pack, &[]).verdict();
    let Verdict::Failed { gate: 1, fault } = verdict else { panic!("{verdict:?}") };
    assert_eq!(fault.fact, "net_profit");
    assert!(fault.message.contains("no"), "{}", fault.message);
}

#[test]
fn later_stages_are_forgotten_and_earlier_ones_kept() {
    use super::facts::Stage;
    let pack = pack();
    let stage = |name: &str| pack.graph.fact(pack.graph.id(name).unwrap()).stage;
    assert_eq!(
        (stage("candidate"), stage("proceeds"), stage("profit_floor"), stage("staleness")),
        (Stage::Route, Stage::Tenant, Stage::Tenant, Stage::Route)
    );
    let mut evaluation = evaluation(&pack, &[]);
    assert_eq!(evaluation.verdict(), Verdict::Signal);
    evaluation.forget_from(Stage::Tenant);
    assert!(matches!(evaluation.verdict(), Verdict::Incomplete { .. }));
}

#[test]
fn every_fault_of_a_pack_is_told_at_once_with_its_place() {
    let facts = FACTS
        .replace("net_profit(proceeds, effective_buy)", "net_profit(proceeds, effective_by)")
        .replace("staleness == 0", "staleness = = 0");
    let found = codes(&[
        ("facts/a.rhai", &facts),
        ("facts/b.rhai", "fn profit_floor(x) { 1 }\n"),
        ("params/profit.yaml", "floor: { unit: EUR, from: 2020-01-01, value: 5.00 }\n"),
    ]);
    assert!(found.contains(&(Code::ScriptSyntax, "facts/a.rhai".into(), 6)), "{found:?}");
    assert!(found.contains(&(Code::UnquotedNumber, "params/profit.yaml".into(), 1)), "{found:?}");
    assert!(found.contains(&(Code::UnknownFact, "facts/b.rhai".into(), 1)), "{found:?}");
}

#[test]
fn an_unknown_fact_is_answered_with_the_nearest_name() {
    let facts = FACTS
        .replace("net_profit(proceeds, effective_buy)", "net_profit(proceeds, effective_by)")
        .replace("proceeds - effective_buy", "proceeds - effective_by");
    let text = faults(&[("facts/a.rhai", &facts)]).to_string();
    assert!(text.contains("error[unknown-fact]: no fact is called \"effective_by\""), "{text}");
    assert!(text.contains("--> facts/a.rhai:4:25\n"), "{text}");
    assert!(text.contains("did you mean `effective_buy`?"), "{text}");
}

#[test]
fn circles_duplicates_and_wrong_gates_are_refused() {
    let circle = "fn a(b) { b } fn b(c) { c } fn c(a) { a }";
    assert_eq!(codes(&[("facts/b.rhai", circle)]), [(Code::Cycle, "facts/b.rhai".into(), 1)]);
    assert_eq!(codes(&[("facts/b.rhai", "fn net_profit(buy_price) { buy_price }")]), [(Code::DuplicateFact, "facts/b.rhai".into(), 1)]);
    assert_eq!(codes(&[("facts/b.rhai", "fn buy_price() { 1 }")]), [(Code::DuplicateFact, "facts/b.rhai".into(), 1)]);
    let gate = PACK.replace("when: profit_miss", "when: net_profit");
    assert_eq!(codes(&[("pack.yaml", &gate)]), [(Code::NotBoolean, "pack.yaml".into(), 4)]);
    let aggregate = PACK.replace("count_where: candidate", "count_where: is_bundle");
    assert_eq!(codes(&[("pack.yaml", &aggregate)]), [(Code::AggregateCycle, "pack.yaml".into(), 7)]);
    let over = PACK.replace("over: seller_id", "over: is_bundle");
    assert_eq!(codes(&[("pack.yaml", &over)]), [(Code::AggregateCycle, "pack.yaml".into(), 7)]);
    let other = PACK.replace("candidate } }", "candidate }, in_set: { over: set_code, count_where: is_bundle } }");
    assert_eq!(codes(&[("pack.yaml", &other)]), [(Code::AggregateCycle, "pack.yaml".into(), 7)]);
    let key = PACK.replace("score:", "scroe:");
    assert_eq!(codes(&[("pack.yaml", &key)]), [(Code::UnknownKey, "pack.yaml".into(), 9)]);
    assert_eq!(codes(&[("notes/facts/x.rhai", "1")]), [(Code::StrayFile, "notes/facts/x.rhai".into(), 0)]);
    assert_eq!(codes(&[("param/x.yaml", "rows: []")]), [(Code::StrayFile, "param/x.yaml".into(), 0)]);
}

#[test]
fn gaps_and_overlaps_of_tables_are_refused() {
    let gap = STALENESS.replace("above: \"100\"", "above: \"120\"");
    assert_eq!(codes(&[("tables/staleness.yaml", &gap)]), [(Code::TableGap, "tables/staleness.yaml".into(), 6)]);
    let overlap = STALENESS.replace("above: \"4\"", "from: \"4\"");
    assert_eq!(codes(&[("tables/staleness.yaml", &overlap)]), [(Code::TableOverlap, "tables/staleness.yaml".into(), 6)]);
    let table = "table: t\nrows_from: { folder: duties }\nkey: [origin]\ncolumns: { duty: { type: decimal } }\notherwise: unknown\n";
    let row = "rows:\n  - { origin: EU, duty: \"1\" }\n  - { origin: US, duty: \"1\" }\n";
    let sources = [("tables/t.yaml", table), ("duties/a.yaml", row), ("duties/b.yaml", row)];
    // of two files that say the same, one row stands for all
    assert_eq!(codes(&sources), [(Code::TableOverlap, "duties/b.yaml".into(), 2)]);
}

#[test]
fn a_folder_supplies_rows_and_its_unread_fields_are_told() {
    let table = "table: fee\nrows_from: { folder: fees, where: { line: commission } }\nprefix: fee_\nkey: [sell_market, date]\ncolumns: { fee_rate: { type: decimal }, fee_cap: { type: decimal, unit: sell } }\notherwise: unknown\n";
    let fees = "doc: TCGplayer\nsell_market: tcgplayer\nsource: here\nrows:\n  - { line: commission, from: 2024-01-01, rate: \"0.1075\", cap: \"75.00\" }\n";
    let pack = Pack::from_source(files(&[("tables/fee.yaml", table), ("fees/tcgplayer.yaml", fees)])).unwrap();
    let rate = |market: &str| known(&mut evaluation(&pack, &[("sell_market", market)]), &pack, "fee_rate");
    assert_eq!(rate("tcgplayer").as_deref(), Some("0.1075"));
    assert_eq!(rate("ebay"), None);
    let typo = fees.replace("cap:", "capp:");
    assert_eq!(codes(&[("tables/fee.yaml", table), ("fees/tcgplayer.yaml", &typo)]), [(Code::UnknownKey, "fees/tcgplayer.yaml".into(), 5)]);
    let line = fees.replace("line: commission", "line: comission");
    assert_eq!(codes(&[("tables/fee.yaml", table), ("fees/tcgplayer.yaml", &line)]), [(Code::BadValue, "fees/tcgplayer.yaml".into(), 5)]);
    let none = fees.replace("line: commission, ", "");
    assert_eq!(codes(&[("tables/fee.yaml", table), ("fees/tcgplayer.yaml", &none)]), [(Code::MissingKey, "fees/tcgplayer.yaml".into(), 5)]);
    let market = fees.replace("sell_market: tcgplayer", "sell_market: tcgplayr");
    assert_eq!(codes(&[("tables/fee.yaml", table), ("fees/tcgplayer.yaml", &market)])[0].0, Code::BadValue);
}

#[test]
fn a_column_in_a_currency_is_a_cost_with_the_buffer_inside() {
    let table =
        "table: duty\nkey: [buy_market]\ncolumns: { duty: { type: decimal, unit: EUR } }\nrows:\n  - { buy_market: any, duty: \"3.00\" }\n";
    let pack = Pack::from_source(files(&[("tables/duty.yaml", table)])).unwrap();
    let mut abroad = evaluation(&pack, &[("buy_market", "cardmarket"), ("forex_buffer", "0.02")]);
    assert_eq!(known(&mut abroad, &pack, "duty").as_deref(), Some("3.30"));
    let mut at_home = evaluation(&pack, &[("buy_market", "cardmarket"), ("home_currency", "EUR")]);
    assert_eq!(known(&mut at_home, &pack, "duty").as_deref(), Some("3.00"));
}

#[test]
fn the_customs_choice_follows_file_variable_and_date() {
    let table = "table: customs\nrows_from: { folder: customs }\nkey: [customs_regime, date]\ncolumns: { duty: { type: decimal } }\notherwise: unknown\n";
    let regime = |name: &str, from: &str| {
        format!("customs_regime: {name}\nauto_from: {from}\ntime_zone: Europe/Brussels\nrows: [ {{ duty: \"1\" }} ]\n")
    };
    let load = |active: &str| {
        Pack::from_source(files(&[
            ("tables/customs.yaml", table),
            ("customs/old.yaml", &regime("old", "2000-01-01")),
            ("customs/new.yaml", &regime("new", "2026-07-01")),
            ("customs/world.yaml", "customs_regime: world\nrows: [ { duty: \"2\" } ]\n"),
            ("customs/active.yaml", active),
        ]))
    };
    let force = |active: &str, variable: Option<&str>, date: &str| {
        load(active).unwrap().customs.unwrap().on(variable, date.parse().unwrap()).map(str::to_owned).map_err(|error| error.to_string())
    };
    assert_eq!(force("active: env", None, "2026-01-01").unwrap(), "world");
    assert_eq!(force("active: env", Some("OLD "), "2026-01-01").unwrap(), "old");
    assert_eq!(force("active: new", Some("old"), "2026-01-01").unwrap(), "new");
    assert_eq!(force("active: auto", None, "2026-06-30").unwrap(), "old");
    assert_eq!(force("active: auto", None, "2026-07-01").unwrap(), "new");
    let unknown = force("active: env", Some("nwe"), "2026-01-01").unwrap_err();
    assert_eq!(unknown, "there is no customs regime \"nwe\": use one of new, old, world, auto");
    let at = |moment: &str| load("active: auto").unwrap().customs.unwrap().at(None, moment.parse().unwrap()).map(str::to_owned).unwrap();
    // in July, Brussels is two hours ahead; the moment itself still belongs to the day before
    assert_eq!(at("2026-06-30T22:00:00Z"), "old");
    assert_eq!(at("2026-06-30T22:00:01Z"), "new");
    let fault = load("active: wrold").unwrap_err().to_string();
    assert!(fault.contains("did you mean \"world\"?"), "{fault}");
}

#[test]
fn money_in_a_place_of_another_unit_is_refused() {
    let amount = STALENESS.replace("staleness: \"1.0\"", "staleness: { amount: \"1.0\", currency: EUR }");
    assert_eq!(codes(&[("tables/staleness.yaml", &amount)]), [(Code::UnitMismatch, "tables/staleness.yaml".into(), 5)]);
    let whole = STALENESS.replace("staleness: { type: decimal }", "staleness: { type: integer, unit: EUR }").replace("\"1.0\"", "\"1\"");
    assert_eq!(codes(&[("tables/staleness.yaml", &whole.replace("\"0.7\"", "\"1\""))])[0].0, Code::TypeMismatch);
    let band = STALENESS.replace("{ to: \"4\" }", "{ to: \"4\", currency: EUR }");
    assert_eq!(codes(&[("tables/staleness.yaml", &band)]), [(Code::UnitMismatch, "tables/staleness.yaml".into(), 5)]);
    let waterfall = PACK.replace("waterfall: [proceeds,", "waterfall: [sell_price,");
    assert_eq!(codes(&[("pack.yaml", &waterfall)]).iter().map(|(code, ..)| *code).collect::<Vec<_>>(), [Code::UnitMismatch; 2]);
}

#[test]
fn a_gate_on_what_is_always_false_is_told_and_the_pack_still_loads() {
    let facts = FACTS.replace("{ staleness == 0 }", "{ staleness == 0 && false }");
    let pack = Pack::from_source(files(&[("facts/a.rhai", &facts)])).unwrap();
    let told = pack.warnings.0.iter().find(|warning| warning.code == Code::UnreachableGate).unwrap();
    assert_eq!((told.place.span.line, told.severity), (3, Severity::Warning));
    assert_eq!(told.message, "this gate never rejects: \"too_old\" is always false");
    // a column that is true in no row
    let table = STALENESS.replace("stale: true", "stale: false");
    let pack_yaml = PACK.replace("when: too_old", "when: stale");
    let pack = Pack::from_source(files(&[("tables/staleness.yaml", &table), ("pack.yaml", &pack_yaml)])).unwrap();
    assert!(pack.warnings.0.iter().any(|warning| warning.message == "this gate never rejects: \"stale\" is always false"));
}

#[test]
fn a_row_that_ends_is_told_unless_another_follows_it() {
    let table = |rows: &str, rest: &str| {
        format!("table: rates\nkey: [origin, date]\ncolumns: {{ rate: {{ type: decimal }} }}\nrows:\n{rows}otherwise: {rest}\n")
    };
    let told = |rows: &str, rest: &str, as_of: &str| {
        let pack = Pack::from_source(files(&[("tables/rates.yaml", &table(rows, rest))])).unwrap();
        let found = pack.expiring(as_of.parse().unwrap()).0;
        found.into_iter().map(|finding| (finding.code, finding.place.span.line, finding.place.span.column)).collect::<Vec<_>>()
    };
    let ends = "  - { origin: US, until: 2026-08-01, rate: \"1\" }\n";
    assert_eq!(told(ends, "unknown", "2026-06-01"), []);
    assert_eq!(told(ends, "unknown", "2026-06-02"), [(Code::ExpiringTable, 5, 26)]);
    assert_eq!(told(ends, "unknown", "2027-01-01"), [(Code::ExpiringTable, 5, 26)]);
    assert_eq!(told(ends, "{ rate: \"0\" }", "2027-01-01"), []);
    let follows = format!("{ends}  - {{ origin: [EU, US], from: 2026-08-01, rate: \"2\" }}\n");
    assert_eq!(told(&follows, "unknown", "2027-01-01"), []);
    let elsewhere = format!("{ends}  - {{ origin: EU, from: 2026-08-01, rate: \"2\" }}\n");
    assert_eq!(told(&elsewhere, "unknown", "2027-01-01").len(), 1);
}

#[test]
fn rows_that_no_value_meets_are_told_by_the_range_of_the_fact() {
    for row in ["{ above: \"1000000\" }", "\"-1\"", "[]", "{ below: \"0\" }"] {
        let table = format!("{STALENESS}  - {{ sell_age_hours: {row}, staleness: \"0\", stale: true }}\n");
        let dead = faults(&[("tables/staleness.yaml", &table)]).0.iter().any(|fault| fault.code == Code::DeadRow);
        assert!(dead, "{row}");
    }
}
