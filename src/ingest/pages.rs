//! Loads the pages that are wished for, one at a time and slowly, and stores what they tell. A load is counted before it is
//! made and its rows are stored in one transaction: a process may be killed at any moment, and neither a page nor a row of
//! it counts twice or not at all.

use std::{
    hash::{BuildHasher, RandomState},
    path::PathBuf,
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::Changed;
use crate::{
    clock::Clock,
    config::scraping::Scraping,
    domain::page::{Ending, SCRAPED, Sight},
    pulse::Pulse,
    scrape::{
        driver::{BrowserError, Driver, Found},
        site::Site,
        vision::Eye,
        visit::{Errand, Limits, Visit},
    },
    store::{
        Store, StoreError,
        pages::{self, Wanted},
        prices, wishes,
    },
};

mod offers;

/// Between two looks for wishes.
const IDLE: TimeDelta = TimeDelta::seconds(5);
/// Another process is at it, or the database is troubled.
const BUSY: TimeDelta = TimeDelta::seconds(30);
/// After a browser that did not start: somebody has to do something.
const NO_BROWSER: TimeDelta = TimeDelta::minutes(10);
/// Who waits for a page longer than this waits in vain.
const WORTH_WAITING: TimeDelta = TimeDelta::minutes(5);

/// Why a page was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Browser(#[from] BrowserError),
    #[error("{0}")]
    Eye(String),
    #[error("pages may be loaded again from {0} on")]
    Wait(DateTime<Utc>),
}

/// What loads pages, and needs for it.
pub struct Pages {
    store: Store,
    scraping: Scraping,
    clock: Clock,
    /// Playwright's driver is looked for in this folder.
    home: PathBuf,
    jump: Decimal,
    limits: Limits,
    site: Site,
    eye: Option<Eye>,
    changed: broadcast::Sender<Arc<Changed>>,
    /// One for all pages, started with the first.
    browser: Option<Driver>,
}

/// What there is to load.
#[derive(Debug)]
pub enum Claim {
    /// A page, which has been counted.
    Page { page: i64, wanted: Wanted },
    /// Nothing before then.
    Later(DateTime<Utc>),
}

/// What a page came to.
#[derive(Debug)]
pub struct Loaded {
    pub visit: Visit,
    /// Offers of before that are no more.
    pub gone: usize,
    pub changed: Option<Changed>,
}

impl Loaded {
    /// The method that won, or how it ended without.
    pub fn outcome(&self) -> &'static str {
        match &self.visit.outcome {
            Ok(sight) => sight.method.as_str(),
            Err(ending) => ending.as_str(),
        }
    }
}

impl Pages {
    /// `jump`: how many times a seller's last price a price may be before it waits for a second one.
    ///
    /// # Errors
    /// The model cannot be asked at its address.
    pub fn new(
        store: Store,
        scraping: Scraping,
        home: PathBuf,
        jump: Decimal,
        changed: broadcast::Sender<Arc<Changed>>,
        clock: Clock,
    ) -> Result<Self, PageError> {
        let site = Site::new(scraping.stand_in.as_ref());
        let vision = &scraping.vision;
        let eye = vision.usable().map(|(key, model)| Eye::new(&vision.base, key.clone(), model.to_owned()));
        let eye = eye.transpose().map_err(PageError::Eye)?;
        Ok(Self { store, scraping, clock, home, jump, limits: Limits::USUAL, site, eye, changed, browser: None })
    }

    /// Loads the page that is wished for most, if one is and may be; when to come again.
    ///
    /// # Errors
    /// The database refuses or is gone. That the site refuses or the browser fails is none: it is logged and waited out.
    pub async fn step(&mut self) -> Result<DateTime<Utc>, StoreError> {
        let Some(job) = self.store.job("pages").await? else { return Ok(self.clock.now() + BUSY) };
        let again = self.alone().await;
        job.release().await;
        again
    }

    async fn alone(&mut self) -> Result<DateTime<Utc>, StoreError> {
        let now = self.clock.now();
        if let Err(fault) = Found::look(&self.scraping.programs, &self.home) {
            return self.give_up(&fault, now).await;
        }
        match self.claim(now, chance()).await? {
            Claim::Later(until) => Ok(until),
            Claim::Page { page, wanted } => match self.load(&wanted, page, false).await {
                Ok(_) => Ok(self.clock.now()),
                Err(PageError::Store(fault)) => Err(fault),
                Err(fault) => self.give_up(&fault, now).await,
            },
        }
    }

    /// Takes the page that is wished for most out of the quota, if one is and may be loaded. `chance` is a random number of
    /// thousandths.
    ///
    /// # Errors
    /// The database refuses or is gone.
    pub async fn claim(&self, now: DateTime<Utc>, chance: u32) -> Result<Claim, StoreError> {
        let mut tx = self.store.service().await?;
        let mut pace = pages::pace(&mut tx).await?;
        let wait = pace.wait(now, &self.scraping.manners);
        if wait.is_some_and(|until| until > now + WORTH_WAITING) {
            pages::awake(&mut tx, None).await?;
            wishes::wait_no_more(&mut tx, now).await?;
        } else {
            pages::awake(&mut tx, Some(now + WORTH_WAITING)).await?;
        }
        let wanted = if wait.is_some() { None } else { pages::next(&mut tx, now).await? };
        let claim = match wanted {
            None => Claim::Later(wait.map_or(now + IDLE, |until| until.min(now + WORTH_WAITING / 2))),
            Some(wanted) => {
                if let Err(until) = pace.take(now, &self.scraping.manners, chance) {
                    Claim::Later(until)
                } else {
                    pages::save_pace(&mut tx, &pace).await?;
                    Claim::Page { page: pages::begin(&mut tx, &wanted, now).await?, wanted }
                }
            }
        };
        tx.commit().await?;
        Ok(claim)
    }

    /// No page can be loaded until somebody has done something: nobody is to wait for one.
    async fn give_up(&self, fault: &(impl std::fmt::Display + Sync), now: DateTime<Utc>) -> Result<DateTime<Utc>, StoreError> {
        error!(event = "scrape_off", again = %(now + NO_BROWSER), "{fault}");
        let mut tx = self.store.service().await?;
        pages::awake(&mut tx, None).await?;
        wishes::wait_no_more(&mut tx, now).await?;
        tx.commit().await?;
        Ok(now + NO_BROWSER)
    }

    /// Loads one page at once, if the pace allows it.
    ///
    /// # Errors
    /// It does not, there is no browser, or the database refuses or is gone.
    pub async fn load_now(&mut self, wanted: &Wanted, picture: bool) -> Result<Loaded, PageError> {
        let now = self.clock.now();
        Found::look(&self.scraping.programs, &self.home)?;
        let mut tx = self.store.service().await?;
        let mut pace = pages::pace(&mut tx).await?;
        pace.take(now, &self.scraping.manners, chance()).map_err(PageError::Wait)?;
        pages::save_pace(&mut tx, &pace).await?;
        let number = pages::begin(&mut tx, wanted, now).await?;
        tx.commit().await?;
        self.load(wanted, number, picture).await
    }

    /// Closes the browser.
    pub async fn close(&mut self) {
        if let Some(driver) = self.browser.take() {
            driver.stop().await;
        }
    }

    async fn start(&mut self) -> Result<(), BrowserError> {
        if self.browser.as_ref().is_none_or(|driver| !driver.browser.is_connected()) {
            let found = Found::look(&self.scraping.programs, &self.home)?;
            self.browser = Some(Driver::start(&found, &self.site, self.scraping.proxy_url.as_ref()).await?);
        }
        Ok(())
    }

    /// Loads a page that has been counted, and stores what it tells.
    async fn load(&mut self, wanted: &Wanted, number: i64, picture: bool) -> Result<Loaded, PageError> {
        let began = self.clock.now();
        let started = self.start().await;
        let errand = Errand { card: &wanted.card, product: &wanted.product, now: began, picture };
        let visit = match (&started, &self.browser) {
            (Ok(()), Some(driver)) => driver.visit(&self.site, errand, self.eye.as_ref(), &self.limits).await,
            _ => Visit { outcome: Err(Ending::Failed), told: vec!["there is no browser".to_owned()], picture: None, is_sound: false },
        };
        if !visit.is_sound {
            self.close().await;
        }
        let loaded = self.take_in(wanted, number, visit).await?;
        self.tell(wanted, &loaded, began);
        started?;
        Ok(loaded)
    }

    /// Stores what a page told, how it ended, and what follows for the pace and the wishes: all or nothing.
    ///
    /// # Errors
    /// The database refuses or is gone.
    pub async fn take_in(&self, wanted: &Wanted, number: i64, visit: Visit) -> Result<Loaded, StoreError> {
        let now = self.clock.now();
        let mut loaded = Loaded { visit, gone: 0, changed: None };
        let mut tx = self.store.service().await?;
        let mut pace = pages::pace(&mut tx).await?;
        pace.hear(loaded.visit.outcome.as_ref().err().copied(), now);
        pages::save_pace(&mut tx, &pace).await?;
        let told = offers::store(&mut tx, wanted, &loaded.visit.outcome, self.jump, now).await?;
        loaded.gone = told.gone;
        if !told.series.is_empty() {
            let cards = prices::cards_of(&mut tx, &told.series).await?;
            loaded.changed = Some(Changed { source: SCRAPED, recorded_at: now, series: told.series, cards });
        }
        match &loaded.visit.outcome {
            // the wish stays: its page was not seen. What waits for it does not
            Err(Ending::Blocked | Ending::RateLimited) => {
                pages::awake(&mut tx, None).await?;
                wishes::wait_no_more(&mut tx, now).await?;
            }
            _ => wishes::fulfil(&mut tx, &wanted.card, now).await?,
        }
        let offers = loaded.visit.outcome.as_ref().map_or(0, |sight| sight.offers.len());
        if let Ok(Sight { others, offers, .. }) = &loaded.visit.outcome
            && let Some(seller) = offers.first().and_then(|offer| offer.seller.as_ref())
            && !others.is_empty()
        {
            wishes::ask(&mut tx, &format!("seller:{seller}"), others, wishes::Which::Promising, now).await?;
        }
        pages::end(&mut tx, number, loaded.outcome(), offers, now).await?;
        tx.commit().await?;
        Ok(loaded)
    }

    fn tell(&self, wanted: &Wanted, loaded: &Loaded, began: DateTime<Utc>) {
        let (card_id, outcome) = (&wanted.card, loaded.outcome());
        let duration_ms = (self.clock.now() - began).num_milliseconds();
        let told = loaded.visit.told.join("; ");
        let offers = match &loaded.visit.outcome {
            Ok(sight) => Some(sight.offers.len()),
            Err(Ending::Empty) => Some(0),
            Err(_) => None,
        };
        if let Some(offers) = offers {
            info!(event = "page_read", %card_id, outcome, offers, gone = loaded.gone, duration_ms, "{told}");
        } else {
            warn!(event = "page_failed", %card_id, outcome, duration_ms, "{told}");
        }
        if let Some(changed) = &loaded.changed {
            // nobody listening is no fault
            let _ = self.changed.send(Arc::new(changed.clone()));
        }
    }
}

/// A random number of thousandths; any fresh hasher is random enough to be no pattern.
fn chance() -> u32 {
    u32::try_from(RandomState::new().hash_one(0_u8) % 1_001).unwrap_or_default()
}

/// Loads what is wished for until `shutdown`, then closes the browser. A page that is being loaded then is let go: it was
/// counted.
pub async fn run(mut pages: Pages, pulse: Pulse, shutdown: CancellationToken) {
    loop {
        let turn = pulse.turn();
        let outcome = tokio::select! {
            () = shutdown.cancelled() => break,
            outcome = pages.step() => outcome,
        };
        turn.ends(outcome.is_ok());
        let again = outcome.unwrap_or_else(|fault| {
            error!(event = "scrape_failed", retryable = fault.is_retryable(), "{fault}");
            pages.clock.now() + BUSY
        });
        let pause = (again - pages.clock.now()).to_std().unwrap_or_default();
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = pages.clock.sleep(pause) => {}
        }
    }
    pages.close().await;
}
