//! What the twin reads, and random rows of it: for the twin as structs, for a pack as named facts.
//!
//! A row is drawn from its seed and number alone, so that one row can be looked at again without those before it.

#[path = "draw.rs"]
mod draw;

use rust_decimal::Decimal;
use tcg_radar::{
    domain::{
        card::{Edition, Language, Printing},
        condition::{Grade, Scale},
        market::{Direction, Market, Zone},
        money::{Currency, RateOrigin, Rates},
    },
    rules::value::Value,
};

use self::draw::Draw;

/// The one day that the twin holds for.
pub const DATE: &str = "2026-05-01";

/// What a fact of the pack is made of.
trait AsFact {
    fn value(self) -> Value;
}

macro_rules! as_fact {
    ($($kind:ty: $one:ident => $value:expr;)*) => { $(impl AsFact for $kind { fn value(self) -> Value { let $one = self; $value } })* };
}

as_fact! {
    Decimal: number => Value::Decimal(number);
    i64: number => Value::Integer(number);
    bool: truth => Value::Bool(truth);
    &'static str: text => Value::Text(text.into());
    Currency: member => Value::Text(member.code().into());
    Printing: member => Value::Text(member.as_str().into());
    Edition: member => Value::Text(member.as_str().into());
    Language: member => Value::Text(member.as_str().into());
    Scale: member => Value::Text(member.as_str().into());
    Grade: member => Value::Text(member.as_str().into());
    Market: member => Value::Text(member.as_str().into());
    Zone: member => Value::Text(member.as_str().into());
}

/// Declares inputs whose fields are named as the pack's facts; `None` is "nobody knows".
macro_rules! inputs {
    ($(#[$meta:meta])* $name:ident { $($field:ident: $kind:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone)]
        pub struct $name { $(pub $field: Option<$kind>),* }

        impl $name {
            /// The same as named facts of a pack.
            pub fn facts(&self) -> Vec<(&'static str, Value)> {
                vec![$((stringify!($field), self.$field.map_or(Value::Unknown, AsFact::value))),*]
            }
        }
    };
}

inputs! {
    /// A card, the two prices, and what is known about both.
    Route {
        set_code: &'static str, set_age_days: i64, reprint_rumored: bool, regulation_mark: &'static str, standard_legality: &'static str,
        event_live: bool, sales_30d: i64, active_listings: i64,
        buy_market: Market, sell_market: Market, origin: Zone,
        buy_card_id: &'static str, sell_card_id: &'static str, buy_id_claims: i64, sell_id_claims: i64, id_verified: bool,
        buy_printing: Printing, sell_printing: Printing, buy_edition: Edition, sell_edition: Edition,
        buy_language: Language, sell_language: Language, condition_scale: Scale, condition: Grade,
        buy_price: Decimal, buy_shipping: Decimal, buy_low: Decimal,
        sell_price: Decimal, sell_price_lp: Decimal, sell_price_mp: Decimal, sell_price_hp: Decimal, sell_low: Decimal,
        buy_age_hours: Decimal, sell_age_hours: Decimal,
        seller_known: bool, seller_rating: Decimal, seller_sales: i64,
        sell_price_changes_30d: i64, sell_points_30d: i64,
        sell_daily_change_7d: Decimal, sell_trend_points: i64, sell_trend_hours: Decimal,
        buy_jump_ratio: Decimal, sell_jump_ratio: Decimal, buy_days_unchanged: i64, sell_days_unchanged: i64,
        buy_cross_source_ratio: Decimal, sell_cross_source_ratio: Decimal,
        buy_feed_jump_share: Decimal, sell_feed_jump_share: Decimal, buy_feed_frozen_share: Decimal, sell_feed_frozen_share: Decimal,
    }
}

inputs! {
    /// A tenant in one direction of trade.
    #[expect(clippy::struct_field_names, reason = "the fields are named as the pack's facts, `tenant_country` among them")]
    Tenant {
        tenant_country: &'static str, destination: Zone, home_currency: Currency,
        buy_rate: Decimal, sell_rate: Decimal, cost_rate: Decimal, proceeds_rate: Decimal,
        rate_eur: Decimal, rate_usd: Decimal, rate_gbp: Decimal, forex_buffer: Decimal,
        seller_level: &'static str, vat_registered: bool, import_duty_rate: Decimal, use_forwarder: bool,
        forwarder_receiving_fee: Decimal, forwarder_consolidation_fee: Decimal, forwarder_outbound: Decimal, insurance_rate: Decimal,
        direction_wanted: bool, set_excluded: bool, category_wanted: bool, investment_wanted: bool, condition_floor: Grade,
        min_profit_threshold: Decimal, min_headache_score: Decimal, min_seller_rating: Decimal, min_seller_sales: i64, min_score: Decimal,
    }
}

impl Route {
    /// The route of that number. Of a thousand facts, `odd` are at a bound, absurd or unknown.
    pub fn draw(seed: u64, number: u64, direction: Direction, odd: i64) -> Self {
        let d = &mut Draw::new(seed, number, odd);
        let (buy_market, sell_market) = (direction.buy_market(), direction.sell_market());
        let sell_market = if sell_market == Market::Tcgplayer && d.chance(200) { Market::Ebay } else { sell_market };
        let scale = if buy_market == Market::Cardmarket { Scale::Cardmarket } else { Scale::Tcgplayer };
        let grades: &[Grade] = match scale {
            Scale::Cardmarket => &[Grade::NearMint, Grade::NearMint, Grade::NearMint, Grade::Mint, Grade::Excellent, Grade::Good],
            Scale::Tcgplayer => &[Grade::NearMint, Grade::NearMint, Grade::NearMint, Grade::LightPlayed, Grade::ModeratelyPlayed],
        };
        let cards = ["sv1-25", "swsh7-215"];
        let (card, printing) = (*d.among(&cards), *d.among(&[Printing::Holofoil, Printing::Normal, Printing::ReverseHolofoil]));
        let (edition, language) = (*d.among(&[Edition::Standard, Edition::Unlimited]), Language::English);
        // in cents; most spreads are narrow
        let buy = d.price();
        let sell = if d.chance(700) { d.scaled(buy, 800, 1_600) } else { d.scaled(buy, 1_500, 4_000) };
        let (buy_low, sell_low) = (d.scaled(buy, 600, 1_100), d.scaled(sell, 400, 1_100));
        let own = |d: &mut Draw, per_mille| {
            let fits = d.scaled(sell, per_mille, per_mille + 150);
            d.often(250).and_then(|()| d.cents(fits, &[sell, sell + 1]))
        };
        let (lp, mp, hp) = (own(d, 780), own(d, 650), own(d, 500));
        let seller = d.chance(400);
        Self {
            set_code: d.text("sv1", &["svp", "mcd22", "pop5", "fut20", "sv01", ""]),
            set_age_days: d.count("set_age_days", 0, 900, &[0, 30, 60, 90, 36_500]),
            reprint_rumored: d.truth(50),
            regulation_mark: d.mark(),
            standard_legality: d.text("Legal", &["Banned", "banned", ""]),
            event_live: d.truth(20),
            sales_30d: d.often(600).and_then(|()| d.count("sales_30d", 0, 90, &[0, 3, 1_000_000_000])),
            active_listings: d.often(600).and_then(|()| d.count("active_listings", 0, 60, &[0, 1, 1_000_000_000])),
            buy_market: d.member(buy_market, Market::ALL),
            sell_market: d.member(sell_market, Market::ALL),
            origin: d.member(buy_market.zone(), Zone::ALL),
            buy_card_id: d.text(card, &cards),
            sell_card_id: d.text(card, &["sv1-25", "swsh7-215", ""]),
            buy_id_claims: d.count("buy_id_claims", 1, 1, &[1, 4]),
            sell_id_claims: d.count("sell_id_claims", 1, 1, &[1, 4]),
            id_verified: d.truth(950),
            buy_printing: d.member(printing, Printing::ALL),
            sell_printing: d.member(printing, Printing::ALL),
            buy_edition: d.member(edition, Edition::ALL),
            sell_edition: d.member(edition, Edition::ALL),
            buy_language: d.member(language, Language::ALL),
            sell_language: d.member(language, Language::ALL),
            condition_scale: d.member(scale, Scale::ALL),
            condition: {
                let grade = *d.among(grades);
                d.member(grade, Grade::ALL)
            },
            buy_price: d.cents(buy, &[0, 1, 2_000, 2_500, 5_000, 13_500, 15_000, sell / 10, 1_000_000_000]),
            buy_shipping: d.often(500).and_then(|()| {
                let asked = d.between(0, 1_500);
                d.cents(asked, &[0, 1_000_000_000])
            }),
            buy_low: d.cents(buy_low, &[0, buy * 2, 1_000_000_000]),
            sell_price: d.cents(sell, &[0, 1, 930, 1_000, 2_500, 5_000, 69_767, 200_000, 697_545, 750_000, buy * 10, 1_000_000_000]),
            sell_price_lp: lp,
            sell_price_mp: mp,
            sell_price_hp: hp,
            sell_low: d.cents(sell_low, &[0, sell / 10, sell / 4]),
            buy_age_hours: d.decimal("buy_age_hours", 0, 60_000, &[10_000, 20_000, 40_000, 1_680_000]),
            sell_age_hours: d.decimal("sell_age_hours", 0, 60_000, &[10_000, 20_000, 40_000, 1_680_000]),
            seller_known: if seller { d.truth(980) } else { d.truth(0) },
            seller_rating: d
                .often(if seller { 1_000 } else { 100 })
                .and_then(|()| d.decimal("seller_rating", 9_750, 10_000, &[0, 9_700, 10_000])),
            seller_sales: d.often(if seller { 1_000 } else { 100 }).and_then(|()| d.count("seller_sales", 100, 9_000, &[0, 100])),
            sell_price_changes_30d: d.count("sell_price_changes_30d", 0, 30, &[0, 7]),
            sell_points_30d: d.count("sell_points_30d", 5, 30, &[0, 7]),
            sell_daily_change_7d: d.decimal("sell_daily_change_7d", -120_000, 120_000, &[-100_000, 0, 100_000, -1_000_000_000]),
            sell_trend_points: d.count("sell_trend_points", 2, 8, &[0, 3]),
            sell_trend_hours: d.decimal("sell_trend_hours", 230_000, 1_700_000, &[0, 240_000]),
            buy_jump_ratio: d
                .often(900)
                .and_then(|()| d.decimal("buy_jump_ratio", 850_000, 1_200_000, &[0, 333_333, 800_000, 1_250_000, 3_000_000])),
            sell_jump_ratio: d
                .often(900)
                .and_then(|()| d.decimal("sell_jump_ratio", 850_000, 1_200_000, &[0, 333_333, 800_000, 1_250_000, 3_000_000])),
            buy_days_unchanged: d.count("buy_days_unchanged", 0, 9, &[0, 7]),
            sell_days_unchanged: d.count("sell_days_unchanged", 0, 9, &[0, 7]),
            buy_cross_source_ratio: d
                .often(500)
                .and_then(|()| d.decimal("buy_cross_source_ratio", 900_000, 1_100_000, &[0, 500_000, 2_000_000])),
            sell_cross_source_ratio: d
                .often(500)
                .and_then(|()| d.decimal("sell_cross_source_ratio", 900_000, 1_100_000, &[0, 500_000, 2_000_000])),
            buy_feed_jump_share: d.decimal("buy_feed_jump_share", 0, 20_000, &[50_000, 1_000_000]),
            sell_feed_jump_share: d.decimal("sell_feed_jump_share", 0, 20_000, &[50_000, 1_000_000]),
            buy_feed_frozen_share: d.decimal("buy_feed_frozen_share", 100_000, 500_000, &[900_000, 1_000_000]),
            sell_feed_frozen_share: d.decimal("sell_feed_frozen_share", 100_000, 500_000, &[900_000, 1_000_000]),
        }
    }
}

/// Countries with the zone and account of a tenant who lives there.
const HOMES: [(&str, Zone, Currency); 10] = [
    ("US", Zone::Us, Currency::Usd),
    ("US", Zone::Us, Currency::Usd),
    ("US", Zone::Us, Currency::Eur),
    ("DE", Zone::Eu, Currency::Eur),
    ("FI", Zone::Eu, Currency::Eur),
    ("FR", Zone::Eu, Currency::Usd),
    ("GB", Zone::Uk, Currency::Gbp),
    ("SG", Zone::Sea, Currency::Usd),
    ("BN", Zone::Sea, Currency::Eur),
    ("CH", Zone::Other, Currency::Usd),
];
const COUNTRIES: [&str; 42] = [
    "AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE", "IT", "LV", "LT", "LU", "MT", "NL", "PL", "PT",
    "RO", "SK", "SI", "ES", "SE", "US", "GB", "BN", "KH", "ID", "LA", "MY", "MM", "PH", "SG", "TH", "TL", "VN", "CH", "",
];

impl Tenant {
    /// The tenant of that number. Of a thousand facts, `odd` are at a bound, absurd or unknown.
    pub fn draw(seed: u64, number: u64, direction: Direction, odd: i64) -> Self {
        let d = &mut Draw::new(seed ^ u64::MAX, number, odd);
        let (country, zone, home) = *d.among(&HOMES);
        let (buy, sell) = (direction.buy_market().currency(), direction.sell_market().currency());
        let rates = Rates {
            usd_per_eur: Decimal::new(d.between(10_000, 12_000), 4),
            gbp_per_eur: Some(Decimal::new(d.between(8_200, 8_900), 4)),
            origin: RateOrigin { date: DATE.parse().unwrap(), source: "drawn".to_owned() },
        };
        let buffer = Decimal::new(d.between(0, 400), 4);
        let forwarder = d.chance(700);
        let fee = |d: &mut Draw, low, high| {
            d.often(if forwarder { 900 } else { 0 }).and_then(|()| {
                let asked = d.between(low, high);
                d.cents(asked, &[0, 1_000_000_000])
            })
        };
        let (receiving, consolidation, outbound) = (fee(d, 0, 600), fee(d, 0, 1_000), fee(d, 500, 2_000));
        Self {
            tenant_country: d.text(country, &COUNTRIES),
            destination: d.member(zone, Zone::ALL),
            home_currency: d.member(home, &Currency::ALL),
            buy_rate: d.rate(rates.market(buy, home)),
            sell_rate: d.rate(rates.market(sell, home)),
            cost_rate: d.rate(rates.cost(buy, home, buffer)),
            proceeds_rate: d.rate(rates.proceeds(sell, home, buffer)),
            rate_eur: d.rate(rates.market(Currency::Eur, home)),
            rate_usd: d.rate(rates.market(Currency::Usd, home)),
            rate_gbp: d.rate(rates.market(Currency::Gbp, home)),
            forex_buffer: d.exactly(buffer, &[Decimal::ZERO, Decimal::ONE]),
            seller_level: d.text("level_1", &["pro", "tcgplayer_pro", "top_rated", "ebay_top_rated", ""]),
            vat_registered: d.truth(200),
            import_duty_rate: d.often(150).and_then(|()| d.decimal("import_duty_rate", 0, 300, &[0, 10_000])),
            use_forwarder: if forwarder { d.truth(1_000) } else { d.truth(0) },
            forwarder_receiving_fee: receiving,
            forwarder_consolidation_fee: consolidation,
            forwarder_outbound: outbound,
            insurance_rate: d.often(300).and_then(|()| d.decimal("insurance_rate", 0, 500, &[0, 10_000])),
            direction_wanted: d.truth(950),
            set_excluded: d.truth(30),
            category_wanted: d.truth(950),
            investment_wanted: d.truth(400),
            condition_floor: d.often(300).and_then(|()| {
                d.member(Grade::Good, &[Grade::Mint, Grade::NearMint, Grade::Excellent, Grade::Good, Grade::LightPlayed, Grade::Played])
            }),
            min_profit_threshold: d.often(500).and_then(|()| d.decimal("min_profit_threshold", 100, 2_000, &[-1_000_000_000, 0, 500])),
            min_headache_score: d.often(500).and_then(|()| d.decimal("min_headache_score", 100, 2_000, &[-100_000_000, 0, 500])),
            min_seller_rating: d.often(200).and_then(|()| d.decimal("min_seller_rating", 9_500, 9_900, &[0, 10_000])),
            min_seller_sales: d.often(200).and_then(|()| d.count("min_seller_sales", 50, 1_000, &[0, 100])),
            min_score: d.often(200).and_then(|()| d.decimal("min_score", 0, 10_000, &[0, 500])),
        }
    }
}

/// How many cards of the same seller count; 0 can't be, and is a fault.
pub fn seller_density(seed: u64, number: u64, odd: i64) -> i64 {
    let d = &mut Draw::new(seed.rotate_left(32), number, odd);
    let usual = if d.chance(600) { 1 } else { d.between(1, 7) };
    d.odd(usual, &[0, 1, 2, 3, 5, 40])
}
