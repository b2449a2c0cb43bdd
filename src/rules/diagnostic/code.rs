//! The kinds of finding: a stable code, its severity, and what `rules check --explain` tells of it.

use serde::Serialize;

use super::Severity;

macro_rules! codes {
    ($($severity:ident $variant:ident = $code:literal, $description:literal;
        why $why:literal;
        bad $bad:literal;
        good $good:literal;)*) => {
        /// The kinds of finding, each with a stable code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Code { $(#[serde(rename = $code)] $variant),* }

        impl Code {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// Whether a pack with this finding is refused.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity),* }
            }

            /// One sentence on what the code means.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $description),* }
            }

            /// Why it matters.
            pub const fn why(self) -> &'static str {
                match self { $(Self::$variant => $why),* }
            }

            /// An example that has the fault.
            pub const fn bad_example(self) -> &'static str {
                match self { $(Self::$variant => $bad),* }
            }

            /// The example mended, or what to do.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $good),* }
            }
        }
    };
}

codes! {
    Error UnreadableFile = "unreadable-file", "a file cannot be read, is too large, is not UTF-8, or lies outside the pack";
        why "a pack that is read in part would decide in part";
        bad "params/velocity.yaml saved as UTF-16, or a link to /etc";
        good "save the file as UTF-8 under the rules folder, as a regular file below one megabyte";
    Error YamlSyntax = "yaml-syntax", "the file is not valid YAML";
        why "nothing of the file can be read, so none of its facts exist";
        bad "rows:\n\t- { buy_market: ebay }          # a tab";
        good "rows:\n  - { buy_market: ebay }         # spaces; quotes and brackets closed";
    Error YamlFeature = "yaml-feature", "the file uses anchors, aliases or tags, which rule files do without";
        why "an alias hides where a number comes from, and nested ones can grow without bound";
        bad "rate: &usual \"0.1075\"";
        good "rate: \"0.1075\"                 # written out wherever it holds";
    Error ScriptSyntax = "script-syntax", "the script does not compile";
        why "no formula of the file can be used until it does";
        bad "fn net_profit(proceeds, cost) { cents(proceeds - cost }";
        good "fn net_profit(proceeds, cost) { cents(proceeds - cost) }";
    Error ForbiddenScript = "forbidden-script", "the script uses something that rules do without, such as a loop, an assignment or statements outside functions";
        why "a rule is a function of its parameters alone: only so can it be checked, explained and repeated months later";
        bad "fn total(price) { let sum = price; sum = sum * 2; sum }";
        good "fn total(price, copies) { price * copies }";
    Error TooLarge = "too-large", "a file, list or chain is larger than any rule pack needs";
        why "what is without bounds could stop the service that reads it";
        bad "a table of 10,000 rows, or 300 facts each of which needs the one before";
        good "split it by a key or over several files, or compute it from fewer steps";
    Error UnknownKey = "unknown-key", "a YAML mapping has a key that nobody reads";
        why "a misspelt key would be ignored in silence, and with it what it says";
        bad "{ from: 2026-07-01, valu: \"1.5\" }";
        good "{ from: 2026-07-01, value: \"1.5\" }";
    Error DuplicateKey = "duplicate-key", "a YAML mapping has the same key twice";
        why "only one of the two could hold, and nobody could tell which";
        bad "{ from: 2026-07-01, value: \"1.5\", value: \"1.6\" }";
        good "{ from: 2026-07-01, value: \"1.6\" }";
    Error MissingKey = "missing-key", "a YAML mapping lacks a key that is needed";
        why "there is no default that could be right for a figure";
        bad "liquid_gold: { unit: ratio, value: \"1.5\" }";
        good "liquid_gold: { unit: ratio, from: 2020-01-01, value: \"1.5\" }";
    Error WrongShape = "wrong-shape", "a YAML value is a scalar, list or mapping where another of these is needed";
        why "the value can't be understood as it stands";
        bad "key: sell_age_hours";
        good "key: [sell_age_hours]";
    Error UnquotedNumber = "unquoted-number", "a number is written without quotes and would lose its exact form";
        why "an unquoted 0.10 is a binary fraction to most programs that read YAML; money is exact";
        bad "value: 25.00";
        good "value: \"25.00\"";
    Error BadValue = "bad-value", "a text does not have the form that its place needs, or is none that the fact can be";
        why "a row or comparison with such a value would never match";
        bad "from: 01/07/2026        { origin: EUU, … }";
        good "from: 2026-07-01        { origin: EU, … }";
    Error OutOfRange = "out-of-range", "a figure lies outside the `min` and `max` that its parameter or column declares";
        why "a fee of 10.75 instead of 0.1075 is a hundred times too high and rejects every card";
        bad "rate: { type: decimal, unit: ratio, max: \"1\" }     …     rate: \"10.75\"";
        good "rate: \"0.1075\"";
    Error UnknownUnit = "unknown-unit", "a unit is none that facts can have";
        why "units are what keeps euros from being added to dollars";
        bad "unit: euro";
        good "unit: EUR                    # a currency, or ratio, count, percent, days, hours, buy, sell, home";
    Error UnsortedDates = "unsorted-dates", "dated values are not in ascending order of `from`, or end before they begin";
        why "the value in force is the last one that has begun: an unsorted list hides one of them";
        bad "- { from: 2026-07-01, value: \"1.6\" }\n- { from: 2020-01-01, value: \"1.5\" }";
        good "- { from: 2020-01-01, value: \"1.5\" }\n- { from: 2026-07-01, value: \"1.6\" }";
    Error DuplicateFact = "duplicate-fact", "two definitions compute a fact of the same name";
        why "all facts share one namespace, and a reader could mean either";
        bad "fn spread(gross_sale, effective_buy) { … }      and a column `spread`";
        good "give one of them another name, such as spread_limit";
    Error UnknownFact = "unknown-fact", "a fact is read that nobody computes";
        why "the rule could never run";
        bad "fn net_profit(procceds, effective_buy) { … }";
        good "fn net_profit(proceeds, effective_buy) { … }";
    Error UnknownFunction = "unknown-function", "a rule calls a function that does not exist, or another fact, or with the wrong number of arguments";
        why "a fact that calls another one would hide from the graph what it depends on";
        bad "fn margin(proceeds) { net_profit(proceeds) / proceeds }";
        good "fn margin(net_profit, proceeds) { ratio(net_profit, proceeds, 4) }";
    Error UnitMismatch = "unit-mismatch", "figures of different units are added, subtracted, compared or given by the branches of one formula";
        why "the result would be a number of nothing: euros plus dollars, hours less than days";
        bad "fn cost(buy_price, sale_postage) { buy_price + sale_postage }";
        good "fn cost(buy_price, cost_rate, sale_postage) { buy_price * cost_rate + sale_postage }";
    Error TypeMismatch = "type-mismatch", "an operation meets a value of a type that it can't take";
        why "on a card the rule would fail, and the card be rejected as FAULT";
        bad "fn miss(condition, floor) { condition < floor }";
        good "fn miss(condition_rank, floor_rank) { condition_rank > floor_rank }";
    Error UnusedParameter = "unused-parameter", "a function has a parameter that it does not use";
        why "the fact would be unknown whenever the unused one is, and computed later than it could be";
        bad "fn goods_value(buy_price, buy_rate, condition) { cents(buy_price * buy_rate) }";
        good "fn goods_value(buy_price, buy_rate) { cents(buy_price * buy_rate) }";
    Error MissingMaybe = "missing-maybe", "`known` or `??` asks about a parameter that is never unknown";
        why "a function is not run while a plain parameter is unknown, so the fallback would never be taken";
        bad "fn postage(buy_shipping, usual) { buy_shipping ?? usual }";
        good "fn postage(maybe_buy_shipping, usual) { maybe_buy_shipping ?? usual }";
    Error Cycle = "cycle", "facts depend on each other in a circle";
        why "none of them could be computed first";
        bad "fn fee(price) { price * 2 }      fn price(fee) { fee / 2 }";
        good "let one of them do without the other";
    Error TableOverlap = "table-overlap", "two rows of a table match the same key";
        why "which of the two holds would depend on their order";
        bad "{ age: { to: \"4\" }, … }   { age: { from: \"4\" }, … }";
        good "{ age: { to: \"4\" }, … }   { age: { above: \"4\" }, … }";
    Error TableGap = "table-gap", "a key that can occur is matched by no row";
        why "cards in the gap would be rejected as DATA_INCOMPLETE";
        bad "{ age: { below: \"1\" }, … }   { age: { above: \"1\" }, … }";
        good "{ age: { below: \"1\" }, … }   { age: { from: \"1\" }, … }       or `otherwise: unknown`";
    Error DeadRow = "dead-row", "no key can ever match a row of a table";
        why "its author believes that it does something";
        bad "{ seller_rating: { above: \"100\" }, … }      # a rating ends at 100";
        good "delete the row, or mend its key";
    Error NotBoolean = "not-boolean", "a gate, flag or type asks a fact that is not true or false";
        why "a gate rejects where its fact is true; a number is neither";
        bad "- { reason: HEADACHE_FLOOR_MISS, when: headache }";
        good "- { reason: HEADACHE_FLOOR_MISS, when: headache_floor_miss }";
    Error NotNumber = "not-number", "the score or waterfall names a fact that is not a number";
        why "it could be neither ranked nor added up";
        bad "score: velocity_tier";
        good "score: composite_score";
    Error AggregateCycle = "aggregate-cycle", "what an aggregate counts by depends on an aggregate";
        why "the count is made before the second pass, from facts of the first";
        bad "seller_density: { over: seller_id, count_where: is_bundle }";
        good "seller_density: { over: seller_id, count_where: bundle_candidate }";
    Error UnknownRegime = "unknown-regime", "the active customs regime has no file";
        why "no duty could be told, and every import would be DATA_INCOMPLETE";
        bad "active: wrold";
        good "active: world";
    Error StrayFile = "stray-file", "a file lies where no kind of rule file belongs";
        why "its author believes that it is read";
        bad "velocity.yaml beside pack.yaml, or facts/profit.yaml";
        good "formulas are facts/NAME.rhai; numbers are params/, tables/, fees/ or customs/NAME.yaml";
    Error MissingFile = "missing-file", "a file that every pack needs is absent";
        why "without pack.yaml there are no gates";
        bad "a folder without pack.yaml, or regimes without customs/active.yaml";
        good "write the file: rules/README.md shows one";
    Warning UnreachableGate = "unreachable-gate", "a gate can never reject";
        why "its author believes that it protects somebody";
        bad "- { reason: A, when: stale }\n- { reason: B, when: stale }";
        good "delete the gate, or let it ask another fact";
    Warning LiteralInScript = "literal-in-script", "a formula holds a number other than 0, 1 and 100";
        why "a number in YAML has a date, a unit and a source, and can be changed without touching a formula";
        bad "fn dear(effective_buy) { effective_buy > 30 }";
        good "fn dear(effective_buy, insurance_above) { effective_buy > insurance_above }";
    Warning ExpiringTable = "expiring-table", "a dated figure has ended without a successor, ends within 60 days, or has not begun";
        why "from that day on the fact is unknown and cards are rejected";
        bad "{ origin: US, until: 2026-07-24, rate: \"0.10\" }      # nothing after it";
        good "add the row that holds from that day, or take `until` away";
    Warning UnverifiedFigure = "unverified-figure", "a file has figures that nobody has confirmed";
        why "a profit is as sure as the least sure figure in it";
        bad "{ tenant_country: SG, vat_rate: \"0.09\", verified: false }";
        good "look it up, write the `source:`, and delete `verified: false`";
    Warning UnreadFact = "unread-fact", "nobody reads a fact, and pack.yaml does not name it";
        why "a formula or figure that nothing uses looks as if it counted";
        bad "a parameter velocity_old_floor that no formula takes";
        good "delete it, or name it under `outputs:` in pack.yaml if people or the program read it";
    Warning MissingDoc = "missing-doc", "a formula has no /// description";
        why "explanations to tenants quote it";
        bad "fn net_profit(proceeds, cost) { proceeds - cost }";
        good "/// What the reseller keeps.\nfn net_profit(proceeds, cost) { proceeds - cost }";
}

impl Code {
    /// The code that is written so.
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_says_why_it_matters_and_shows_a_fault_and_its_remedy() {
        for code in Code::ALL {
            assert_eq!(Code::find(code.as_str()), Some(*code));
            for text in [code.description(), code.why(), code.bad_example(), code.remedy()] {
                assert!(text.len() > 8, "{}: {text}", code.as_str());
                assert!(!text.ends_with('.'), "{}: {text}", code.as_str());
            }
            assert_ne!(code.bad_example(), code.remedy(), "{}", code.as_str());
        }
    }
}
