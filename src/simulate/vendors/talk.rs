//! Where people write: Reddit as an application and as a guest, Discord's channels, X's counts; and Limitless's tournaments.
//! As most machines of data centres see it, Reddit refuses guests its JSON.

use std::fmt::Write as _;

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, DurationRound, SecondsFormat, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{Asked, KEY, Reply};

/// The name of Reddit's application; its secret is [`KEY`].
pub const CLIENT: &str = "stand-in";
/// Discord counts from here.
const DISCORD_EPOCH: i64 = 1_420_070_400_000;

/// Something that somebody wrote.
#[derive(Debug, Clone, Deserialize)]
pub struct Written {
    /// A subreddit, a Discord channel's number, or `x`.
    pub place: String,
    pub author: String,
    pub text: String,
    pub at: DateTime<Utc>,
}

/// A tournament, as the list shows it, and its standings.
#[derive(Debug, Clone)]
pub struct Held {
    pub listed: Json,
    pub standings: Json,
}

/// What there is to tell.
#[derive(Default)]
pub struct Talk {
    pub written: Vec<Written>,
    pub held: Vec<Held>,
}

impl Talk {
    /// The place's posts with their numbers, the newest first.
    fn of(&self, place: &str, now: DateTime<Utc>) -> Vec<(usize, &Written)> {
        let mut posts: Vec<_> = self.written.iter().enumerate().filter(|(_, post)| post.place == place && post.at <= now).collect();
        posts.sort_by_key(|(number, post)| (std::cmp::Reverse(post.at), *number));
        posts.truncate(100);
        posts
    }

    pub fn answer(&self, vendor: &str, asked: &Asked, now: DateTime<Utc>) -> Reply {
        match vendor {
            "reddit" => self.reddit(asked, now),
            "reddit-oauth" => self.reddit_application(asked, now),
            "discord-channels" => self.discord(asked, now),
            "x" => self.x(asked, now),
            _ => self.limitless(asked),
        }
    }

    fn reddit(&self, asked: &Asked, now: DateTime<Utc>) -> Reply {
        if asked.path == "api/v1/access_token" {
            let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{KEY}")));
            let is_form = asked.header("content-type") == Some("application/x-www-form-urlencoded");
            return match asked.header("authorization") {
                Some(told) if told == basic && is_form && asked.method == "POST" && asked.body == b"grant_type=client_credentials" => {
                    Reply::json(200, &json!({ "access_token": KEY, "token_type": "bearer", "expires_in": 86_400, "scope": "*" }))
                }
                _ => Reply::json(401, &json!({ "message": "Unauthorized", "error": 401 })),
            };
        }
        let Some(rest) = asked.path.strip_prefix("r/") else { return Reply::not_found() };
        if let Some((subreddit, "new/.rss")) = rest.split_once('/') {
            return self.feed(subreddit, now);
        }
        let page = b"<html><body>You've been blocked by network security.</body></html>".to_vec();
        Reply { status: 403, headers: vec![("content-type", "text/html".to_owned())], body: page }
    }

    fn feed(&self, subreddit: &str, now: DateTime<Utc>) -> Reply {
        let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let mut entries = String::new();
        for (number, post) in self.of(subreddit, now) {
            let (at, author, title) = (post.at.to_rfc3339(), escaped(&post.author), escaped(&post.text));
            // Writing into a String cannot fail.
            let _ = write!(
                entries,
                "<entry><author><name>/u/{author}</name><uri>https://www.reddit.com/user/{author}</uri></author><category term=\"{subreddit}\" \
                label=\"r/{subreddit}\"/><content type=\"html\">&lt;p&gt;…&lt;/p&gt;</content><id>t3_p{number}</id><link href=\"https://www.reddit.com/\"/>\
                <updated>{at}</updated><published>{at}</published><title>{title}</title></entry>"
            );
        }
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><feed xmlns=\"http://www.w3.org/2005/Atom\"><category term=\"{subreddit}\"/>\
            <title>newest submissions : {subreddit}</title>{entries}</feed>"
        );
        Reply { status: 200, headers: vec![("content-type", "application/atom+xml; charset=UTF-8".to_owned())], body: body.into_bytes() }
    }

    fn reddit_application(&self, asked: &Asked, now: DateTime<Utc>) -> Reply {
        if asked.header("authorization") != Some(&format!("Bearer {KEY}")) {
            return Reply::json(401, &json!({ "message": "Unauthorized", "error": 401 }));
        }
        let subreddit = asked.path.strip_prefix("r/").and_then(|rest| rest.strip_suffix("/new"));
        let Some(subreddit) = subreddit else { return Reply::not_found() };
        let children: Vec<Json> = self
            .of(subreddit, now)
            .into_iter()
            .map(|(number, post)| {
                let seconds: Json = serde_json::from_str(&format!("{}.0", post.at.timestamp())).unwrap_or_default();
                json!({ "kind": "t3", "data": { "id": format!("p{number}"), "title": post.text, "selftext": "", "author": post.author, "score": 1,
                    "num_comments": 0, "created_utc": seconds, "permalink": "/" } })
            })
            .collect();
        Reply::json(200, &json!({ "kind": "Listing", "data": { "after": null, "children": children } }))
    }

    fn discord(&self, asked: &Asked, now: DateTime<Utc>) -> Reply {
        if asked.header("authorization") != Some(&format!("Bot {KEY}")) {
            return Reply::json(401, &json!({ "message": "401: Unauthorized", "code": 0 }));
        }
        let channel = asked.path.strip_prefix("api/v10/channels/").and_then(|rest| rest.strip_suffix("/messages"));
        let Some(channel) = channel else { return Reply::not_found() };
        let after = asked.number("after", 0) as u64;
        let id = |number: usize, post: &Written| (post.at.timestamp_millis() - DISCORD_EPOCH).unsigned_abs() << 22 | number as u64;
        let posts = self.of(channel, now).into_iter().map(|(number, post)| (id(number, post), post)).filter(|(id, _)| *id > after);
        let messages: Vec<Json> = posts
            .map(|(id, post)| {
                json!({ "id": id.to_string(), "type": 0, "channel_id": channel, "content": post.text, "timestamp": post.at.to_rfc3339(),
                    "author": { "id": post.author, "username": post.author } })
            })
            .collect();
        Reply::json(200, &json!(messages))
    }

    fn x(&self, asked: &Asked, now: DateTime<Utc>) -> Reply {
        if asked.header("authorization") != Some(&format!("Bearer {KEY}")) {
            return Reply::json(401, &json!({ "title": "Unauthorized", "status": 401 }));
        }
        let (query, unit) = (asked.query.get("query"), asked.query.get("granularity").map(String::as_str));
        let step = if unit == Some("hour") { TimeDelta::hours(1) } else { TimeDelta::minutes(1) };
        let Some(name) = query.and_then(|query| query.split('"').nth(1)).map(str::to_lowercase) else {
            return Reply::json(400, &json!({ "title": "Invalid Request", "status": 400 }));
        };
        let end = now - TimeDelta::seconds(30);
        let start = asked.query.get("start_time").and_then(|text| text.parse::<DateTime<Utc>>().ok()).unwrap_or(end - TimeDelta::days(7));
        let mut from = start.duration_trunc(step).unwrap_or(start);
        let written = |from: DateTime<Utc>, until| {
            let of_x = self.written.iter().filter(|post| post.place == "x" && post.at >= from && post.at < until);
            of_x.filter(|post| post.text.to_lowercase().contains(&name)).count()
        };
        let (mut counts, mut total) = (Vec::new(), 0);
        let told = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        while from < end {
            let until = (from + step).min(end);
            let count = written(from.max(start), until);
            total += count;
            counts.push(json!({ "start": told(from.max(start)), "end": told(until), "tweet_count": count }));
            from = until;
        }
        Reply::json(200, &json!({ "data": counts, "meta": { "total_tweet_count": total } }))
    }

    fn limitless(&self, asked: &Asked) -> Reply {
        if asked.header("x-access-key") != Some(KEY) {
            return Reply { status: 403, headers: Vec::new(), body: Vec::new() };
        }
        if asked.path == "api/tournaments" {
            return Reply::json(200, &self.held.iter().map(|held| held.listed.clone()).collect());
        }
        let id = asked.path.strip_prefix("api/tournaments/").and_then(|rest| rest.strip_suffix("/standings"));
        match id.and_then(|id| self.held.iter().find(|held| held.listed["id"] == id)) {
            Some(held) => Reply::json(200, &held.standings),
            None => Reply::not_found(),
        }
    }
}
