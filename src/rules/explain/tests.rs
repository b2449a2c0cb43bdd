//! Small packs, explained: what flips a verdict is found to the cent, and nothing is claimed that the evaluation denies.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use super::{Answer, Explanation, Flip, Outcome, Whose, explain};
use crate::rules::{
    graph::FactId,
    interpret::{Evaluation, Slot},
    pack::Pack,
    source::PackSource,
    value::{Type, Value},
};

const PACK: &str = "name: small
gates:
  - { reason: TOO_OLD, when: too_old, side: sell }
  - { reason: ODD_PRICE, when: odd_price }
  - { reason: PROFIT_THRESHOLD_MISS, when: profit_miss }
  - { reason: NOISE_RATIO_MISS, when: noise_miss }
  - { reason: BANNED, when: banned }
flags: [ { flag: STALE, when: stale } ]
type: [ { type: bundle, when: is_bundle }, { type: arbitrage } ]
aggregates: { seller_density: { over: seller_id, count_where: candidate } }
waterfall: [proceeds, effective_buy, net_profit]
score: net_profit
";

const FACTS: &str = "/// What a sale brings.
fn proceeds(sell_price, proceeds_rate) { cents(sell_price * proceeds_rate) }

/// What the card costs; a listing says its postage.
fn effective_buy(buy_price, cost_rate, maybe_buy_shipping) {
    let postage = maybe_buy_shipping ?? 0;
    cents((buy_price + postage) * cost_rate)
}

/// What remains.
fn net_profit(proceeds, effective_buy) { proceeds - effective_buy }

/// Less remains than was asked for; equal passes.
fn profit_miss(net_profit, maybe_min_profit_threshold, profit_floor) { net_profit < (maybe_min_profit_threshold ?? profit_floor) }

/// What remains is noise.
fn noise_miss(net_profit, effective_buy, profit_noise) { net_profit < effective_buy * profit_noise }

/// The sell price is too old.
fn too_old(usable) { !usable }

/// The sell price is far from its own history.
fn odd_price(sell_jump_ratio, profit_odd) { sell_jump_ratio > profit_odd || sell_jump_ratio * profit_odd < 1 }

/// The card is banned.
fn banned(standard_legality, profit_banned) { standard_legality == profit_banned }

fn candidate(sell_price, buy_price) { sell_price > 0 && buy_price > 0 }

fn is_bundle(seller_density, profit_size) { seller_density >= profit_size }
";

const PARAMS: &str = "floor: { doc: least profit, unit: EUR, from: 2020-01-01, value: \"5.00\", source: here }
noise: { doc: least share, unit: ratio, values: [ { from: 2020-01-01, value: \"0.1\" }, { from: 2026-07-01, value: \"0.2\", verified: false } ] }
odd: { doc: what is far, unit: ratio, from: 2020-01-01, value: \"3\" }
size: { doc: cards of a bundle, unit: count, from: 2020-01-01, value: \"5\" }
banned: { doc: the word for it, unit: text, from: 2020-01-01, value: Banned }
";

const STALENESS: &str = "table: staleness
doc: old prices
key: [sell_age_hours]
columns: { usable: { type: bool }, stale: { type: bool } }
rows:
  - { sell_age_hours: { to: \"4\" }, usable: true, stale: false }
  - { sell_age_hours: { above: \"4\", to: \"100\" }, usable: true, stale: true, source: a guess, verified: false }
  - { sell_age_hours: { above: \"100\" }, usable: false, stale: true }
";

pub fn pack() -> Pack {
    let files = [("pack.yaml", PACK), ("facts/a.rhai", FACTS), ("params/profit.yaml", PARAMS), ("tables/staleness.yaml", STALENESS)];
    Pack::from_source(PackSource {
        files: files.into_iter().map(|(name, text)| (name.into(), text.into())).collect(),
        ..PackSource::default()
    })
    .unwrap()
}

/// A card that passes, but for these facts; an empty text is unknown.
pub fn evaluation<'p>(pack: &'p Pack, changes: &[(&str, &str)]) -> Evaluation<'p> {
    let mut evaluation = Evaluation::new(pack);
    let usual = [
        ("date", "2026-05-01"),
        ("buy_market", "cardmarket"),
        ("sell_market", "tcgplayer"),
        ("buy_source", "guide"),
        ("sell_source", "tcgcsv"),
        ("sell_age_hours", "1"),
        ("buy_age_hours", "30"),
        ("sell_jump_ratio", "1.04"),
        ("standard_legality", "Legal"),
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

fn told(changes: &[(&str, &str)]) -> Explanation {
    explain(&mut evaluation(&pack(), changes), false)
}

fn flip<'e>(explanation: &'e Explanation, fact: &str) -> &'e Flip {
    explanation.flips.iter().find(|flip| flip.fact == fact).unwrap_or_else(|| panic!("{fact} flips nothing: {:?}", explanation.flips))
}

fn passes(changes: &[(&str, &str)], gate: &str) -> bool {
    let pack = pack();
    let id: FactId = pack.graph.id(gate).unwrap();
    matches!(evaluation(&pack, changes).slot(id), Slot::Known(Value::Bool(false)))
}

#[test]
fn the_price_that_flips_a_near_miss_is_exact_to_the_cent() {
    // 44.06 are paid and 5.40 asked for: 49.46 suffice, 49.45 do not
    let explanation = told(&[("sell_price", "45.00")]);
    assert_eq!(explanation.reason.as_deref(), Some("PROFIT_THRESHOLD_MISS"));
    let sell = flip(&explanation, "sell_price");
    assert_eq!((sell.from.as_deref(), &*sell.to, &*sell.unit, sell.whose), (Some("45.00"), "49.46", "USD", Whose::Market));
    assert_eq!((sell.then.outcome, &sell.signal_from), (Outcome::Signal, &None));
    assert_eq!(sell.change.unwrap().to_string(), "0.099111");
    // 35.95 × 1.1016 = 39.6025 → 39.60, and 45.00 − 39.60 = 5.40
    let buy = flip(&explanation, "buy_price");
    assert_eq!((&*buy.to, &*buy.unit), ("35.95", "EUR"));
    assert_eq!((&*flip(&explanation, "profit_floor").to, flip(&explanation, "profit_floor").whose), ("0.94", Whose::Rules));
    assert_eq!(flip(&explanation, "cost_rate").whose, Whose::Rate);
}

#[test]
fn one_step_short_of_a_flip_the_gate_still_rejects() {
    for price in ["44.06", "45.37", "49.45", "1.00"] {
        let explanation = told(&[("sell_price", price)]);
        for (fact, towards) in [("sell_price", "-0.01"), ("buy_price", "0.01")] {
            let Some(found) = explanation.flips.iter().find(|flip| flip.fact == fact) else { continue };
            let short = found.to.parse::<rust_decimal::Decimal>().unwrap() + towards.parse::<rust_decimal::Decimal>().unwrap();
            let with = |value: &str| {
                let mut facts = vec![(fact, value)];
                facts.extend((fact != "sell_price").then_some(("sell_price", price)));
                passes(&facts, "profit_miss")
            };
            assert!(with(&found.to), "{price}: {found:?} does not pass");
            assert!(!with(&short.to_string()), "{price}: {fact} passes at {short} already");
        }
    }
}

#[test]
fn a_ratio_is_flipped_from_above_and_from_below() {
    assert_eq!(flip(&told(&[("sell_jump_ratio", "9")]), "sell_jump_ratio").to, "3");
    assert_eq!(flip(&told(&[("sell_jump_ratio", "0.1")]), "sell_jump_ratio").to, "0.333334");
    // the window from a third to three is far away and still not stepped over
    assert_eq!(flip(&told(&[("sell_jump_ratio", "900000")]), "sell_jump_ratio").to, "3");
}

#[test]
fn the_smallest_relative_change_comes_first_and_a_count_stays_whole() {
    let explanation = told(&[("sell_jump_ratio", "4.5")]);
    let order: Vec<_> = explanation.flips.iter().map(|flip| (flip.fact.as_str(), flip.to.as_str())).collect();
    assert_eq!(order, [("sell_jump_ratio", "3"), ("profit_odd", "5")]);
}

#[test]
fn a_flip_that_falls_at_a_later_gate_says_at_which_and_from_where_it_is_a_signal() {
    // net 0.94 of 44.06 is noise below 4.41, so the tenant's own floor of nothing does not help
    let explanation = told(&[("sell_price", "45.00"), ("min_profit_threshold", "1.00")]);
    let floor = flip(&explanation, "min_profit_threshold");
    assert_eq!(
        (&*floor.to, floor.whose, floor.then.reason.as_deref(), floor.then.gate),
        ("0.94", Whose::Tenant, Some("NOISE_RATIO_MISS"), Some(3))
    );
    assert_eq!(floor.signal_from, None);
    // 45.06 − 44.06 = 1.00 passes; 4.406 are more than noise: 48.47
    let sell = flip(&explanation, "sell_price");
    assert_eq!((&*sell.to, sell.then.reason.as_deref(), sell.signal_from.as_deref()), ("45.06", Some("NOISE_RATIO_MISS"), Some("48.47")));
}

#[test]
fn what_no_single_number_flips_says_so() {
    let explanation = told(&[("standard_legality", "Banned")]);
    assert_eq!(explanation.reason.as_deref(), Some("BANNED"));
    assert_eq!(explanation.flips, []);
}

#[test]
fn an_unknown_fact_is_named_and_the_least_that_would_do_is_told() {
    let explanation = told(&[("sell_price", "")]);
    assert_eq!((explanation.outcome, explanation.gate), (Outcome::Incomplete, Some(2)));
    assert_eq!(explanation.stopped_at().unwrap().answer, Answer::Unknown("sell_price".into()));
    assert_eq!(explanation.fact("net_profit").unwrap().missing.as_deref(), Some("sell_price"));
    let sell = flip(&explanation, "sell_price");
    assert_eq!((&sell.from, &*sell.to, sell.change), (&None, "49.46", None));
    // no other figure helps where a price is missing
    assert_eq!(explanation.flips.len(), 1);
}

#[test]
fn a_signal_has_nothing_to_flip_and_tells_its_rows_figures_and_formulas() {
    let explanation = told(&[("sell_age_hours", "5")]);
    assert_eq!((explanation.outcome, explanation.signal_type.as_deref()), (Outcome::Signal, Some("arbitrage")));
    assert!(explanation.flips.is_empty() && explanation.gates.iter().all(|gate| gate.answer == Answer::Passed));
    assert_eq!(explanation.flags[0].flag, "STALE");
    let row = &explanation.rows[0];
    assert_eq!((row.place.as_deref(), row.verified, row.source.as_deref()), (Some("tables/staleness.yaml:7"), false, Some("a guess")));
    assert_eq!(row.key, [("sell_age_hours".to_owned(), "5 hours".to_owned())]);
    let fact = |name: &str| explanation.fact(name).unwrap();
    assert_eq!(fact("net_profit").shown(), "55.94 USD");
    assert_eq!(
        fact("effective_buy").formula.as_deref(),
        Some("let postage = maybe_buy_shipping ?? 0;\ncents((buy_price + postage) * cost_rate)")
    );
    let price = fact("buy_price");
    assert_eq!((price.shown(), price.origin.as_ref().unwrap().source.as_str()), ("40.00 EUR".to_owned(), "guide"));
    assert_eq!(price.origin.as_ref().unwrap().age_hours.unwrap().to_string(), "30");
    let floor = fact("profit_floor").in_force.as_ref().unwrap();
    assert_eq!(
        (fact("profit_floor").shown(), &*floor.written, floor.from.to_string()),
        ("5.40 USD".to_owned(), "5.00 EUR", "2020-01-01".to_owned())
    );
    // every fact comes after those it reads
    for (position, fact) in explanation.facts.iter().enumerate() {
        for read in &fact.reads {
            assert!(explanation.facts[..position].iter().any(|earlier| earlier.name == *read), "{} before {read}", fact.name);
        }
    }
}

#[test]
fn gates_behind_the_first_are_asked_only_when_wanted() {
    let changes = [("sell_price", "44.00"), ("sell_age_hours", "200"), ("standard_legality", "")];
    let answers = |why_not: bool| -> Vec<Answer> {
        let pack = pack();
        explain(&mut evaluation(&pack, &changes), why_not).gates.into_iter().map(|gate| gate.answer).collect()
    };
    assert_eq!(answers(false), [Answer::Rejected, Answer::NotAsked, Answer::NotAsked, Answer::NotAsked, Answer::NotAsked]);
    let unknown = Answer::Unknown("standard_legality".into());
    assert_eq!(answers(true), [Answer::Rejected, Answer::Passed, Answer::Rejected, Answer::Rejected, unknown]);
}

#[test]
fn telling_leaves_the_evaluation_as_it_was() {
    let pack = pack();
    let mut evaluation = evaluation(&pack, &[("sell_price", "45.00")]);
    let first = explain(&mut evaluation, true);
    assert_eq!(explain(&mut evaluation, true), first);
}

#[test]
fn data_that_its_fact_cannot_be_is_told_as_a_fault() {
    let pack = pack();
    let mut evaluation = evaluation(&pack, &[]);
    evaluation.set_fault(pack.graph.id("sell_price").unwrap(), "sell_price is -1: expected a number from 0 to 10000000");
    let explanation = explain(&mut evaluation, false);
    assert_eq!((explanation.outcome, explanation.reason.as_deref(), explanation.gate), (Outcome::Failed, Some("FAULT"), Some(2)));
    assert!(matches!(&explanation.stopped_at().unwrap().answer, Answer::Fault(fault) if fault.contains("sell_price is -1")));
    assert!(explanation.fact("net_profit").unwrap().fault.is_some() && explanation.flips.is_empty());
}

#[test]
fn a_setting_that_is_true_or_false_is_flipped_too() {
    let pack = Pack::from_source(PackSource {
        files: [
            ("pack.yaml", "name: lane\ngates: [ { reason: LANE_UNAVAILABLE, when: unreachable } ]\ntype: [ { type: arbitrage } ]\n"),
            ("facts/a.rhai", "/// Nobody receives it.\nfn unreachable(use_forwarder) { !use_forwarder }\n"),
        ]
        .into_iter()
        .map(|(name, text)| (name.into(), text.into()))
        .collect(),
        ..PackSource::default()
    })
    .unwrap();
    let mut evaluation = Evaluation::new(&pack);
    evaluation.set(pack.graph.id("use_forwarder").unwrap(), Value::Bool(false)).unwrap();
    let explanation = explain(&mut evaluation, false);
    let found = flip(&explanation, "use_forwarder");
    assert_eq!(
        (found.from.as_deref(), &*found.to, found.whose, found.then.outcome),
        (Some("false"), "true", Whose::Tenant, Outcome::Signal)
    );
}
