//! What comes of a request: looked up, done, and answered in a few words.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::{Bot, BotError, request::Command};
use crate::{
    domain::{
        message::{Action, Reply},
        profile::{Field, Profile, Settings, TenantId},
        signal::{Act, Answer, SignalState},
    },
    scan::explain::{
        ExplainError,
        reply::{self, Paragraph},
        stored_decision,
    },
    store::{
        ServiceTx,
        bot::{self, Started},
        routings,
        signals::{self, Line},
        users,
    },
};

/// Signals that `/signals` shows.
const SHOWN: i64 = 10;
/// Signals among which a card is looked for.
const LOOKED_THROUGH: i64 = 200;
/// Cards of which one has to be chosen.
const CHOICES: usize = 5;

const HELP: [&str; 8] = [
    "/signals: your last signals",
    "/why ID or card: how a signal's profit comes about",
    "/profile: what you trade by, and where each value comes from",
    "/set FIELD VALUE: change one of these; the value default takes yours back",
    "/pause: no signals from now on; /pause off ends that",
    "/help: this",
    "Took it keeps a signal yours; Pass hands it on; Wrong card hides the card from you.",
    "A signal is yours alone until its time is over, then it goes to somebody else.",
];

pub fn said(title: &str, lines: impl IntoIterator<Item = String>) -> Reply {
    Reply { title: Some(title.to_owned()), lines: lines.into_iter().collect() }
}

pub fn line(text: impl Into<String>) -> Reply {
    Reply { title: None, lines: vec![text.into()] }
}

pub fn help() -> Reply {
    said("What I understand", HELP.map(str::to_owned))
}

/// A chat that belongs to nobody.
pub async fn stranger(tx: &mut ServiceTx, command: &Command, chat: i64, user: i64, now: DateTime<Utc>) -> Result<Option<Reply>, BotError> {
    let Command::Start { code: Some(code) } = command else {
        // nobody in a group is told what it is not for
        return Ok((chat > 0).then(|| line("This needs an invitation: ask the operator for a code and send /start CODE.")));
    };
    Ok(Some(match bot::start(tx, code, chat, user, now).await? {
        Started::Connected(tenant) => {
            tracing::info!(event = "chat_connected", tenant_id = %tenant);
            Reply { title: Some("This chat is connected: your signals come here".to_owned()), ..help() }
        }
        Started::Taken => line("This chat is connected already."),
        Started::Wrong => line("That code is wrong, used or expired: ask the operator for a new one."),
        Started::TooMany => line("Too many wrong codes: try again in an hour."),
    }))
}

impl Bot {
    /// What a tenant wrote.
    pub async fn command(&self, tx: &mut ServiceTx, tenant: TenantId, command: &Command, chat: i64, user: i64) -> Result<Reply, BotError> {
        let now = self.now();
        match command {
            Command::Start { code: Some(code) } => Ok(match bot::start(tx, code, chat, user, now).await? {
                Started::Connected(_) => line("This chat is connected anew."),
                Started::Taken => line("This chat is connected already."),
                Started::Wrong => line("That code is wrong, used or expired: ask the operator for a new one."),
                Started::TooMany => line("Too many wrong codes: try again in an hour."),
            }),
            Command::Start { code: None } | Command::Help | Command::Other => Ok(help()),
            Command::Signals => self.signals(tenant).await,
            Command::Why { about: Some(about) } => self.why(tenant, about).await,
            Command::Why { about: None } => Ok(line("Which one? /why ID, or words of the card's name; /signals shows the ids.")),
            Command::Profile => self.profile(tenant).await,
            Command::Set { field, value } => self.set(tenant, field, value).await,
            Command::Pause { resume } => {
                let mut own = self.scanner.store.tenant(tenant).await?;
                users::pause(&mut own, (!resume).then_some(now)).await?;
                own.commit().await?;
                Ok(line(if *resume { "Signals come again." } else { "Paused: no signals until /pause off. What you hold stays yours." }))
            }
        }
    }

    /// What a tenant pressed; a few words that come up at once, and a longer answer where one is asked for.
    pub async fn press(
        &self,
        tx: &mut ServiceTx,
        tenant: TenantId,
        action: Action,
        short_id: &str,
    ) -> Result<(String, Option<Reply>), BotError> {
        let act = match action {
            Action::Why => return Ok((String::new(), Some(self.why(tenant, short_id).await?))),
            Action::Take => Act::TookIt,
            Action::Pass => Act::Pass,
            Action::WrongCard => Act::WrongCard,
        };
        let live = self.scanner.current.get();
        let answer = routings::act(tx, tenant, short_id, act, &live.plans.rotation, self.now()).await?;
        tracing::info!(event = "answered", tenant_id = %tenant, action = %action, answer = ?answer);
        Ok((popup(act, answer), None))
    }

    async fn signals(&self, tenant: TenantId) -> Result<Reply, BotError> {
        let mut own = self.scanner.store.tenant(tenant).await?;
        let lines = signals::own(&mut own, SHOWN).await?;
        own.commit().await?;
        if lines.is_empty() {
            return Ok(line("No signals yet."));
        }
        let shown = lines.into_iter().map(|signal| {
            let net = signal.net_profit.map_or_else(String::new, |net| format!(", {net:+.2}"));
            let until = signal.expires_at.filter(|_| signal.state == SignalState::Held);
            let until = until.map_or_else(String::new, |until| format!(" until {}", until.format("%H:%M UTC")));
            format!("{} {}{net}: {}{until}", signal.short_id, named(&signal), in_words(signal.state))
        });
        Ok(said("Your last signals", shown.collect::<Vec<_>>()))
    }

    /// `about` begins with a signal's id, or is a card's id or words of its name.
    async fn why(&self, tenant: TenantId, about: &str) -> Result<Reply, BotError> {
        let id = about.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        let mut own = self.scanner.store.tenant(tenant).await?;
        let found = signals::own_decision(&mut own, &id).await?;
        let of_card = if found.is_none() { about_card(signals::own(&mut own, LOOKED_THROUGH).await?, about) } else { Vec::new() };
        own.commit().await?;
        let decision = match (found, of_card.as_slice()) {
            (Some(decision), _) => decision,
            (None, [only]) => only.decision_id,
            (None, []) => return Ok(line("You have no signal of that id or card; /signals shows yours.")),
            (None, several) => {
                let name = |one: &Line| format!("{} {}", one.short_id, named(one));
                let shown = several.iter().take(CHOICES).map(name);
                return Ok(said("Which one? Write /why and its id", shown.collect::<Vec<_>>()));
            }
        };
        match stored_decision(&self.scanner.store, decision, None, false).await {
            Ok(report) => Ok(told(&reply::stored(&report))),
            Err(ExplainError::Scan(error)) => Err(error.into()),
            Err(error) => {
                tracing::error!(event = "why_failed", tenant_id = %tenant, decision_id = %decision, "{error}");
                Ok(line("This cannot be told any more: the rules that it was decided by do not load. The operator was told."))
            }
        }
    }

    async fn profile(&self, tenant: TenantId) -> Result<Reply, BotError> {
        let mut own = self.scanner.store.tenant(tenant).await?;
        let found = users::own(&mut own).await?;
        own.commit().await?;
        let Some(found) = found else { return Ok(line("You are no tenant any more.")) };
        let live = self.scanner.current.get();
        let preset = found.preset.as_deref().and_then(|name| live.presets.get(name).ok());
        let profile = Profile::resolve(&found, preset, &self.scanner.defaults);
        let shown = profile.listed().into_iter().map(|setting| {
            let from = if setting.from.is_empty() { String::new() } else { format!(" ({})", setting.from) };
            format!("{}: {}{from}", setting.name, setting.value.as_deref().unwrap_or("-"))
        });
        Ok(said("What you trade by", shown.collect::<Vec<_>>()))
    }

    async fn set(&self, tenant: TenantId, field: &str, value: &str) -> Result<Reply, BotError> {
        let field: Field = match field.to_ascii_lowercase().parse() {
            Ok(field) => field,
            Err(unknown) => return Ok(line(format!("{unknown}."))),
        };
        let mut own = self.scanner.store.tenant(tenant).await?;
        let Some(found) = users::own(&mut own).await? else { return Ok(line("You are no tenant any more.")) };
        let mut settings: Settings = found.overrides;
        if let Err(bad) = settings.set(field, value) {
            return Ok(line(format!("{bad}.")));
        }
        users::save_settings(&mut own, &settings).await?;
        own.commit().await?;
        Ok(line(format!("{field} is {} now; the next scan goes by it.", value.trim())))
    }
}

fn named(signal: &Line) -> String {
    format!("{} ({})", signal.card_name.as_deref().unwrap_or(&signal.card_id), signal.card_id)
}

/// The newest signal of each card that is meant: by its id, or by words that its name holds.
fn about_card(signals: Vec<Line>, asked: &str) -> Vec<Line> {
    let asked = asked.to_lowercase();
    let is_meant = |signal: &Line| {
        let name = signal.card_name.as_deref().unwrap_or_default().to_lowercase();
        signal.card_id.eq_ignore_ascii_case(&asked) || asked.split_whitespace().all(|word| name.contains(word))
    };
    let mut seen = HashSet::new();
    signals.into_iter().filter(|signal| is_meant(signal) && seen.insert(signal.card_id.clone())).collect()
}

fn popup(act: Act, answer: Answer) -> String {
    match (answer, act) {
        (Answer::Done, Act::TookIt) => "It is yours.".to_owned(),
        (Answer::Done, Act::Pass) => "It goes on to somebody else.".to_owned(),
        // said of a card, it counts also when the signal is over
        (Answer::Done | Answer::Over(_), Act::WrongCard) => "Thank you: you will not see that card again.".to_owned(),
        (Answer::Again, _) => "You said so before.".to_owned(),
        (Answer::Late { expired_at }, _) => {
            let when = expired_at.map_or_else(String::new, |at| format!(" at {}", at.format("%H:%M UTC")));
            format!("Too late: your time ended{when}.")
        }
        (Answer::Over(state), _) => format!("It is over: {}.", in_words(state)),
        (Answer::Unknown, _) => "You have no such signal.".to_owned(),
    }
}

const fn in_words(state: SignalState) -> &'static str {
    match state {
        SignalState::Sending => "on its way",
        SignalState::Held => "yours",
        SignalState::Acted => "taken by you",
        SignalState::Passed => "passed on",
        SignalState::WrongCard => "called a wrong card",
        SignalState::Expired => "expired",
        SignalState::Undeliverable => "never arrived",
        SignalState::Withdrawn => "no deal any longer",
        SignalState::Listed => "in a list",
    }
}

/// An explanation as lines.
fn told(paragraphs: &[Paragraph]) -> Reply {
    let mut reply = Reply { title: None, lines: Vec::new() };
    for paragraph in paragraphs {
        match paragraph {
            Paragraph::Title(text) => reply.title = Some(text.clone()),
            Paragraph::Text(text) | Paragraph::Aside(text) => reply.lines.push(text.clone()),
            Paragraph::List(items) => reply.lines.extend(items.iter().map(|item| format!("• {item}"))),
            Paragraph::Sum { unit, rows } => {
                reply.lines.extend(rows.iter().map(|(sign, what, amount)| format!("{sign}{amount} {unit}: {what}")));
            }
        }
    }
    reply
}
