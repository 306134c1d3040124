//! One workload that is listened to: which of its lines are new, and when to listen again. Pure but for the stream.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::cli::dev::Workload;
use crate::exec::{Ending, Stream};

/// How long to wait before a container that ended is listened to again; twice as long each time that nothing came of it.
const AGAIN: Duration = Duration::from_secs(1);

/// The longest such wait.
const AT_MOST: Duration = Duration::from_secs(16);

/// How much of the time before the last line is asked for again: a new pod may have begun to speak before the old one said
/// its last.
const OVERLAP: Duration = Duration::from_secs(120);

/// A workload that is listened to.
pub(super) struct Source<'a> {
    pub(super) workload: &'a Workload,
    pub(super) prefix: String,
    /// Whether it is fine that it cannot be listened to.
    pub(super) optional: bool,
    /// When to listen again; `None` while it is listened to, and when it has ended.
    pub(super) again: Option<Instant>,
    stream: Option<Stream>,
    /// When something new was said last; `None` before the first time.
    heard: Option<Instant>,
    /// When the newest line of each container was said, as the cluster writes it.
    newest: BTreeMap<String, String>,
    /// The same when the listening began: what is not after that was printed before.
    printed: BTreeMap<String, String>,
    pause: Duration,
    /// What kubectl said last about why it ended.
    words: String,
}

/// What comes after a stream has ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing: all is said.
    Done,
    /// Nothing: it cannot be listened to.
    Failed,
    /// It is listened to again; with why it ended, when that was not said yet.
    Again(Option<String>),
}

impl<'a> Source<'a> {
    /// Makes a source that is due at once.
    pub(super) fn new(workload: &'a Workload, prefix: String, optional: bool) -> Self {
        Self {
            workload,
            prefix,
            optional,
            again: Some(Instant::now()),
            stream: None,
            heard: None,
            newest: BTreeMap::new(),
            printed: BTreeMap::new(),
            pause: AGAIN,
            words: String::new(),
        }
    }

    /// Tells whether it is time to listen.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.again.is_some_and(|at| at <= now)
    }

    /// Returns how far back to listen; `None` for as many lines as were asked for.
    pub(super) fn since(&self, now: Instant) -> Option<Duration> {
        self.heard.map(|heard| now.saturating_duration_since(heard) + OVERLAP)
    }

    /// Tells whether it said anything.
    pub(super) fn has_spoken(&self) -> bool {
        self.heard.is_some()
    }

    /// Begins to listen.
    pub(super) fn begin(&mut self, stream: Stream) {
        self.stream = Some(stream);
        self.again = None;
        self.printed = self.newest.clone();
    }

    /// Returns what of a line is to be printed: nothing, when it was printed before the listening began anew. kubectl
    /// writes `[pod/NAME/CONTAINER] TIME TEXT`; what does not begin like that is its own complaint about a container.
    pub(super) fn line(&mut self, line: &str, now: Instant, timestamps: bool) -> Option<String> {
        let (who, rest) = line.strip_prefix('[').and_then(|line| line.split_once("] "))?;
        let (time, text) = rest.split_once(' ').unwrap_or((rest, ""));
        if self.printed.get(who).is_some_and(|printed| time <= printed.as_str()) {
            return None;
        }
        time.clone_into(self.newest.entry(who.to_owned()).or_default());
        self.heard = Some(now);
        self.pause = AGAIN;
        Some(if timestamps { rest } else { text }.to_owned())
    }

    /// Decides what comes after the end of the stream.
    pub(super) fn ended(&mut self, follow: bool, ending: Ending, words: &str, now: Instant) -> Next {
        self.stream = None;
        match (follow, ending) {
            (false, Ending::Exited(0)) => Next::Done,
            (true, Ending::Exited(0)) if self.workload.job => Next::Done,
            (false, _) => Next::Failed,
            (true, _) if self.is_no_use(words) => Next::Failed,
            (true, _) => {
                self.again = Some(now + self.pause);
                self.pause = (self.pause * 2).min(AT_MOST);
                let last = words.trim().lines().last().unwrap_or_default();
                let news = !last.is_empty() && last != self.words;
                last.clone_into(&mut self.words);
                Next::Again(news.then(|| last.to_owned()))
            }
        }
    }

    /// Tells whether listening again is no use: the workload itself is not there, or may not be listened to. That a pod of
    /// it is not there (any more) passes.
    fn is_no_use(&self, words: &str) -> bool {
        let name = self.workload.reference.split_once('/').map_or("", |(_, name)| name);
        let gone = words.contains("(NotFound)") && words.contains(&format!("\"{name}\" not found"));
        gone || ["(Forbidden)", "(Unauthorized)"].iter().any(|refusal| words.contains(refusal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload() -> Workload {
        Workload {
            service: "app".into(),
            reference: "deployment/shop".into(),
            namespace: None,
            manifest: "app".into(),
            job: false,
        }
    }

    #[test]
    fn of_two_containers_neither_hides_the_others_lines() {
        let workload = workload();
        let mut source = Source::new(&workload, String::new(), false);
        let now = Instant::now();
        let mut line = |text: &str| source.line(text, now, false);
        assert_eq!(line("[pod/shop-1/app] 2026-01-02T00:00:09Z late").as_deref(), Some("late"));
        assert_eq!(line("[pod/shop-1/proxy] 2026-01-02T00:00:01Z early").as_deref(), Some("early"));
        assert_eq!(line("[pod/shop-1/proxy] 2026-01-02T00:00:01Z").as_deref(), Some(""), "of the same moment");
        assert_eq!(
            source.line("[pod/shop-1/app] 2026-01-02T00:00:10Z a b", now, true).unwrap(),
            "2026-01-02T00:00:10Z a b"
        );
    }

    #[test]
    fn what_was_printed_before_is_not_printed_again() {
        let workload = workload();
        let mut source = Source::new(&workload, String::new(), false);
        let now = Instant::now();
        assert_eq!(source.since(now), None);
        source.line("[pod/shop-1/app] 2026-01-02T00:00:09Z last words", now, false);
        assert_eq!(source.ended(true, Ending::Exited(0), "", now), Next::Again(None));
        assert!(!source.is_due(now) && source.is_due(now + AGAIN));
        assert_eq!(source.since(now + AGAIN), Some(OVERLAP + AGAIN));
        source.printed = source.newest.clone(); // as when the listening begins
        assert_eq!(source.line("[pod/shop-1/app] 2026-01-02T00:00:09Z last words", now, false), None);
        let new = "[pod/shop-2/app] 2026-01-02T00:00:08Z first words of the next pod";
        assert_eq!(source.line(new, now, false).as_deref(), Some("first words of the next pod"));
    }

    #[test]
    fn it_is_listened_again_less_and_less_often_unless_that_is_no_use() {
        let workload = workload();
        let mut source = Source::new(&workload, String::new(), false);
        let now = Instant::now();
        let mut pauses = Vec::new();
        let mut said = Vec::new();
        for _ in 0..6 {
            let next = source.ended(true, Ending::Exited(1), "error: x\nno route to host\n", now);
            said.push(next);
            pauses.push((source.again.unwrap() - now).as_secs());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 16]);
        assert_eq!(said[0], Next::Again(Some("no route to host".into())), "said once");
        assert!(said[1..].iter().all(|next| *next == Next::Again(None)), "{said:?}");
        let mut ended = |words: &str| source.ended(true, Ending::Exited(1), words, now);
        let pod = "Error from server (NotFound): pods \"shop-5d8-x\" not found";
        assert_eq!(ended(pod), Next::Again(Some(pod.into())));
        for lasting in [
            "Error from server (NotFound): deployments.apps \"shop\" not found",
            "Error from server (Forbidden): pods is forbidden: User \"eve\" cannot list resource",
            "error: You must be logged in to the server (Unauthorized)",
        ] {
            assert_eq!(ended(lasting), Next::Failed, "{lasting}");
        }
        assert_eq!(source.ended(false, Ending::Exited(0), "", now), Next::Done);
        let job = Workload { job: true, ..workload.clone() };
        assert_eq!(Source::new(&job, String::new(), true).ended(true, Ending::Exited(0), "", now), Next::Done);
        assert_eq!(source.ended(false, Ending::Exited(1), "x", now), Next::Failed);
    }
}
