//! The tenants as the rotation sees them: settings, plan, place, and where they can be reached.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::{RouteError, Router};
use crate::{
    domain::{
        card::Card,
        message::Channel,
        plan::{Plan, Plans, day_in},
        profile::{Category, Profile, Tenant, TenantId, TimeOfDay},
    },
    rules::live::Live,
    scan::tenants,
    store::{
        dead_chats,
        rotation::{self, Place},
        signals::Candidate,
    },
};

/// One of them.
#[derive(Debug)]
pub struct Member {
    pub tenant: Tenant,
    pub profile: Profile,
    pub place: Place,
    /// Chats that take messages.
    pub chats: Vec<(Channel, i64)>,
}

/// All active tenants, by id.
#[derive(Debug)]
pub struct Members(HashMap<TenantId, Member>);

/// When somebody may be given something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Now,
    /// Not while quiet hours last, or the day's number is reached.
    Later,
    Never,
}

impl Members {
    /// # Errors
    /// The database is gone, or holds a value that this program does not know.
    pub async fn load(router: &Router, live: &Live, now: DateTime<Utc>) -> Result<Self, RouteError> {
        let scanner = &router.scanner;
        // whoever is left out here was told of by the scan
        let (resolved, _) = tenants::load(&scanner.store, &live.presets, &scanner.defaults).await?;
        let mut tx = scanner.store.service().await?;
        let mut places = rotation::places(&mut tx, &live.plans.rotation, now).await?;
        let mut dead = HashMap::new();
        for channel in &router.channels {
            dead.insert(*channel, dead_chats::of(&mut tx, *channel).await?);
        }
        tx.commit().await?;
        let members = resolved.into_iter().filter_map(|(tenant, profile)| {
            let place = places.remove(&tenant.id)?;
            let all = [(Channel::Telegram, tenant.telegram_chat_id), (Channel::Discord, tenant.discord_channel_id)];
            let alive = |(channel, chat): (Channel, Option<i64>)| {
                let chat = chat?;
                dead.get(&channel).filter(|dead| !dead.contains(&chat)).map(|_| (channel, chat))
            };
            let chats = all.into_iter().filter_map(alive).collect();
            Some((tenant.id, Member { tenant, profile, place, chats }))
        });
        Ok(Self(members.collect()))
    }

    pub fn get(&self, tenant: TenantId) -> Option<&Member> {
        self.0.get(&tenant)
    }

    /// Remembers what was just given, for the rest of the round.
    pub fn gave(&mut self, tenant: TenantId, signals: usize, now: DateTime<Utc>) {
        if let Some(member) = self.0.get_mut(&tenant) {
            let given = member.given_today(now).saturating_add(u32::try_from(signals).unwrap_or(u32::MAX));
            let day = day_in(member.profile.clock(), now);
            member.place = Place { given_on: Some(day), given_today: given, last_given_at: Some(now), ..member.place.clone() };
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.0.values()
    }
}

impl Member {
    pub fn plan<'p>(&self, plans: &'p Plans) -> &'p Plan {
        plans.of(self.tenant.tier)
    }

    pub fn categories(&self) -> &[Category] {
        self.profile.card_categories.value.as_deref().unwrap_or_default()
    }

    /// The hour of the daily batch: the tenant's own, else its plan's.
    pub fn batch_at(&self, plan: &Plan) -> Option<TimeOfDay> {
        self.profile.daily_batch_at.value.or(plan.daily_batch_at)
    }

    pub fn is_reachable(&self) -> bool {
        self.tenant.paused_at.is_none() && !self.chats.is_empty()
    }

    pub fn is_quiet(&self, now: DateTime<Utc>) -> bool {
        self.profile.quiet_hours.value.is_some_and(|hours| hours.include(self.profile.clock(), now))
    }

    /// Signals of this day, by the tenant's clock.
    pub fn given_today(&self, now: DateTime<Utc>) -> u32 {
        self.place.given(day_in(self.profile.clock(), now))
    }

    /// How many more signals the plan has for this day.
    pub fn left_today(&self, plan: &Plan, now: DateTime<Utc>) -> Option<u32> {
        plan.max_signals_per_day.map(|most| most.saturating_sub(self.given_today(now)))
    }

    /// Whether the tenant may be given a live exclusive. Who wants a batch wants no live ones.
    pub fn when(&self, plan: &Plan, candidate: &Candidate, card: Option<&Card>, now: DateTime<Utc>) -> When {
        let batched = self.profile.daily_batch_at.value.is_some();
        let wanted = super::rotation::is_interested(self.categories(), card.and_then(Category::of));
        if !plan.realtime || batched || !self.is_reachable() || !plan.includes(candidate.signal_type.as_deref()) || !wanted {
            When::Never
        } else if self.is_quiet(now) || self.left_today(plan, now) == Some(0) {
            When::Later
        } else {
            When::Now
        }
    }

    pub const fn priority(&self) -> Decimal {
        self.place.priority
    }
}
