//! Rendering what a person is likely to choose while that person reads: the end then takes what is in the cache. Nothing of it
//! is in the project, and nothing of it is said.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::context::Context;
use super::project::{Prepared, Project};
use crate::config::edit::{Edit, add_service};
use crate::config::model::ServiceEntry;
use crate::diag::Result;
use crate::exec;

/// How long to wait before tools that are to end are looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A thread that renders ahead; ended when dropped, with the tools it runs.
#[derive(Debug)]
pub(super) struct Ahead {
    wanted: Option<Sender<Vec<ServiceEntry>>>,
    thread: Option<JoinHandle<()>>,
}

impl Ahead {
    /// Starts it, idle.
    pub(super) fn start(ctx: &Context) -> Self {
        let (wanted, received) = channel();
        let ctx = ctx.silent();
        let thread = std::thread::Builder::new().spawn(move || work(&ctx, &received)).ok();
        Self { wanted: Some(wanted), thread }
    }

    /// Has the project rendered with these services added; what was wanted before is wanted no more.
    pub(super) fn render(&self, entries: Vec<ServiceEntry>) {
        if let Some(wanted) = &self.wanted {
            let _ = wanted.send(entries); // a thread that is not there renders nothing
        }
    }

    /// Waits for what it is at: the choice is made, and this is it.
    pub(super) fn finish(mut self) {
        self.wanted = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.wanted = None;
        let Some(thread) = self.thread.take() else { return };
        while !thread.is_finished() {
            exec::end_tools();
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

fn work(ctx: &Context, received: &Receiver<Vec<ServiceEntry>>) {
    let mut last = None;
    while let Ok(entries) = received.recv() {
        let entries = received.try_iter().last().unwrap_or(entries);
        if !entries.is_empty() && last.as_ref() != Some(&entries) {
            // What is wrong with it is said when it is really done.
            let _ = render(ctx, &entries);
            last = Some(entries);
        }
    }
}

fn render(ctx: &Context, entries: &[ServiceEntry]) -> Result<()> {
    let project = Project::open(ctx)?;
    let mut text = project.text.clone();
    for entry in entries {
        if let Edit::Changed(new) = add_service(text.as_deref(), entry)? {
            text = Some(new);
        }
    }
    let project = project.with_text(text.unwrap_or_default())?;
    Prepared::new(ctx, project)?.render(ctx).map(drop)
}
