//! Plans: what a tenant gets for its money, and the numbers of the rotation. All of it is data: `profiles/plans.yaml`.

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, TimeZone as _, Utc, Weekday};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::profile::{Tier, TimeOfDay, TimeZone, quoted};

/// Every plan by tier, and how the rotation turns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plans {
    pub rotation: Rotation,
    by_tier: ByTier,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ByTier {
    free: Plan,
    trader: Plan,
    pro: Plan,
    shop: Plan,
}

impl ByTier {
    const fn of(&self, tier: Tier) -> &Plan {
        match tier {
            Tier::Free => &self.free,
            Tier::Trader => &self.trader,
            Tier::Pro => &self.pro,
            Tier::Shop => &self.shop,
        }
    }
}

/// How opportunities go from one tenant to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// From the end of a window to the next one's beginning.
    pub cooldown: TimeDelta,
    /// How many tenants may have it exclusively, one after the other.
    pub holders: u32,
    pub start_priority: Decimal,
    /// Added to the priority of who acted.
    pub acted: Decimal,
    /// Added to the priority of who let a window expire.
    pub expired: Decimal,
    /// A tenant is told again where its net profit moved by this share; else what was sent is edited.
    pub tell_again_share: Decimal,
    /// Tenants that have to say so before a card is hidden from all.
    pub wrong_card_tenants: i64,
}

/// The priority's bounds, which are the column's too.
const PRIORITIES: (Decimal, Decimal) = (Decimal::ZERO, Decimal::ONE_HUNDRED);

impl Rotation {
    /// A priority moved by a step, within its bounds.
    pub fn moved(&self, priority: Decimal, step: Decimal) -> Decimal {
        (priority + step).clamp(PRIORITIES.0, PRIORITIES.1)
    }
}

/// What a plan entitles to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub doc: String,
    /// Place in the rotation: the highest is asked first.
    pub first_look_priority: u8,
    /// Signals of its own, exclusively, as they are found.
    pub realtime: bool,
    pub event_signals: bool,
    pub bundle_signals: bool,
    /// Exclusive ones and those of batches; unlimited where it is not stated.
    pub max_signals_per_day: Option<u32>,
    /// The hour of the daily batch, in the tenant's time.
    pub daily_batch_at: Option<TimeOfDay>,
    pub digest: Option<Digest>,
}

impl Plan {
    /// Whether the plan gets signals of a type, by its name in the rule pack.
    pub fn includes(&self, signal_type: Option<&str>) -> bool {
        match signal_type {
            Some("event_driven") => self.event_signals,
            Some("bundle") => self.bundle_signals,
            _ => true,
        }
    }
}

/// A digest: the best of what is not new any more.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// Once a week on this day; every day where it is not stated.
    pub on: Option<Day>,
    pub at: TimeOfDay,
    pub top: u32,
    /// The age in hours of what it lists, from the first offer on: at least, at most.
    pub delay_hours: (u32, u32),
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Day {
    const fn weekday(self) -> Weekday {
        match self {
            Self::Monday => Weekday::Mon,
            Self::Tuesday => Weekday::Tue,
            Self::Wednesday => Weekday::Wed,
            Self::Thursday => Weekday::Thu,
            Self::Friday => Weekday::Fri,
            Self::Saturday => Weekday::Sat,
            Self::Sunday => Weekday::Sun,
        }
    }
}

impl Digest {
    /// The last moment up to `now` at which it was due.
    pub fn last_due(&self, zone: TimeZone, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        last_due(self.at, self.on.map(Day::weekday), zone, now)
    }
}

/// The last moment up to `now` at which a clock in the zone showed that time, on that day of the week where one is named.
///
/// A time that the clocks leave out in spring comes an hour later; of one that they show twice in autumn it is the first.
pub fn last_due(at: TimeOfDay, on: Option<Weekday>, zone: TimeZone, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let today = now.with_timezone(&zone.0).date_naive();
    (0..=7).filter_map(|back| today.checked_sub_days(Days::new(back))).filter(|day| on.is_none_or(|on| day.weekday() == on)).find_map(
        |day| {
            let local = day.and_time(at.0);
            let moment = zone.0.from_local_datetime(&local).earliest();
            let moment = moment.or_else(|| zone.0.from_local_datetime(&(local + TimeDelta::hours(1))).earliest())?;
            Some(moment.with_timezone(&Utc)).filter(|moment| *moment <= now)
        },
    )
}

/// The day that a tenant's signals are counted on.
pub fn day_in(zone: TimeZone, now: DateTime<Utc>) -> NaiveDate {
    now.with_timezone(&zone.0).date_naive()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rotation: RotationFile,
    plans: ByTier,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RotationFile {
    cooldown_seconds: u32,
    holders: u32,
    start_priority: Quoted,
    acted: Quoted,
    expired: Quoted,
    tell_again_share: Quoted,
    wrong_card_tenants: u32,
}

/// YAML would make a binary fraction of a bare 0.10.
struct Quoted(Decimal);

impl<'de> Deserialize<'de> for Quoted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        quoted::deserialize(deserializer)?
            .map(Self)
            .ok_or_else(|| D::Error::custom("expected a decimal number in quotes, such as \"0.10\""))
    }
}

/// Why plans cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("{path}:{line}:{column}: {fault}")]
    Yaml { path: String, line: usize, column: usize, fault: String },
    #[error("{path}: {fault}")]
    Value { path: String, fault: String },
}

impl Plans {
    /// The plans that come with the program, for a folder without a file of its own.
    pub const SHIPPED: &'static str = include_str!("../../profiles/plans.yaml");

    /// Reads the file's text; `path` is for the error only.
    ///
    /// # Errors
    /// Bad YAML, an unknown key, a number outside its range, or a tier without a plan.
    pub fn parse(path: &str, text: &str) -> Result<Self, PlanError> {
        let File { rotation, plans } = serde_yaml::from_str(text).map_err(|error| {
            let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
            let fault = error.to_string().split(" at line ").next().unwrap_or_default().to_owned();
            PlanError::Yaml { path: path.into(), line, column, fault }
        })?;
        let fault = |fault: String| PlanError::Value { path: path.into(), fault };
        if rotation.holders == 0 || rotation.wrong_card_tenants == 0 {
            return Err(fault("holders and wrong_card_tenants are whole numbers from 1".into()));
        }
        for (name, value) in [("start_priority", &rotation.start_priority), ("tell_again_share", &rotation.tell_again_share)] {
            let most = if name == "start_priority" { PRIORITIES.1 } else { Decimal::TEN };
            if value.0 < Decimal::ZERO || value.0 > most {
                return Err(fault(format!("{name} is {}: expected \"0\" to \"{most}\"", value.0)));
            }
        }
        let upside_down = |tier: &&Tier| plans.of(**tier).digest.as_ref().is_some_and(|digest| digest.delay_hours.0 > digest.delay_hours.1);
        if let Some(tier) = Tier::ALL.iter().find(upside_down) {
            return Err(fault(format!("delay_hours of plan {tier}: the least comes before the most, such as [24, 48]")));
        }
        Ok(Self {
            rotation: Rotation {
                cooldown: TimeDelta::seconds(i64::from(rotation.cooldown_seconds)),
                holders: rotation.holders,
                start_priority: rotation.start_priority.0,
                acted: rotation.acted.0,
                expired: rotation.expired.0,
                tell_again_share: rotation.tell_again_share.0,
                wrong_card_tenants: i64::from(rotation.wrong_card_tenants),
            },
            by_tier: plans,
        })
    }

    pub const fn of(&self, tier: Tier) -> &Plan {
        self.by_tier.of(tier)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn shipped() -> Plans {
        Plans::parse("plans.yaml", Plans::SHIPPED).unwrap()
    }

    #[test]
    fn the_shipped_plans_are_the_four_of_the_price_list() {
        let plans = shipped();
        let ranks = Tier::ALL.iter().map(|tier| plans.of(*tier).first_look_priority).collect::<Vec<_>>();
        assert_eq!(ranks, [1, 2, 3, 4]);
        assert_eq!((plans.rotation.cooldown, plans.rotation.holders), (TimeDelta::seconds(10), 5));
        let digest = plans.of(Tier::Free).digest.as_ref().unwrap();
        assert_eq!((digest.top, digest.delay_hours), (10, (24, 48)));
        assert!(!plans.of(Tier::Free).realtime && plans.of(Tier::Pro).realtime && plans.of(Tier::Shop).max_signals_per_day.is_none());
        assert!(!plans.of(Tier::Trader).includes(Some("event_driven")) && plans.of(Tier::Trader).includes(Some("arbitrage")));
    }

    #[test]
    fn a_bad_plan_is_refused_at_its_place() {
        let fault = |from: &str, to: &str| {
            let text = Plans::SHIPPED.replacen(from, to, 1);
            assert_ne!(text, Plans::SHIPPED);
            Plans::parse("profiles/plans.yaml", &text).unwrap_err().to_string()
        };
        assert!(fault("holders: 5", "holders: 0").contains("from 1"));
        let error = fault("realtime: true", "realtme: true");
        assert!(error.starts_with("profiles/plans.yaml:22:") && error.contains("realtme"), "{error}");
        assert!(fault("  pro:\n", "  prof:\n").contains("prof"));
        assert!(fault("[24, 48]", "[48, 24]").contains("plan free"));
        assert!(fault("\"-2\"", "-2").starts_with("profiles/plans.yaml:"));
        assert!(fault("tell_again_share: \"0.10\"", "tell_again_share: \"-1\"").contains("tell_again_share is -1"));
        assert!(fault("daily_batch_at: \"08:00\"", "daily_batch_at: \"25:00\"").contains("such as 08:00"));
    }

    #[test]
    fn a_digest_is_due_on_its_day_by_the_tenants_clock() {
        let digest = shipped().of(Tier::Free).digest.clone().unwrap();
        let tokyo: TimeZone = "Asia/Tokyo".parse().unwrap();
        // 2026-05-04 is a Monday; 08:00 in Tokyo is 23:00 UTC of Sunday
        assert_eq!(digest.last_due(tokyo, at("2026-05-03T22:59:59Z")), Some(at("2026-04-26T23:00:00Z")));
        assert_eq!(digest.last_due(tokyo, at("2026-05-03T23:00:00Z")), Some(at("2026-05-03T23:00:00Z")));
        assert_eq!(digest.last_due(TimeZone::UTC, at("2026-05-05T00:00:00Z")), Some(at("2026-05-04T08:00:00Z")));
    }

    #[test]
    fn a_time_that_the_clocks_leave_out_comes_an_hour_later() {
        let berlin: TimeZone = "Europe/Berlin".parse().unwrap();
        let half_past_two: TimeOfDay = "02:30".parse().unwrap();
        // on 2026-03-29 the clocks go from 02:00 to 03:00, which is 01:00 UTC
        assert_eq!(last_due(half_past_two, None, berlin, at("2026-03-29T12:00:00Z")), Some(at("2026-03-29T01:30:00Z")));
        // on 2026-10-25 they show 02:30 twice
        assert_eq!(last_due(half_past_two, None, berlin, at("2026-10-25T12:00:00Z")), Some(at("2026-10-25T00:30:00Z")));
    }

    #[test]
    fn a_priority_stays_within_its_bounds() {
        let rotation = shipped().rotation;
        assert_eq!(rotation.moved(Decimal::from(98), rotation.acted), Decimal::ONE_HUNDRED);
        assert_eq!(rotation.moved(Decimal::ONE, rotation.expired), Decimal::ZERO);
        assert_eq!(rotation.moved(Decimal::from(50), rotation.expired), Decimal::from(48));
    }
}
