//! Playwright's driver and Chromium as child processes of our own: without our environment, with an empty profile, and gone
//! with us. (The crate's own launch would hand them our environment and take Ctrl-C for itself.)

use std::{
    collections::HashMap,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use percent_encoding::percent_decode_str;
use playwright_rs::{
    LaunchOptions,
    protocol::{Browser, Playwright, ProxySettings},
    server::{
        channel_owner::ChannelOwner,
        connection::{Connection, ConnectionExt},
        transport::PipeTransport,
    },
};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::site::Site;
use crate::config::scraping::Programs;

/// For all of it to be up.
const START: Duration = Duration::from_mins(1);
const STOP: Duration = Duration::from_secs(5);
/// Where `npm install --prefix` puts the driver.
const DRIVER: &str = "playwright/node_modules/playwright-core/cli.js";
/// How the folders of browsers begin.
const FOLDER: &str = "tcg-radar-browser-";
const CHROMIUMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/// Why there is no browser.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    #[error("Chromium is not installed: `apt-get install chromium`, or name it in SCRAPE_CHROMIUM")]
    NoChromium,
    #[error(
        "Playwright's driver is not at {}: `npm install --prefix {} playwright-core@{}`, or name its cli.js in PLAYWRIGHT_CLI_JS",
        path.display(), prefix.display(), playwright_rs::PLAYWRIGHT_VERSION
    )]
    NoDriver { path: PathBuf, prefix: PathBuf },
    #[error("node is not installed: `apt-get install nodejs`, or name it in PLAYWRIGHT_NODE_EXE")]
    NoNode,
    #[error("cannot prepare the browser's folder {}: {source}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("the browser did not start: {0}")]
    Start(String),
    #[error("the browser did not start within {} s", START.as_secs())]
    Slow,
    #[error("PROXY_URL has no host")]
    Proxy,
}

/// The three programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub chromium: PathBuf,
    pub node: PathBuf,
    pub driver: PathBuf,
}

impl Found {
    /// Looks for them without starting any.
    ///
    /// # Errors
    /// The first that is missing, with what installs it.
    pub fn look(programs: &Programs, home: &Path) -> Result<Self, BrowserError> {
        let named = |path: &PathBuf| path.is_file().then(|| path.clone());
        let chromium = match &programs.chromium {
            Some(path) => named(path),
            None => CHROMIUMS.into_iter().find_map(on_path),
        };
        let chromium = chromium.ok_or(BrowserError::NoChromium)?;
        let node = match &programs.node {
            // a bare name is looked for
            Some(path) if path.components().count() == 1 => path.to_str().and_then(on_path),
            Some(path) => named(path),
            None => on_path("node"),
        };
        let node = node.ok_or(BrowserError::NoNode)?;
        let home = std::path::absolute(home).unwrap_or_else(|_| home.to_owned());
        let path = programs.driver.clone().unwrap_or_else(|| home.join(DRIVER));
        let missing = || BrowserError::NoDriver { path: path.clone(), prefix: home.join("playwright") };
        Ok(Self { chromium, node, driver: named(&path).ok_or_else(missing)? })
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// A running browser. It ends with this value.
pub struct Driver {
    pub browser: Browser,
    pub(super) proxy: Option<ProxySettings>,
    playwright: Playwright,
    child: Child,
    /// Profile, downloads, whatever the two write.
    folder: PathBuf,
}

impl Driver {
    /// Starts the driver and the browser.
    ///
    /// # Errors
    /// One is missing, or does not start.
    pub async fn start(found: &Found, site: &Site, proxy: Option<&SecretString>) -> Result<Self, BrowserError> {
        // a socket lies in it, and the path of one may have 107 letters
        let folder = std::env::temp_dir().join(format!("{FOLDER}{}", &uuid::Uuid::new_v4().simple().to_string()[..12]));
        clear(&std::env::temp_dir());
        std::fs::DirBuilder::new().mode(0o700).create(&folder).map_err(|source| BrowserError::Folder { path: folder.clone(), source })?;
        let started = tokio::time::timeout(START, Self::launch(found, folder.clone(), site, proxy)).await;
        let outcome = started.unwrap_or(Err(BrowserError::Slow));
        if outcome.is_err() {
            let _ = std::fs::remove_dir_all(&folder);
        }
        outcome
    }

    async fn launch(found: &Found, folder: PathBuf, site: &Site, proxy: Option<&SecretString>) -> Result<Self, BrowserError> {
        let failed = |error: playwright_rs::Error| BrowserError::Start(cause(&error.to_string()));
        let mut child = Command::new(&found.node)
            .arg(&found.driver)
            .arg("run-driver")
            .env_clear()
            .envs(surroundings(&folder))
            .env("PW_LANG_NAME", "rust")
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for us: we close the browser in order
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| BrowserError::Start(format!("{}: {error}", found.node.display())))?;
        let (Some(input), Some(output), Some(faults)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
            return Err(BrowserError::Start("the driver has no pipes".to_owned()));
        };
        tokio::spawn(async move {
            let mut lines = BufReader::new(faults).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                tracing::debug!(event = "browser_driver", "{line}");
            }
        });
        let (transport, messages) = PipeTransport::new(input, output);
        let (sender, receiver) = transport.into_parts();
        let connection = Arc::new(Connection::new(sender, receiver, messages));
        let running = Arc::clone(&connection);
        tokio::spawn(async move { running.run().await });
        let root = connection.initialize_playwright().await.map_err(failed)?;
        let playwright: Playwright = connection.get_typed(root.guid()).await.map_err(failed)?;
        let proxy = proxy.map(|url| Url::parse(url.expose_secret()).map_err(|_| BrowserError::Proxy)).transpose()?;
        let options = options(found, &folder, site, proxy.as_ref());
        let proxy = proxy.as_ref().map(through).transpose()?;
        let browser = playwright.chromium().launch_with_options(options).await.map_err(failed)?;
        Ok(Self { browser, proxy, playwright, child, folder })
    }

    /// Closes the browser and waits until it is gone.
    pub async fn stop(mut self) {
        let orderly = async {
            let _ = self.browser.close().await;
            // the end of its input is what the driver ends at
            self.playwright.connection().close_writer();
            let _ = self.child.wait().await;
        };
        if tokio::time::timeout(STOP, orderly).await.is_err() {
            tracing::warn!(event = "browser_killed", "the browser did not close in {} s", STOP.as_secs());
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.playwright.connection().close_writer();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Takes away what browsers left behind that were killed with us. One that runs has touched its folder lately.
fn clear(temporary: &Path) {
    const OLD: Duration = Duration::from_hours(48);
    let own = std::fs::metadata("/proc/self").map(|own| own.uid()).ok();
    for entry in std::fs::read_dir(temporary).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.len() == FOLDER.len() + 12 && name.starts_with(FOLDER));
        if !is_ours {
            continue;
        }
        let Ok(found) = entry.metadata() else { continue };
        let is_old = found.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age > OLD));
        if found.is_dir() && is_old && Some(found.uid()) == own {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// All that the two processes know of us.
fn surroundings(folder: &Path) -> HashMap<String, String> {
    let folder = folder.display().to_string();
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".to_owned());
    let kept = [("PATH", path), ("HOME", folder.clone()), ("TMPDIR", folder), ("LANG", "C.UTF-8".to_owned())];
    kept.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn options(found: &Found, folder: &Path, site: &Site, proxy: Option<&Url>) -> LaunchOptions {
    let rules = site.resolver_rules(proxy.and_then(Url::host_str));
    let mut arguments: Vec<String> = [
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--disable-extensions",
        // calls between browsers would go round the proxy and round the rules for names
        "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
        "--js-flags=--max-old-space-size=256",
    ]
    .map(str::to_owned)
    .into();
    arguments.push(format!("--host-resolver-rules={rules}"));
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if is_root {
        tracing::warn!(event = "browser_unboxed", "Chromium has no sandbox under root: run the service as an ordinary user");
    }
    LaunchOptions::new()
        .executable_path(found.chromium.display().to_string())
        .args(arguments)
        .chromium_sandbox(!is_root)
        .env(surroundings(folder))
        .downloads_path(folder.display().to_string())
        .handle_sigint(false)
        .handle_sigterm(false)
}

/// Playwright wants the password beside the address.
fn through(url: &Url) -> Result<ProxySettings, BrowserError> {
    let scheme = if url.scheme() == "socks5h" { "socks5" } else { url.scheme() };
    let host = url.host_str().ok_or(BrowserError::Proxy)?;
    let port = url.port_or_known_default().unwrap_or(1080);
    let mut proxy = ProxySettings::new(format!("{scheme}://{host}:{port}"));
    if !url.username().is_empty() {
        let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        proxy = proxy.username(plain(url.username())).password(plain(url.password().unwrap_or_default()));
    }
    Ok(proxy)
}

/// The browser's own account of a failed start is pages long; one line of it says why.
fn cause(text: &str) -> String {
    let fatal = text.lines().find_map(|line| line.split_once("FATAL:")).map(|(_, why)| why);
    first_line(fatal.unwrap_or(text))
}

pub(super) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_what_installs_it() {
        let here = std::env::current_exe().unwrap();
        let programs = |chromium: &Path| Programs { chromium: Some(chromium.into()), node: Some(here.clone()), driver: None };
        let missing = Found::look(&programs(Path::new("/no/such/chromium")), Path::new("/no/home")).unwrap_err();
        assert!(missing.to_string().contains("apt-get install chromium"));
        let missing = Found::look(&programs(&here), Path::new("/no/home")).unwrap_err();
        assert!(missing.to_string().contains("npm install --prefix /no/home/playwright playwright-core@1.64.0"), "{missing}");
    }

    #[test]
    fn the_browser_gets_nothing_of_our_environment_but_where_programs_are() {
        let mut names: Vec<_> = surroundings(Path::new("/x")).into_keys().collect();
        names.sort();
        assert_eq!(names, ["HOME", "LANG", "PATH", "TMPDIR"]);
    }

    #[test]
    fn of_a_failed_start_the_reason_is_told() {
        let text = "Protocol error: Target closed\n<launching> chromium\n[err] [1:1:FATAL:zygote_host.cc(1)] No usable sandbox!\nmore";
        assert_eq!(cause(text), "zygote_host.cc(1)] No usable sandbox!");
        assert_eq!(cause("no such file\nmore"), "no such file");
    }

    #[test]
    fn a_proxys_password_goes_beside_its_address() {
        let proxy = through(&Url::parse("socks5h://u:p%40ss@proxy.example:1080").unwrap()).unwrap();
        assert_eq!((proxy.server.as_str(), proxy.username.as_deref()), ("socks5://proxy.example:1080", Some("u")));
        assert_eq!(proxy.password.as_deref(), Some("p@ss"));
    }
}
