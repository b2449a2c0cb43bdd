//! What may leave a page's window, and what is noted beside the reading.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use playwright_rs::protocol::{BrowserContext, Page, Request, ResponseObject, Route};

use super::site::Site;

/// Times that the site may lead us on before its page comes.
const MOST_HOPS: u32 = 4;
/// Fetches of a page that are read.
const MOST_BODIES: usize = 32;
/// What goes on beside the reading.
#[derive(Default)]
pub struct Watch {
    /// Pages that the window was led to.
    loads: AtomicU32,
    hops: AtomicU32,
    hostile: Mutex<Option<String>>,
    /// Where the window was led last, and what the site answered.
    last: Mutex<(String, Option<u16>)>,
    answers: Mutex<Vec<ResponseObject>>,
}

impl Watch {
    fn suspect(&self, why: String) {
        self.hostile.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }

    /// Why the page is not to be believed, whatever it shows.
    pub fn hostile(&self) -> Option<String> {
        self.hostile.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the site answered where the window was led last.
    pub fn status(&self) -> Option<u16> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// The page's own fetches since this was asked last.
    pub fn answers(&self) -> Vec<ResponseObject> {
        std::mem::take(&mut *self.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Judges every request before it leaves.
pub async fn guard(context: &BrowserContext, site: &Site, watch: &Arc<Watch>) -> playwright_rs::Result<()> {
    let (site, watch) = (site.clone(), Arc::clone(watch));
    context
        .route("**/*", move |route: Route| {
            let (site, watch) = (site.clone(), Arc::clone(&watch));
            async move {
                let request = route.request();
                let is_allowed = site.allows(request.url());
                if is_of_window(&request) && watch.loads.fetch_add(1, Ordering::SeqCst) > 0 {
                    watch.suspect("the page led on to another".to_owned());
                    return route.abort(Some("blockedbyclient")).await;
                }
                // others' counters and advertisements are on many a page
                if is_allowed { route.continue_(None).await } else { route.abort(Some("blockedbyclient")).await }
            }
        })
        .await
}

/// A page of the window itself, or of one that it opened; not one within it.
fn is_of_window(request: &Request) -> bool {
    request.is_navigation_request() && request.frame().is_none_or(|frame| frame.parent_frame().is_none())
}

/// Notes the page's own fetches, and where redirections lead: those are not asked about beforehand.
pub async fn listen(page: &Page, site: &Site, watch: &Arc<Watch>) -> playwright_rs::Result<()> {
    let (site, hops) = (site.clone(), Arc::clone(watch));
    page.on_request(move |request: Request| {
        if is_of_window(&request) {
            if request.redirected_from().is_some() {
                if !site.allows(request.url()) {
                    hops.suspect("the page redirected to a foreign address".to_owned());
                }
                if hops.hops.fetch_add(1, Ordering::SeqCst) >= MOST_HOPS {
                    hops.suspect("the page redirected again and again".to_owned());
                }
            }
            request.url().clone_into(&mut hops.last.lock().unwrap_or_else(PoisonError::into_inner).0);
        }
        async { Ok(()) }
    })
    .await?;
    let answers = Arc::clone(watch);
    page.on_response(move |response: ResponseObject| {
        {
            let mut last = answers.last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.0 == response.url() {
                last.1 = Some(response.status());
            }
        }
        let path = response.url().split(['?', '#']).next().unwrap_or_default();
        if response.status() == 200 && (path.contains("/api/") || path.contains("/ajax/")) {
            let mut kept = answers.answers.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < MOST_BODIES {
                kept.push(response);
            }
        }
        async { Ok(()) }
    })
    .await
}
