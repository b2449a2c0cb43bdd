//! The loop that listens to Telegram: each update is looked up, done and answered in one transaction with the note that
//! it was, so that none is lost and none is done twice. Answers go through the outbox like everything else.

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use teloxide_core::types::{CallbackQueryId, Update};
use tokio_util::sync::CancellationToken;

use crate::{
    deliver::Delivery,
    domain::{
        message::{Channel, Message, Reply},
        profile::TenantId,
    },
    notify::{Trouble, telegram::Telegram},
    pulse::Pulse,
    scan::{ScanError, periodic::Scanner},
    store::{
        JobLock, ServiceTx, StoreError,
        bot::{self, Person},
        dead_chats,
        outbox::{self, NewMessage},
    },
};

mod answer;
mod request;

use self::request::{Request, Wish};

/// Seconds that Telegram holds a question open until something happens.
const LISTEN: u32 = 25;
/// After a fault.
const REST: Duration = Duration::from_secs(3);
/// How long a second process waits for its turn.
const TURN: Duration = Duration::from_secs(5);
/// An answer that comes later answers nothing.
const ANSWER_LIFE: TimeDelta = TimeDelta::minutes(10);
/// Somebody waits for it.
const ANSWER_PRIORITY: i32 = 1_000;

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Bot {
    pub telegram: Arc<Telegram>,
    /// The store, the clock, and the rules and presets of the moment.
    pub scanner: Scanner,
    pub delivery: Delivery,
}

/// Why an update could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum BotError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Scan(#[from] ScanError),
    #[error("telegram: {0}")]
    Telegram(#[from] Trouble),
}

impl BotError {
    /// Whether the same update may be answered later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Store(error) => error.is_retryable(),
            Self::Scan(error) => error.is_retryable(),
            Self::Telegram(trouble) => !matches!(trouble, Trouble::Refused(_)),
        }
    }
}

/// What somebody gets to see.
#[derive(Default)]
struct Seen {
    reply: Option<Reply>,
    /// A pressed button, and what comes up.
    popup: Option<(CallbackQueryId, String)>,
}

impl Bot {
    fn now(&self) -> DateTime<Utc> {
        self.scanner.clock.now()
    }

    /// Asks for updates and answers them. How many there were.
    ///
    /// # Errors
    /// Telegram gives none, or the database is gone: they come again then.
    pub async fn listen_once(&self, wait_seconds: u32) -> Result<usize, BotError> {
        let mut tx = self.scanner.store.service().await?;
        let next = bot::next_update(&mut tx).await?;
        tx.commit().await?;
        let updates = self.telegram.updates(next, wait_seconds).await?;
        for update in &updates {
            self.answer(update).await?;
        }
        Ok(updates.len())
    }

    async fn answer(&self, update: &Update) -> Result<(), BotError> {
        let id = i64::from(update.id.0);
        let request = Request::of(update);
        let mut tx = self.scanner.store.service().await?;
        if !bot::take_update(&mut tx, id).await? {
            return Ok(());
        }
        let seen = match &request {
            Some(request) => self.handle(&mut tx, request).await,
            None => Ok(Seen::default()),
        };
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) if error.is_retryable() => return Err(error),
            Err(error) => {
                // what it did so far is undone; that it was answered lasts, or it would come again for ever
                tracing::error!(event = "update_failed", update_id = id, "{error}");
                tx = self.scanner.store.service().await?;
                bot::take_update(&mut tx, id).await?;
                Seen { reply: Some(answer::line("That went wrong, and we look into it.")), popup: None }
            }
        };
        if let (Some(reply), Some(request)) = (seen.reply, &request) {
            self.put(&mut tx, request.chat, reply).await?;
        }
        tx.commit().await?;
        self.delivery.wake();
        if let Some((query, text)) = seen.popup {
            // only the waiting sign hangs on it
            if let Err(trouble) = self.telegram.answer_button(&query, &text).await {
                tracing::warn!(event = "popup_failed", "{trouble}");
            }
        }
        Ok(())
    }

    async fn handle(&self, tx: &mut ServiceTx, request: &Request) -> Result<Seen, BotError> {
        let Request { chat, user, wish } = request;
        let person = bot::person(tx, *chat).await?;
        match wish {
            Wish::Command(command) => Ok(Seen {
                reply: match person {
                    Some(person) => match allowed(person, *chat, *user) {
                        Some(tenant) => {
                            // a chat that speaks takes messages
                            dead_chats::revive(tx, Channel::Telegram, *chat).await?;
                            Some(self.command(tx, tenant, command, *chat, *user).await?)
                        }
                        None => None,
                    },
                    None => answer::stranger(tx, command, *chat, *user, self.now()).await?,
                },
                popup: None,
            }),
            Wish::Button { query, pressed } => {
                let tenant = person.and_then(|person| allowed(person, *chat, *user));
                let (text, reply) = match (tenant, pressed) {
                    (Some(tenant), Some((action, short_id))) => self.press(tx, tenant, *action, short_id).await?,
                    (Some(_), None) => ("I do not know that button.".to_owned(), None),
                    (None, _) => ("Only the tenant may answer.".to_owned(), None),
                };
                Ok(Seen { reply, popup: Some((query.clone(), text)) })
            }
        }
    }

    async fn put(&self, tx: &mut ServiceTx, chat_id: i64, reply: Reply) -> Result<(), StoreError> {
        let now = self.now();
        let message = Message::Reply(reply);
        let new = NewMessage {
            tenant: bot::person(tx, chat_id).await?.map(|person| person.tenant),
            signal_id: None,
            with_signals: &[],
            channel: Channel::Telegram,
            chat_id,
            message: &message,
            priority: ANSWER_PRIORITY,
            deadline: now + ANSWER_LIFE,
            not_before: now,
        };
        outbox::enqueue(tx, &new, now).await.map(|_| ())
    }
}

fn allowed(person: Person, chat: i64, user: i64) -> Option<TenantId> {
    person.is(chat, user).then_some(person.tenant)
}

/// Listens until shut down. Of several processes one does: Telegram gives each update to whoever asks.
///
/// # Errors
/// Never: faults are told and waited out.
pub async fn run(bot: Bot, pulse: Pulse, shutdown: CancellationToken) -> Result<(), BotError> {
    while !shutdown.is_cancelled() {
        let asked = pulse.turn();
        let job = bot.scanner.store.job("bot").await;
        asked.ends(job.is_ok());
        match job {
            Ok(Some(mut turn)) => {
                if let Some(error) = take_turn(&bot, &mut turn, &pulse, &shutdown).await {
                    tracing::error!(event = "bot_halted", "{error}");
                    pause(REST, &shutdown).await;
                }
                turn.release().await;
            }
            Ok(None) => pause(TURN, &shutdown).await,
            Err(error) => {
                tracing::error!(event = "bot_halted", "{error}");
                pause(REST, &shutdown).await;
            }
        }
    }
    Ok(())
}

async fn take_turn(bot: &Bot, turn: &mut JobLock, pulse: &Pulse, shutdown: &CancellationToken) -> Option<BotError> {
    loop {
        let beat = pulse.turn();
        if let Err(error) = turn.hold().await {
            return Some(error.into());
        }
        // an update that is being answered when the end comes was not noted, and comes again
        tokio::select! {
            () = shutdown.cancelled() => return None,
            heard = bot.listen_once(LISTEN) => match heard {
                Ok(_) => beat.ends(true),
                Err(error) => return Some(error),
            },
        }
    }
}

async fn pause(length: Duration, shutdown: &CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = tokio::time::sleep(length) => {}
    }
}

impl fmt::Debug for Bot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bot")
    }
}
