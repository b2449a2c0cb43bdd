//! The pack's parameters, as they stand on 2026-05-01.

use rust_decimal::Decimal;

/// `mantissa` with `scale` decimal places.
pub const fn dec(mantissa: u32, scale: u32) -> Decimal {
    Decimal::from_parts(mantissa, 0, 0, false, scale)
}

/// Days from 2026-05-01 until a mark leaves Standard; negative once it has left.
pub fn days_to_rotation(mark: &str) -> Option<i64> {
    match mark {
        // 2023-04-14, 2024-04-05, 2025-04-11, 2026-04-10
        "D" => Some(-1_113),
        "E" => Some(-756),
        "F" => Some(-385),
        "G" => Some(-21),
        _ => None,
    }
}

pub const ID_MAX_CLAIMS: i64 = 1;

pub const MAX_AGE_HOURS: Decimal = dec(168, 0);
pub const FROZEN_SHARE: Decimal = dec(9, 1);
pub const FROZEN_DAYS: i64 = 7;
pub const SUSPECT_BATCH_SHARE: Decimal = dec(5, 2);
pub const CONFIRMED_JUMP: Decimal = dec(125, 2);
pub const MAX_JUMP: Decimal = dec(30, 1);
pub const MAX_CROSS_SOURCE: Decimal = dec(20, 1);
pub const MAX_SPREAD: Decimal = dec(10, 0);
pub const MAX_LOW_OVER_PRICE: Decimal = dec(20, 1);
pub const MAX_PRICE_OVER_LOW: Decimal = dec(10, 0);
pub const CHEAP_OFFERS_ABOVE: Decimal = dec(40, 1);

pub const MIN_SELLER_RATING: Decimal = dec(970, 1);
pub const MIN_SELLER_SALES: i64 = 100;

pub const LIQUID_GOLD_FROM: Decimal = dec(15, 1);
pub const STANDARD_FLIP: Decimal = dec(5, 1);
pub const VELOCITY_WHEN_UNKNOWN: Decimal = dec(10, 1);
pub const ESTIMATE_WEIGHT: Decimal = dec(40, 1);
pub const ESTIMATE_CAP: Decimal = dec(15, 1);
pub const ESTIMATE_MIN_POINTS: i64 = 7;
pub const STALE_ABOVE_HOURS: Decimal = dec(4, 0);
pub const HYPE_BELOW_DAYS: i64 = 30;
pub const REPRINT_AFTER_DAYS: i64 = 60;
pub const REPRINT_MULTIPLIER: Decimal = dec(8, 1);
pub const DECAY_AFTER_DAYS: i64 = 60;

pub const FALLING_AT_MOST: Decimal = Decimal::from_parts(10, 0, 0, true, 2);
pub const RISING_AT_LEAST: Decimal = dec(10, 2);
pub const TREND_MIN_POINTS: i64 = 3;
pub const TREND_MIN_HOURS: Decimal = dec(24, 0);

pub const ROTATION_WINDOW: i64 = 42;
pub const ROTATION_RISK_WITHIN: i64 = 180;
pub const ROTATION_QUARANTINE: i64 = 42;
pub const ROTATION_OVERRIDE_SPREAD: Decimal = dec(40, 2);

/// Cards of one seller that make the signal one about the seller, and that make a parcel worth a forwarder.
pub const BUNDLE_FROM: i64 = 5;
pub const PARTIAL_BUNDLE_FROM: i64 = 2;

pub const INSURANCE_RATE: Decimal = dec(25, 3);
pub const NOISE_SHARE: Decimal = dec(10, 2);

// in US dollars
pub const CHEAP_BELOW: Decimal = dec(2_500, 2);
pub const RECEIVING: Decimal = dec(350, 2);
pub const CONSOLIDATION: Decimal = dec(750, 2);
pub const BOX_POSTAGE: Decimal = dec(1_600, 2);
pub const INSURED_ABOVE: Decimal = dec(3_000, 2);
pub const DEADZONE_FROM: Decimal = dec(5_000, 2);
pub const DEADZONE_TO: Decimal = dec(15_000, 2);
pub const MIN_PROFIT: Decimal = dec(500, 2);
pub const MIN_HEADACHE: Decimal = dec(5, 0);

// in euros
pub const SMALL_SINGLE_BELOW: Decimal = dec(2_000, 2);
pub const SMALL_SINGLE_DENSITY: i64 = 3;
/// The rule on small singles begins after 2026-05-01.
pub const SMALL_SINGLE_RULE: bool = false;

/// Import VAT or its like; a country that is not listed has none that we know.
pub fn vat_rate(country: &str) -> Option<Decimal> {
    Some(match country {
        "BN" => Decimal::ZERO,
        "TH" => dec(7, 2),
        "SG" => dec(9, 2),
        "MY" | "VN" | "KH" | "LA" => dec(10, 2),
        "ID" => dec(11, 2),
        "PH" => dec(12, 2),
        "LU" => dec(17, 2),
        "MT" => dec(18, 2),
        "CY" | "DE" => dec(19, 2),
        "AT" | "BG" | "FR" | "GB" => dec(20, 2),
        "BE" | "CZ" | "LV" | "LT" | "NL" | "RO" | "ES" => dec(21, 2),
        "IT" | "SI" => dec(22, 2),
        "IE" | "PL" | "PT" | "SK" => dec(23, 2),
        "EE" | "GR" => dec(24, 2),
        "HR" | "DK" | "SE" => dec(25, 2),
        "FI" => dec(255, 3),
        "HU" => dec(27, 2),
        _ => return None,
    })
}

/// Sets whose cards exist in several prints under one number.
pub fn is_promo_set(set_code: &str) -> bool {
    matches!(
        set_code,
        "basep"
            | "np"
            | "dpp"
            | "hsp"
            | "bwp"
            | "xyp"
            | "smp"
            | "swshp"
            | "svp"
            | "mep"
            | "pop1"
            | "pop2"
            | "pop3"
            | "pop4"
            | "pop5"
            | "pop6"
            | "pop7"
            | "pop8"
            | "pop9"
            | "mcd11"
            | "mcd12"
            | "mcd14"
            | "mcd15"
            | "mcd16"
            | "mcd17"
            | "mcd18"
            | "mcd19"
            | "mcd21"
            | "mcd22"
            | "fut20"
    )
}
