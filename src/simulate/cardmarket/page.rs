//! The stand-in's pages: the marketplace's own structure, with its figures in European dress.

use rust_decimal::Decimal;
use serde_json::{Value as Json, json};

use super::shelves::{Product, Ware};
use crate::simulate::vendors::number;

/// How a page brings its offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A script fetches the best offer.
    Data,
    /// A script fetches all of them.
    List,
    /// In the markup, in open shadow roots.
    Markup,
    /// Drawn, under names that mean nothing.
    Picture,
}

/// A product's page.
pub fn product(product: &Product, form: Form) -> String {
    let offers = match form {
        Form::Data => script("offer"),
        Form::List => script("offers"),
        Form::Markup if product.wares.is_empty() => {
            "<div class=\"table\"><p class=\"noResults text-center h3\">Sorry, no matches for your query</p></div>".to_owned()
        }
        Form::Markup => rows(&product.wares),
        Form::Picture => picture(&product.wares),
    };
    let chart = match form {
        Form::Picture => String::new(),
        _ => chart(product),
    };
    let (id, name) = (escaped(&product.id), escaped(&product.name));
    page(
        &format!("{name} | Cardmarket"),
        &format!(
            "<div class=\"page-title-container\"><h1>{name}</h1></div>
            <form data-ajax=\"true\"><input type=\"hidden\" name=\"idProduct\" value=\"{id}\"></form>{chart}
            <section id=\"table\" data-product=\"{id}\">{offers}</section>"
        ),
    )
}

/// Any page.
pub fn page(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title><style>body{{font:20px sans-serif}}</style></head>
        <body><main>{body}</main></body></html>"
    )
}

/// As the site's guard shows it.
pub fn challenge() -> String {
    page(
        "Just a moment...",
        "<h1>www.cardmarket.com</h1><p>Verifying you are human. This may take a few seconds.</p>
        <form id=\"challenge-form\" action=\"/?__cf_chl_f_tk=x\" method=\"POST\"></form>",
    )
}

/// The page asks the site for what it shows; the element keeps no text that selectors could read.
fn script(what: &str) -> String {
    format!(
        "<div id=\"offers\"></div><script>
        const table = document.getElementById('table');
        fetch('/api/products/' + table.dataset.product + '/{what}').then(answer => answer.json()).then(data => {{
            document.getElementById('offers').dataset.loaded = String((data.listings ?? [data]).length);
        }});
        </script>"
    )
}

fn rows(wares: &[Ware]) -> String {
    let rows: String = wares.iter().enumerate().map(|(place, ware)| row(place, ware)).collect();
    // one root in another, as components nest
    format!(
        "<offer-table><template shadowrootmode=\"open\"><div class=\"table-body\"><offer-list><template shadowrootmode=\"open\">
        {rows}</template></offer-list></div></template></offer-table>"
    )
}

fn row(place: usize, ware: &Ware) -> String {
    let listing = &ware.listing;
    let seller = escaped(&listing.seller_id);
    let rating = listing.seller_rating.map(|rating| format!("<span class=\"seller-rating\">{}%</span>", comma(rating)));
    let sales = listing.seller_sales.map(|sales| format!("<span class=\"sale-count\">{}</span>", grouped(&sales.to_string())));
    let shipping = listing.shipping.map(|shipping| format!("<span class=\"shipping-cost\">{} €</span>", comma(shipping)));
    format!(
        "<div id=\"articleRow{place}\" class=\"row g-0 article-row\"><div class=\"col-sellerProductInfo col\">
        <span class=\"seller-info\"><span class=\"seller-name d-flex\"><a href=\"/en/Pokemon/Users/{place}\">{seller}</a></span>{}{}</span>
        <div class=\"product-attributes\"><a class=\"article-condition\"><span class=\"badge\">{}</span></a>
        <span class=\"icon\" aria-label=\"English\"></span></div></div>
        <div class=\"col-offer\"><div class=\"price-container\"><span class=\"color-primary fw-bold\">{} €</span></div>{}</div></div>",
        rating.unwrap_or_default(),
        sales.unwrap_or_default(),
        ware.grade,
        comma(ware.price),
        shipping.unwrap_or_default(),
    )
}

/// What people see and programs do not: names of classes change with every build.
fn picture(wares: &[Ware]) -> String {
    let lines = wares.iter().map(|ware| {
        let listing = &ware.listing;
        format!(
            "<div class=\"x1a\"><b class=\"x2b\">{}</b> · {} · <i class=\"x3c\">{} €</i></div>",
            escaped(&listing.seller_id),
            ware.grade,
            comma(ware.price)
        )
    });
    lines.collect()
}

fn chart(product: &Product) -> String {
    let labels: Vec<String> = product.averages.iter().map(|(day, _)| day.format("%d.%m.%Y").to_string()).collect();
    let data: Vec<Json> = product.averages.iter().map(|(_, price)| number(Some(*price))).collect();
    // in this order, as the site writes it
    let chart = format!("{{\"labels\":{},\"datasets\":[{{\"label\":\"Avg. Sell Price\",\"data\":{}}}]}}", json!(labels), json!(data));
    format!("<script class=\"chart-init-script\">window.chartData = {chart};</script>")
}

/// `1234.5` → `1.234,50`.
pub fn comma(figure: Decimal) -> String {
    let text = format!("{figure:.2}");
    let (whole, part) = text.split_once('.').unwrap_or((&text, "00"));
    format!("{},{part}", grouped(whole))
}

fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('.');
        }
        text.push(digit);
    }
    text
}

pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_dressed_as_in_europe() {
        assert_eq!(comma(Decimal::new(123_456, 2)), "1.234,56");
        assert_eq!(comma(Decimal::new(5, 1)), "0,50");
        assert_eq!(grouped("1000000"), "1.000.000");
    }
}
