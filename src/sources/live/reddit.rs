//! Reddit: new posts of some subreddits. An application asks for JSON with a token, a guest without; where JSON is refused,
//! as it is to most machines of data centres, the Atom feed tells the same posts.

use std::sync::{Mutex, PoisonError};

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{About, Fault, Run, Source, Step, document, good, posts::Told};
use crate::{
    config::social::Reddit as Settings,
    domain::{feed::Budget, talk::Platform},
    sources::{
        Emit, Outcome, Row,
        http::{Address, Answer, Request},
        json,
    },
};

const KEY: &str = "correct REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET, or leave both empty to ask as a guest";
/// Posts of one answer.
const PAGE: u32 = 100;
/// A token is renewed so long before its end.
const EARLY: TimeDelta = TimeDelta::minutes(1);

pub struct Reddit {
    about: About,
    settings: Settings,
    /// Never stored.
    session: Mutex<Session>,
}

#[derive(Default)]
struct Session {
    token: Option<(SecretString, DateTime<Utc>)>,
    /// The last request was for one.
    is_asked: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// The subreddit that is next.
    next: usize,
    /// In this run.
    json_refused: bool,
}

impl Reddit {
    pub fn new(settings: Settings, cadence: TimeDelta) -> Self {
        // guests may ask ten times a minute
        let spacing = TimeDelta::milliseconds(if settings.client().is_some() { 1_100 } else { 6_500 });
        let budget = Budget { spacing, ..Budget::default() };
        let about = About { name: "reddit", cadence, budget, asks_for: None, batch: 0, is_archive: false };
        Self { about, settings, session: Mutex::default() }
    }

    fn session(&self) -> std::sync::MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn token_request(&self, (id, secret): (&str, &SecretString)) -> Request {
        let basic = STANDARD.encode(format!("{id}:{}", secret.expose_secret()));
        Request {
            key: Some(("authorization", format!("Basic {basic}").into())),
            body: Some("grant_type=client_credentials".to_owned()),
            is_form: true,
            ..Request::get(Address::of(&self.settings.base).path("api/v1/access_token"))
        }
    }

    /// The token that the answer holds.
    fn take_token(&self, answer: &Answer, now: DateTime<Utc>) -> Result<(), Fault> {
        #[derive(Deserialize)]
        struct Granted {
            access_token: SecretString,
            expires_in: i64,
        }
        good(answer, KEY)?;
        let granted: Granted = document(answer)?;
        let until = now + TimeDelta::seconds(granted.expires_in.clamp(0, 86_400));
        self.session().token = Some((granted.access_token, until));
        Ok(())
    }
}

impl Source for Reddit {
    fn about(&self) -> &About {
        &self.about
    }

    fn next(&self, run: &Run) -> Option<Request> {
        let state: State = run.state();
        let subreddit = self.settings.subreddits.get(state.next)?;
        let guest = Address::of(&self.settings.base);
        let mut session = self.session();
        session.is_asked = false;
        if state.json_refused {
            return Some(Request::get(guest.path(&format!("r/{subreddit}/new/.rss")).query("limit", PAGE)));
        }
        let Some(client) = self.settings.client() else {
            return Some(Request::get(guest.path(&format!("r/{subreddit}/new.json")).query("limit", PAGE)));
        };
        match &session.token {
            Some((token, until)) if *until > run.now + EARLY => {
                let address = Address::of(&self.settings.oauth).path(&format!("r/{subreddit}/new")).query("limit", PAGE);
                let bearer = format!("Bearer {}", token.expose_secret());
                Some(Request { key: Some(("authorization", bearer.into())), ..Request::get(address) })
            }
            _ => {
                session.is_asked = true;
                Some(self.token_request(client))
            }
        }
    }

    fn read(&self, run: &Run, answer: Answer, emit: &mut Emit<'_>) -> Result<Step, Fault> {
        let mut state: State = run.state();
        if std::mem::take(&mut self.session().is_asked) {
            self.take_token(&answer, run.now)?;
            return Step::to(&state, true);
        }
        if state.json_refused {
            good(&answer, "Reddit refuses this machine its feed, too: ask less often, or as an application")?;
            feed(&answer, run.now, emit)?;
        } else if matches!(answer.status, 401 | 403) || answer.body.trim_ascii_start().starts_with(b"<") {
            // a token that holds no more is asked for anew in the next run
            self.session().token = None;
            state.json_refused = true;
            return Step::to(&state, true);
        } else {
            good(&answer, KEY)?;
            listing(&answer, run.now, emit)?;
        }
        state.next += 1;
        if state.next < self.settings.subreddits.len() {
            return Step::to(&state, true);
        }
        Step::to(&State::default(), false)
    }
}

#[derive(Deserialize)]
struct Listing<'a> {
    #[serde(borrow)]
    data: Children<'a>,
}

#[derive(Deserialize)]
struct Children<'a> {
    #[serde(borrow)]
    children: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Child {
    data: Link,
}

#[derive(Deserialize)]
struct Link {
    id: String,
    title: String,
    #[serde(default)]
    selftext: String,
    author: Option<String>,
    created_utc: serde_json::Number,
}

fn listing(answer: &Answer, now: DateTime<Utc>, emit: &mut Emit<'_>) -> Result<(), Fault> {
    let listing: Listing<'_> = document(answer)?;
    json::each_row(&answer.body, &listing.data.children, emit, |child: Child| {
        let link = child.data;
        // written as 1779062414.0
        let seconds = link.created_utc.to_string().split('.').next().and_then(|whole| whole.parse().ok());
        let Some(at) = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0)) else {
            return vec![Outcome::Refused("a post without its moment".into())];
        };
        let text = format!("{}\n{}", link.title, link.selftext);
        vec![Told { platform: Platform::Reddit, id: &link.id, author: link.author.as_deref(), text, at }.outcome(now)]
    })?;
    Ok(())
}

#[derive(Deserialize)]
struct Atom {
    #[serde(rename = "entry", default)]
    entries: Vec<AtomEntry>,
}

#[derive(Deserialize)]
struct AtomEntry {
    id: String,
    title: String,
    published: Option<DateTime<Utc>>,
    updated: Option<DateTime<Utc>>,
    author: Option<AtomAuthor>,
}

#[derive(Deserialize)]
struct AtomAuthor {
    name: Option<String>,
}

fn feed(answer: &Answer, now: DateTime<Utc>, emit: &mut Emit<'_>) -> Result<(), Fault> {
    let text = std::str::from_utf8(&answer.body).map_err(|error| Fault::Format(error.to_string()))?;
    let feed: Atom =
        quick_xml::de::from_str(text).map_err(|error| Fault::Format(format!("{} sent no Atom feed ({error})", answer.from)))?;
    for (entry, line) in feed.entries.into_iter().zip(1..) {
        let outcome = match entry.published.or(entry.updated) {
            Some(at) => {
                let author = entry.author.and_then(|author| author.name);
                // the listing knows the same post without the kind before its number
                let id = entry.id.trim_start_matches("t3_");
                Told { platform: Platform::Reddit, id, author: author.as_deref(), text: entry.title, at }.outcome(now)
            }
            None => Outcome::Refused("a post without its moment".into()),
        };
        emit(Row::new(line, outcome))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::{super::testing::*, *};
    use crate::{
        config::Config,
        sources::{Entry, http::Request},
    };

    const JSON: &str = r#"{"kind":"Listing","data":{"after":"t3_b","children":[
        {"kind":"t3","data":{"id":"a","title":"Mew ex?","selftext":"or Mewtwo","author":"ann","created_utc":1795348800.0,"score":1}},
        {"kind":"t3","data":{"id":"b","title":"old","author":"[deleted]","created_utc":1700000000}},
        {"kind":"t3","data":{"title":"no number","created_utc":1795348800}}]}}"#;
    const ATOM: &str = r#"<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom" xmlns:media="http://search.yahoo.com/mrss/">
        <category term="PokemonTCG" label="r/PokemonTCG"/><title>newest submissions</title>
        <entry><author><name>/u/ann</name><uri>https://www.reddit.com/user/ann</uri></author><category term="PokemonTCG" label="r/PokemonTCG"/>
        <content type="html">&lt;p&gt;or Mewtwo&lt;/p&gt;</content><id>t3_a</id><link href="https://www.reddit.com/r/PokemonTCG/comments/a/"/>
        <updated>2026-11-22T12:00:00+00:00</updated><published>2026-11-22T12:00:00+00:00</published><title>Mew ex &amp; friends?</title></entry></feed>"#;

    fn source(client: bool) -> Reddit {
        let get = |name: &str| match name {
            "REDDIT_CLIENT_ID" if client => Some("id".to_owned()),
            "REDDIT_CLIENT_SECRET" if client => Some("secret".to_owned()),
            "REDDIT_SUBREDDITS" => Some("PokemonTCG, pkmntcg".to_owned()),
            _ => None,
        };
        Reddit::new(Config::from_lookup(get).unwrap().social.reddit, TimeDelta::minutes(30))
    }

    fn fresh() -> Run {
        run(serde_json::Value::Null, &[])
    }

    fn posts(rows: &[Row]) -> Vec<(String, String, bool)> {
        let entries = rows.iter().filter_map(|row| if let Outcome::Values(entries) = &row.outcome { entries.first() } else { None });
        entries
            .map(|entry| match entry {
                Entry::Post(post) => (post.id.clone(), post.text.clone(), post.author.is_some()),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn sent(source: &Reddit, run: &Run) -> Request {
        source.next(run).unwrap()
    }

    #[test]
    fn an_application_asks_for_a_token_once_and_then_for_each_subreddit() {
        let source = source(true);
        let request = sent(&source, &fresh());
        assert_eq!(request.address.sent(), "https://www.reddit.com/api/v1/access_token");
        assert_eq!((request.body.as_deref(), request.is_form), (Some("grant_type=client_credentials"), true));
        // base64 of id:secret
        assert_eq!(request.key.unwrap().1.expose_secret(), "Basic aWQ6c2VjcmV0");
        let (step, rows) = read(&source, &fresh(), answer(200, r#"{"access_token":"t","token_type":"bearer","expires_in":3600}"#)).unwrap();
        assert!(step.more && rows.is_empty());
        assert_eq!(step.state, serde_json::json!({ "next": 0, "json_refused": false }), "a token is not stored");
        let request = sent(&source, &run(step.state, &[]));
        assert_eq!(request.address.sent(), "https://oauth.reddit.com/r/PokemonTCG/new?limit=100");
        assert_eq!(request.key.unwrap().1.expose_secret(), "Bearer t");
        let now: DateTime<Utc> = "2026-11-22T12:30:00Z".parse().unwrap();
        let (step, rows) = read(&source, &Run { now, ..fresh() }, answer(200, JSON)).unwrap();
        assert_eq!(posts(&rows), [("a".to_owned(), "Mew ex?\nor Mewtwo".to_owned(), true)]);
        assert!(matches!(rows[1].outcome, Outcome::Skipped(_)) && matches!(rows[2].outcome, Outcome::Refused(_)));
        assert_eq!(sent(&source, &run(step.state, &[])).address.sent(), "https://oauth.reddit.com/r/pkmntcg/new?limit=100");
    }

    #[test]
    fn a_guest_whom_json_is_refused_reads_the_same_posts_in_the_feed() {
        let source = source(false);
        assert_eq!(asked(&source, &fresh()).unwrap().0, "https://www.reddit.com/r/PokemonTCG/new.json?limit=100");
        for refusal in [answer(403, "{}"), answer(200, "<html>who are you?</html>")] {
            let (step, rows) = read(&source, &fresh(), refusal).unwrap();
            assert!(step.more && rows.is_empty());
            let again = run(step.state, &[]);
            assert_eq!(asked(&source, &again).unwrap().0, "https://www.reddit.com/r/PokemonTCG/new/.rss?limit=100");
            let now: DateTime<Utc> = "2026-11-22T12:30:00Z".parse().unwrap();
            let (step, rows) = read(&source, &Run { now, ..again }, answer(200, ATOM)).unwrap();
            assert_eq!(posts(&rows), [("a".to_owned(), "Mew ex & friends?".to_owned(), true)]);
            let last = run(step.state, &[]);
            assert_eq!(asked(&source, &last).unwrap().0, "https://www.reddit.com/r/pkmntcg/new/.rss?limit=100");
            let (step, _) = read(&source, &last, answer(200, ATOM)).unwrap();
            assert!(!step.more, "the next run tries JSON again");
        }
    }

    #[test]
    fn an_author_is_the_same_in_both_forms_and_is_not_named() {
        let (json, atom) = (source(false), source(false));
        let author = |rows: &[Row]| match &rows[0].outcome {
            Outcome::Values(entries) => match &entries[0] {
                Entry::Post(post) => post.author.clone().unwrap(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        let (_, of_json) = read(&json, &fresh(), answer(200, JSON.replace("1795348800.0", "1795348800"))).unwrap();
        let refused = run(serde_json::to_value(State { next: 0, json_refused: true }).unwrap(), &[]);
        let (_, of_atom) = read(&atom, &refused, answer(200, ATOM)).unwrap();
        assert_eq!(author(&of_json), author(&of_atom));
        assert!(!author(&of_json).contains("ann"));
    }
}
