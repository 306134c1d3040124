//! What to do next for one KilterApp: pure, one effect at a time.

/// What a KilterApp wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub uid: String,
    pub generation: i64,
    pub revision: u64,
    pub rerender: String,
    pub deleting: bool,
}

/// A reason to do nothing: one word and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    pub reason: &'static str,
    pub message: String,
}

/// The namespace of an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Namespace {
    /// Nobody looked: it is not needed for what comes next.
    Unseen,
    Absent,
    /// Made by the operator, and not seen by Flux yet.
    Fresh,
    /// Made by the operator, and applied by Flux, which deletes it with the app.
    Ours,
    /// It is being deleted.
    Terminating,
    /// Somebody else's.
    Foreign,
}

/// The app as the head of the repository has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AtHead {
    pub uid: String,
    /// It is this KilterApp's to remove: it made it, or an earlier one of the same organisation, app and environment that is gone.
    /// After a restore of the cluster's store every KilterApp has another uid than the repository knows.
    pub owned: bool,
    pub generation: i64,
    pub rerender: String,
    pub whole: bool,
    pub commit: String,
}

/// How far the app's render is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rendering {
    Missing,
    Done,
    /// helm refused it: the same again would fail again.
    Failed(String),
    /// It was no fault of the app's: it is tried again.
    Interrupted(String),
}

/// How far Flux is with one phase of an app.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sync {
    /// It is there.
    pub exists: bool,
    /// What it applied last contains the commit.
    pub applied: bool,
    /// What it tried last contains the commit.
    pub tried: bool,
    /// Why the last try failed.
    pub failure: Option<Complaint>,
}

/// Everything that was seen of one app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Observed {
    /// Why the spec cannot be deployed.
    pub complaint: Option<Complaint>,
    pub finalizer: bool,
    pub namespace: Namespace,
    pub head: Option<AtHead>,
    pub rendering: Rendering,
    /// A Job of the deploy at the head that runs, of another deploy than the one that is to be committed: Flux would delete it.
    pub job: Option<String>,
    /// Why the last try to write to the repository failed.
    pub repository: Option<String>,
    /// The history has the revision.
    pub recorded: bool,
    /// Flux was told of the commit.
    pub told: bool,
    /// The Kustomization of the app was told that the one it waits for is done.
    pub nudged: bool,
    pub jobs: Sync,
    pub app: Sync,
    /// The pods and the route of this revision: ready, or why not.
    pub workload: Result<(), Complaint>,
}

/// One effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    AddFinalizer,
    CreateNamespace,
    Render,
    Commit,
    Record,
    /// Tell Flux that there is a commit.
    Tell,
    /// Tell Flux that what the app waited for is done.
    Nudge,
    /// Remove the app from the repository.
    Remove,
    DeleteNamespace,
    DropFinalizer,
    /// Nothing: what comes next comes from somebody else.
    Rest,
}

/// Tells whether the head has what a KilterApp wants. A new operator, with another chart or helm, changes nothing by itself.
pub(super) fn at_head(wanted: &Wanted, observed: &Observed) -> bool {
    observed.head.as_ref().is_some_and(|head| {
        head.uid == wanted.uid && head.generation >= wanted.generation && head.rerender == wanted.rerender && head.whole
    })
}

/// Returns the next effect.
pub(super) fn decide(wanted: &Wanted, observed: &Observed) -> Step {
    if wanted.deleting {
        return leave(observed);
    }
    if observed.complaint.is_some() {
        return Step::Rest;
    }
    if !observed.finalizer {
        return Step::AddFinalizer;
    }
    if at_head(wanted, observed) {
        return follow(observed);
    }
    match (observed.namespace, &observed.rendering) {
        (Namespace::Foreign | Namespace::Terminating | Namespace::Unseen, _) => Step::Rest,
        (Namespace::Absent, _) => Step::CreateNamespace,
        (Namespace::Fresh | Namespace::Ours, Rendering::Missing | Rendering::Interrupted(_)) => Step::Render,
        (Namespace::Fresh | Namespace::Ours, Rendering::Failed(_)) => Step::Rest,
        // A migration is not stopped half-way. It ends by itself: its Job has a deadline.
        (Namespace::Fresh | Namespace::Ours, Rendering::Done) if observed.job.is_some() => Step::Rest,
        // Before the commit: whatever comes in between, what was committed can be found again.
        (Namespace::Fresh | Namespace::Ours, Rendering::Done) if !observed.recorded => Step::Record,
        (Namespace::Fresh | Namespace::Ours, Rendering::Done) => Step::Commit,
    }
}

fn follow(observed: &Observed) -> Step {
    if !observed.recorded {
        Step::Record
    } else if !observed.told && !observed.app.tried {
        Step::Tell
    } else if observed.jobs.applied && observed.app.exists && !observed.app.tried && !observed.nudged {
        Step::Nudge
    } else {
        Step::Rest
    }
}

/// A KilterApp that is deleted leaves the repository first; Flux deletes what it applied, the namespace last.
fn leave(observed: &Observed) -> Step {
    if !observed.finalizer {
        return Step::Rest;
    }
    match &observed.head {
        Some(head) if head.owned => Step::Remove,
        _ => match observed.namespace {
            Namespace::Absent | Namespace::Foreign => Step::DropFinalizer,
            _ if !observed.told => Step::Tell,
            // Flux never knew of it, so it will not delete it either.
            Namespace::Fresh => Step::DeleteNamespace,
            Namespace::Ours | Namespace::Terminating | Namespace::Unseen => Step::Rest,
        },
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
