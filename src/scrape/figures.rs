//! Figures as pages print them: `1.234,56 €`, `€1,250.00`, `2 499,00 €`, `99,5%`, `(1,2k)`. Exact, and refused rather than
//! guessed.

use rust_decimal::Decimal;

/// A dearer card has never been sold.
const DEAREST: u32 = 1_000_000;
/// Lifetime sales of a seller; more is a fault of the page.
const MOST_SALES: i64 = 100_000_000;

/// Why a text is no figure.
pub type Refusal = String;

/// A price in euro: above 0, and what a card can cost. `None` where the text holds no number.
///
/// # Errors
/// A number that no price can be.
pub fn price(text: &str) -> Result<Option<Decimal>, Refusal> {
    if text.contains(['$', '£', '¥']) {
        return Err(format!("\"{}\" is not in euro", shortened(text)));
    }
    number(text)?.map(|figure| plausible_price(figure.value)).transpose()
}

/// Postage in euro: as a price, but 0 is one.
///
/// # Errors
/// A number that no postage can be.
pub fn postage(text: &str) -> Result<Option<Decimal>, Refusal> {
    if text.contains(['$', '£', '¥']) {
        return Err(format!("\"{}\" is not in euro", shortened(text)));
    }
    number(text)?.map(|figure| plausible_postage(figure.value)).transpose()
}

/// A percentage from 0 to 100.
///
/// # Errors
/// A number outside of it.
pub fn percentage(text: &str) -> Result<Option<Decimal>, Refusal> {
    number(text)?.map(|figure| plausible_rating(figure.value)).transpose()
}

/// A count; `1.5k` is 1500.
///
/// # Errors
/// A number that is no count.
pub fn count(text: &str) -> Result<Option<i64>, Refusal> {
    let Some(figure) = number(text)? else { return Ok(None) };
    let value = if figure.in_thousands { figure.value * Decimal::ONE_THOUSAND } else { figure.value };
    let whole = i64::try_from(value).ok().filter(|_| value.fract().is_zero());
    whole.ok_or_else(|| format!("{value} is not a count")).and_then(plausible_sales).map(Some)
}

/// Any number: its sign and every digit of it.
///
/// # Errors
/// Separators that fit no way of writing, or more digits than anything here has.
pub fn decimal(text: &str) -> Result<Option<Decimal>, Refusal> {
    Ok(number(text)?.map(|figure| figure.value))
}

/// # Errors
/// 0, negative, or above what a card has ever cost.
pub fn plausible_price(figure: Decimal) -> Result<Decimal, Refusal> {
    if figure <= Decimal::ZERO || figure > Decimal::from(DEAREST) || figure.normalize().scale() > 2 {
        return Err(format!("{figure} is no price: above 0, at most {DEAREST}, in whole cents"));
    }
    Ok(figure)
}

/// # Errors
/// Negative, or above what a parcel has ever cost.
pub fn plausible_postage(figure: Decimal) -> Result<Decimal, Refusal> {
    if figure.is_zero() { Ok(Decimal::ZERO) } else { plausible_price(figure) }
}

/// # Errors
/// Not a percentage.
pub fn plausible_rating(figure: Decimal) -> Result<Decimal, Refusal> {
    if figure < Decimal::ZERO || figure > Decimal::ONE_HUNDRED {
        return Err(format!("{figure} is no percentage"));
    }
    Ok(figure)
}

/// # Errors
/// Negative, or more than anybody has sold.
pub fn plausible_sales(count: i64) -> Result<i64, Refusal> {
    if (0..=MOST_SALES).contains(&count) { Ok(count) } else { Err(format!("{count} is no number of sales")) }
}

/// The beginning of a text, for a message.
pub fn shortened(text: &str) -> String {
    text.chars().take(40).map(|letter| if letter.is_control() { '·' } else { letter }).collect()
}

struct Figure {
    value: Decimal,
    in_thousands: bool,
}

/// The first number of a text.
fn number(text: &str) -> Result<Option<Figure>, Refusal> {
    // what is drawn between two digits, or turns their order round, is not what is read
    if text.chars().any(is_unseen) {
        return Err(format!("\"{}\" holds letters that are not seen", shortened(text)));
    }
    let letters: Vec<char> = text.chars().map(|letter| if letter.is_whitespace() { ' ' } else { letter }).collect();
    let Some(first) = letters.iter().position(char::is_ascii_digit) else { return Ok(None) };
    let starts_with_point = first > 0 && is_separator(letters[first - 1]) && !letters[..first - 1].last().is_some_and(char::is_ascii_digit);
    let start = if starts_with_point { first - 1 } else { first };
    let mut end = first;
    while end < letters.len() && (letters[end].is_ascii_digit() || joins(&letters, end)) {
        end += 1;
    }
    let run = &letters[start..end];
    let value = read(run).ok_or_else(|| format!("\"{}\" is not a number", shortened(text)))?;
    let sign = letters[..start].iter().rev().find(|letter| **letter != ' ' && **letter != '€');
    let is_negative = matches!(sign, Some('-' | '−' | '–')) && !letters[..start].iter().any(|letter| letter.is_alphanumeric());
    let in_thousands = matches!(letters.get(end), Some('k' | 'K'));
    Ok(Some(Figure { value: if is_negative { -value } else { value }, in_thousands }))
}

const fn is_separator(letter: char) -> bool {
    matches!(letter, '.' | ',')
}

/// Whether what stands here is part of the number around it: a separator before a digit, a blank or apostrophe before
/// three of them.
fn joins(letters: &[char], at: usize) -> bool {
    let digits = letters[at + 1..].iter().take_while(|letter| letter.is_ascii_digit()).count();
    match letters[at] {
        '.' | ',' => digits > 0,
        ' ' | '\'' | '’' => digits == 3 && letters[at - 1].is_ascii_digit(),
        _ => false,
    }
}

/// The last separator is the decimal one if one or two digits follow it; all others stand before groups of three.
fn read(run: &[char]) -> Option<Decimal> {
    let parts: Vec<String> = run.split(|letter| !letter.is_ascii_digit()).map(|part| part.iter().collect()).collect();
    let marks: Vec<char> = run.iter().copied().filter(|letter| !letter.is_ascii_digit()).collect();
    let has_decimals = marks.last().is_some_and(|mark| is_separator(*mark)) && parts.last().is_some_and(|part| part.len() <= 2);
    let (whole, decimals) = if has_decimals { parts.split_at(parts.len() - 1) } else { (&parts[..], &[][..]) };
    let groups = &marks[..whole.len() - 1];
    let grouped = whole[1..].iter().all(|group| group.len() == 3)
        && (whole.len() == 1 || (1..=3).contains(&whole[0].len()))
        && groups.windows(2).all(|two| two[0] == two[1])
        && groups.first().is_none_or(|group| !has_decimals || marks.last() != Some(group));
    if !grouped {
        return None;
    }
    let digits = whole.concat();
    let digits = if digits.is_empty() { "0" } else { &digits };
    Decimal::from_str_exact(&decimals.iter().fold(digits.to_owned(), |text, part| format!("{text}.{part}"))).ok()
}

/// Letters that take no room, or change the direction of writing.
fn is_unseen(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || (letter.is_control() && !letter.is_whitespace())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use proptest::prelude::*;

    use super::*;

    fn told(text: &str) -> String {
        price(text).unwrap().unwrap().to_string()
    }

    #[test]
    fn european_and_english_prices_are_read_to_the_cent() {
        for (text, expected) in [
            ("1.234,56 €", "1234.56"),
            ("€1,250.00", "1250.00"),
            ("2 499,00 €", "2499.00"),
            ("2\u{a0}499,00\u{202f}€", "2499.00"),
            ("1'250.50 CHF", "1250.50"),
            ("1.000 €", "1000"),
            (".50", "0.50"),
            ("From 3,20 €", "3.20"),
            ("0,02 €", "0.02"),
            ("12,5 €", "12.5"),
            ("1.000.000,00 €", "1000000.00"),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
        assert_eq!(price("–"), Ok(None));
        assert_eq!(price("ask me"), Ok(None));
    }

    #[test]
    fn what_no_card_can_cost_is_refused_with_the_reason() {
        assert_eq!(price("0,00 €").unwrap_err(), "0.00 is no price: above 0, at most 1000000, in whole cents");
        assert_eq!(price("-5,00 €").unwrap_err(), "-5.00 is no price: above 0, at most 1000000, in whole cents");
        assert_eq!(price("−5,00 €").unwrap_err(), price("€ -5,00").unwrap_err());
        assert!(price("1000000000000").is_err());
        assert!(price("1.000.000.000.000,00 €").is_err());
        assert_eq!(price("$5.00").unwrap_err(), "\"$5.00\" is not in euro");
        assert_eq!(price("1.2345,00 €").unwrap_err(), "\"1.2345,00 €\" is not a number");
        assert!(price("1,234.567.890").is_err());
        assert!(price("1.23.45").is_err());
        assert!(price("1\u{200b}0,00 €").unwrap_err().contains("not seen"));
        assert!(price("\u{202e}00,51 €").unwrap_err().contains("not seen"));
        assert!(price(&"9".repeat(400)).is_err());
    }

    #[test]
    fn counts_percentages_and_postage_have_bounds_of_their_own() {
        assert_eq!(count("12 345 Sales"), Ok(Some(12_345)));
        assert_eq!(count("1.5k"), Ok(Some(1_500)));
        assert_eq!(count("12K"), Ok(Some(12_000)));
        assert!(count("1,5").is_err());
        assert!(count("-3").is_err());
        assert_eq!(percentage("99,5%").unwrap().unwrap().to_string(), "99.5");
        assert!(percentage("100,01 %").is_err());
        assert_eq!(postage("0,00 €"), Ok(Some(Decimal::ZERO)));
        assert!(postage("-1,00 €").is_err());
        // a hyphen between words is no sign
        assert_eq!(count("top-seller 12").unwrap(), Some(12));
    }

    proptest! {
        #[test]
        fn any_text_is_a_price_none_or_a_reason(text in "\\PC{0,40}") {
            if let Ok(Some(figure)) = price(&text) {
                prop_assert!(figure > Decimal::ZERO && figure <= Decimal::from(DEAREST));
            }
        }

        #[test]
        fn what_is_printed_in_either_way_is_read_back(cents in 1_i64..100_000_000) {
            let value = Decimal::new(cents, 2);
            let (whole, part) = (cents / 100, cents % 100);
            let grouped = |mark: &str| {
                let digits = whole.to_string();
                let head = digits.len() % 3;
                let mut groups: Vec<&str> = (head..digits.len()).step_by(3).map(|at| &digits[at..at + 3]).collect();
                if head > 0 { groups.insert(0, &digits[..head]); }
                groups.join(mark)
            };
            for text in [format!("{},{part:02} €", grouped(".")), format!("€{}.{part:02}", grouped(",")), format!("{},{part:02} €", grouped(" "))] {
                prop_assert_eq!(price(&text).unwrap().unwrap(), value, "{}", text);
            }
        }
    }
}
