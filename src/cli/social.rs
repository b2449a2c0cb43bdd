//! `social --replay FILE`: what the listening to people would have found in recorded posts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use serde::Serialize;

use super::{Exit, Global, table};
use crate::{
    clock::Clock,
    events::{
        names::folded,
        spikes::{Mention, Spike, Talk},
    },
    ingest::social::names,
    sources::{Input, reddit_titles},
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recorded posts: a CSV with `post_id`, `title` and `updated`, plain or .gz.
    #[arg(long, value_name = "FILE")]
    replay: PathBuf,
    /// Show the posts that name a card, to look at false matches by hand.
    #[arg(long, value_name = "NAME")]
    titles: Option<String>,
    /// Names that are shown of those found most often.
    #[arg(long, default_value_t = 15, value_name = "N")]
    top: usize,
}

#[derive(Debug, Serialize)]
struct Report {
    posts: usize,
    refused: u64,
    /// Names that were looked for.
    names: usize,
    /// Posts that name a card.
    naming: usize,
    mentions: usize,
    #[serde(serialize_with = "seconds")]
    matching: Duration,
    #[serde(serialize_with = "seconds")]
    counting: Duration,
    most: Vec<(String, usize)>,
    spikes: Vec<Line>,
    titles: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Line {
    at: String,
    name: String,
    frequency: u32,
    baseline: Option<String>,
    strength: String,
    prints: usize,
}

fn seconds<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{}.{:03}", took.as_secs(), took.subsec_millis()))
}

/// A spike that goes on is told once in so long.
const QUIET: TimeDelta = TimeDelta::hours(4);

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let (posts, refused) = reddit_titles::read(Input::file(&args.replay)?, Clock::machine().now())?;
    let store = global.store().await?;
    let mut tx = store.service().await?;
    let names = names(&mut tx).await?;
    tx.commit().await?;
    let wanted = args.titles.as_deref().map(folded);
    let began = Instant::now();
    let found: Vec<BTreeSet<&str>> = posts.iter().map(|post| names.found_in(&post.text)).collect();
    let matching = began.elapsed();
    let mut talk = Talk::default();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut titles = Vec::new();
    for (post, found) in posts.iter().zip(&found) {
        talk.hear(found.iter().copied(), &Mention { at: post.posted_at, author: post.id.clone() });
        for name in found {
            *counts.entry(name).or_default() += 1;
        }
        if wanted.as_deref().is_some_and(|wanted| found.contains(wanted)) {
            titles.push(post.text.clone());
        }
    }
    let began = Instant::now();
    let spikes = talk.spikes(QUIET);
    let counting = began.elapsed();
    let mut most: Vec<(String, usize)> = counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    most.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    most.truncate(args.top);
    let report = Report {
        posts: posts.len(),
        refused,
        names: names.count(),
        naming: found.iter().filter(|found| !found.is_empty()).count(),
        mentions: counts.values().sum(),
        matching,
        counting,
        most,
        spikes: spikes.iter().map(|spike| line(spike, names.cards(&spike.name).len())).collect(),
        titles,
    };
    global.show(&report, pretty)?;
    Ok(if names.count() == 0 { Exit::NothingRan } else { Exit::Good })
}

fn line(spike: &Spike, prints: usize) -> Line {
    Line {
        at: spike.at.format("%F %T").to_string(),
        name: spike.name.clone(),
        frequency: spike.frequency,
        baseline: spike.baseline.map(|baseline| baseline.round_dp(3).to_string()),
        strength: spike.strength().to_string(),
        prints,
    }
}

fn pretty(report: &Report) -> String {
    if report.names == 0 {
        return "no card is known, so no name can be looked for: `tcg-radar import cards/` stores cards".to_owned();
    }
    let Report { posts, names, naming, mentions, matching, counting, .. } = report;
    let mut text = format!("{posts} posts, {names} names looked for: {naming} posts name a card, {mentions} mentions\n");
    // Writing into a String cannot fail.
    let _ = writeln!(text, "names found in {} ms, spikes in {} ms", matching.as_millis(), counting.as_millis());
    if report.refused > 0 {
        let _ = writeln!(text, "{} rows were refused: no number or no moment", report.refused);
    }
    let rows = report.most.iter().map(|(name, count)| vec![name.clone(), count.to_string()]);
    let _ = write!(text, "\n{}\n\n", table(&["name", "posts"], rows));
    if report.spikes.is_empty() {
        text.push_str("no spike\n");
    } else {
        let rows = report.spikes.iter().map(|line| {
            let baseline = line.baseline.clone().unwrap_or_else(|| "–".to_owned());
            vec![line.at.clone(), line.name.clone(), line.frequency.to_string(), baseline, line.strength.clone(), line.prints.to_string()]
        });
        let _ = writeln!(text, "{}", table(&["at (UTC)", "spike", "people in 30 min", "usual", "times the usual", "prints"], rows));
    }
    for title in &report.titles {
        let _ = write!(text, "\n{title}");
    }
    text
}
