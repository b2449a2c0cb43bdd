//! Offers as the texts of a page's markup, and the averages of its chart.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Value as Json;

use super::{
    figures::{self, Refusal},
    intercept::figure,
    offers::{self, Refused},
};
use crate::domain::{
    card::{Edition, Language, Printing},
    page::{Method, Offer, Reach, Sight, USUAL},
};

/// Days of a chart that are read.
const MOST_DAYS: usize = 92;

/// The texts of one offer, each as it stands there; `None` where there is no such element.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    pub price: Option<String>,
    pub seller: Option<String>,
    pub rating: Option<String>,
    pub sales: Option<String>,
    pub condition: Option<String>,
    pub shipping: Option<String>,
    /// What the little pictures say: the language, `Reverse Holo`, `First Edition`, `Signed`.
    pub marks: Vec<String>,
}

/// What the rows of a page tell. `is_all`: there are no more behind them.
///
/// # Errors
/// No row has a price that can be; then another method is to be tried.
pub fn sight(rows: &[Row], is_all: bool) -> Result<Sight, Refusal> {
    let mut refused = Refused::default();
    let mut read = Vec::new();
    for row in rows {
        match offer(row) {
            Ok(None) => {}
            Ok(Some(offer)) => read.push(offer),
            Err(reason) => refused.keep(Err(reason), &mut read),
        }
    }
    let Some(dearest) = read.iter().map(|offer| offer.price).max() else {
        return Err(refused.reason.unwrap_or_else(|| "the markup holds no price".to_owned()));
    };
    let reach = match (refused.is_none(), is_all) {
        (true, true) => Reach::All,
        (true, false) => Reach::Below(dearest),
        (false, _) => Reach::Some,
    };
    Ok(Sight { method: Method::Selectors, offers: offers::cheapest_of_each(read), reach, averages: Vec::new(), others: Vec::new() })
}

/// `None`: an altered copy is not the card that we price.
fn offer(row: &Row) -> Result<Option<Offer>, Refusal> {
    let mut finish = USUAL;
    for mark in row.marks.iter().map(|mark| mark.trim().to_ascii_lowercase()) {
        match mark.as_str() {
            "signed" | "altered" => return Ok(None),
            "reverse holo" => finish.printing = Printing::ReverseHolofoil,
            "first edition" => finish.edition = Edition::First,
            other => finish.language = language(other).unwrap_or(finish.language),
        }
    }
    let filled = |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    Ok(Some(Offer {
        seller: filled(&row.seller).map(|name| offers::seller(&name)).transpose()?,
        rating: filled(&row.rating).map_or(Ok(None), |text| figures::percentage(&text))?,
        sales: filled(&row.sales).map_or(Ok(None), |text| figures::count(&text))?,
        condition: filled(&row.condition).map(|text| offers::condition(&text)).transpose()?,
        finish,
        price: filled(&row.price).map_or(Ok(None), |text| figures::price(&text))?.ok_or("an offer without a price")?,
        shipping: filled(&row.shipping).map_or(Ok(None), |text| figures::postage(&text))?,
    }))
}

fn language(name: &str) -> Option<Language> {
    Some(match name {
        "english" => Language::English,
        "japanese" => Language::Japanese,
        "german" => Language::German,
        "french" => Language::French,
        "italian" => Language::Italian,
        "spanish" => Language::Spanish,
        "portuguese" => Language::Portuguese,
        "korean" => Language::Korean,
        "s-chinese" | "t-chinese" => Language::Chinese,
        _ => return None,
    })
}

#[derive(Deserialize)]
struct Chart {
    labels: Vec<String>,
    datasets: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    data: Vec<Json>,
}

/// The daily averages in the text of a chart's script. Days without a price, and days that are not over, are left out.
pub fn averages(script: &str, now: DateTime<Utc>) -> Vec<(NaiveDate, Decimal)> {
    let Some(start) = script.find("{\"labels\"") else { return Vec::new() };
    let chart = serde_json::Deserializer::from_str(&script[start..]).into_iter::<Chart>().next();
    let Some(Ok(Chart { labels, datasets })) = chart else { return Vec::new() };
    let Some(series) = datasets.first().filter(|series| series.data.len() == labels.len()) else { return Vec::new() };
    let days = labels.iter().zip(&series.data).take(MOST_DAYS);
    days.filter_map(|(label, value)| {
        let day = NaiveDate::parse_from_str(label, "%d.%m.%Y").ok().filter(|day| *day < now.date_naive())?;
        let price = figures::plausible_price(figure(value)?).ok()?;
        Some((day, price))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    fn row(seller: &str, price: &str, marks: &[&str]) -> Row {
        let text = |text: &str| Some(text.to_owned());
        Row {
            price: text(price),
            seller: text(seller),
            rating: text("99,5%"),
            sales: text("(1.234)"),
            condition: text(" EX "),
            shipping: text("1,15 €"),
            marks: marks.iter().map(|mark| (*mark).to_owned()).collect(),
        }
    }

    #[test]
    fn rows_are_offers_with_all_that_they_say_and_altered_copies_are_none() {
        let rows = [row("a", "1.234,56 €", &["English"]), row("b", "3,00 €", &["German", "Reverse Holo"]), row("c", "1,00 €", &["Signed"])];
        let sight = sight(&rows, true).unwrap();
        assert_eq!((sight.offers.len(), sight.reach), (2, Reach::All));
        let first = &sight.offers[0];
        assert_eq!((first.price.to_string(), first.sales, first.finish), ("1234.56".to_owned(), Some(1_234), USUAL));
        assert_eq!(first.condition.unwrap().to_string(), "EXC (cardmarket)");
        assert_eq!((first.rating.unwrap().to_string(), first.shipping.unwrap().to_string()), ("99.5".to_owned(), "1.15".to_owned()));
        assert_eq!(sight.offers[1].finish.printing, Printing::ReverseHolofoil);
        assert_eq!(sight.offers[1].finish.language, Language::German);
    }

    #[test]
    fn a_row_that_cannot_be_read_leaves_the_others_and_says_that_something_is_missing() {
        let good = sight(&[row("a", "4,00 €", &[]), row("b", "0,00 €", &[])], true).unwrap();
        assert_eq!((good.offers.len(), good.reach), (1, Reach::Some));
        let cut = sight(&[row("a", "4,00 €", &[])], false).unwrap();
        assert_eq!(cut.reach, Reach::Below(Decimal::new(400, 2)));
        assert!(sight(&[row("b", "-1,00 €", &[])], true).unwrap_err().contains("no price"));
        assert!(sight(&[], true).is_err());
    }

    #[test]
    fn the_chart_tells_the_averages_of_days_that_are_over() {
        let script = r#"window.chart = new Chart(x, {"labels":["22.11.2026","23.11.2026","24.11.2026","31.12.2099","x"],
            "datasets":[{"label":"Avg. Sell Price","data":[3.10,0,3.3,9,1]}]});"#;
        let now = "2026-11-24T12:00:00Z".parse().unwrap();
        assert_eq!(averages(script, now), [("2026-11-22".parse().unwrap(), Decimal::new(310, 2))]);
        for broken in
            ["", r#"{"labels":["22.11.2026"],"datasets":[]}"#, r#"{"labels":["22.11.2026"],"datasets":[{"data":[]}]}"#, r#"{"labels":"#]
        {
            assert_eq!(averages(broken, now), [], "{broken}");
        }
    }
}
