//! `doctor`: is everything as it has to be, line by line, and what to do where it is not; then how feeds and channels
//! stand, and what they told that cannot be used.

use std::{fmt::Write as _, path::Path};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Exit, Global, causes, rules::PackArg, table};
use crate::{
    clock::Clock,
    config::{Config, DOTENV},
    scrape::driver::Found,
    store::{
        Store, StoreError, channels,
        feeds::{self, Standing, Unmapped},
        pages,
        quarantine::{self, Waiting},
    },
};

mod check;
mod database;
mod reach;

use check::{Check, Level};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ask nobody on the network.
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    pack: PackArg,
}

/// Prices in quarantine that are shown.
const SHOWN: i64 = 5;

#[derive(Debug, Serialize)]
struct Findings {
    checks: Vec<Check>,
    /// Nothing where the database cannot be reached.
    stored: Option<Stored>,
}

/// What the database tells of feeds and channels.
#[derive(Debug, Serialize)]
struct Stored {
    feeds: Vec<Standing>,
    unmapped: Vec<Unmapped>,
    set_apart: i64,
    latest_set_apart: Vec<Waiting>,
    channels: Vec<channels::Standing>,
    /// Pages of the last day, by how they ended.
    pages: Vec<(String, i64)>,
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let (config, now) = (&global.config, Clock::machine().now());
    let mut checks: Vec<Check> = config.parts().iter().map(check::of_part).collect();
    checks.push(check::of_dotenv(Path::new(DOTENV)));
    checks.extend(check::of_rules(&args.pack.load(), &config.profiles));
    checks.extend(check::of_disk(config));
    checks.push(check::of_backups(&config.backups, now));
    checks.push(of_browser(config));
    let (mut stored, mut unreachable) = (None, None);
    match examine(global, now).await {
        Ok((found, standing)) => {
            checks.extend(found);
            checks.extend(standing.feeds.iter().filter_map(of_feed));
            stored = Some(standing);
        }
        Err(error) => {
            unreachable = Some(Exit::of(&error));
            checks.push(Check::fault(
                "database",
                causes(&error),
                "`tcg-radar db status`; `tcg-radar db migrate` where migrations are missing",
            ));
        }
    }
    if !args.offline {
        checks.extend(reach::of_all(config).await);
    }
    let findings = Findings { checks, stored };
    global.show(&findings, |findings| pretty(findings, now))?;
    let is_faulty = findings.checks.iter().any(|check| check.level == Level::Fault);
    Ok(unreachable.unwrap_or(if is_faulty { Exit::Failed } else { Exit::Good }))
}

async fn examine(global: &Global, now: DateTime<Utc>) -> anyhow::Result<(Vec<Check>, Stored)> {
    let store = global.store().await?;
    Ok((database::of_store(&store, now).await?, standing(&store, now).await?))
}

async fn standing(store: &Store, now: DateTime<Utc>) -> Result<Stored, StoreError> {
    let mut tx = store.service().await?;
    let (set_apart, latest_set_apart) = quarantine::waiting(&mut tx, SHOWN).await?;
    let stored = Stored {
        feeds: feeds::standings(&mut tx, now.date_naive()).await?,
        unmapped: feeds::unmapped(&mut tx).await?,
        set_apart,
        latest_set_apart,
        channels: channels::standings(&mut tx).await?,
        pages: pages::outcomes(&mut tx, now).await?,
    };
    tx.commit().await?;
    Ok(stored)
}

/// A feed that failed last; the next run may mend it.
fn of_feed(feed: &Standing) -> Option<Check> {
    let fault = feed.last_fault.clone()?;
    let again = feed.not_before.map(|at| format!(" (again {})", at.format("%F %H:%M"))).unwrap_or_default();
    let what = format!("feed {}", feed.source);
    Some(Check::fault(what, fault, format!("{} failures in a row{again}: see the vendor's key and status", feed.failures)))
}

/// The browser, and what drives it, where pages are to be loaded.
fn of_browser(config: &Config) -> Check {
    if !config.scraping.enabled {
        return check::of_chromium(false);
    }
    match Found::look(&config.scraping.programs, &config.home) {
        Ok(_) => check::of_chromium(true),
        Err(missing) => Check::fault("chromium", missing.to_string(), "no page is loaded before"),
    }
}

fn pretty(findings: &Findings, now: DateTime<Utc>) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    for Check { what, level, said, advice } in &findings.checks {
        let level = match level {
            Level::Ok => "ok     ",
            Level::Warning => "warning",
            Level::Fault => "FAULT  ",
        };
        let advice = advice.as_ref().map(|advice| format!(": {advice}")).unwrap_or_default();
        let _ = writeln!(text, "{level}  {what:<26} {said}{advice}");
    }
    let Some(findings) = &findings.stored else { return text };
    if !findings.pages.is_empty() {
        let pages: Vec<String> = findings.pages.iter().map(|(outcome, pages)| format!("{pages} {outcome}")).collect();
        let _ = writeln!(text, "\npages of the last day: {}", pages.join(", "));
    }
    if !findings.channels.is_empty() {
        let rows = findings.channels.iter().map(|channel| {
            let oldest = channel.oldest.filter(|oldest| *oldest <= now).map_or_else(|| "–".to_owned(), |oldest| ago(now, oldest));
            let counts = [channel.sent, channel.doubts, channel.late, channel.parked, channel.refused, channel.dead_chats];
            let first = [channel.channel.to_string(), channel.waiting.to_string(), oldest];
            first.into_iter().chain(counts.map(|count| count.to_string())).collect()
        });
        let header = ["channel", "waiting", "oldest", "sent", "in doubt", "late", "parked", "refused", "dead chats"];
        let _ = writeln!(text, "\n{}", table(&header, rows));
    }
    if findings.feeds.is_empty() {
        text.push_str("\nno feed has run yet: `tcg-radar serve` runs them\n");
        return text;
    }
    let rows = findings.feeds.iter().map(|feed| {
        let count = |name: &str| feed.report.get(name).map_or_else(|| "–".to_owned(), ToString::to_string);
        vec![
            feed.source.clone(),
            feed.last_run.map_or_else(|| "never".to_owned(), |at| ago(now, at)),
            feed.used_today.to_string(),
            feed.used_this_month.to_string(),
            count("stored"),
            count("changed"),
            count("refused_rows"),
            feed.last_fault.clone().unwrap_or_default(),
        ]
    });
    let _ = writeln!(text, "\n{}", table(&["feed", "last run", "today", "month", "stored", "changed", "refused", "fault"], rows));
    for feed in &findings.feeds {
        for (reason, rows) in feed.report.get("skipped").and_then(serde_json::Value::as_object).into_iter().flatten() {
            let _ = writeln!(text, "{}: {rows} rows skipped: {reason}", feed.source);
        }
        for refusal in feed.report.get("refused").and_then(serde_json::Value::as_array).into_iter().flatten() {
            let told = |name: &str| refusal.get(name).cloned().unwrap_or_default();
            let _ = writeln!(text, "{}: {} rows refused: {}", feed.source, told("rows"), told("reason").as_str().unwrap_or_default());
        }
    }
    for unmapped in &findings.unmapped {
        let samples = unmapped.samples.join(", ");
        let _ = writeln!(text, "{}: {} products are no known card, such as {samples}", unmapped.source, unmapped.products);
    }
    if findings.set_apart > 0 {
        let _ = writeln!(text, "{} prices wait for a second one that confirms them:", findings.set_apart);
        for waiting in &findings.latest_set_apart {
            let Waiting { source, subject, price, expected, .. } = waiting;
            let at = waiting.observed_at.format("%F %H:%M");
            let _ = writeln!(text, "  {source} {subject}: {price} after {expected} ({at})");
        }
    }
    text
}

fn ago(now: DateTime<Utc>, at: DateTime<Utc>) -> String {
    let minutes = (now - at).num_minutes().max(0);
    if minutes < 120 { format!("{minutes} min ago") } else { format!("{} h ago", minutes / 60) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use rust_decimal::Decimal;
    use serde_json::json;

    use super::*;
    use crate::domain::message::Channel;

    #[test]
    fn what_is_off_what_failed_and_what_nobody_knows_is_told_with_a_sample() {
        let now: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        let stored = Stored {
            feeds: vec![Standing {
                source: "tcgcsv".into(),
                last_run: Some("2026-11-22T07:30:00Z".parse().unwrap()),
                not_before: None,
                failures: 2,
                last_fault: Some("https://tcgcsv.com did not answer in time".into()),
                used_today: 3,
                used_this_month: 40,
                report: json!({ "stored": 12, "changed": 1, "refused_rows": 2, "skipped": { "no price": 7 },
                    "refused": [{ "reason": "the price -1 is negative", "rows": 2, "examples": [] }] }),
            }],
            unmapped: vec![Unmapped { source: "tcgcsv".into(), products: 9, samples: vec!["tcgplayer 42 Booster".into()] }],
            set_apart: 1,
            latest_set_apart: vec![Waiting {
                source: "justtcg".into(),
                subject: "tcgplayer 7".into(),
                observed_at: now,
                price: Decimal::from(100),
                expected: Decimal::from(2),
            }],
            channels: vec![channels::Standing {
                channel: Channel::Telegram,
                waiting: 3,
                oldest: Some("2026-11-22T11:45:00Z".parse().unwrap()),
                sent: 120,
                doubts: 1,
                late: 0,
                parked: 2,
                refused: 0,
                dead_chats: 1,
            }],
            pages: vec![("interception".into(), 12), ("blocked".into(), 1)],
        };
        let checks = vec![
            Check::ok("ecb", "on"),
            Check::warning("pokemontcg", "on", "as a guest"),
            Check::fault(".env", "others may read it", "chmod 600 .env"),
        ];
        let findings = Findings { checks, stored: Some(stored) };
        insta::assert_snapshot!(pretty(&findings, now), @r"
        ok       ecb                        on
        warning  pokemontcg                 on: as a guest
        FAULT    .env                       others may read it: chmod 600 .env

        pages of the last day: 12 interception, 1 blocked

         channel   waiting  oldest      sent  in doubt  late  parked  refused  dead chats
         telegram  3        15 min ago  120   1         0     2       0        1

         feed    last run  today  month  stored  changed  refused  fault
         tcgcsv  4 h ago   3      40     12      1        2        https://tcgcsv.com did not answer in time
        tcgcsv: 7 rows skipped: no price
        tcgcsv: 2 rows refused: the price -1 is negative
        tcgcsv: 9 products are no known card, such as tcgplayer 42 Booster
        1 prices wait for a second one that confirms them:
          justtcg tcgplayer 7: 100 after 2 (2026-11-22 12:00)
        ");
    }
}
