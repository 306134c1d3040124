//! The one writer of the repository: takes what waits, writes it as one commit, tells everybody who waited.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::metrics::Metrics;
use crate::diag::{Error, Result};
use crate::gitops::{Change, Files, Head, Outcome, Repository};

/// Most apps in one commit.
const MOST: usize = 200;
/// How long a commit waits for apps that are being rendered.
const WINDOW: Duration = Duration::from_millis(700);

type Asked = (Change, oneshot::Sender<Result<Outcome>>);

/// A handle for whoever has something to write.
#[derive(Debug, Clone)]
pub(super) struct Committer {
    queue: mpsc::Sender<Asked>,
    repository: Arc<Mutex<Repository>>,
    head: watch::Receiver<Arc<Head>>,
    publish: watch::Sender<Arc<Head>>,
    rendering_now: Arc<AtomicUsize>,
}

/// Counts a render that goes on, for as long as it lives.
pub(super) struct RenderInProgress(Arc<AtomicUsize>);

impl Drop for RenderInProgress {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Committer {
    /// Starts the writer.
    pub(super) fn start(repository: Repository, metrics: Arc<Metrics>) -> Self {
        let (queue, asked) = mpsc::channel(4 * MOST);
        let (publish, head) = watch::channel(Arc::new(repository.head().clone()));
        let committer =
            Self { queue, repository: Arc::new(Mutex::new(repository)), head, publish, rendering_now: Arc::default() };
        tokio::spawn(committer.clone().work(asked, metrics));
        committer
    }

    /// Returns what the head of the branch held last.
    pub(super) fn head(&self) -> Arc<Head> {
        self.head.borrow().clone()
    }

    /// Says that a render goes on that will be written.
    pub(super) fn rendering_now(&self) -> RenderInProgress {
        self.rendering_now.fetch_add(1, Ordering::SeqCst);
        RenderInProgress(self.rendering_now.clone())
    }

    /// Writes a change; returns when it is pushed.
    ///
    /// # Errors
    /// When the repository cannot be written.
    pub(super) async fn write(&self, change: Change) -> Result<Outcome> {
        let (answer, answered) = oneshot::channel();
        let gone = || Error::bug("the writer of the repository ended");
        self.queue.send((change, answer)).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Fetches; tells whether somebody else moved the branch since this was asked last, were it that a write found that out.
    ///
    /// # Errors
    /// When the remote cannot be reached.
    pub(super) async fn refresh(&self) -> Result<bool> {
        self.blocking(|repository| {
            repository.refresh()?;
            Ok(repository.take_move())
        })
        .await
    }

    /// Puts back what an earlier process on the copy had and the branch has lost; `living` are the uids of all KilterApps.
    ///
    /// # Errors
    /// When the remote cannot be reached or refuses.
    pub(super) async fn settle(&self, living: BTreeSet<String>) -> Result<bool> {
        self.blocking(move |repository| repository.settle(&living)).await
    }

    /// Returns the files of an app at the head.
    ///
    /// # Errors
    /// When git fails.
    pub(super) async fn files(&self, namespace: String) -> Result<Files> {
        self.blocking(move |repository| repository.files(&namespace)).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Repository) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (repository, publish) = (self.repository.clone(), self.publish.clone());
        let task = tokio::task::spawn_blocking(move || {
            let mut repository = repository.lock().unwrap_or_else(PoisonError::into_inner);
            let done = work(&mut repository);
            publish.send_replace(Arc::new(repository.head().clone()));
            done
        });
        task.await.unwrap_or_else(|error| Err(Error::bug(format!("the writer of the repository failed: {error}"))))
    }

    async fn work(self, mut asked: mpsc::Receiver<Asked>, metrics: Arc<Metrics>) {
        while let Some(first) = asked.recv().await {
            let mut batch = vec![first];
            self.gather(&mut asked, &mut batch).await;
            let (changes, answers): (Vec<Change>, Vec<_>) = batch.into_iter().unzip();
            let count = changes.len();
            let written = self.blocking(move |repository| Ok(repository.write_each(&changes))).await;
            let written = written.unwrap_or_else(|error| answers.iter().map(|_| Err(error.clone())).collect());
            let commits: HashSet<&str> = written.iter().filter_map(commit_of).collect();
            metrics.committed(count, commits.len(), written.iter().any(Result::is_err));
            for (answer, outcome) in answers.into_iter().zip(written) {
                let _ = answer.send(outcome); // whoever asked may be gone
            }
        }
    }

    /// Takes what waits, and, while other apps are being rendered, what comes within a moment: a queue becomes few commits.
    async fn gather(&self, asked: &mut mpsc::Receiver<Asked>, batch: &mut Vec<Asked>) {
        let until = tokio::time::Instant::now() + WINDOW;
        while batch.len() < MOST {
            match asked.try_recv() {
                Ok(next) => batch.push(next),
                Err(_) if self.rendering_now.load(Ordering::SeqCst) == 0 => return,
                Err(_) => match tokio::time::timeout_at(until, asked.recv()).await {
                    Ok(Some(next)) => batch.push(next),
                    _ => return,
                },
            }
        }
    }
}

/// Returns the commit that was made for a change.
fn commit_of(written: &Result<Outcome>) -> Option<&str> {
    match written {
        Ok(Outcome::Committed(commit)) => Some(commit),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitops::tests::{Bench, change, committed};

    #[tokio::test]
    async fn whoever_shares_a_commit_with_an_app_that_is_refused_gets_through() {
        let bench = Bench::new();
        bench.hook("while read old new ref; do git ls-tree $new apps/evil-prod | grep . >&2 && exit 1; done; exit 0\n");
        let committer = Committer::start(bench.open("a"), Arc::new(Metrics::new()));
        let rendering = committer.rendering_now(); // the writer waits for who comes within its moment
        let write = |app| committer.write(change(app, 1, "i@sha256:1"));
        let (evil, shop, other) = tokio::join!(write("evil"), write("shop"), write("other"));
        drop(rendering);
        assert!(committed(&[shop.unwrap(), other.unwrap()]));
        assert!(format!("{:?}", evil.unwrap_err().problems()).contains("evil-prod"));
    }

    #[tokio::test]
    async fn a_push_of_somebody_else_is_told_also_where_a_write_met_it_first() {
        let bench = Bench::new();
        let committer = Committer::start(bench.open("a"), Arc::new(Metrics::new()));
        committer.write(change("shop", 1, "i@sha256:1")).await.unwrap();
        assert!(!committer.refresh().await.unwrap(), "what it wrote itself is no news");
        bench.foreign("apps/shop-prod/app/app.yaml", "tampered\n");
        let outcome = committer.write(change("other", 1, "i@sha256:1")).await.unwrap();
        assert!(committed(&[outcome]) && !committer.head().entries["shop-prod"].whole);
        assert!(committer.refresh().await.unwrap(), "somebody has to look at the app that was touched");
        assert!(!committer.refresh().await.unwrap());
    }
}
