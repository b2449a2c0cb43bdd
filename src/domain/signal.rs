//! Who holds an opportunity, until when, and what comes next: a state machine whose every move is a function of what is
//! stored and of the moment. Whoever applies it to the stored rows keeps them locked meanwhile.

use std::{fmt, str::FromStr};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{market::closed_set, plan::Rotation, profile::TenantId};

closed_set! {
    /// Why a tenant has a signal.
    SignalKind, "kind of signal" {
        /// It alone has it, for a while.
        Exclusive = "exclusive",
        /// Nobody has it any longer; it stood in a daily batch.
        Batch = "batch",
        /// It stood in a digest, late.
        Digest = "digest",
    }
}

closed_set! {
    /// What became of a signal.
    SignalState, "state of a signal" {
        /// On its way; the window has not begun.
        Sending = "sending",
        /// Delivered; nobody else may have the opportunity.
        Held = "held",
        Acted = "acted",
        Passed = "passed",
        /// The tenant says that it is another card.
        WrongCard = "wrong_card",
        /// The window ended without a word.
        Expired = "expired",
        /// No channel took it.
        Undeliverable = "undeliverable",
        /// It holds no more, for this tenant or for anybody.
        Withdrawn = "withdrawn",
        /// One of a list, never exclusive.
        Listed = "listed",
    }
}

closed_set! {
    /// Where an opportunity is on its way from one tenant to the next.
    RoutingState, "state of a routing" {
        /// Nobody has it.
        Open = "open",
        Held = "held",
        /// It went round: batches and digests may list it.
        Released = "released",
        /// Somebody acted.
        Taken = "taken",
        Withdrawn = "withdrawn",
    }
}

/// Why a window does not go on to the next tenant, or that it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cascade {
    ActedOn,
    LimitReached,
    CoolingDown,
    Ready,
}

impl Cascade {
    /// Whether what `expires_at` may go on at `now`, having done so `count` times.
    pub fn of(rules: &Rotation, expires_at: DateTime<Utc>, acted_on: bool, count: u32, now: DateTime<Utc>) -> Self {
        if acted_on {
            Self::ActedOn
        } else if count >= rules.holders {
            Self::LimitReached
        } else if now < available_at(rules, expires_at) {
            Self::CoolingDown
        } else {
            Self::Ready
        }
    }
}

/// The first moment at which the next tenant may have it.
pub fn available_at(rules: &Rotation, expires_at: DateTime<Utc>) -> DateTime<Utc> {
    expires_at.checked_add_signed(rules.cooldown).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The count after one more hand-over, and whether that was the last: then nobody gets it exclusively any more.
pub const fn handed_over(rules: &Rotation, count: u32) -> (u32, bool) {
    let count = count.saturating_add(1);
    (count, count >= rules.holders)
}

/// An opportunity on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    pub opportunity_id: Uuid,
    pub state: RoutingState,
    /// How often it went on to somebody else.
    pub hand_overs: u32,
    /// Open: from when on somebody may have it. Held: the end of the window. `None` while nothing but an event moves it.
    pub due_at: Option<DateTime<Utc>>,
    pub holder: Option<Holder>,
}

/// The one tenant that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub signal_id: Uuid,
    pub tenant: TenantId,
    /// [`SignalState::Sending`], [`SignalState::Held`] or [`SignalState::Acted`].
    pub state: SignalState,
    pub window: TimeDelta,
    pub expires_at: Option<DateTime<Utc>>,
}

/// What a tenant does with a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    TookIt,
    Pass,
    WrongCard,
}

/// What comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Done,
    /// It was said before.
    Again,
    /// The window was over at that moment: somebody else has it, or may.
    Late {
        expired_at: Option<DateTime<Utc>>,
    },
    /// It ended otherwise meanwhile.
    Over(SignalState),
    /// The tenant has no such signal.
    Unknown,
}

/// Why a window ends without an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Time is up, and the cooldown over.
    Expired,
    /// No channel took it: it was never held.
    Undeliverable,
    /// It is no signal for this tenant any more: for others it may be.
    Withdrawn,
}

impl End {
    pub const fn state(self) -> SignalState {
        match self {
            Self::Expired => SignalState::Expired,
            Self::Undeliverable => SignalState::Undeliverable,
            Self::Withdrawn => SignalState::Withdrawn,
        }
    }
}

impl Routing {
    /// One that was just found.
    pub const fn open(opportunity_id: Uuid, now: DateTime<Utc>) -> Self {
        Self { opportunity_id, state: RoutingState::Open, hand_overs: 0, due_at: Some(now), holder: None }
    }

    /// Whether somebody may be given it now.
    pub fn is_free(&self, now: DateTime<Utc>) -> bool {
        self.state == RoutingState::Open && self.holder.is_none() && self.due_at.is_some_and(|due| due <= now)
    }

    /// Gives it to a tenant, on its way from now on. `false` where it is not to be had.
    pub fn give(&mut self, holder: Holder, now: DateTime<Utc>) -> bool {
        if !self.is_free(now) {
            return false;
        }
        self.state = RoutingState::Held;
        self.due_at = None;
        self.holder = Some(holder);
        true
    }

    /// The first channel confirmed it: the window begins. Later ones change nothing.
    pub fn delivered(&mut self, signal_id: Uuid, at: DateTime<Utc>) -> bool {
        let Some(holder) = self.holder.as_mut().filter(|holder| holder.signal_id == signal_id && holder.state == SignalState::Sending)
        else {
            return false;
        };
        let expires_at = at.checked_add_signed(holder.window).unwrap_or(DateTime::<Utc>::MAX_UTC);
        holder.state = SignalState::Held;
        holder.expires_at = Some(expires_at);
        self.due_at = Some(expires_at);
        true
    }

    /// What the holder says. Before the window began it may speak too: the answer of the platform may have been lost.
    pub fn act(&mut self, signal_id: Uuid, act: Act, now: DateTime<Utc>, rules: &Rotation) -> Answer {
        let Some(holder) = self.holder.as_mut().filter(|holder| holder.signal_id == signal_id) else { return Answer::Unknown };
        match (holder.state, holder.expires_at) {
            (SignalState::Acted, _) if act == Act::TookIt => Answer::Again,
            (SignalState::Acted, _) => Answer::Over(SignalState::Acted),
            (SignalState::Held, Some(expires_at)) if now >= expires_at => Answer::Late { expired_at: Some(expires_at) },
            (SignalState::Sending | SignalState::Held, _) if act == Act::TookIt => {
                holder.state = SignalState::Acted;
                self.state = RoutingState::Taken;
                self.due_at = None;
                Answer::Done
            }
            (SignalState::Sending | SignalState::Held, _) => {
                self.go_on(available_at(rules, now), rules);
                Answer::Done
            }
            (state, _) => Answer::Over(state),
        }
    }

    /// Ends the window where it is over and the cooldown, too. `None` where it is not.
    pub fn lapse(&mut self, now: DateTime<Utc>, rules: &Rotation) -> Option<Holder> {
        let holder = self.holder.as_ref().filter(|holder| holder.state == SignalState::Held)?;
        match Cascade::of(rules, holder.expires_at?, false, self.hand_overs, now) {
            Cascade::Ready | Cascade::LimitReached => {}
            Cascade::CoolingDown | Cascade::ActedOn => return None,
        }
        let ended = self.holder.take();
        self.go_on(now, rules);
        ended
    }

    /// Takes it from a tenant that never had it, or for which it holds no more: at once to the next, and no hand-over.
    pub fn take_back(&mut self, signal_id: Uuid, now: DateTime<Utc>) -> Option<Holder> {
        let live = |holder: &Holder| matches!(holder.state, SignalState::Sending | SignalState::Held);
        if !self.holder.as_ref().is_some_and(|holder| holder.signal_id == signal_id && live(holder)) {
            return None;
        }
        let ended = self.holder.take();
        self.state = RoutingState::Open;
        self.due_at = Some(now);
        ended
    }

    /// Nobody is left who could have it.
    pub fn release(&mut self) {
        if self.state == RoutingState::Open {
            self.state = RoutingState::Released;
            self.due_at = None;
        }
    }

    fn go_on(&mut self, at: DateTime<Utc>, rules: &Rotation) {
        self.holder = None;
        let (count, last) = handed_over(rules, self.hand_overs);
        self.hand_overs = count;
        (self.state, self.due_at) = if last { (RoutingState::Released, None) } else { (RoutingState::Open, Some(at)) };
    }
}

#[cfg(test)]
mod tests;
