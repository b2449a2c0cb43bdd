//! One load of one page: what may leave, what is read, by which method, and how it ended. Everything has its limit.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use playwright_rs::{
    Error,
    protocol::{
        AcceptDownloads, BrowserContext, BrowserContextOptions, GotoOptions, Page, ProxySettings, ScreenshotOptions, Viewport, WaitUntil,
    },
};
use serde_json::Map;

use super::{
    driver::{Driver, first_line},
    intercept,
    markup::{self, Row},
    site::Site,
    vision::Eye,
    watch::{Watch, guard, listen},
};
use crate::domain::{
    card::CardId,
    page::{Ending, Sight},
};

/// How long each step may take, and how much is read.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until the page's markup is there.
    pub load: Duration,
    /// Until it has fetched what it shows.
    pub quiet: Duration,
    /// For all of it.
    pub total: Duration,
    /// Bytes of one of its own fetches.
    pub body: i64,
}

impl Limits {
    pub const USUAL: Self =
        Self { load: Duration::from_secs(30), quiet: Duration::from_secs(15), total: Duration::from_secs(90), body: 2 * 1024 * 1024 };
}

/// Offers that a page shows at once; more come on demand.
const MOST_ROWS: usize = 50;
/// Letters of one text.
const LONGEST_TEXT: usize = 200;
const LONGEST_SCRIPT: usize = 64 * 1024;
/// For closing a page, whatever it is at.
const CLOSING: Duration = Duration::from_secs(15);

const ROWS: &str = ".article-row, tr.article";
const PRICE: &str = "[class*='price'] >> text=/\\d/";
const SELLER: &str = "[class*='seller-name'] a";
const RATING: &str = "[class*='seller-rating']";
const SALES: &str = "[class*='seller-sales'], [class*='sale-count']";
const CONDITION: &str = "[class*='condition'], [class*='product-condition']";
const SHIPPING: &str = "[class*='shipping-cost'], [class*='delivery-cost']";
const MARKS: &str = "[class*='product-attributes'] [aria-label]";
const NONE: &str = ".noResults, [class*='no-results']";
const MORE: &str = "[class*='load-more'], #loadMoreButton";
const PRODUCT: &str = "input[name='idProduct']";
const CHART: &str = "script.chart-init-script";
const CHALLENGE: &str = "#challenge-form, #challenge-running, #challenge-error-text, #cf-challenge-running, [class*='cf-turnstile'], \
     iframe[src*='challenges.cloudflare.com']";

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Errand<'a> {
    pub card: &'a CardId,
    /// Cardmarket's number of it.
    pub product: &'a str,
    pub now: DateTime<Utc>,
    /// Whether a picture of the page is wanted, however it goes.
    pub picture: bool,
}

/// How a load went.
#[derive(Debug)]
pub struct Visit {
    pub outcome: Result<Sight, Ending>,
    /// Why the methods before the one that won did not, or why none did.
    pub told: Vec<String>,
    /// PNG.
    pub picture: Option<Vec<u8>>,
    /// The browser can be used on.
    pub is_sound: bool,
}

impl Driver {
    /// Loads a page once and reads it by the first method that finds a price.
    pub async fn visit(&self, site: &Site, errand: Errand<'_>, eye: Option<&Eye>, limits: &Limits) -> Visit {
        let mut told = Vec::new();
        let mut picture = None;
        let context = match tokio::time::timeout(limits.load, self.browser.new_context_with_options(surroundings(self.proxy.clone()))).await
        {
            Ok(Ok(context)) => context,
            broken => {
                told.push(
                    broken.map_or_else(|_| "the browser does not answer".to_owned(), |fault| fault.err().map(told_of).unwrap_or_default()),
                );
                return Visit { outcome: Err(Ending::Failed), told, picture, is_sound: false };
            }
        };
        let watch = Arc::new(Watch::default());
        let reading = read(&context, site, errand, eye, limits, &watch, &mut told, &mut picture);
        let mut outcome = tokio::time::timeout(limits.total, reading).await.unwrap_or(Err(Ending::TimedOut));
        if let Some(why) = watch.hostile() {
            told.push(why);
            outcome = Err(Ending::Hostile);
        }
        let is_sound = matches!(tokio::time::timeout(CLOSING, context.close()).await, Ok(Ok(())));
        Visit { outcome, told, picture, is_sound }
    }
}

/// A fresh, empty profile in a window of the usual size, behind the proxy.
fn surroundings(proxy: Option<ProxySettings>) -> BrowserContextOptions {
    let options = BrowserContextOptions::builder()
        .accept_downloads(AcceptDownloads::Deny)
        .service_workers("block".to_owned())
        .viewport(Viewport { width: 1280, height: 900 })
        .locale("en-GB".to_owned());
    // for the page alone: what the browser has to ask for itself finds no name and goes nowhere
    proxy.map_or(options.clone(), |proxy| options.proxy(proxy)).build()
}

#[expect(clippy::too_many_arguments, reason = "what is told and the picture have to outlive a time limit")]
async fn read(
    context: &BrowserContext,
    site: &Site,
    errand: Errand<'_>,
    eye: Option<&Eye>,
    limits: &Limits,
    watch: &Arc<Watch>,
    told: &mut Vec<String>,
    picture: &mut Option<Vec<u8>>,
) -> Result<Sight, Ending> {
    let failed = |told: &mut Vec<String>, error: Error| {
        told.push(told_of(error));
        Ending::Failed
    };
    guard(context, site, watch).await.map_err(|error| failed(told, error))?;
    let page = context.new_page().await.map_err(|error| failed(told, error))?;
    listen(&page, site, watch).await.map_err(|error| failed(told, error))?;
    let options = GotoOptions::new().timeout(limits.load).wait_until(WaitUntil::DomContentLoaded);
    let answer = page.goto(&site.page_of(errand.product), options).await;
    let late = match answer {
        Ok(Some(response)) => {
            let is_challenge = response.headers().get("cf-mitigated").is_some_and(|value| value == "challenge");
            if let Some(ending) = if is_challenge { Some(Ending::Blocked) } else { refusal(response.status()) } {
                told.push(format!("the site answered {}", response.status()));
                return Err(ending);
            }
            false
        }
        Ok(None) => false,
        Err(error) => {
            let late = is_timeout(&error);
            let text = told_of(error);
            // what was fetched before is as good as ever; anything else is the end of it
            if !late {
                let led_on =
                    ["ERR_TOO_MANY_REDIRECTS", "Download is starting", "ERR_BLOCKED_BY_CLIENT"].iter().any(|sign| text.contains(sign));
                told.push(text);
                // a refusal without a page is none to the browser
                let refused = watch.status().and_then(refusal);
                return Err(if led_on { Ending::Hostile } else { refused.unwrap_or(Ending::Failed) });
            }
            told.push(text);
            true
        }
    };
    if !late {
        let quiet = page.wait_for_load_state(Some(WaitUntil::NetworkIdle));
        if tokio::time::timeout(limits.quiet, quiet).await.is_err() {
            told.push("the page did not come to rest".to_owned());
        }
        if errand.picture {
            *picture = page.screenshot(whole()).await.ok();
        }
        if there(&page, CHALLENGE).await || page.title().await.is_ok_and(|title| title.starts_with("Just a moment")) {
            told.push("the site wants to know whether we are human".to_owned());
            return Err(Ending::Blocked);
        }
        let product = page.locator(PRODUCT).first();
        if there(&page, PRODUCT).await && product.get_attribute("value").await.ok().flatten().is_some_and(|value| value != errand.product) {
            told.push("the page is about another product".to_owned());
            return Err(Ending::WrongProduct);
        }
    }
    match intercept::sight(&bodies(watch, limits).await, errand.card, errand.now) {
        Ok(sight) => return Ok(with_chart(sight, &page, errand, late).await),
        Err(reason) => told.push(format!("interception: {reason}")),
    }
    if late {
        return Err(Ending::TimedOut);
    }
    match by_markup(&page).await {
        Ok(Some(sight)) => return Ok(with_chart(sight, &page, errand, late).await),
        Ok(None) => return Err(Ending::Empty),
        Err(reason) => told.push(format!("selectors: {reason}")),
    }
    let Some(eye) = eye else { return Err(Ending::Unreadable) };
    let taken = match picture {
        Some(taken) => Ok(taken.clone()),
        None => page.screenshot(whole()).await.map_err(told_of),
    };
    let seen = match taken {
        Ok(taken) => eye.look(&taken).await,
        Err(reason) => Err(reason),
    };
    seen.map_err(|reason| {
        told.push(format!("vision: {reason}"));
        Ending::Unreadable
    })
}

/// A status that is an answer of its own.
const fn refusal(status: u16) -> Option<Ending> {
    match status {
        403 => Some(Ending::Blocked),
        429 | 503 => Some(Ending::RateLimited),
        404 | 410 => Some(Ending::WrongProduct),
        400.. => Some(Ending::Failed),
        _ => None,
    }
}

/// The page's own fetches, merged.
async fn bodies(watch: &Watch, limits: &Limits) -> Map<String, serde_json::Value> {
    let mut merged = Map::new();
    for answer in watch.answers() {
        let kind = answer.raw_headers().await.unwrap_or_default();
        let is_json =
            kind.iter().any(|header| header.name.eq_ignore_ascii_case("content-type") && header.value.starts_with("application/json"));
        if !is_json || answer.sizes().await.is_ok_and(|sizes| sizes.response_body_size > limits.body) {
            continue;
        }
        if let Ok(body) = answer.body().await
            && i64::try_from(body.len()).is_ok_and(|size| size <= limits.body)
        {
            intercept::merge(&mut merged, &body);
        }
    }
    merged
}

/// `None`: the page says itself that nobody offers the card.
async fn by_markup(page: &Page) -> Result<Option<Sight>, String> {
    let rows = page.locator(ROWS);
    let count = rows.count().await.map_err(told_of)?;
    if count == 0 {
        if there(page, NONE).await {
            return Ok(None);
        }
        let alone = row(&|selector| page.locator(selector)).await;
        return markup::sight(&[alone], false).map(|sight| Some(Sight { reach: crate::domain::page::Reach::Some, ..sight }));
    }
    let mut read = Vec::new();
    for place in 0..count.min(MOST_ROWS) {
        let within = rows.nth(i32::try_from(place).unwrap_or_default());
        // one after the other: a hostile page may put megabytes into each
        read.push(row(&|selector| within.locator(selector)).await);
    }
    let is_all = count <= MOST_ROWS && !there(page, MORE).await;
    markup::sight(&read, is_all).map(Some)
}

async fn row(find: &(dyn Fn(&str) -> playwright_rs::protocol::Locator + Sync)) -> Row {
    Row {
        price: text(find(PRICE)).await,
        seller: text(find(SELLER)).await,
        rating: text(find(RATING)).await,
        sales: text(find(SALES)).await,
        condition: text(find(CONDITION)).await,
        shipping: text(find(SHIPPING)).await,
        marks: labels(find(MARKS)).await,
    }
}

/// The text of the first element, if there is one.
async fn text(locator: playwright_rs::protocol::Locator) -> Option<String> {
    let texts = locator.first().all_text_contents().await.ok()?;
    texts.first().map(|text| text.chars().take(LONGEST_TEXT).collect())
}

async fn labels(locator: playwright_rs::protocol::Locator) -> Vec<String> {
    const NAMES: &str = "elements => elements.slice(0, 8).map(element => element.getAttribute('aria-label') ?? '')";
    let names: Vec<String> = locator.evaluate_all(NAMES, None::<()>).await.unwrap_or_default();
    names.into_iter().take(8).map(|name| name.chars().take(LONGEST_TEXT).collect()).collect()
}

async fn there(page: &Page, selector: &str) -> bool {
    page.locator(selector).count().await.is_ok_and(|count| count > 0)
}

async fn with_chart(mut sight: Sight, page: &Page, errand: Errand<'_>, late: bool) -> Sight {
    if !late && let Ok(scripts) = page.locator(CHART).first().all_text_contents().await {
        sight.averages =
            scripts.first().filter(|text| text.len() <= LONGEST_SCRIPT).map(|text| markup::averages(text, errand.now)).unwrap_or_default();
    }
    sight
}

/// The window as it stands, animations over.
fn whole() -> ScreenshotOptions {
    ScreenshotOptions::builder().timeout(10_000.0).build()
}

fn is_timeout(error: &Error) -> bool {
    matches!(error, Error::Timeout(_) | Error::NavigationTimeout { .. })
}

#[expect(clippy::needless_pass_by_value, reason = "it is made for map_err")]
fn told_of(error: Error) -> String {
    first_line(&error.to_string())
}
