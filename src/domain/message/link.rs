//! Where a card is looked up on a market: its stored page, else the market's search.

use std::fmt::Write as _;

use crate::domain::market::Market;

/// The page of a card: what its metadata says, else a search for its name and set. `None` on a market whose search we
/// do not know.
pub fn deep_link(market: Market, stored: Option<&str>, name: &str, set_name: Option<&str>) -> Option<String> {
    if let Some(url) = stored.filter(|url| is_web(url)) {
        return Some(url.to_owned());
    }
    let search = match market {
        Market::Tcgplayer => "https://www.tcgplayer.com/search/pokemon/product?q=",
        Market::Cardmarket => "https://www.cardmarket.com/en/Pokemon/Products/Search?searchString=",
        Market::Ebay => return None,
    };
    let words = set_name.filter(|set| !set.is_empty()).map_or_else(|| name.to_owned(), |set| format!("{name} {set}"));
    Some(format!("{search}{}", percent_encoded(&words)))
}

/// What a vendor stores as an address is shown as a link: nothing but the web, and nothing that could end the link.
fn is_web(url: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme))
        && url.len() <= 2_000
        && url.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'`' | b'\\'))
}

/// Everything but unreserved letters and `/`, as upper-case hexadecimal of its UTF-8.
fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            encoded.push(byte.into());
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_page_is_used_unless_it_is_no_page() {
        let link = |stored| deep_link(Market::Tcgplayer, stored, "Mew", None);
        assert_eq!(link(Some("https://prices.example/1?a=b&c=(d)")).as_deref(), Some("https://prices.example/1?a=b&c=(d)"));
        for bad in ["", "javascript:alert(1)", "https://x.example/ y", "https://x.example/\n"] {
            assert_eq!(link(Some(bad)).as_deref(), Some("https://www.tcgplayer.com/search/pokemon/product?q=Mew"), "{bad}");
        }
        assert_eq!(deep_link(Market::Ebay, None, "Mew", None), None);
    }
}
