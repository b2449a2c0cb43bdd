//! Cardmarket's public product lists: the names behind the price guide's numbers.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Body, Emit, Entry, Format, Outcome, Phase, SourceError, cardmarket_guide::created, json};
use crate::domain::{market::Market, product::Product};

pub const FORMAT: Format = Format {
    name: "Cardmarket product list JSON",
    phase: Phase::Cards,
    recognises: |head| head.has_keys(&["products", "createdAt"]) || head.has_keys(&["products", "idProduct"]),
    read,
};

#[derive(Deserialize)]
struct List<'a> {
    version: u32,
    #[serde(rename = "createdAt")]
    created_at: &'a str,
    #[serde(borrow)]
    products: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    id_product: u64,
    name: String,
    category_name: String,
    id_expansion: Option<u64>,
    id_metacard: Option<u64>,
}

fn read(body: Body, emit: &mut Emit<'_>) -> Result<(), SourceError> {
    let now = body.now;
    let content = body.whole(json::LIMIT)?;
    let list: List<'_> = json::document(&content)?;
    created(list.version, list.created_at, now)?;
    json::each_row(&content, &list.products, emit, |listed: Listed| {
        let number = |id: Option<u64>| id.filter(|id| *id > 0).map(|id| id.to_string());
        vec![Outcome::Values(vec![Entry::Product(Product {
            market: Market::Cardmarket,
            id: listed.id_product.to_string(),
            name: listed.name,
            category: listed.category_name,
            expansion_id: number(listed.id_expansion),
            metacard_id: number(listed.id_metacard),
        })])]
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn a_product_keeps_its_name_and_category_and_a_bad_one_is_refused() {
        let list = r#"{"version":1,"createdAt":"2026-05-06T10:38:58+0200","products":[
{"idProduct":271439,"name":"Test Booster","idCategory":52,"categoryName":"Booster","idExpansion":1521,"idMetacard":0,"dateAdded":"2007-01-01 00:00:00"},
{"idProduct":271440,"idCategory":52,"categoryName":"Booster"}]}"#;
        insta::assert_snapshot!(told(&read_all(list)), @"
        2: product 271439 Test Booster (Booster)
        3: refused: unexpected JSON (missing field `name`)
        ");
    }

    #[test]
    fn the_real_list_is_read_whole() {
        let Some(path) = real_data("5-cardmarket/products_nonsingles_6_2026-05-06.json.gz") else { return };
        assert_eq!(told(&read_path(&path)).lines().filter(|line| line.contains("product")).count(), 4822);
    }
}
