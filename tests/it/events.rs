//! From what happens around cards to what tenants are told: flags, tournaments, and what people write, over real HTTP.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    process::Output,
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value as Json, json};
use sqlx::Executor;
use tcg_radar::{
    config::Config,
    domain::{card::CardId, event::EventKind, message::Channel},
    ingest::{Changed, Feeds, social::Social},
    route::Router,
    scan::{
        periodic::{Rounds, Turn, Wanted},
        report::Report,
    },
    simulate::vendors::{CLIENT, Held, KEY, Plan, StandIns, Stock, Written},
    store::{
        Store, book,
        event_flags::{self, Raised},
    },
};
use tokio::sync::broadcast;

use crate::{
    cluster::{Database, program},
    deliver::Post,
    feeds::{ALL, Time, drive},
    import::Desk,
    live::{FEW, Service, count, live, market, rows, scanner, shipped},
    reload::Stage,
};

pub fn now() -> DateTime<Utc> {
    "2026-05-03T10:00:00Z".parse().unwrap()
}

fn card(id: &str) -> CardId {
    CardId::new(id).unwrap()
}

async fn raise(store: &Store, cards: &[CardId], kind: EventKind, at: DateTime<Utc>, minutes: i64) -> u64 {
    let raised = Raised { kind, source: "test", strength: None, note: None, until: at + TimeDelta::minutes(minutes) };
    let mut tx = store.service().await.unwrap();
    let new = event_flags::raise(&mut tx, cards, &raised, at).await.unwrap();
    tx.commit().await.unwrap();
    new
}

/// The types of the signals of each card.
pub fn types(report: &Report) -> BTreeMap<CardId, BTreeSet<String>> {
    let mut types: BTreeMap<CardId, BTreeSet<String>> = BTreeMap::new();
    for found in &report.signals {
        types.entry(found.opportunity.card_id.clone()).or_default().extend(found.decision.signal_type.clone());
    }
    types
}

pub async fn scan(rounds: &mut Rounds, wanted: Wanted, now: DateTime<Utc>) -> Report {
    match rounds.scan(wanted, now).await.unwrap() {
        Turn::Scanned(report) => *report,
        turn => panic!("{turn:?}"),
    }
}

pub fn event_driven() -> BTreeSet<String> {
    BTreeSet::from(["event_driven".to_owned()])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flagged_cards_signals_are_event_driven_for_as_long_as_the_flag_lives() {
    let database = Database::migrated().await;
    let store = database.store().await;
    market(&store, now(), FEW).await;
    let mut rounds = Rounds::new(scanner(&store, &live(shipped(), None)));
    let before = types(&scan(&mut rounds, Wanted::Everything, now()).await);
    let (card, usual) = before.iter().next().unwrap();
    assert!(before.values().all(|types| !types.contains("event_driven")));

    let minutes = |minutes| now() + TimeDelta::minutes(minutes);
    let one = std::slice::from_ref(card);
    assert_eq!(raise(&store, one, EventKind::Tournament, minutes(1), 20).await, 1);
    assert_eq!(raise(&store, one, EventKind::Tournament, minutes(2), 19).await, 0, "it lives already, and as long");
    let changed = types(&scan(&mut rounds, Wanted::Changed, minutes(5)).await);
    assert_eq!(changed[card], event_driven());
    assert!(changed.iter().all(|(other, types)| other == card || *types == before[other]), "the others stay what they are");
    // a whole scan on a book that is loaded then says the same
    let anew = types(&scan(&mut Rounds::new(scanner(&store, &live(shipped(), None))), Wanted::Everything, minutes(5)).await);
    assert_eq!(anew[card], event_driven());
    assert_eq!(types(&scan(&mut rounds, Wanted::Changed, minutes(21)).await)[card], *usual, "its end is none of its moments");

    // what was known when
    let flags = async |at| book::load(&mut store.service().await.unwrap(), at, &[], 1).await.unwrap().flags.len();
    assert_eq!([flags(minutes(0)).await, flags(minutes(1)).await, flags(minutes(20)).await, flags(minutes(21)).await], [0, 1, 1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flagged_ban_withdraws_at_once_and_a_flag_that_is_ended_stays_what_it_was() {
    let database = Database::migrated().await;
    let store = database.store().await;
    market(&store, now(), FEW).await;
    let mut rounds = Rounds::new(scanner(&store, &live(shipped(), None)));
    let before = types(&scan(&mut rounds, Wanted::Everything, now()).await);
    let card = before.keys().next().unwrap();
    let at = now() + TimeDelta::minutes(1);
    raise(&store, std::slice::from_ref(card), EventKind::Ban, at, 600).await;
    let banned = types(&scan(&mut rounds, Wanted::Changed, at).await);
    assert!(!banned.contains_key(card));
    let live_offers = format!("SELECT count(*) FROM opportunities WHERE card_id = '{card}' AND state = 'live'");
    assert_eq!(count(&database, &live_offers).await, 0);

    let later = at + TimeDelta::minutes(9);
    let mut tx = store.service().await.unwrap();
    assert_eq!(event_flags::end(&mut tx, std::slice::from_ref(card), Some(EventKind::Ban), later).await.unwrap(), 1);
    assert_eq!(event_flags::end(&mut tx, std::slice::from_ref(card), None, later).await.unwrap(), 0, "nothing is left");
    tx.commit().await.unwrap();
    assert_eq!(types(&scan(&mut rounds, Wanted::Changed, later).await)[card], before[card]);
    let then = book::load(&mut store.service().await.unwrap(), later - TimeDelta::minutes(1), &[], 1).await.unwrap();
    assert_eq!(then.flags.len(), 1, "what was decided then can still be explained");
}

/// Stand-ins of the platforms, asked by a clock that stands where a test puts it.
pub struct Town {
    database: Database,
    store: Store,
    pub time: Time,
    stand_ins: StandIns,
}

impl Town {
    pub async fn on(database: Database, at: DateTime<Utc>) -> Self {
        let time = Time::at(&at.to_rfc3339());
        let stand_ins = StandIns::start(Stock::default(), Plan::Free, time.clock(), 0).await.unwrap();
        let store = database.store().await;
        Self { database, store, time, stand_ins }
    }

    fn config(&self, more: &[(&str, &str)]) -> Config {
        let mut variables: HashMap<&str, String> = self.stand_ins.variables().into_iter().collect();
        variables.insert("DISCORD_BASE_URL", self.stand_ins.discord());
        variables.insert("DISCORD_BOT_TOKEN", KEY.to_owned());
        variables.insert("SOURCES_OFF", ALL.to_owned());
        variables.insert("REDDIT_SUBREDDITS", "PokemonTCG".to_owned());
        variables.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Config::from_lookup(|name| variables.get(name).cloned()).unwrap()
    }

    fn feeds(&self, more: &[(&str, &str)]) -> Feeds {
        let config = self.config(more);
        Feeds::configured(self.store.clone(), &config.sources, self.time.clock()).unwrap().listening(&config.social)
    }

    pub async fn fetch(&self, more: &[(&str, &str)]) {
        drive(&self.feeds(more), &self.time, self.time.now() + TimeDelta::seconds(50)).await;
    }

    pub fn social(&self) -> (Social, broadcast::Receiver<Arc<Changed>>) {
        let (changed, news) = broadcast::channel(16);
        (Social { store: self.store.clone(), clock: self.time.clock(), least_spikes: 3, changed }, news)
    }

    /// So many people write the same, one after the other, until a minute ago.
    pub fn crowd(&self, place: &str, people: i64, text: &str) {
        for person in 0..people {
            let at = self.time.now() - TimeDelta::seconds(60 + 10 * person);
            let (place, author) = (place.to_owned(), format!("person{person}"));
            self.stand_ins.write(Written { place, author, text: text.to_owned(), at });
        }
    }

    fn asked(&self, path: &str) -> usize {
        self.stand_ins.log().iter().filter(|(_, asked, _)| asked.starts_with(path)).count()
    }
}

pub const ON: (&str, &str) = ("ENABLE_LAYER_35_SOCIAL", "true");

#[tokio::test(flavor = "multi_thread")]
async fn what_many_people_write_becomes_an_event_driven_signal_that_somebody_gets() {
    let post = Post::at(Database::migrated().await, now()).await;
    market(&post.store, now(), FEW).await;
    let scanner = scanner(&post.store, &live(shipped(), None));
    let mut rounds = Rounds::new(scanner.clone());
    let before = scan(&mut rounds, Wanted::Everything, now()).await;
    let best = before.signals.iter().max_by_key(|found| found.decision.net_profit).unwrap();
    let (card, name) = (best.opportunity.card_id.clone(), best.opportunity.card_name.clone());
    assert_ne!(types(&before)[&card], event_driven());

    let town = Town::on(Database { server: post.database.server.clone() }, now()).await;
    town.crowd("PokemonTCG", 6, &format!("Everybody wants {} now", name.to_uppercase()));
    // one author, one count; somebody else's card; and a word that only begins like it
    town.stand_ins.write(Written {
        place: "PokemonTCG".into(),
        author: "person1".into(),
        text: name.clone(),
        at: now() - TimeDelta::minutes(2),
    });
    town.stand_ins.write(Written {
        place: "PokemonTCG".into(),
        author: "x".into(),
        text: format!("{name}ish"),
        at: now() - TimeDelta::minutes(2),
    });
    let application = [ON, ("REDDIT_CLIENT_ID", CLIENT), ("REDDIT_CLIENT_SECRET", KEY)];
    town.fetch(&application).await;
    let (social, mut news) = town.social();
    let found = social.step().await.unwrap();
    assert_eq!(found.posts, 8);
    assert_eq!(found.spikes.iter().map(|spike| spike.frequency).collect::<Vec<_>>(), [6], "{:?}", found.spikes);
    assert!(found.cards.contains(&card) && found.wished == 0, "one spike is no reason to load pages");
    assert!(news.try_recv().unwrap().cards.contains(&card), "the scan is told");
    assert_eq!(social.step().await.unwrap().posts, 0, "a post is read once");
    assert_eq!(count(&post.database, "SELECT count(*) FROM social_posts WHERE text IS NOT NULL").await, 0, "and not kept");

    let at = town.time.now();
    let changed = scan(&mut rounds, Wanted::Changed, at).await;
    assert_eq!(types(&changed)[&card], event_driven());
    post.pass(at - post.now());
    let router = Router {
        scanner,
        channels: vec![Channel::Telegram, Channel::Discord],
        window: TimeDelta::minutes(180),
        send_within: TimeDelta::minutes(30),
    };
    router.route_once(at).await.unwrap();
    post.drain().await;
    let told: Vec<(String,)> = rows(
        &post.database,
        &format!("SELECT DISTINCT d.signal_type FROM signals AS s JOIN decisions AS d USING (decision_id) WHERE s.card_id = '{card}' AND s.delivered_at IS NOT NULL"),
    )
    .await;
    assert_eq!(told, [("event_driven".to_owned(),)]);
    let seen: usize = post.messengers.seen().iter().flat_map(|chat| &chat.messages).filter(|message| message.text.contains(&name)).count();
    assert!(seen > 0, "somebody reads of {name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_post_counts_once_whichever_way_it_is_told_and_three_spikes_wish_for_pages() {
    let town = Town::on(Database::migrated().await, now()).await;
    let cards = "INSERT INTO card_metadata (card_id, name, set_code) VALUES ('a-1', 'Mew', 'a'), ('a-2', 'Mewtwo', 'a'), ('b-1', 'Mew', 'b'), ('b-2', 'Iono', 'b')";
    town.database.superuser().await.execute(cards).await.unwrap();
    town.crowd("PokemonTCG", 7, "Mewtwo & friends <3");
    town.crowd("7001", 7, "Mew? Iono!");
    let guest = [ON, ("DISCORD_MONITOR_CHANNEL_IDS", "7001")];
    town.fetch(&guest).await;
    assert_eq!((town.asked("/reddit/r/PokemonTCG/new.json"), town.asked("/reddit/r/PokemonTCG/new/.rss")), (1, 1), "JSON is refused");
    let told = "SELECT count(*) FROM social_posts";
    assert_eq!(count(&town.database, told).await, 14);
    // half an hour later as an application: the same posts, and one that is new
    town.time.set(now() + TimeDelta::minutes(31));
    town.crowd("PokemonTCG", 1, "Nothing");
    let application = [ON, ("REDDIT_CLIENT_ID", CLIENT), ("REDDIT_CLIENT_SECRET", KEY), ("DISCORD_MONITOR_CHANNEL_IDS", "7001")];
    town.fetch(&application).await;
    assert_eq!(town.asked("/reddit-oauth/r/PokemonTCG/new"), 1);
    assert_eq!(count(&town.database, told).await, 15);

    let (social, mut news) = town.social();
    let found = social.step().await.unwrap();
    assert_eq!(found.spikes.iter().map(|spike| spike.name.as_str()).collect::<Vec<_>>(), ["iono", "mew", "mewtwo"]);
    assert_eq!(found.wished, 4, "every print");
    assert_eq!(news.try_recv().unwrap().cards.len(), 4);
    let flags = "SELECT count(*) FROM event_flags WHERE kind = 'SOCIAL_SPIKE' AND strength = 7";
    assert_eq!(count(&town.database, flags).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn x_is_asked_about_cards_that_matter_and_counts_against_its_week() {
    let town = Town::on(Database::migrated().await, now()).await;
    let cards = "INSERT INTO card_metadata (card_id, name, set_code) VALUES ('a-1', 'Umbreon VMAX', 'a'), ('a-2', 'Espeon VMAX', 'a'), ('a-3', 'Zubat', 'a')";
    town.database.superuser().await.execute(cards).await.unwrap();
    raise(&town.store, &[card("a-1"), card("a-2")], EventKind::Tournament, now() - TimeDelta::hours(1), 600).await;
    town.crowd("x", 20, "pulled an umbreon vmax!");
    town.crowd("x", 20, "pulled an Espeon VMAX!");
    // of the one card people write four times as much all week long: 8 in each half hour
    for hour in 2..167 {
        for number in 0..16 {
            let at = now() - TimeDelta::hours(hour) - TimeDelta::minutes(number);
            town.stand_ins.write(Written { place: "x".into(), author: "a".into(), text: "Espeon VMAX".into(), at });
        }
    }
    town.fetch(&[ON]).await;
    assert_eq!(town.asked("/x/tweets/counts/recent"), 4, "two requests each, and none for Zubat");
    let (social, _news) = town.social();
    let found = social.step().await.unwrap();
    assert_eq!(found.spikes.iter().map(|spike| (spike.name.as_str(), spike.frequency)).collect::<Vec<_>>(), [("umbreon vmax", 20)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nobody_wants_to_listen_no_platform_is_asked() {
    let town = Town::on(Database::migrated().await, now()).await;
    let keys = [("DISCORD_MONITOR_CHANNEL_IDS", "7001"), ("REDDIT_CLIENT_ID", CLIENT), ("REDDIT_CLIENT_SECRET", KEY)];
    assert!(town.feeds(&keys).sources().is_empty());
    let names: Vec<_> = town.feeds(&[&keys[..], &[ON]].concat()).sources().iter().map(|source| source.about().name).collect();
    assert_eq!(names, ["reddit", "discord_channels", "x_counts"]);

    // the program as it is run
    let stage = Stage::new().await;
    market(&stage.store, Utc::now(), FEW).await;
    let mut variables = town.stand_ins.variables();
    variables.extend(keys.map(|(name, value)| (name, value.to_owned())));
    variables.push(("SOURCES_OFF", ALL.to_owned()));
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let service = Service::start_with(&stage, &variables);
    service.says_all(&["scan_finished"]);
    service.ends();
    assert!(town.stand_ins.log().is_empty(), "{:?}", town.stand_ins.log());
}

fn deck(placing: u32, cards: &[(&str, &str)]) -> Json {
    let cards: Vec<Json> = cards.iter().map(|(name, number)| json!({ "count": 2, "name": name, "set": "TWM", "number": number })).collect();
    json!({ "player": format!("p{placing}"), "name": "P", "country": "US", "placing": placing, "record": { "wins": 1, "losses": 0, "ties": 0 },
        "decklist": { "pokemon": cards, "trainer": [], "energy": [{ "count": 9, "name": "Fire Energy", "set": "SVE", "number": "2" }] }, "drop": null })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tournament_is_counted_once_and_flags_what_its_best_play_and_what_goes_with_it() {
    let town = Town::on(Database::migrated().await, now()).await;
    let cards = "INSERT INTO card_sets (set_code, name, ptcgo_code) VALUES ('sv6', 'Twilight Masquerade', 'TWM'), ('zz', 'Other', 'ZZZ');
        INSERT INTO card_metadata (card_id, name, set_code, card_number) VALUES ('sv6-95', 'Munkidori', 'sv6', '95'), ('zz-1', 'Munkidori', 'zz', '1'),
            ('sv6-18', 'Dipplin', 'sv6', '18'), ('zz-2', 'Festival Grounds', 'zz', '2'), ('sv6-1', 'Pinsir', 'sv6', '1')";
    town.database.superuser().await.execute(cards).await.unwrap();
    let standings = json!([
        deck(1, &[("Munkidori", "95")]),
        deck(2, &[("Munkidori", "95"), ("Dipplin", "18")]),
        // its print is not in the catalogue: every print of the name
        deck(20, &[("Dipplin", "18"), ("Festival Grounds", "149")]),
        deck(21, &[("Pinsir", "1")]),
    ]);
    let listed =
        json!({ "id": "63e9", "game": "PTCG", "format": "STANDARD", "name": "Cup #15", "date": "2026-05-02T18:00:00.000Z", "players": 47 });
    town.stand_ins.hold(Held { listed, standings });
    let off = ALL.replace(",limitless", "");
    let on = [("SOURCES_OFF", off.as_str())];
    town.fetch(&on).await;
    let pairs = "SELECT card_a, card_b, count FROM synergy_cooccurrence ORDER BY 1, 2";
    let expected =
        [("Dipplin", "Festival Grounds", 1), ("Dipplin", "Munkidori", 1)].map(|(a, b, count)| (a.to_owned(), b.to_owned(), count));
    assert_eq!(rows::<(String, String, i32)>(&town.database, pairs).await, expected);
    let flags = "SELECT concat_ws(' ', card_id, kind, source, strength) FROM event_flags ORDER BY 1";
    let flags: Vec<(String,)> = rows(&town.database, flags).await;
    let flags: Vec<&str> = flags.iter().map(|(flag,)| flag.as_str()).collect();
    // Munkidori in two of the first eight, Dipplin in one; Festival Grounds goes with Dipplin
    assert_eq!(flags, ["sv6-18 TOURNAMENT limitless:63e9 1", "sv6-95 TOURNAMENT limitless:63e9 2", "zz-2 SYNERGY limitless:63e9 1"]);
    assert_eq!(count(&town.database, "SELECT count(*) FROM scrape_wishes WHERE event = 'limitless:63e9'").await, 3);

    // the feed forgets, as after a restore: the tournament is counted no second time
    town.database.superuser().await.execute("DELETE FROM feeds").await.unwrap();
    town.time.set(now() + TimeDelta::hours(2));
    town.fetch(&on).await;
    assert_eq!(town.asked("/limitless/api/tournaments/63e9/standings"), 2);
    assert_eq!(rows::<(String, String, i32)>(&town.database, pairs).await, expected);
}

fn real_data(file: &str) -> Option<PathBuf> {
    let data =
        std::env::var_os("TCG_RADAR_DATA").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let path = data.join(file);
    if path.exists() {
        return Some(path);
    }
    println!("SKIPPED: no {}; set TCG_RADAR_DATA to the folder that holds it", path.display());
    None
}

#[tokio::test]
async fn real_decks_are_counted_once_and_flag_nothing() {
    let Some(decks) = real_data("6-limitless/decks.jsonl.gz") else { return };
    let desk = Desk::new().await;
    for told in [79, 0] {
        let report = desk.import(std::slice::from_ref(&decks)).await.remove(0);
        assert_eq!((report.refused_whole, report.refused_rows, report.read, report.stored), (None, 0, 79, told));
    }
    assert_eq!(desk.lines("SELECT count(*) AS a FROM synergy_cooccurrence").await, ["39424"]);
    assert_eq!(desk.lines("SELECT count(*) AS a FROM event_flags").await, ["0"], "they were held long ago");
    // counted by hand, with another program
    let mut tx = desk.database.store().await.service().await.unwrap();
    let partners = tcg_radar::store::tournaments::partners(&mut tx, "Charizard ex", 4).await.unwrap();
    let told: Vec<(&str, i32)> = partners.iter().map(|one| (one.name.as_str(), one.decks)).collect();
    assert_eq!(told, [("Charmander", 117), ("Rare Candy", 117), ("Iono", 116), ("Boss's Orders", 114)]);
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn an_operator_says_what_was_heard_and_ends_it() {
    let database = Database::migrated().await;
    let cards = "INSERT INTO card_metadata (card_id, name, set_code) VALUES ('sv1-1', 'Mew', 'sv1'), ('sv1-2', 'Iono', 'sv1'), ('sv2-1', 'Mew', 'sv2')";
    database.superuser().await.execute(cards).await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let url = database.server.url(false);
    let run = |arguments: &[&str]| program(home.path(), &[("DATABASE_URL", &url)], arguments);
    for (arguments, wanted) in [
        (
            &["event", "add", "reprint", "--set", "sv1"][..],
            "unknown kind of event: use one of tournament, synergy, social-spike, rotation, ban, reprint-rumour",
        ),
        (&["event", "add", "ban", "--card", "sv9-9"], "no card \"sv9-9\" is known: correct the id, or import its set"),
        (&["event", "add", "ban", "--set", "sv9"], "no card of a set \"sv9\" is known: correct the code, or import the set"),
        (&["event", "add", "ban"], "--card"),
        (&["event", "add", "ban", "--card", "sv1-1", "--hours", "0"], "1..=8760"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(wanted), "{arguments:?}: {}", said(&output));
    }
    let output = run(&["event", "add", "reprint-rumour", "--set", "sv1", "--note", "a leaked list"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let listed: Json = serde_json::from_slice(&run(&["--format", "json", "event", "list"]).stdout).unwrap();
    let cards: Vec<&str> = listed.as_array().unwrap().iter().map(|flag| flag["card_id"].as_str().unwrap()).collect();
    assert_eq!(cards, ["sv1-1", "sv1-2"]);
    assert_eq!((&listed[0]["kind"], &listed[0]["note"]), (&json!("REPRINT_RUMOUR"), &json!("a leaked list")));
    assert_eq!(run(&["event", "end", "--card", "sv2-1"]).status.code(), Some(4), "nothing of it was flagged");
    assert_eq!(run(&["event", "end", "--set", "sv1"]).status.code(), Some(0));
    assert!(said(&run(&["event", "list"])).contains("nothing is flagged"));
    assert!(said(&run(&["event", "list", "--all"])).contains("(over)"));
}
