//! Wakes the loop when files change. It may miss something or wake for nothing: what the files say decides.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, NoCache, new_debouncer_opt};
use tokio::sync::Notify;

/// An editor makes several events of one edit.
const DEBOUNCE: Duration = Duration::from_millis(50);

/// How far below a folder its changes matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The names in it: what they stand for may change as a whole.
    Names,
    /// Everything.
    Tree,
}

/// A folder, and which one it was when it was last watched.
#[derive(Debug)]
pub struct Target {
    path: PathBuf,
    depth: Depth,
    watched: Option<(u64, u64)>,
}

impl Target {
    pub fn new(path: &Path, depth: Depth) -> Self {
        Self { path: path.to_owned(), depth, watched: None }
    }
}

/// The watched folders.
#[derive(Debug)]
pub struct Watch {
    debouncer: Option<Debouncer<RecommendedWatcher, NoCache>>,
    targets: Vec<Target>,
    woken: Arc<Notify>,
}

impl Watch {
    /// Where the system does not tell of changes, nothing wakes: the loop looks by itself anyway.
    pub fn new(targets: Vec<Target>) -> Self {
        let woken = Arc::new(Notify::new());
        let wake = Arc::clone(&woken);
        // our own reading makes events, too
        let handler = move |result: DebounceEventResult| {
            if result.map_or(true, |events| events.iter().any(|event| !event.kind.is_access())) {
                wake.notify_one();
            }
        };
        let debouncer = new_debouncer_opt(DEBOUNCE, None, handler, NoCache::new(), notify::Config::default());
        let debouncer =
            debouncer.inspect_err(|error| tracing::warn!(event = "not_watching", "changes of files are seen a second late: {error}")).ok();
        Self { debouncer, targets, woken }
    }

    /// Watches the folders that are there now; one that was made anew is another folder under the same name.
    pub fn refresh(&mut self) {
        let Some(debouncer) = &mut self.debouncer else { return };
        for target in &mut self.targets {
            let there = std::fs::metadata(&target.path).ok().map(|folder| (folder.dev(), folder.ino()));
            if there == target.watched {
                continue;
            }
            if target.watched.take().is_some() {
                // it may be gone by itself
                let _ = debouncer.unwatch(&target.path);
            }
            let mode = if target.depth == Depth::Tree { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            if there.is_some() && debouncer.watch(&target.path, mode).is_ok() {
                target.watched = there;
            }
        }
    }

    /// Completes when something has changed since the last time.
    pub async fn woken(&self) {
        self.woken.notified().await;
    }
}
