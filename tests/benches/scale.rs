//! What a scan costs as cards and tenants become many: verdicts of every route for every tenant, the best route of each
//! card, what sellers' bundles count, and how many cards fell to which reason. A pair, of route and tenant, is told in
//! time of the processor, over all cores.
//!
//! `cargo bench --bench scale` prints the tables; `-- --cards 60000 --tenants 10000` is the default. A simulated market
//! is written to a database once and read as a scan reads it; to have many cards, the book is repeated under other names.
#![expect(clippy::unwrap_used, reason = "a benchmark may stop at once")]

use std::{
    fmt::{self, Display, Formatter},
    fs,
    hint::black_box,
    io::Write as _,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

use clap::Parser;
use rust_decimal::Decimal;
use tcg_radar::{
    config::presets,
    domain::{
        book::{Book, CardIndex},
        card::CardId,
        observation::Subject,
        profile::{Defaults, Presets, Profile, Tenant},
    },
    rules::pack::Pack,
    scan::{
        Settings,
        columns::Prepared,
        ground::{Ground, load_book},
        judge::{Case, Judged},
        routes::Route,
        windows::Windows,
    },
    simulate::{self, Parameters, Simulation},
    store::{Server, Store, embedded::Embedded, users},
};

#[derive(Debug, Parser)]
struct Args {
    #[arg(long, default_value_t = 60_000)]
    cards: usize,
    #[arg(long, default_value_t = 10_000)]
    tenants: usize,
    /// Given by `cargo bench`; without it a small round shows that the benchmark runs.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Cards of the market that is repeated.
const SIMULATED: u32 = 1_000;

fn main() {
    let mut args = Args::parse();
    if !args.bench {
        (args.cards, args.tenants) = (2_000, 50);
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::Builder::new().prefix("tcg-radar-scale-").tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let pack = Pack::load(&root().join("rules")).unwrap();
    let (book, windows, tenants) = runtime.block_on(market(folder.path(), &pack));
    runtime.block_on(Embedded::stop(folder.path())).unwrap();

    let mut out = std::io::stdout();
    writeln!(
        out,
        "{:>8} {:>8} {:>9} {:>9} {:>9} {:>9} {:>8} {:>9} {:>7}",
        "cards", "tenants", "routes", "ready s", "scan s", "CPU s", "ns/pair", "signals", "MiB"
    )
    .unwrap();
    let all = (args.cards, args.tenants);
    let sizes = [(all.0, all.1 / 4), (all.0, all.1 / 2), (all.0 / 4, all.1), (all.0 / 2, all.1), all];
    for (cards, tenants_count) in sizes {
        let book = repeated(&book, cards);
        let profiles = profiles(&tenants, tenants_count);
        let ground = Ground::of(&book, &windows, &pack, &settings()).unwrap();
        let case = ground.case(&pack, &book, &ground.routes, &profiles);
        let start = Instant::now();
        let mut prepared = Prepared::new(&case).unwrap().for_parts();
        let ready = start.elapsed();
        let (start, cpu) = (Instant::now(), processor_time());
        let findings = prepared.judge(&case, 0, &|_| ());
        let (took, cpu) = (start.elapsed(), processor_time().saturating_sub(cpu));
        let pairs = Decimal::from(ground.routes.len() * tenants_count);
        let per_pair = Decimal::from(u64::try_from(cpu.as_nanos()).unwrap()) / pairs;
        writeln!(
            out,
            "{:>8} {:>8} {:>9} {:>9} {:>9} {:>9} {:>8} {:>9} {:>7}",
            book.cards.len(),
            profiles.len(),
            ground.routes.len(),
            seconds(ready),
            seconds(took),
            seconds(cpu),
            per_pair.round_dp(2),
            findings.signal_count(),
            most_memory(),
        )
        .unwrap();
        if (cards, tenants_count) == all {
            one_card(&case, &prepared, &book);
            one_tenant(&case, &mut prepared);
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn seconds(took: Duration) -> Decimal {
    Decimal::new(i64::try_from(took.as_millis()).unwrap(), 3)
}

/// Time that the processor spent on this process: what else the machine does is not in it.
fn processor_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // behind the name, which may hold spaces: user and system time are the 12th and 13th, in hundredths of a second
    let fields = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').collect::<Vec<_>>()).unwrap_or_default();
    let ticks: u64 = fields.iter().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// The most memory that this process ever had, in MiB.
fn most_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1_024
}

fn settings() -> Settings {
    Settings { customs_regime: None, bundle_logic: true, eur_usd_rate: Decimal::new(108, 2) }
}

/// A simulated market as a scan finds it, and its tenants.
async fn market(folder: &Path, pack: &Pack) -> (Book, Windows, Vec<Profile>) {
    let server = Server::embedded(&Embedded::start(folder, None, &|_| ()).await.unwrap());
    server.migrate(None, &|_| ()).await.unwrap();
    let store = Store::connect(&server).await.unwrap();
    let simulation =
        Simulation::new(Parameters { cards: SIMULATED, days: 30, ..Parameters::ending("2026-05-02".parse().unwrap()) }).unwrap();
    simulate::write(&store, &simulation, simulation.as_of(), &|_, _| ()).await.unwrap();
    let (book, windows) = load_book(&store, pack, simulation.as_of(), &[]).await.unwrap();
    let mut tx = store.service().await.unwrap();
    let presets = presets::read(&root().join("profiles")).unwrap();
    let tenants = users::active(&mut tx).await.unwrap().iter().map(|tenant| resolve(tenant, &presets)).collect();
    (book, windows, tenants)
}

fn resolve(tenant: &Tenant, presets: &Presets) -> Profile {
    Profile::resolve(tenant, tenant.preset.as_deref().map(|name| presets.get(name).unwrap()), &Defaults::default())
}

/// The book, repeated under other names until it has so many cards.
fn repeated(book: &Book, cards: usize) -> Book {
    let mut many = Book { cards: Vec::new(), series: Vec::new(), activity: Vec::new(), ..book.clone() };
    let mut copy = 0;
    while many.cards.len() < cards {
        let first = many.cards.len();
        let wanted = book.cards.len().min(cards - first);
        for card in &book.cards[..wanted] {
            // ids ascend, as in a book that was loaded
            let card_id = CardId::new(&format!("{copy:04}{}", card.card_id.as_str())).unwrap();
            many.cards.push(tcg_radar::domain::card::Card { card_id, ..card.clone() });
        }
        let there = |cards: &[CardIndex]| cards.iter().all(|card| card.0 < wanted);
        many.series.extend(book.series.iter().filter(|one| there(&one.cards)).map(|one| {
            let mut one = one.clone();
            one.cards.iter_mut().for_each(|card| card.0 += first);
            one.seller_id = one.seller_id.map(|seller| format!("{seller}-{copy}").into());
            if let Subject::Product { id, .. } = &mut one.subject {
                *id = format!("{id}-{copy}");
            }
            one
        }));
        many.activity.extend(book.activity.iter().filter(|one| there(&[one.card])).map(|one| {
            let mut one = one.clone();
            one.card.0 += first;
            one
        }));
        copy += 1;
    }
    many
}

/// Tenants with thresholds of their own, and settings of a few kinds.
fn profiles(like: &[Profile], count: usize) -> Vec<Profile> {
    let number = |value: usize| i64::try_from(value).unwrap();
    (0..count)
        .map(|tenant| {
            let mut profile = like[tenant % like.len()].clone();
            profile.min_profit_threshold.value = Some(Decimal::new(1_500 + number(tenant), 2));
            profile.min_headache_score.value = Some(Decimal::new(300 + number(tenant * 7 % 1_000), 2));
            profile.min_seller_rating.value = Some(Decimal::new(9_000 + number(tenant * 13 % 900), 2));
            profile.min_seller_sales.value = Some(50 + number(tenant * 3 % 400));
            profile.min_score.value = (tenant % 3 == 0).then(|| Decimal::new(number(tenant * 11 % 500), 3));
            profile.insurance_rate.value = Some(Decimal::new(200 + 25 * number(tenant / 4 % 5), 4));
            profile.excluded_sets.value = (tenant % 10 == 0).then(|| vec!["ohb1".to_owned()]);
            profile
        })
        .collect()
}

/// One price has changed: every tenant's decision about its card, which hangs on what its sellers offer beside it; then about
/// all that they offer, too.
fn one_card(case: &Case<'_>, prepared: &Prepared, book: &Book) {
    let [mut first, mut alone, mut beside] = [(); 3].map(|()| Times::default());
    let mut most = 0;
    for card in (0..book.cards.len()).step_by(book.cards.len() / 50 + 1) {
        let sellers: Vec<_> =
            case.routes.iter().filter(|route| route.card.0 == card).filter_map(|route| book.series[route.buy].seller_id.clone()).collect();
        let is_touched = |route: &&Route| {
            route.card.0 == card || book.series[route.buy].seller_id.as_ref().is_some_and(|seller| sellers.contains(seller))
        };
        let routes: Vec<_> = case.routes.iter().filter(is_touched).cloned().collect();
        most = most.max(routes.len());
        let about = case.about(&routes);
        let alone_once = || prepared.judge_part(&about, &[CardIndex(card)].into());
        let found = first.measure(alone_once);
        alone.measure_settled(alone_once);
        let cards = routes.iter().map(|route| route.card).collect();
        let found_beside = beside.measure_settled(|| prepared.judge_part(&about, &cards));
        let whole = prepared.judge(&about, 0, &|_| ());
        let of_card = |one: &Judged| routes[one.route].card.0 == card;
        assert!(found_beside.signals().eq(whole.signals()), "what is left out is nobody's signal");
        assert!(found.signals().eq(whole.signals().filter(of_card)), "a card alone is decided as it is among others");
    }
    println!("\none changed price, decided for all tenants: ms (up to {most} routes)");
    println!("{:>30} {:>8} {:>8} {:>8}", "", "median", "most", "CPU");
    for (what, times) in [("its card", alone), ("the first time", first), ("and what sellers offer beside", beside)] {
        println!("{what:>30} {times}");
    }
}

#[derive(Default)]
struct Times {
    took: Vec<Duration>,
    cpu: Duration,
}

/// So often a thing is done whose time is the median: what else the machine does is longer than what is measured.
const OFTEN: usize = 5;

impl Times {
    fn measure_settled<T>(&mut self, mut work: impl FnMut() -> T) -> T {
        let mut times = Self::default();
        let found = times.measure(&mut work);
        (1..OFTEN).for_each(|_| drop(times.measure(&mut work)));
        times.took.sort_unstable();
        self.took.push(times.took[OFTEN / 2]);
        self.cpu += times.cpu / u32::try_from(OFTEN).unwrap();
        found
    }

    fn measure<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (start, before) = (Instant::now(), processor_time());
        let made = black_box(work());
        self.took.push(start.elapsed());
        self.cpu += processor_time().saturating_sub(before);
        made
    }
}

/// The median, the most, and the processor's time on average.
impl Display for Times {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut took = self.took.clone();
        took.sort_unstable();
        let count = u32::try_from(took.len()).unwrap();
        for time in [took[took.len() / 2], took[took.len() - 1], self.cpu / count] {
            write!(f, " {:>8}", Decimal::new(i64::try_from(time.as_micros()).unwrap(), 3))?;
        }
        Ok(())
    }
}

/// One tenant has changed a threshold and a cost.
fn one_tenant(case: &Case<'_>, prepared: &mut Prepared) {
    let mut profiles = case.profiles.to_vec();
    profiles[7].min_profit_threshold.value = Some(Decimal::new(777, 2));
    profiles[7].insurance_rate.value = Some(Decimal::new(333, 4));
    let changed = Case { profiles: &profiles, ..case.about(case.routes) };
    let start = Instant::now();
    prepared.set_tenant(&changed, 7).unwrap();
    let took = Decimal::new(i64::try_from(start.elapsed().as_micros()).unwrap(), 3);
    println!("one changed tenant, made ready again: {took} ms");
}
