//! Files go in, dated observations are in the database: once, whole or not at all, and every refusal says where.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
};

use chrono::{DateTime, Utc};
use flate2::{Compression, write::GzEncoder};
use sqlx::AssertSqlSafe;
use tcg_radar::ingest::{FileReport, Progress, import_files, walk};
use tempfile::TempDir;

use crate::cluster::{Database, program};

pub struct Silent;

impl Progress for Silent {
    fn begins(&self, _: &str, _: u64, _: Arc<AtomicU64>) {}
    fn settles(&self) {}
    fn ends(&self, _: &FileReport) {}
}

pub fn now() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// A database and a folder for the files that go into it.
pub struct Desk {
    pub database: Database,
    pub folder: TempDir,
}

impl Desk {
    pub async fn new() -> Self {
        Self { database: Database::migrated().await, folder: tempfile::tempdir().unwrap() }
    }

    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub async fn import_at(&self, files: &[PathBuf], now: DateTime<Utc>) -> Vec<FileReport> {
        import_files(&self.database.store().await, files, now, &Silent).await.unwrap()
    }

    pub async fn import(&self, files: &[PathBuf]) -> Vec<FileReport> {
        self.import_at(files, now()).await
    }

    /// Imports one file that is understood.
    pub async fn take(&self, name: &str, content: &str) -> FileReport {
        let report = self.import(&[self.file(name, content)]).await.remove(0);
        assert_eq!(report.refused_whole, None, "{name}");
        report
    }

    /// The rows of a query as text, a line each.
    pub async fn lines(&self, query: &str) -> Vec<String> {
        let mut session = self.database.superuser().await;
        let rows = format!("SELECT concat_ws(' ', VARIADIC array(SELECT value FROM jsonb_each_text(to_jsonb(t)))) FROM ({query}) AS t");
        sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(&mut session).await.unwrap()
    }

    async fn prices(&self) -> Vec<String> {
        self.lines(
            "SELECT coalesce(card_id, product_market || '/' || product_id) AS a, source AS b, observed_at::date AS c, revision AS d, price AS e
             FROM price_history JOIN price_series USING (series_id) ORDER BY 1, 2, 3, 4",
        )
        .await
    }

    /// Every row of the imported tables with the transaction that wrote it.
    async fn state(&self) -> Vec<String> {
        let mut state = Vec::new();
        for table in [
            "price_history",
            "price_series",
            "card_products",
            "card_metadata",
            "card_sets",
            "market_products",
            "exchange_rates",
            "market_prices",
        ] {
            state.extend(
                self.lines(&format!("SELECT '{table}' AS a, xmin::text AS b, to_jsonb(x)::text AS c FROM {table} AS x ORDER BY 3")).await,
            );
        }
        state
    }
}

pub const LONG: &str = "date,card_id,source,market,currency,variant,condition,price_kind,price,low,mid,high\n";
const DAYS: &str = "date,source,market,currency,category_id,group_id,product_id,variant,low,mid,high,market_price,direct_low\n";
const PAIRS: &str = "card_id,name,tcgplayer_product_id,method,order_check\n";
const SETS: &str = r#"[{"id": "tst1", "name": "Test Set", "series": "Tests", "printedTotal": 2, "releaseDate": "2025/05/30", "updatedAt": "2025/05/30 15:00:00"}]"#;
const CARDS: &str = r#"[{"id": "tst1-1", "name": "Testmon", "supertype": "Pokémon", "number": "1", "regulationMark": "I"}]"#;
const GUIDE: &str =
    r#"{"version":1,"createdAt":"2026-06-29T02:55:18+0200","priceGuides":[{"idProduct":7,"low":1,"trend":2.50,"trend-holo":4.75}]}"#;

fn packed(text: &str) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::default());
    gz.write_all(text.as_bytes()).unwrap();
    gz.finish().unwrap()
}

/// A long CSV of `rows` good rows.
fn many(rows: usize) -> String {
    let row = |row| format!("2026-03-{:02},tst1-{row},a,EU,EUR,,,trend,{}.25,,,\n", row % 28 + 1, row + 1);
    [LONG.to_owned()].into_iter().chain((0..rows).map(row)).collect()
}

#[tokio::test]
async fn importing_everything_again_changes_no_row() {
    let desk = Desk::new().await;
    let files = [
        desk.file("prices.csv.gz", packed(&many(300))),
        desk.file("days.csv", format!("{DAYS}2025-09-21,tcgcsv,US,USD,3,604,42,Normal,1.0,2.0,3.0,1.5,\n")),
        desk.file("api.json", include_str!("../fixtures/pokemontcg_cards_api.json")),
        desk.file("guide.json", GUIDE),
        desk.file("pairs.csv", format!("{PAIRS}tst1-1,A,42,unique,off\n")),
        desk.file("cards.json", CARDS.replace("tst1-1", "tst1-9")),
        desk.file("sets.json", SETS),
        desk.file("rates.csv", "Date,USD,GBP,\n2026-10-30,1.1172,0.8338,\n"),
        desk.file(
            "list.json",
            r#"{"version":1,"createdAt":"2026-05-06T10:38:58+0200","products":[{"idProduct":9,"name":"B","categoryName":"C"}]}"#,
        ),
    ];
    let first = desk.import(&files).await;
    assert!(first.iter().all(|report| report.refused_whole.is_none() && report.stored > 0), "{first:#?}");
    let before = desk.state().await;
    assert!(before.len() > 300);

    let later = now() + chrono::Days::new(1);
    let second = desk.import_at(&files, later).await;
    assert!(second.iter().all(|report| report.stored + report.changed == 0 && report.unchanged > 0), "{second:#?}");
    assert_eq!(desk.state().await, before);
}

#[tokio::test]
async fn a_changed_figure_is_a_further_revision_and_the_old_one_stays() {
    let desk = Desk::new().await;
    let row = |price: &str| format!("{LONG}2026-03-16,tst1-1,a,EU,EUR,,,trend,{price},,,\n");
    desk.take("a.csv", &row("1.00")).await;
    let report = desk.take("b.csv", &row("1.10")).await;
    assert_eq!((report.stored, report.changed, report.unchanged), (0, 1, 0));
    assert_eq!(desk.prices().await, ["tst1-1 a 2026-03-16 0 1.00", "tst1-1 a 2026-03-16 1 1.10"]);
    // the figure is the same, only written otherwise
    let report = desk.take("c.csv", &row("1.1")).await;
    assert_eq!((report.changed, report.unchanged), (0, 1));
}

#[tokio::test]
async fn two_files_that_contradict_each_other_come_to_rest() {
    let desk = Desk::new().await;
    let row = |price: &str| format!("{LONG}2026-03-16,tst1-1,a,EU,EUR,,,trend,{price},,,\n");
    let files = [desk.file("a.csv", row("1.00")), desk.file("b.csv", row("1.10"))];
    desk.import(&files).await;
    let before = desk.state().await;
    desk.import(&files).await;
    assert_eq!(desk.state().await, before);
}

#[tokio::test]
async fn of_rows_that_contradict_each_other_in_one_file_the_last_counts() {
    let desk = Desk::new().await;
    let text = format!("{LONG}2026-03-16,tst1-1,a,EU,EUR,,,trend,1.00,,,\n2026-03-16,tst1-1,a,EU,EUR,,,trend,1.10,,,\n");
    let report = desk.take("a.csv", &text).await;
    assert_eq!((report.stored, report.unchanged), (1, 1));
    assert_eq!(desk.prices().await, ["tst1-1 a 2026-03-16 0 1.10"]);
}

#[tokio::test]
async fn a_cut_off_file_leaves_nothing_behind() {
    let desk = Desk::new().await;
    // enough rows that many of them are staged before the end is found missing
    let gz = packed(&many(20_000));
    let api = include_str!("../fixtures/pokemontcg_cards_api.json");
    let files = [
        desk.file("cut.csv.gz", &gz[..gz.len() - 30]),
        desk.file("cut.json", &api[..api.len() - 60]),
        desk.file("guide.json", &GUIDE[..GUIDE.len() - 9]),
    ];
    for report in desk.import(&files).await {
        assert!(report.refused_whole.as_ref().is_some_and(|reason| reason.contains("cut off")), "{report:?}");
        assert_eq!((report.stored, report.unchanged), (0, 0));
    }
    assert_eq!(desk.state().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_foreign_file_is_refused_with_what_it_looks_like_and_the_others_go_on() {
    let desk = Desk::new().await;
    let files = [
        desk.file("page.json", "<!DOCTYPE html><html><body>Just a moment…</body></html>"),
        desk.file("columns.csv", "date,card,price\n2026-03-16,tst1-1,1.00\n"),
        desk.file("empty.csv", ""),
        desk.file("decks.json", r#"[{"id": "d-1", "name": "Deck", "types": ["Fire"], "cards": [{"id": "tst1-1", "count": 2}]}]"#),
        desk.file("good.csv", many(3)),
    ];
    let reports = desk.import(&files).await;
    let refused: Vec<_> = reports.iter().filter_map(|report| report.refused_whole.as_deref()).collect();
    assert_eq!(refused.len(), 4, "{refused:#?}");
    assert!(refused.iter().all(|reason| reason.starts_with("not a file that can be imported (")), "{refused:#?}");
    assert!(refused[0].contains("it is a web page"), "{}", refused[0]);
    assert_eq!(desk.prices().await.len(), 3);
}

#[tokio::test]
async fn a_file_without_one_good_row_is_refused_whole() {
    let desk = Desk::new().await;
    let text = format!("{LONG}2026-03-16,tst1-1,a,EU,USD,,,trend,1.00,,,\n2026-03-16,tst1-2,a,EU,USD,,,trend,1.00,,,\n");
    let report = desk.import(&[desk.file("a.csv", text)]).await.remove(0);
    assert!(report.refused_whole.is_some_and(|reason| reason.contains("none of its 2 rows can be understood")));
}

#[tokio::test]
async fn a_bad_row_is_named_by_its_line_and_the_rest_is_stored() {
    let desk = Desk::new().await;
    let text =
        many(5).replace(",tst1-2,a,EU,EUR,,,trend,3.25", ",tst1-2,a,EU,EUR,,,trend,abc") + "2026-03-16,tst1-9,a,EU,EUR,,,trend,0,,,\n";
    let report = desk.take("a.csv", &text).await;
    assert_eq!((report.read, report.stored, report.refused_rows), (6, 4, 1));
    assert_eq!(
        (report.refused[0].reason.as_str(), report.refused[0].examples.as_slice()),
        ("\"abc\" is not a number", &["line 4".to_owned()][..])
    );
    assert_eq!(report.skipped.get("no price"), Some(&1));
}

/// The same two evenings, by card and by product.
fn by_card() -> String {
    format!(
        "{LONG}2025-09-21,tst1-1,tcgcsv,US,USD,Normal,,market,1.50,1.0,2.0,3.0\n2025-09-22,tst1-1,tcgcsv,US,USD,Normal,,market,1.60,1.0,2.0,3.0\n"
    )
}

fn by_product() -> String {
    format!("{DAYS}2025-09-22,tcgcsv,US,USD,3,604,42,Normal,1,2,3,1.6,\n2025-09-23,tcgcsv,US,USD,3,604,42,Normal,1,2,3,1.7,\n")
}

const THREE_EVENINGS: [&str; 3] =
    ["tcgplayer/42 tcgcsv 2025-09-21 0 1.50", "tcgplayer/42 tcgcsv 2025-09-22 0 1.60", "tcgplayer/42 tcgcsv 2025-09-23 0 1.7"];

#[tokio::test]
async fn files_that_overlap_store_each_observation_once_in_whatever_order_they_are_named() {
    let desk = Desk::new().await;
    let files = [
        desk.file("z_by_product.csv", by_product()),
        desk.file("by_card.csv", by_card()),
        desk.file("zz_pairs.csv", format!("{PAIRS}tst1-1,A,42,unique,\n")),
    ];
    desk.import(&files).await;
    assert_eq!(desk.prices().await, THREE_EVENINGS);
}

#[tokio::test]
async fn a_late_crosswalk_gives_the_prices_to_their_product_and_drops_what_stands_there_already() {
    let desk = Desk::new().await;
    desk.take("by_card.csv", &by_card()).await;
    desk.take("by_product.csv", &by_product()).await;
    assert_eq!(desk.prices().await.len(), 4, "before the crosswalk nobody knows that they are the same");
    let report = desk.take("pairs.csv", &format!("{PAIRS}tst1-1,A,42,unique,\n")).await;
    assert_eq!(report.rekeyed, 1);
    let prices = desk.prices().await;
    // the evening that both files tell is there once; which of the two spellings of 1.60 stays does not matter
    assert_eq!(prices.len(), 3, "{prices:#?}");
    assert!(prices.iter().all(|line| line.starts_with("tcgplayer/42 tcgcsv") && line.contains(" 0 1.")), "{prices:#?}");
    assert_eq!(desk.lines("SELECT count(*) AS a FROM price_series").await, ["1"]);
    let current = desk.lines("SELECT card_id AS a, source AS b, price_usd AS c FROM market_prices").await;
    assert_eq!(current, ["tst1-1 tcgcsv 1.70"]);
    // and what comes now by card goes there at once
    desk.take("again.csv", &by_card()).await;
    assert_eq!(desk.prices().await.len(), 3);
}

#[tokio::test]
async fn a_card_with_two_products_keeps_its_prices_to_itself() {
    let desk = Desk::new().await;
    desk.take("pairs.csv", &format!("{PAIRS}tst1-1,A,42,unique,\ntst1-1,A,43,order-by-name,\n")).await;
    desk.take("by_card.csv", &by_card()).await;
    assert!(desk.prices().await.iter().all(|line| line.starts_with("tst1-1 tcgcsv")));
}

#[tokio::test]
async fn late_contradictions_are_kept_as_revisions_when_a_crosswalk_joins_two_series() {
    let desk = Desk::new().await;
    desk.take("by_card.csv", &by_card().replace("1.60", "9.99")).await;
    desk.take("by_product.csv", &by_product()).await;
    desk.take("pairs.csv", &format!("{PAIRS}tst1-1,A,42,unique,\n")).await;
    let prices = desk.prices().await;
    assert_eq!(prices.iter().filter(|line| line.contains("2025-09-22")).count(), 2, "{prices:#?}");
}

#[tokio::test]
async fn a_doubted_pair_keeps_the_doubt_and_another_crosswalk_does_not_wipe_it_out() {
    let desk = Desk::new().await;
    desk.take("a.csv", &format!("{PAIRS}tst1-1,A,42,unique,off\n")).await;
    let both = "card_id,tcgplayer_product_id,tcgplayer_method,tcgplayer_order_check,cardmarket_id_product,cardmarket_method\ntst1-1,42,unique,,7,ordered\n";
    desk.take("b.csv", both).await;
    let pairs = desk.lines("SELECT market AS a, external_id AS b, method AS c FROM card_products ORDER BY 1").await;
    assert_eq!(pairs, ["cardmarket 7 ordered", "tcgplayer 42 unique (order off)"]);
}

#[tokio::test]
async fn a_set_tells_its_cards_their_name_and_day_in_either_order_and_an_older_description_does_not_win() {
    let desk = Desk::new().await;
    desk.take("cards.json", CARDS).await;
    desk.take("sets.json", SETS).await;
    let card = "SELECT card_id AS a, set_name AS b, set_release_date AS c, regulation_mark AS d FROM card_metadata";
    assert_eq!(desk.lines(card).await, ["tst1-1 Test Set 2025-05-30 I"]);
    let older = SETS.replace("Test Set", "Old Name").replace("2025/05/30 15:00:00", "2025/01/01 15:00:00");
    let report = desk.take("older.json", &older).await;
    assert_eq!((report.changed, report.unchanged), (0, 1));
    assert_eq!(desk.lines(card).await, ["tst1-1 Test Set 2025-05-30 I"]);
}

#[tokio::test]
async fn a_dump_without_pictures_does_not_take_away_what_the_api_told() {
    let desk = Desk::new().await;
    desk.take("api.json", include_str!("../fixtures/pokemontcg_cards_api.json")).await;
    desk.take("dump.json", CARDS).await;
    let card = "SELECT name AS a, rarity AS b, image_url IS NOT NULL AS c FROM card_metadata WHERE card_id = 'tst1-1'";
    assert_eq!(desk.lines(card).await, ["Testmon Rare Holo true"]);
}

#[tokio::test]
async fn the_price_guides_moment_is_both_clocks_and_reverse_has_a_series_of_its_own() {
    let desk = Desk::new().await;
    desk.take("guide.json", GUIDE).await;
    let rows = "SELECT printing AS a, price AS b, to_char(observed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS c, observed_at = known_at AS d
                FROM price_history JOIN price_series USING (series_id) ORDER BY 1";
    assert_eq!(desk.lines(rows).await, ["plain 2.50 2026-06-29 00:55:18 true", "reverse_holofoil 4.75 2026-06-29 00:55:18 true"]);
}

#[tokio::test]
async fn the_current_price_is_the_latest_of_the_commonest_printing() {
    let desk = Desk::new().await;
    let row = |day: &str, printing: &str, price: &str| format!("{day},tst1-1,a,US,USD,{printing},,market,{price},,,\n");
    let text = [
        LONG.to_owned(),
        row("2026-03-16", "Normal", "1.00"),
        row("2026-03-17", "Reverse Holofoil", "5.00"),
        row("2026-03-17", "Normal", "1.10"),
    ];
    desk.take("a.csv", &text.concat()).await;
    desk.take("old.csv", &format!("{LONG}{}", row("2026-03-01", "Normal", "9.00"))).await;
    assert_eq!(desk.lines("SELECT price_usd AS a, last_updated::date AS b FROM market_prices").await, ["1.10 2026-03-17"]);
}

#[tokio::test]
async fn the_command_reads_standard_input_and_its_exit_code_tells_a_refused_file() {
    use std::process::{Command, Stdio};

    let desk = Desk::new().await;
    let url = desk.database.server.url(false);
    let mut import = Command::new(env!("CARGO_BIN_EXE_tcg-radar"));
    import.args(["import", "-", "--format", "json"]).env("DATABASE_URL", &url).current_dir(desk.folder.path());
    let mut import = import.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    import.stdin.take().unwrap().write_all(many(4).as_bytes()).unwrap();
    let output = import.wait_with_output().unwrap();
    let reports: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), reports[0]["stored"].as_u64()), (Some(0), Some(4)), "{reports}");

    desk.file("in/good.csv", many(4));
    desk.file("in/.hidden", "not looked at");
    desk.file("in/deep/page.html", "<html>");
    let folder = desk.folder.path().join("in");
    let output = program(desk.folder.path(), &[("DATABASE_URL", &url)], &["import", folder.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("refused whole, nothing of it is stored: not a file that can be imported (it is a web page or XML)"), "{text}");
    assert!(text.contains("\nwhat can be imported: ") && text.contains(", long price CSV, "), "{text}");
    let missing = program(desk.folder.path(), &[("DATABASE_URL", &url)], &["import", "nowhere.csv"]);
    assert!(String::from_utf8(missing.stderr).unwrap().contains("cannot read nowhere.csv"));
}

/// The real data's folder, or a plain word that the test is skipped.
fn real_data() -> Option<PathBuf> {
    let root =
        std::env::var_os("TCG_RADAR_DATA").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    if root.exists() {
        return Some(root);
    }
    println!("SKIPPED: no real data in {}; set TCG_RADAR_DATA to the folder that holds it", root.display());
    None
}

#[tokio::test]
async fn real_cards_ids_lists_rates_and_prices_go_in_without_a_refused_row() {
    let Some(data) = real_data() else { return };
    let desk = Desk::new().await;
    let paths = [
        "3-price-history/dev/dual_us_eu_2026-05_08.csv.gz",
        "3-price-history/dev/tcgplayer_usd_chase_2026-07_08.csv.gz",
        "3-price-history/raw",
        "3-price-history/crosswalk.csv.gz",
        "3-price-history/ids_crosswalk.csv.gz",
        "5-cardmarket/price_guide_6_sample_2026-06-29.json",
        "5-cardmarket/products_nonsingles_6_2026-05-06.json.gz",
        "2-pokemontcg-api/captured",
        "1-card-metadata/cards-en",
        "1-card-metadata/sets-en.json",
        "7-others/eurofxref-hist.csv.gz",
        "7-others/ecb_eur_daily_2020_on.csv",
    ];
    let files = walk(&paths.map(|path| data.join(path))).unwrap();
    let reports = desk.import(&files).await;
    for report in &reports {
        println!("{} {:?}", report.file, report.took);
        assert_eq!((report.refused_whole.as_deref(), report.refused_rows), (None, 0), "{report:#?}");
    }
    assert_eq!(desk.lines("SELECT count(*) AS a FROM card_metadata").await, ["20106"]);
    assert_eq!(desk.lines("SELECT count(*) AS a FROM card_products").await, ["31425"]);
    assert_eq!(desk.lines("SELECT count(*) AS a FROM card_sets WHERE release_date IS NULL").await, ["1"], "only mep has no day");
    let dual = "SELECT count(*) AS a FROM price_history JOIN price_series USING (series_id) WHERE source LIKE 'pokemontcg.io%' AND printing = 'plain' AND observed_at > '2026-01-01'";
    assert_eq!(desk.lines(dual).await, [(7553 + 2022).to_string()]);

    let again = desk.import(&files).await;
    assert!(again.iter().all(|report| report.stored + report.changed == 0), "{again:#?}");
}
