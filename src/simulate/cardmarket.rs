//! A stand-in of Cardmarket's pages on this machine, and of the model that reads pictures of them: every way in which a page
//! can bring its offers, every way in which the site refuses, and pages that mean harm. Written from what is known of the
//! site and from the vendor's documents, not from our scraper.

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Query, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use tokio::task::JoinHandle;

use super::vendors::number;
use crate::clock::Clock;

mod hostile;
mod model;
mod page;
mod shelves;

use self::page::Form;
pub use self::{
    hostile::Malice,
    model::{KEY, MODEL},
    shelves::{Product, Shelves, Ware},
};

/// How a product's page behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// A script fetches the best offer.
    Data,
    /// A script fetches all offers.
    List,
    /// Offers in open shadow roots, no data.
    #[default]
    Markup,
    /// Neither data nor names that mean anything.
    Picture,
    /// The page of another product.
    Other,
    Challenge,
    /// Too many requests.
    Busy,
    /// The page comes after so many milliseconds.
    Slow(u64),
    /// The best offer is fetched, then the page stands still.
    Half,
    /// A page that means harm.
    Hostile(Malice),
}

struct Shop {
    shelves: Shelves,
    clock: Clock,
    changing: Mutex<Changing>,
}

#[derive(Default)]
struct Changing {
    /// By product; the usual one under nothing.
    manners: BTreeMap<String, Manner>,
    /// What the page of a product shows in place of what is on the shelves: raw JSON of its best offer.
    data: BTreeMap<String, String>,
    /// Whose page was served last: that is what a picture shows.
    shown: Option<Product>,
    log: Vec<String>,
    pictures: Vec<Json>,
    /// An address of this machine that hostile pages ask for.
    target: Option<SocketAddr>,
}

/// The running stand-in; it ends with it.
pub struct Cardmarket {
    address: SocketAddr,
    shop: Arc<Shop>,
    server: JoinHandle<()>,
}

impl Cardmarket {
    /// Serves what is on the shelves on a port of this machine; port 0 is any free one.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn start(shelves: Shelves, clock: Clock, port: u16) -> io::Result<Self> {
        let shop = Arc::new(Shop { shelves, clock, changing: Mutex::default() });
        let router = Router::new()
            .route("/en/Pokemon/Products", get(product))
            .route("/api/products/{id}/offer", get(best))
            .route("/api/products/{id}/offers", get(all))
            .route("/api/big", get(big))
            .route("/away", get(away))
            .route("/v1/messages", post(model::answer))
            .route("/_as", post(change))
            .fallback(elsewhere)
            .with_state(Arc::clone(&shop));
        let (address, server) = super::listen(port, router).await?;
        Ok(Self { address, shop, server })
    }

    /// The variables that send the scraper here.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let base = format!("http://{}", self.address);
        vec![
            ("SCRAPE_STAND_IN_URL", base.clone()),
            ("ANTHROPIC_BASE_URL", base),
            ("ANTHROPIC_API_KEY", KEY.to_owned()),
            ("VISION_MODEL_ID", MODEL.to_owned()),
        ]
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on a product's page behaves so; nothing for `product` means all others.
    pub fn behave(&self, product: &str, manner: Manner) {
        self.change(|changing| changing.manners.insert(product.to_owned(), manner));
    }

    /// From now on a product's page fetches this text as its best offer.
    pub fn fetches(&self, product: &str, data: &str) {
        self.change(|changing| changing.data.insert(product.to_owned(), data.to_owned()));
    }

    /// The address of this machine that hostile pages ask for.
    pub fn aim(&self, target: SocketAddr) {
        self.change(|changing| changing.target = Some(target));
    }

    /// Every address that was asked for, in order.
    pub fn log(&self) -> Vec<String> {
        self.change(|changing| changing.log.clone())
    }

    /// Loads of product pages so far.
    pub fn loads(&self) -> usize {
        self.log().iter().filter(|line| line.starts_with("/en/Pokemon/Products")).count()
    }

    /// Every question that the model was asked, whole.
    pub fn pictures(&self) -> Vec<Json> {
        self.change(|changing| changing.pictures.clone())
    }

    fn change<T>(&self, change: impl FnOnce(&mut Changing) -> T) -> T {
        self.shop.change(change)
    }
}

impl Drop for Cardmarket {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shop {
    fn change<T>(&self, change: impl FnOnce(&mut Changing) -> T) -> T {
        change(&mut self.changing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, uri: &Uri) {
        self.change(|changing| changing.log.push(uri.to_string()));
    }

    fn product(&self, id: &str) -> Option<Product> {
        self.shelves.product(id, self.clock.now())
    }
}

async fn product(State(shop): State<Arc<Shop>>, Query(query): Query<HashMap<String, String>>, uri: Uri) -> Response {
    shop.note(&uri);
    let id = query.get("idProduct").cloned().unwrap_or_default();
    let manner = shop.change(|changing| changing.manners.get(&id).or_else(|| changing.manners.get("")).copied()).unwrap_or_default();
    if let Manner::Hostile(malice) = manner {
        return harm(&shop, malice);
    }
    let Some(product) = shop.product(&id) else { return StatusCode::NOT_FOUND.into_response() };
    shop.change(|changing| changing.shown = Some(product.clone()));
    match manner {
        Manner::Challenge => (StatusCode::FORBIDDEN, [("cf-mitigated", "challenge")], html(page::challenge())).into_response(),
        Manner::Busy => (StatusCode::SERVICE_UNAVAILABLE, "Service Temporarily Unavailable").into_response(),
        Manner::Other => html(page::product(&Product { id: format!("{id}9"), ..product }, Form::Markup)).into_response(),
        Manner::Slow(milliseconds) => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            html(page::product(&product, Form::Markup)).into_response()
        }
        Manner::Half => half(&product),
        Manner::Data => html(page::product(&product, Form::Data)).into_response(),
        Manner::List => html(page::product(&product, Form::List)).into_response(),
        Manner::Picture => html(page::product(&product, Form::Picture)).into_response(),
        Manner::Markup | Manner::Hostile(_) => html(page::product(&product, Form::Markup)).into_response(),
    }
}

fn harm(shop: &Shop, malice: Malice) -> Response {
    let target = shop.change(|changing| changing.target).unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 9)));
    match malice {
        Malice::Redirects => (StatusCode::FOUND, [(header::LOCATION, "/again/0")]).into_response(),
        Malice::RedirectHere => (StatusCode::FOUND, [(header::LOCATION, format!("http://{target}/led"))]).into_response(),
        Malice::Download => {
            let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CONTENT_DISPOSITION, "attachment; filename=x.exe")];
            (headers, vec![0_u8; 1024]).into_response()
        }
        Malice::Big | Malice::Loop | Malice::Reach | Malice::LeadOn | Malice::Windows => {
            html(hostile::page(malice, target)).into_response()
        }
    }
}

/// The page's beginning, whose script runs; its end never comes.
fn half(product: &Product) -> Response {
    let whole = page::product(product, Form::Data);
    let cut = whole.find("</section>").unwrap_or(whole.len());
    let beginning = Bytes::from(whole[..cut].to_owned());
    let first = futures_util::stream::once(async move { Ok::<_, Infallible>(beginning) });
    let body = Body::from_stream(futures_util::StreamExt::chain(first, futures_util::stream::pending()));
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], body).into_response()
}

async fn best(State(shop): State<Arc<Shop>>, axum::extract::Path(id): axum::extract::Path<String>, uri: Uri) -> Response {
    shop.note(&uri);
    if let Some(data) = shop.change(|changing| changing.data.get(&id).cloned()) {
        return ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], data).into_response();
    }
    let Some(product) = shop.product(&id) else { return StatusCode::NOT_FOUND.into_response() };
    let Some(ware) = product.wares.first() else { return json_of(&json!({ "price": null })) };
    let others = shop.shelves.others(&ware.listing.seller_id, &id, shop.clock.now());
    json_of(&json!({
        "price": number(Some(ware.price)), "sellerId": ware.listing.seller_id, "sellerRating": number(ware.listing.seller_rating),
        "sellerSales": ware.listing.seller_sales, "condition": ware.grade.as_str(), "shippingPrice": number(ware.listing.shipping),
        "sellerOtherCards": others,
    }))
}

async fn all(State(shop): State<Arc<Shop>>, axum::extract::Path(id): axum::extract::Path<String>, uri: Uri) -> Response {
    shop.note(&uri);
    let Some(product) = shop.product(&id) else { return StatusCode::NOT_FOUND.into_response() };
    let now = shop.clock.now();
    let listings: Vec<Json> = product
        .wares
        .iter()
        .enumerate()
        .map(|(place, ware)| {
            json!({
                "id": place, "card_id": product.card_id, "card_name": product.name, "set_code": product.card_id.split('-').next(),
                "price_eur": number(Some(ware.price)), "condition": ware.grade.as_str(), "condition_raw": ware.grade.as_str(),
                "seller_rating": number(ware.listing.seller_rating), "seller_sales": ware.listing.seller_sales,
                "seller_id": ware.listing.seller_id, "shipping_eur": number(ware.listing.shipping), "in_stock": true,
                "scraped_at": now.to_rfc3339(),
            })
        })
        .collect();
    json_of(&json!({ "status": "success", "listings": listings }))
}

async fn big() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], hostile::big()).into_response()
}

/// A fetch of the page's own that leads to this machine.
async fn away(State(shop): State<Arc<Shop>>, uri: Uri) -> Response {
    shop.note(&uri);
    harm(&shop, Malice::RedirectHere)
}

/// Redirections without end, and whatever else a page leads to.
async fn elsewhere(State(shop): State<Arc<Shop>>, uri: Uri) -> Response {
    shop.note(&uri);
    match uri.path().strip_prefix("/again/").and_then(|number| number.parse::<u32>().ok()) {
        Some(number) => (StatusCode::FOUND, [(header::LOCATION, format!("/again/{}", number.wrapping_add(1)))]).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// `{"product": "1", "manner": "challenge"}`: for people who try things by hand.
#[derive(Deserialize)]
struct Change {
    #[serde(default)]
    product: String,
    manner: Manner,
}

async fn change(State(shop): State<Arc<Shop>>, body: Bytes) -> Response {
    match serde_json::from_slice::<Change>(&body) {
        Ok(Change { product, manner }) => {
            shop.change(|changing| changing.manners.insert(product, manner));
            json_of(&json!({}))
        }
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

fn html(text: String) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], text)
}

fn json_of(value: &Json) -> Response {
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], value.to_string()).into_response()
}

/// Whether a header says just this.
fn says(headers: &HeaderMap, name: &str, value: &str) -> bool {
    headers.get(name).is_some_and(|found| found.as_bytes() == value.as_bytes())
}
