//! Mistakes as analysts make them, planted one at a time into copies of the default pack: each is told at its line, with a remedy.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use std::path::Path;

use tcg_radar::rules::{
    diagnostic::{Code, Diagnostics, Severity, Sink},
    pack::Pack,
    source::PackSource,
};

/// One mistake: what stands in the file, what the analyst makes of it, and what he is told.
struct Mistake {
    name: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    code: Code,
    /// What the faulty line holds.
    line: &'static str,
    /// What the message or its help says.
    says: &'static [&'static str],
}

const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "a typo in a fact",
        file: "facts/headache.rhai",
        from: "fn headache(net_profit, headache_transactions) {",
        to: "fn headache(net_proft, headache_transactions) {",
        code: Code::UnknownFact,
        line: "ratio(net_profit",
        says: &["did you mean the parameter `net_proft`"],
    },
    Mistake {
        name: "a typo in a fact, spelt alike everywhere",
        file: "facts/score.rhai",
        from: "fn composite_score(spread, velocity, trend_factor) { round_half_up(spread * velocity * trend_factor, 4) }",
        to: "fn composite_score(spread, velocty, trend_factor) { round_half_up(spread * velocty * trend_factor, 4) }",
        code: Code::UnknownFact,
        line: "velocty",
        says: &["no fact is called \"velocty\"", "did you mean `velocity`?"],
    },
    Mistake {
        name: "euros and dollars added",
        file: "facts/profit.rhai",
        from: "fn noise_ratio_miss(net_profit, effective_buy, profit_noise_share) { net_profit < effective_buy * profit_noise_share }",
        to: "fn noise_ratio_miss(buy_price, sell_price, profit_noise_share) { buy_price + sell_price < profit_noise_share }",
        code: Code::UnitMismatch,
        line: "buy_price + sell_price",
        says: &["`buy_price` is in buy money, `sell_price` is in sell money", "bring both into home money"],
    },
    Mistake {
        name: "hours compared with days",
        file: "facts/plausibility.rhai",
        from: "fn stale_buy_price(buy_age_hours, staleness_max_buy_age) { buy_age_hours > staleness_max_buy_age }",
        to: "fn stale_buy_price(buy_age_hours, plausibility_frozen_days) { buy_age_hours > plausibility_frozen_days }",
        code: Code::UnitMismatch,
        line: "buy_age_hours > plausibility_frozen_days",
        says: &["in hours", "in days", "bring both to days, or both to hours"],
    },
    Mistake {
        name: "a threshold written into the formula",
        file: "facts/forwarder.rhai",
        from: "fn insured(via_forwarder, effective_buy, forwarder_insurance_above) { via_forwarder && effective_buy > forwarder_insurance_above }",
        to: "fn insured(via_forwarder, effective_buy) { via_forwarder && effective_buy > 30 }",
        code: Code::LiteralInScript,
        line: "> 30",
        says: &["the number 30", "params/"],
    },
    Mistake {
        name: "a gap in a band",
        file: "tables/maturity.yaml",
        from: "{ set_age_days: { from: \"60\", below: \"90\" }",
        to: "{ set_age_days: { from: \"60\", below: \"80\" }",
        code: Code::TableGap,
        line: "below: \"80\"",
        says: &["set_age_days = 80", "widen a row's band"],
    },
    Mistake {
        name: "two rows for the same key",
        file: "tables/staleness.yaml",
        from: "{ price_age_hours: { above: \"4\" }",
        to: "{ price_age_hours: { from: \"4\" }",
        code: Code::TableOverlap,
        line: "from: \"4\"",
        says: &["matches too", "`to` includes it"],
    },
    Mistake {
        name: "a gate on a number",
        file: "pack.yaml",
        from: "when: headache_floor_miss }",
        to: "when: headache }",
        code: Code::NotBoolean,
        line: "when: headache }",
        says: &["\"headache\" is a decimal", "write a formula that compares it"],
    },
    Mistake {
        name: "a gate among the flags",
        file: "pack.yaml",
        from: "  - { flag: ID_UNVERIFIED, when: id_unverified }\n",
        to: "  - { reason: ID_UNVERIFIED, when: id_unverified }\n",
        code: Code::UnknownKey,
        line: "reason: ID_UNVERIFIED",
        says: &["\"reason\" begins a line of the list `gates:`", "move the line to `gates:`"],
    },
    Mistake {
        name: "a gate that stands twice",
        file: "pack.yaml",
        from: "  - { reason: HEADACHE_FLOOR_MISS, when: headache_floor_miss }\n",
        to: "  - { reason: HEADACHE_FLOOR_MISS, when: profit_threshold_miss }\n",
        code: Code::UnreachableGate,
        line: "HEADACHE_FLOOR_MISS",
        says: &["never rejects", "as PROFIT_THRESHOLD_MISS"],
    },
    Mistake {
        name: "a percentage for a share",
        file: "fees/tcgplayer.yaml",
        from: "rate: \"0.1075\"",
        to: "rate: \"10.75\"",
        code: Code::OutOfRange,
        line: "10.75",
        says: &["at most 1", "10.75 % is written \"0.1075\""],
    },
    Mistake {
        name: "a date with the day first",
        file: "fees/ebay.yaml",
        from: "from: 2025-02-14, amount",
        to: "from: 14/02/2025, amount",
        code: Code::BadValue,
        line: "14/02/2025",
        says: &["is not a date", "year-month-day"],
    },
    Mistake {
        name: "money without quotes",
        file: "params/forwarder.yaml",
        from: "value: \"3.50\"",
        to: "value: 3.50",
        code: Code::UnquotedNumber,
        line: "3.50",
        says: &["write \"3.50\""],
    },
    Mistake {
        name: "a fact defined twice",
        file: "facts/sell.rhai",
        from: "/// What the buyer pays for card and postage.",
        to: "/// Again.\nfn spread(gross_sale, effective_buy) { ratio(gross_sale, effective_buy, 8) }\n\n/// What the buyer pays for card and postage.",
        code: Code::DuplicateFact,
        line: "fn spread",
        says: &["\"spread\" is already defined at facts/profit.rhai", "another name"],
    },
    Mistake {
        name: "a fact defined twice in one file",
        file: "facts/buy.rhai",
        from: "/// Postage of the seller's parcel",
        to: "/// Again.\nfn goods_value(buy_price, buy_rate) { cents(buy_price * buy_rate) }\n\n/// Postage of the seller's parcel",
        code: Code::DuplicateFact,
        line: "fn goods_value",
        says: &["goods_value", "another name"],
    },
    Mistake {
        name: "a circle",
        file: "facts/profit.rhai",
        from: "fn spread(gross_sale, effective_buy) {",
        to: "fn spread(composite_score, gross_sale, effective_buy) {\n    if composite_score > 0 { return composite_score; }",
        code: Code::Cycle,
        line: "fn ",
        says: &["need each other", "spread", "composite_score"],
    },
    Mistake {
        name: "a fallback without maybe_",
        file: "facts/lane.rhai",
        from: "fn set_hidden(maybe_set_excluded) { maybe_set_excluded ?? false }",
        to: "fn set_hidden(set_excluded) { set_excluded ?? false }",
        code: Code::MissingMaybe,
        line: "set_excluded ?? false",
        says: &["is not run at all", "`maybe_set_excluded`"],
    },
    Mistake {
        name: "a wrong member of an enum in a table",
        file: "tables/lanes.yaml",
        from: "buy_market: ebay,",
        to: "buy_market: ebey,",
        code: Code::BadValue,
        line: "ebey",
        says: &["never \"ebey\"", "did you mean \"ebay\"?"],
    },
    Mistake {
        name: "a wrong text in a formula",
        file: "facts/velocity.rhai",
        from: "velocity_basis == \"estimated\"",
        to: "velocity_basis == \"estimate\"",
        code: Code::BadValue,
        line: "\"estimate\"",
        says: &["never \"estimate\"", "did you mean \"estimated\"?"],
    },
    Mistake {
        name: "= for ==",
        file: "facts/bundle.rhai",
        from: "seller_density == 1",
        to: "seller_density = 1",
        code: Code::ForbiddenScript,
        line: "seller_density = 1",
        says: &["compare with `==`"],
    },
    Mistake {
        name: "= for == in a condition",
        file: "facts/profit.rhai",
        from: "if proceeds == 0",
        to: "if proceeds = 0",
        code: Code::ScriptSyntax,
        line: "if proceeds = 0",
        says: &["write `==` to compare"],
    },
    Mistake {
        name: "a wrong function",
        file: "facts/sell.rhai",
        from: "{ cents(sell_price * sell_rate) }",
        to: "{ round(sell_price * sell_rate) }",
        code: Code::UnknownFunction,
        line: "round(sell_price",
        says: &["there is no function \"round\"", "round_half_up"],
    },
    Mistake {
        name: "a missing parenthesis",
        file: "facts/sell.rhai",
        from: "cents((order_value - platform_fee) * proceeds_rate)",
        to: "cents((order_value - platform_fee * proceeds_rate)",
        code: Code::ScriptSyntax,
        line: "(order_value - platform_fee * proceeds_rate)",
        says: &["`)`"],
    },
    Mistake {
        name: "a tab for indentation",
        file: "params/velocity.yaml",
        from: "  unit: ratio\n  from: 2020-01-01\n  value: \"0.5\"",
        to: "\tunit: ratio\n  from: 2020-01-01\n  value: \"0.5\"",
        code: Code::YamlSyntax,
        line: "\tunit: ratio",
        says: &["tab", "spaces"],
    },
    Mistake {
        name: "a typo in the active regime",
        file: "customs/active.yaml",
        from: "active: env",
        to: "active: post_july_2025",
        code: Code::UnknownRegime,
        line: "post_july_2025",
        says: &["did you mean \"post_july_2026\"?"],
    },
    Mistake {
        name: "an unknown key",
        file: "params/seller.yaml",
        from: "  source: \"deployment guide, DEFAULT_MIN_SELLER_RATING\"",
        to: "  sorce: \"deployment guide, DEFAULT_MIN_SELLER_RATING\"",
        code: Code::UnknownKey,
        line: "sorce",
        says: &["did you mean \"source\"?"],
    },
    Mistake {
        name: "an unknown unit",
        file: "params/bundle.yaml",
        from: "unit: USD",
        to: "unit: dollar",
        code: Code::UnknownUnit,
        line: "unit: dollar",
        says: &["unknown unit \"dollar\"", "USD"],
    },
    Mistake {
        name: "unsorted dates",
        file: "params/headache.yaml",
        from: "  from: 2020-01-01\n  value: \"5\"\n  source: \"deployment guide, DEFAULT_MIN_HEADACHE_SCORE\"",
        to: "  values:\n    - { from: 2026-07-01, value: \"6\" }\n    - { from: 2020-01-01, value: \"5\" }",
        code: Code::UnsortedDates,
        line: "2020-01-01",
        says: &["2020-01-01 comes after 2026-07-01", "ascending order"],
    },
    Mistake {
        name: "a row that no value can meet",
        file: "tables/bundle.yaml",
        from: "rows:\n",
        to: "rows:\n  - { seller_density: { above: \"1\", below: \"2\" }, bundle_tier: single_card, partial_bundle: false, is_bundle: false }\n",
        code: Code::DeadRow,
        line: "above: \"1\"",
        says: &["never matches", "whole number"],
    },
    Mistake {
        name: "a file's prefix left out",
        file: "facts/profit.rhai",
        from: "fn noise_ratio_miss(net_profit, effective_buy, profit_noise_share) { net_profit < effective_buy * profit_noise_share }",
        to: "fn noise_ratio_miss(net_profit, effective_buy, noise_share) { net_profit < effective_buy * noise_share }",
        code: Code::UnknownFact,
        line: "noise_share",
        says: &["did you mean `profit_noise_share`?"],
    },
    Mistake {
        name: "a typo in one place of a formula with a description",
        file: "facts/profit.rhai",
        from: "net_profit < effective_buy * profit_noise_share",
        to: "net_profit < effective_buy * profit_noise_shar",
        code: Code::UnknownFact,
        line: "profit_noise_shar",
        says: &["did you mean the parameter `profit_noise_share`?"],
    },
    Mistake {
        name: "a typo in the kind of a fee line",
        file: "fees/tcgplayer.yaml",
        from: "line: commission",
        to: "line: comission",
        code: Code::BadValue,
        line: "comission",
        says: &["no table takes a row whose line is \"comission\"", "did you mean \"commission\"?"],
    },
    Mistake {
        name: "a field of another kind of fee line",
        file: "fees/ebay.yaml",
        from: "line: fixed,",
        to: "line: fixed, rate: \"0.30\",",
        code: Code::UnknownKey,
        line: "line: fixed",
        says: &["reads the field \"rate\""],
    },
    Mistake {
        name: "a basis that no formula knows",
        file: "customs/world.yaml",
        from: "basis: ad_valorem",
        to: "basis: ad valorem",
        code: Code::BadValue,
        line: "ad valorem",
        says: &["customs_basis is never \"ad valorem\"", "did you mean \"ad_valorem\"?"],
    },
    Mistake {
        name: "a class of sellers that no schedule has",
        file: "fees/tcgplayer.yaml",
        from: "fee_class: standard",
        to: "fee_class: standrd",
        code: Code::BadValue,
        line: "standrd",
        says: &["fee_class is never \"standrd\"", "did you mean \"standard\"?"],
    },
    Mistake {
        name: "a currency left out of one band",
        file: "tables/lane_postage.yaml",
        from: "goods_value: { to: \"25.00\", currency: EUR }",
        to: "goods_value: { to: \"25.00\" }",
        code: Code::TableOverlap,
        line: "goods_value",
        says: &["in one currency"],
    },
    Mistake {
        name: "a reason of two words",
        file: "pack.yaml",
        from: "reason: NOISE_RATIO_MISS",
        to: "reason: Noise ratio",
        code: Code::BadValue,
        line: "Noise ratio",
        says: &["cannot be a reason", "one word"],
    },
    Mistake {
        name: "a type after the one that always holds",
        file: "pack.yaml",
        from: "  - { type: arbitrage }\n",
        to: "  - { type: arbitrage }\n  - { type: event, when: event_driven }\n",
        code: Code::MissingKey,
        line: "type: arbitrage",
        says: &["no type after this one could ever hold", "end of the list"],
    },
    Mistake {
        name: "a band upside down",
        file: "tables/maturity.yaml",
        from: "{ from: \"60\", below: \"90\" }",
        to: "{ from: \"90\", below: \"60\" }",
        code: Code::BadValue,
        line: "from: \"90\"",
        says: &["the band is empty", "takes the smaller figure"],
    },
    Mistake {
        name: "a parameter left over",
        file: "facts/headache.rhai",
        from: "fn headache(net_profit, headache_transactions)",
        to: "fn headache(net_profit, proceeds, headache_transactions)",
        code: Code::UnusedParameter,
        line: "fn headache(net_profit, proceeds",
        says: &["does not use its parameter \"proceeds\"", "delete it"],
    },
];

fn default_pack() -> PackSource {
    let sink = Sink::default();
    PackSource::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("rules"), &sink)
}

/// What is said of the pack with the mistake, beside what is said of it without.
fn told(mistake: &Mistake) -> (Diagnostics, PackSource) {
    let mut source = default_pack();
    let text = &source.files[mistake.file];
    assert_eq!(text.matches(mistake.from).count().min(1), 1, "{} has changed: {}", mistake.file, mistake.name);
    let text = text.replacen(mistake.from, mistake.to, 1);
    source.files.insert(mistake.file.into(), text.into());
    let mut found = match Pack::from_source(source.clone()) {
        Ok(pack) => pack.warnings,
        Err(found) => found,
    };
    found.0.retain(|finding| finding.code != Code::UnverifiedFigure);
    (found, source)
}

#[test]
fn every_planted_mistake_is_told_at_its_line_with_a_remedy() {
    for mistake in MISTAKES {
        let (found, source) = told(mistake);
        let name = mistake.name;
        let finding = found.0.iter().find(|finding| finding.code == mistake.code);
        let finding = finding.unwrap_or_else(|| panic!("{name}: not told: {found}"));
        let line = source.line(&finding.place.file, finding.place.span.line).unwrap_or_default();
        assert!(line.contains(mistake.line), "{name}: told at the wrong line: {finding}");
        if mistake.code != Code::Cycle {
            assert_eq!(&*finding.place.file, mistake.file, "{name}");
        }
        let help = finding.help.as_deref().unwrap_or_else(|| panic!("{name}: no remedy: {finding}"));
        for words in mistake.says {
            assert!(finding.message.contains(words) || help.contains(words), "{name}: \"{words}\" is not said: {finding}");
        }
    }
}

#[test]
fn a_planted_mistake_has_no_page_of_consequences() {
    for mistake in MISTAKES {
        let (found, _) = told(mistake);
        let errors = found.0.iter().filter(|finding| finding.severity == Severity::Error).count();
        assert!(found.0.len() <= 2 && errors <= 2, "{}: {found}", mistake.name);
    }
}

#[test]
fn the_default_pack_has_nothing_to_be_said_of_but_unverified_figures() {
    let pack = Pack::from_source(default_pack()).unwrap();
    let others: Vec<_> = pack.warnings.0.iter().filter(|finding| finding.code != Code::UnverifiedFigure).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn the_reference_pack_has_nothing_to_be_said_of() {
    let pack = Pack::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packs/reference")).unwrap();
    assert!(pack.warnings.0.is_empty(), "{}", pack.warnings);
}

#[test]
fn a_file_that_cannot_be_read_is_not_missed_by_all_that_need_it() {
    for (file, from, to) in [
        ("facts/profit.rhai", "ratio(gross_sale", "ratio((gross_sale"),
        ("params/velocity.yaml", "unit: ratio", "unit: [ratio"),
        ("params/velocity.yaml", "unit: ratio", "unit: ratios"),
        ("tables/rotation.yaml", "rows:", "rows: ]"),
        ("tables/fee_commission.yaml", "type: text", "type: txt"),
        ("tables/staleness.yaml", "type: bool", "type: boolean"),
        ("fees/tcgplayer.yaml", "rows:", "rows: ]"),
        ("customs/world.yaml", "rows:", "rows: ]"),
        ("tables/condition.yaml", "condition: EXC", "condition: EX"),
        ("pack.yaml", "gates:", "gates: ]"),
    ] {
        let mut source = default_pack();
        let text = source.files[file].replacen(from, to, 1);
        source.files.insert(file.into(), text.into());
        let errors = match Pack::from_source(source) {
            Ok(pack) => panic!("{file} with {to} loads: {}", pack.warnings),
            Err(found) => found.0.into_iter().filter(|finding| finding.severity == Severity::Error).collect::<Vec<_>>(),
        };
        assert_eq!(errors.len(), 1, "{file} with {to}: {}", Diagnostics(errors));
    }
}
