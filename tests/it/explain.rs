//! What is explained is what a scan decided, and a stored decision comes out again as it was stored.

use std::{collections::BTreeMap, path::Path, process::Output};

use chrono::{NaiveDate, TimeDelta};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use rayon::prelude::*;
use rust_decimal::Decimal;
use serde_json::Value as Json;
use sqlx::Row;
use tcg_radar::{
    config::presets,
    domain::{
        decision::Outcome as Stored,
        profile::{Defaults, Profile},
    },
    rules::{
        explain::{Answer, Explanation, explain as rules_explain},
        lower::Answer as Decided,
        pack::Pack,
    },
    scan::{
        self, Options, Settings, columns,
        explain::{self, ExplainError, Question},
        ground::{self, Ground},
    },
    simulate::{Parameters, Simulation, write},
    store::{Store, users},
};

use crate::cluster::{Database, folder, program};

struct Market {
    database: Database,
    store: Store,
    simulation: Simulation,
    pack: Pack,
    profiles: Vec<Profile>,
    settings: Settings,
}

async fn market() -> Market {
    market_of(80).await
}

async fn market_of(cards: u32) -> Market {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut parameters = Parameters::ending(NaiveDate::from_ymd_opt(2026, 5, 2).unwrap());
    (parameters.seed, parameters.cards, parameters.days) = (3, cards, 30);
    let simulation = Simulation::new(parameters).unwrap();
    let database = Database::migrated().await;
    let store = database.store().await;
    write(&store, &simulation, simulation.as_of() + TimeDelta::hours(1), &|_, _| ()).await.unwrap();
    let presets = presets::read(&root.join("profiles")).unwrap();
    let mut tx = store.service().await.unwrap();
    let tenants = users::active(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let resolve = |tenant| Profile::resolve(tenant, tenant.preset.as_deref().map(|name| presets.get(name).unwrap()), &Defaults::default());
    Market {
        database,
        store,
        simulation,
        pack: Pack::load(&root.join("rules")).unwrap(),
        profiles: tenants.iter().map(resolve).collect(),
        settings: Settings { customs_regime: None, bundle_logic: true, eur_usd_rate: "1.10".parse().unwrap() },
    }
}

impl Market {
    async fn scan(&self) -> scan::report::Report {
        let as_of = self.simulation.as_of();
        let options = Options { as_of, shifts: Vec::new(), dry_run: false, near_misses: 1_000 };
        scan::scan_once(&self.store, &self.pack, &self.profiles, &self.settings, &options, as_of, &|_, _| ()).await.unwrap()
    }

    fn question<'a>(&self, card: &'a str) -> Question<'a> {
        Question { card, direction: None, as_of: self.simulation.as_of(), shifts: &[], why_not: false }
    }
}

/// How many cards of the seller were counted together.
fn density(found: &scan::report::Found) -> i64 {
    found.decision.facts["seller_density"].as_i64().unwrap_or(1)
}

/// Every reason once or twice, some signals, and some bundles.
fn sample(report: &scan::report::Report) -> Vec<&scan::report::Found> {
    let mut seen: BTreeMap<(Option<&str>, bool), usize> = BTreeMap::new();
    let found = report.signals.iter().chain(&report.near_misses);
    found
        .filter(|found| {
            let count = seen.entry((found.decision.reason.as_deref(), density(found) > 1)).or_default();
            *count += 1;
            *count <= if found.decision.outcome == Stored::Signal { 6 } else { 2 }
        })
        .collect()
}

/// What columns decided, the interpreter explains: the same outcome, gate, reason and score.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_random_decisions_of_the_columns_are_explained_as_they_were_decided() {
    const DECISIONS: usize = 1_000;
    let market = market_of(150).await;
    let (book, windows) = ground::load_book(&market.store, &market.pack, market.simulation.as_of(), &[]).await.unwrap();
    let ground = Ground::of(&book, &windows, &market.pack, &market.settings).unwrap();
    let case = ground.case(&market.pack, &book, &ground.routes, &market.profiles);
    let found = columns::judge(&case, usize::MAX, &|_| ());
    let mut decisions: Vec<_> = found.signals().chain(found.near_misses.iter().cloned()).collect();
    let mut random = ChaCha8Rng::seed_from_u64(11);
    decisions.sort_by_cached_key(|_| random.next_u64());
    decisions.truncate(DECISIONS);
    assert_eq!(decisions.len(), DECISIONS);
    let signals = decisions.iter().filter(|one| one.is_signal()).count();
    assert!(signals > 10 && signals < DECISIONS - 100, "{signals} signals");
    decisions.par_iter().for_each(|one| {
        let told = rules_explain(&mut case.replay(one.route, one.tenant, &one.aggregates), false);
        let told_of = (told.gate, told.reason.as_deref(), told.score.filter(|_| one.is_signal()));
        let expected = match one.answer {
            Decided::Rejected(gate) => (Some(gate), Some(&*market.pack.gates[gate].reason), None),
            Decided::Signal { scored } => (None, None, one.score.filter(|_| scored)),
            other => panic!("{other:?} is no decision that is kept"),
        };
        assert_eq!(told_of, expected, "{one:?}");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_ends_where_the_scan_ended_and_a_stored_one_as_it_was_stored() {
    let market = market().await;
    let report = market.scan().await;
    let sample = sample(&report);
    let reasons: std::collections::BTreeSet<_> = sample.iter().map(|found| found.decision.reason.as_deref()).collect();
    assert!(reasons.contains(&None) && reasons.len() >= 4, "the sample shows little: {reasons:?}");
    // a seller's offers are counted together, which needs more than the card's own routes
    assert!(sample.iter().any(|found| density(found) > 1), "no bundle is in the sample");
    for found in sample {
        let (opportunity, decision) = (&found.opportunity, &found.decision);
        let profile = market.profiles.iter().find(|profile| profile.tenant == decision.tenant).unwrap();
        let question = Question { direction: Some(opportunity.direction), ..market.question(opportunity.card_id.as_str()) };
        let told = explain::card(&market.store, &market.pack, std::slice::from_ref(profile), &market.settings, &question).await.unwrap();
        let told = told.told.unwrap();
        let explanation = &told.explanation;
        let case = format!("{} {} for {}", opportunity.card_id, opportunity.direction, profile.country.as_str());
        assert_eq!(explanation.reason, decision.reason, "{case}");
        assert_eq!((explanation.score, &explanation.signal_type), (decision.score, &decision.signal_type), "{case}");
        let net_of =
            |explanation: &Explanation| explanation.fact("net_profit").map(|fact| fact.value.clone()).filter(|value| !value.is_null());
        let net = net_of(explanation);
        assert_eq!(net, decision.net_profit.map(|net| Json::from(net.to_string())), "{case}");
        assert_eq!((told.route.buy_price, &told.route.seller_id), (Some(opportunity.buy_price), &opportunity.seller_id), "{case}");
        // the waterfall adds up to the cent
        let amount = |name: &String| explanation.fact(name).and_then(|fact| fact.text.parse::<Decimal>().ok());
        let amounts: Option<Vec<Decimal>> = explanation.waterfall.iter().map(amount).collect();
        assert_eq!(amounts.is_some(), net.is_some(), "{case}");
        if let Some([total, between @ .., left]) = amounts.as_deref() {
            assert_eq!(*total - between.iter().sum::<Decimal>(), *left, "{case}");
        }

        let stored = explain::stored_decision(&market.store, decision.decision_id, Some(&market.pack), true).await.unwrap();
        assert_eq!(stored.differences, [], "{case}");
        assert_eq!((stored.stored.net_profit, net_of(&stored.told.explanation)), (decision.net_profit, net), "{case}");
        assert_eq!((&stored.pack_hash, stored.pack_today.as_ref()), (&market.pack.hash, Some(&market.pack.hash)));
        assert!(stored.by_todays_pack.is_none());
        assert!(stored.told.explanation.gates.iter().all(|gate| gate.answer != Answer::NotAsked), "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_was_tampered_with_says_what_no_longer_fits() {
    let market = market().await;
    let report = market.scan().await;
    let decision = &report.signals[0].decision;
    let mut owner = market.database.superuser().await;
    sqlx::query(
        "UPDATE decisions SET net_profit = net_profit + 1, facts = jsonb_set(facts, '{sell_price}', '\"1.00\"') WHERE decision_id = $1",
    )
    .bind(decision.decision_id)
    .execute(&mut owner)
    .await
    .unwrap();
    sqlx::query("UPDATE scans SET engine_version = '0.0.1'").execute(&mut owner).await.unwrap();
    let stored = explain::stored_decision(&market.store, decision.decision_id, None, false).await.unwrap();
    let differs: Vec<&str> = stored.differences.iter().map(|one| one.what.as_str()).collect();
    assert!(differs.starts_with(&["the reason"]) && differs.contains(&"the net profit") && differs.contains(&"proceeds"), "{differs:?}");
    assert_eq!((stored.engine.as_str(), stored.pack_today), ("0.0.1", None));
    let count = sqlx::query("SELECT count(*) FROM decisions").fetch_one(&mut owner).await.unwrap().get::<i64, _>(0);
    assert!(count > 0, "a reading changed what was stored");
}

fn run(market: &Market, arguments: &[&str]) -> Output {
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
    let variables = [("DATABASE_URL", market.database.server.url(false)), ("TCG_RADAR_RULES", rules.to_owned())];
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    program(folder().path(), &variables, &[&["rules", "explain"], arguments].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_refused_with_what_to_do() {
    let market = market().await;
    let card = market.simulation.cards().next().unwrap().clone();
    let id = card.card_id.as_str();
    let shouted = id.to_uppercase();
    let unknown = uuid::Uuid::nil().to_string();
    for (arguments, says) in [
        (&["--card", &shouted][..], format!("did you mean {id} (")),
        (&["--card", "no such card at all"], "ids look like sv1-25".to_owned()),
        (&["--card", id, "--tenant", "-77"], "`tcg-radar user list` shows them".to_owned()),
        (&["--card", id, "--as-of", "2099-01-01"], "lies in the future".to_owned()),
        (&["--card", id, "--shift", "nobody=+3d"], "nobody".to_owned()),
        (&["--card", id, "--markdown", "--format", "json"], "choose one".to_owned()),
        (&["--decision", "nonsense"], "invalid value 'nonsense'".to_owned()),
        (&["--decision", &unknown], "no decision has the id".to_owned()),
        (&["--decision", &unknown, "--tenant", "1"], "cannot be used with".to_owned()),
        (&[], "--card".to_owned()),
    ] {
        let output = run(&market, arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {error}");
        assert!(error.contains(&says), "{arguments:?}: {error}");
    }
    let by_name = explain::card(&market.store, &market.pack, &market.profiles, &market.settings, &market.question(&card.name)).await;
    assert!(matches!(by_name, Err(ExplainError::UnknownCard { near, .. }) if near.iter().any(|one| one.starts_with(&format!("{id} (")))));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_tenant_is_told_in_a_line_and_one_in_full() {
    let market = market().await;
    let report = market.scan().await;
    let opportunity = &report.signals[0].opportunity;
    let as_of = market.simulation.as_of().to_rfc3339();
    let output = run(&market, &["--card", opportunity.card_id.as_str(), "--as-of", &as_of, "--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Json = serde_json::from_slice(&output.stdout).unwrap();
    let tenants: std::collections::BTreeSet<&str> =
        told["tenants"].as_array().unwrap().iter().filter_map(|line| line["tenant"].as_str()).collect();
    assert_eq!(tenants.len(), market.profiles.len());
    assert_eq!(told["told"]["explanation"]["outcome"], "signal");
    let output = run(&market, &["--card", opportunity.card_id.as_str(), "--as-of", &as_of, "--markdown"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("**A deal for you: ") && !text.contains('\u{1b}'), "{text}");
}
