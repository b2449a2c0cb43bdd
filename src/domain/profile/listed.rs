//! A profile setting by setting, for whoever wants to see it.

use std::fmt::Display;

use super::{Forwarder, Profile, Setting};

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    /// As it would be typed; unknown if none.
    pub value: Option<String>,
    /// Where it comes from, in words.
    pub from: String,
}

impl Profile {
    /// Every setting, with where it comes from.
    pub fn listed(&self) -> Vec<Listed> {
        let mut all = vec![
            Listed { name: "tier".to_owned(), value: Some(self.tier.to_string()), from: "operator".to_owned() },
            Listed { name: "country".to_owned(), value: Some(self.country.to_string()), from: "operator".to_owned() },
            one("currency", &self.currency),
            one("seller_level", &self.seller_level),
            several("sell_platforms", &self.sell_platforms),
            one("direction", &self.direction),
            one("min_profit_threshold", &self.min_profit_threshold),
            one("min_headache_score", &self.min_headache_score),
            one("min_score", &self.min_score),
            one("min_seller_rating", &self.min_seller_rating),
            one("min_seller_sales", &self.min_seller_sales),
            one("forex_buffer", &self.forex_buffer),
            one("condition_floor", &self.condition_floor),
            several("excluded_sets", &self.excluded_sets),
            several("card_categories", &self.card_categories),
            one("import_duty_rate", &self.import_duty_rate),
            one("vat_registered", &self.vat_registered),
            one("wants_investment", &self.wants_investment),
            one("insurance_rate", &self.insurance_rate),
        ];
        all.extend(forwarder("eu_forwarder", self.eu_forwarder.as_ref()));
        all.extend(forwarder("us_forwarder", self.us_forwarder.as_ref()));
        all.push(one("time_zone", &self.time_zone));
        all.push(one("quiet_hours", &self.quiet_hours));
        all.push(one("daily_batch_at", &self.daily_batch_at));
        all
    }
}

fn one<T: Display>(name: &str, setting: &Setting<T>) -> Listed {
    Listed { name: name.to_owned(), value: setting.value.as_ref().map(ToString::to_string), from: setting.origin.to_string() }
}

fn several<T: Display>(name: &str, setting: &Setting<Vec<T>>) -> Listed {
    let joined = |list: &Vec<T>| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Listed { name: name.to_owned(), value: setting.value.as_ref().map(joined), from: setting.origin.to_string() }
}

fn forwarder(name: &str, forwarder: Option<&Forwarder>) -> Vec<Listed> {
    let Some(terms) = forwarder else {
        return vec![Listed { name: name.to_owned(), value: Some("none".to_owned()), from: String::new() }];
    };
    vec![
        one(&format!("{name}.receiving_fee"), &terms.receiving_fee),
        one(&format!("{name}.consolidation_fee"), &terms.consolidation_fee),
        one(&format!("{name}.outbound"), &terms.outbound),
        one(&format!("{name}.currency"), &terms.currency),
    ]
}
