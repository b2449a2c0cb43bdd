//! What is told of the service's state, name by name. `.deploy/alerts.yml` asks for these names.

use std::fmt;

use chrono::{DateTime, Utc};

use super::{
    Watch,
    exposition::{Exposition, Labels, age, alone, count},
};
use crate::{
    domain::feed::{Period, quota_left},
    store::{
        backup,
        channels::Depth,
        vitals::{Rules, Vitals},
    },
};

/// Everything, in Prometheus's form. Without the database only what the process itself knows.
pub fn text(watch: &Watch, vitals: Option<&Vitals>, now: DateTime<Utc>) -> Result<String, fmt::Error> {
    let mut all = Exposition::default();
    of_process(&mut all, watch, vitals.is_some());
    of_backups(&mut all, watch, now);
    if let Some(vitals) = vitals {
        if let Some(rules) = &vitals.rules {
            of_rules(&mut all, rules, now);
        }
        of_scans(&mut all, vitals, now);
        of_feeds(&mut all, watch, vitals, now);
        of_delivery(&mut all, vitals, now);
    }
    all.text()
}

fn of_process(all: &mut Exposition, watch: &Watch, has_database: bool) {
    all.info("tcg_radar_build", "This program", vec![("version", env!("CARGO_PKG_VERSION").to_owned())]);
    let started = alone(watch.started.timestamp());
    all.gauge("tcg_radar_start_timestamp_seconds", "When this process began to serve", started);
    let loops = || watch.loops.iter().map(|watched| (vec![("loop", watched.name.to_owned())], watched, watched.pulse.beats()));
    let busy = loops().map(|(labels, _, beats)| (labels, beats.busy_for.map_or(0, |busy| count(busy.as_secs()))));
    all.gauge("tcg_radar_loop_busy_seconds", "For how long the loop has been at its present turn; 0 while it rests", busy);
    let hangs = loops().map(|(labels, watched, beats)| (labels, i64::from(watched.hangs(&beats))));
    all.gauge("tcg_radar_loop_hangs", "1 where the present turn takes longer than any turn may", hangs);
    all.counter("tcg_radar_loop_turns", "Turns that went well", loops().map(|(labels, _, beats)| (labels, beats.good)));
    all.counter("tcg_radar_loop_failures", "Turns that did not", loops().map(|(labels, _, beats)| (labels, beats.failed)));
    all.gauge("tcg_radar_database_up", "1 where the database answered just now", alone(i64::from(has_database)));
    let pool = watch.store.connections();
    let states = [("open", count(pool.open)), ("idle", count(pool.idle)), ("most", i64::from(pool.most))];
    let states = states.map(|(state, number)| (vec![("state", state.to_owned())], number));
    all.gauge("tcg_radar_database_connections", "This process's connections: open, idle of these, and the most there may be", states);
}

/// Where none was made yet, the process's age counts: one that never makes any is as bad as one that stopped.
fn of_backups(all: &mut Exposition, watch: &Watch, now: DateTime<Utc>) {
    let Some(folder) = &watch.backups else { return };
    // a folder that cannot be read holds none
    let newest = backup::list(folder).ok().and_then(|mut found| found.pop()).map_or(watch.started, |newest| newest.made_at);
    all.gauge("tcg_radar_backup_age_seconds", "Since the newest backup was made", alone(age(now, newest)));
}

fn of_rules(all: &mut Exposition, rules: &Rules, now: DateTime<Utc>) {
    let regime = rules.customs_regime.clone().unwrap_or_default();
    all.info("tcg_radar_rules", "What decides", vec![("pack", rules.pack_hash.clone()), ("regime", regime)]);
    all.gauge("tcg_radar_rules_live_timestamp_seconds", "Since when it decides", alone(rules.live_since.timestamp()));
    all.gauge("tcg_radar_rules_refused", "1 where the files of now cannot be used", alone(i64::from(rules.refused_since.is_some())));
    let refused = alone(rules.last_refused.map(|at| at.timestamp()));
    all.gauge("tcg_radar_rules_last_refusal_timestamp_seconds", "When an edit was last refused", refused);
    all.gauge("tcg_radar_rules_look_age_seconds", "Since the service last looked at the files", alone(age(now, rules.looked_at)));
}

fn of_scans(all: &mut Exposition, vitals: &Vitals, now: DateTime<Utc>) {
    let took = vitals.scan.map(|scan| scan.took.num_milliseconds());
    all.gauge("tcg_radar_scan_duration_milliseconds", "How long the last scan took", alone(took));
    all.gauge(
        "tcg_radar_scan_age_seconds",
        "Since the last scan came to its end",
        alone(vitals.scan.map(|scan| age(now, scan.finished_at))),
    );
    all.gauge("tcg_radar_opportunities", "What is on offer", alone(vitals.opportunities));
    let signals = vitals.signals.iter().map(|(state, number)| (vec![("state", state.clone())], *number));
    all.gauge("tcg_radar_signals", "Signals of the last 24 hours", signals);
}

/// A feed that never ran is as old as the process.
fn of_feeds(all: &mut Exposition, watch: &Watch, vitals: &Vitals, now: DateTime<Utc>) {
    let feeds = || {
        watch.sources.iter().map(|(source, budget)| {
            let found = vitals.feeds.iter().find(|feed| feed.source == *source);
            (vec![("source", (*source).to_owned())], budget, found)
        })
    };
    let ages = feeds().map(|(labels, _, feed)| (labels, age(now, feed.and_then(|feed| feed.last_run).unwrap_or(watch.started))));
    all.gauge("tcg_radar_feed_age_seconds", "Since the feed last came to its end", ages);
    let failures = feeds().map(|(labels, _, feed)| (labels, feed.map_or(0, |feed| i64::from(feed.failures))));
    all.gauge("tcg_radar_feed_failures", "Failures in a row", failures);
    let left = feeds().filter_map(|(labels, budget, feed)| {
        let feed = feed?;
        let of_period = move |(period, left): (Period, Option<u32>)| {
            let labels: Labels = labels.iter().cloned().chain([("period", period.to_string())]).collect();
            Some((labels, i64::from(left?)))
        };
        Some(quota_left(&feed.day, &feed.month, budget, now).into_iter().filter_map(of_period))
    });
    all.gauge("tcg_radar_feed_quota_left", "Requests that the vendor still allows", left.flatten());
}

fn of_delivery(all: &mut Exposition, vitals: &Vitals, now: DateTime<Utc>) {
    let channels = |of: fn(&Depth) -> i64| {
        vitals.channels.iter().map(move |depth| (vec![("channel", depth.channel.to_string())], of(depth))).collect::<Vec<_>>()
    };
    let oldest = vitals.channels.iter().map(|depth| {
        let waited = depth.oldest.map_or(0, |since| age(now, since));
        (vec![("channel", depth.channel.to_string())], waited)
    });
    all.gauge("tcg_radar_outbox_waiting", "Messages that are still to be sent", channels(|depth| depth.waiting));
    all.gauge("tcg_radar_outbox_oldest_seconds", "For how long the oldest of them could have been sent", oldest);
    all.gauge("tcg_radar_dead_chats", "Chats that take nothing from us", channels(|depth| depth.dead_chats));
    let troubles = vitals.channels.iter().flat_map(|depth| {
        let Depth { channel, doubts, late, parked, refused, .. } = depth;
        [("in_doubt", doubts), ("late", late), ("parked", parked), ("refused", refused)]
            .map(|(outcome, number)| (vec![("channel", channel.to_string()), ("outcome", outcome.to_owned())], number.unsigned_abs()))
    });
    let help = "Sends whose answer was lost (in_doubt), and messages that were never sent: too late, to a dead chat, refused";
    all.counter("tcg_radar_delivery_troubles", help, troubles);
}
