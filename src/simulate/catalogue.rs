//! The invented sets and cards of the simulated market: ids and fields in the form of real ones, no real data.

use chrono::{Days, NaiveDate};

use super::{
    Parameters,
    dice::{Dice, Purpose},
};
use crate::domain::{
    card::{BadCardId, Card, CardId, CardSet},
    market::Market,
};

/// A set of cards with what its metadata does not say, or not for certain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleasedSet {
    pub set: CardSet,
    pub release_date: NaiveDate,
    pub regulation_mark: Option<&'static str>,
}

impl ReleasedSet {
    fn new(series: &str, code: String, name: String, release_date: NaiveDate, regulation_mark: Option<&'static str>) -> Self {
        let set = CardSet {
            ptcgo_code: Some(code.to_ascii_uppercase()),
            set_code: code,
            name,
            series: Some(series.to_owned()),
            printed_total: None,
            total: None,
            release_date: Some(release_date),
            updated_at: None,
        };
        Self { set, release_date, regulation_mark }
    }
}

/// How rare a card is, which decides its price and in which finishes it exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rarity {
    Common,
    Uncommon,
    Rare,
    HoloRare,
    UltraRare,
    IllustrationRare,
    SpecialIllustrationRare,
}

impl Rarity {
    /// Each with its share of a set in 1,000 and its price range in euro cents.
    const TABLE: [(Self, &'static str, i64, (i64, i64)); 7] = [
        (Self::Common, "Common", 240, (10, 80)),
        (Self::Uncommon, "Uncommon", 180, (15, 150)),
        (Self::Rare, "Rare", 140, (30, 400)),
        (Self::HoloRare, "Rare Holo", 140, (100, 1_500)),
        (Self::UltraRare, "Ultra Rare", 130, (300, 6_000)),
        (Self::IllustrationRare, "Illustration Rare", 100, (1_000, 15_000)),
        (Self::SpecialIllustrationRare, "Special Illustration Rare", 70, (2_500, 40_000)),
    ];

    fn row(self) -> &'static (Self, &'static str, i64, (i64, i64)) {
        &Self::TABLE[self as usize]
    }

    fn draw(dice: &mut Dice) -> Self {
        let mut left = dice.between(0, 999);
        for (rarity, _, share, _) in Self::TABLE {
            left -= share;
            if left < 0 {
                return rarity;
            }
        }
        Self::Common
    }

    /// Printed with the foil only: no normal and no reverse copy.
    pub fn foil_only(self) -> bool {
        matches!(self, Self::UltraRare | Self::IllustrationRare | Self::SpecialIllustrationRare)
    }

    pub fn holofoil(self) -> bool {
        self == Self::HoloRare || self.foil_only()
    }
}

/// A card with what the simulation knows beside its metadata.
#[derive(Debug, Clone)]
pub struct Item {
    pub card: Card,
    pub rarity: Rarity,
    pub release: NaiveDate,
    /// The value around which its price moves, in millionths of a euro.
    pub base: i64,
}

/// An era of sets: series name, code, mark, year of the first set, how many years.
type Era = (&'static str, &'static str, Option<&'static str>, i32, u32);

const ERAS: [Era; 9] = [
    ("Old Harbour", "ohb", None, 1999, 5),
    ("Silver Mill", "slm", None, 2006, 6),
    ("Amber Dawn", "amd", Some("D"), 2019, 1),
    ("Crystal Fen", "cfn", Some("E"), 2020, 2),
    ("Dusk Meadow", "dsk", Some("F"), 2021, 2),
    ("Glass Peak", "glp", Some("G"), 2023, 1),
    ("Hollow Tide", "htd", Some("H"), 2024, 1),
    ("Iron Bloom", "irb", Some("I"), 2025, 1),
    ("Jade Circuit", "jdc", Some("J"), 2026, 1),
];

const HEADS: [&str; 24] = [
    "Bram", "Cindr", "Dap", "Embr", "Fenn", "Glim", "Hask", "Ilv", "Jor", "Kelp", "Lumin", "Moss", "Nim", "Oak", "Pyr", "Quil", "Rust",
    "Sylv", "Thorn", "Umbr", "Vex", "Wisp", "Yarr", "Zeph",
];
const TAILS: [&str; 20] = [
    "adon", "beak", "caro", "drift", "elk", "fang", "goth", "horn", "ibex", "jaw", "kit", "lynx", "mite", "newt", "otter", "puff", "quill",
    "ram", "stag", "tail",
];

/// The sets that are out by the last day, oldest first; one of them appears inside a window of nine days or more.
pub fn sets(parameters: &Parameters) -> Vec<ReleasedSet> {
    let wanted = (parameters.cards / 40).clamp(9, 320);
    let per_era = wanted / 9;
    let mut sets = Vec::new();
    for (series, code, mark, first_year, years) in ERAS {
        for number in 0..per_era {
            let year_days = u64::from(years) * 365;
            let Some(first) = NaiveDate::from_ymd_opt(first_year, 1, 20) else { continue };
            let release_date = first + Days::new(year_days * u64::from(number) / u64::from(per_era));
            let (code, name) = (format!("{code}{}", number + 1), format!("{series} {}", roman(number + 1)));
            sets.push(ReleasedSet::new(series, code, name, release_date, mark));
        }
    }
    sets.retain(|set| set.release_date < parameters.first_day());
    if parameters.days >= 9 {
        let release_date = parameters.end - Days::new(u64::from(parameters.days / 3));
        let regulation_mark = sets.iter().rev().find_map(|set| set.regulation_mark);
        sets.push(ReleasedSet::new("First Light", "new1".into(), "First Light".into(), release_date, regulation_mark));
    }
    sets
}

fn roman(number: u32) -> String {
    const NUMERALS: [(u32, &str); 9] = [(100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")];
    let mut left = number;
    let mut text = String::new();
    for (value, numeral) in NUMERALS {
        while left >= value {
            text.push_str(numeral);
            left -= value;
        }
    }
    text
}

/// The card of one index: it depends on nothing but the seed, the sets (not empty) and the index.
pub fn item(parameters: &Parameters, sets: &[ReleasedSet], index: usize) -> Result<Item, BadCardId> {
    let mut dice = Dice::new(parameters.seed, Purpose::Catalogue, index);
    let set = &sets[index % sets.len()];
    let number = index / sets.len() + 1;
    let rarity = Rarity::draw(&mut dice);
    let (_, rarity_name, _, (low, high)) = *rarity.row();
    // the first cards of the game are collected, not played
    let vintage = if set.regulation_mark.is_none() { 3 } else { 1 };
    let base = dice.doublings(low, high) * vintage * super::MICROS_A_CENT;
    let suffix = if rarity.foil_only() { " ex" } else { "" };
    let name = format!("{}{}{suffix}", dice.pick(&HEADS), dice.pick(&TAILS));
    let supertype = if dice.chance(850) { "Pokémon" } else { "Trainer" };
    let legal = matches!(set.regulation_mark, Some("G" | "H" | "I" | "J")).then(|| "Legal".to_owned());
    let card_id = CardId::new(&format!("{}-{number}", set.set.set_code))?;
    let card = Card {
        name,
        set_code: set.set.set_code.clone(),
        set_name: Some(set.set.name.clone()),
        card_number: Some(number.to_string()),
        rarity: Some(rarity_name.to_owned()),
        supertype: Some(supertype.to_owned()),
        regulation_mark: set.regulation_mark.map(str::to_owned),
        set_release_date: Some(set.release_date),
        legality_standard: legal,
        legality_expanded: Some("Legal".to_owned()),
        tcgplayer_url: None,
        cardmarket_url: None,
        image_url: None,
        card_id,
    };
    Ok(Item { card, rarity, release: set.release_date, base })
}

/// The number that a marketplace itself gives to a card. Gaps between the numbers, as in real catalogues.
pub fn product_id(market: Market, index: usize) -> String {
    match market {
        Market::Tcgplayer => (480_000 + index * 7 + index * 31 % 7).to_string(),
        Market::Cardmarket | Market::Ebay => (690_000 + index * 5 + index * 13 % 5).to_string(),
    }
}
