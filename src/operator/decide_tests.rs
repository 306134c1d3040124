use super::*;

/// The world of one app: what is there, and what the others do by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
struct World {
    wanted: Wanted,
    observed: Observed,
    /// The commits of the repository: generation, or 0 for a removal.
    commits: Vec<i64>,
    gone: bool,
    flux_is_away: bool,
}

fn world() -> World {
    World {
        wanted: Wanted { uid: "u".into(), generation: 1, revision: 1, rerender: String::new(), deleting: false },
        observed: Observed {
            complaint: None,
            finalizer: false,
            namespace: Namespace::Absent,
            head: None,
            rendering: Rendering::Missing,
            job: None,
            repository: None,
            recorded: false,
            told: false,
            nudged: false,
            jobs: Sync::default(),
            app: Sync::default(),
            workload: Err(Complaint { reason: "PodsNotReady", message: String::new() }),
        },
        commits: Vec::new(),
        gone: false,
        flux_is_away: false,
    }
}

impl World {
    /// Does one effect.
    fn act(&mut self, step: Step) {
        let observed = &mut self.observed;
        match step {
            Step::AddFinalizer => observed.finalizer = true,
            Step::CreateNamespace => observed.namespace = Namespace::Fresh,
            Step::DeleteNamespace => observed.namespace = Namespace::Terminating,
            Step::Render => observed.rendering = Rendering::Done,
            Step::Commit => {
                assert_eq!(observed.rendering, Rendering::Done, "a commit of what was not rendered");
                assert!(observed.recorded, "a commit that a crash could leave out of the history");
                self.commits.push(self.wanted.generation);
                let commit = format!("c{}", self.commits.len());
                let (uid, generation) = (self.wanted.uid.clone(), self.wanted.generation);
                observed.head = Some(AtHead {
                    uid,
                    owned: true,
                    generation,
                    rerender: self.wanted.rerender.clone(),
                    whole: true,
                    commit,
                });
                (observed.jobs, observed.app) = (Sync::default(), Sync::default());
                (observed.told, observed.nudged) = (false, false);
            }
            Step::Record => observed.recorded = true,
            Step::Tell => observed.told = true,
            Step::Nudge => observed.nudged = true,
            Step::Remove => {
                self.commits.push(0);
                observed.head = None;
                observed.told = false;
            }
            Step::DropFinalizer => (self.gone, observed.finalizer) = (true, false),
            Step::Rest => {}
        }
    }

    /// What Flux and the cluster do meanwhile.
    fn others(&mut self) {
        let observed = &mut self.observed;
        if observed.namespace == Namespace::Terminating {
            observed.namespace = Namespace::Absent;
        }
        if self.flux_is_away {
            return;
        }
        if observed.told && observed.head.is_some() {
            observed.namespace = Namespace::Ours;
            observed.jobs = Sync { exists: true, applied: true, tried: true, failure: None };
            observed.app.exists = true;
        }
        if observed.nudged {
            observed.app = Sync { exists: true, applied: true, tried: true, failure: None };
            observed.workload = Ok(());
        }
        if observed.told && observed.head.is_none() && observed.namespace == Namespace::Ours {
            observed.namespace = Namespace::Absent;
        }
    }

    /// What a crash takes away: what was only in memory.
    fn crash(&mut self) {
        self.observed.rendering = Rendering::Missing;
        self.observed.told = false;
    }

    /// Runs until nothing happens any more; returns the steps. `crash_after` counts the steps before a crash.
    fn settle(&mut self, crash_after: Option<usize>) -> Vec<Step> {
        let mut steps = Vec::new();
        for round in 0.. {
            assert!(round < 100, "it does not come to rest: {steps:?}");
            let before = self.clone();
            let step = decide(&self.wanted, &self.observed);
            self.act(step);
            if step != Step::Rest {
                steps.push(step);
            }
            if Some(steps.len()) == crash_after {
                self.crash();
            }
            self.others();
            if step == Step::Rest && *self == before {
                return steps;
            }
        }
        unreachable!()
    }
}

#[test]
fn a_deploy_takes_these_steps() {
    let mut world = world();
    let steps = world.settle(None);
    use Step::*;
    assert_eq!(steps, [AddFinalizer, CreateNamespace, Render, Record, Commit, Tell, Nudge]);
    assert_eq!(world.observed.workload, Ok(()));
    // Nothing is left to do, and an operator that starts anew finds that.
    world.crash();
    assert!(world.settle(None).iter().all(|step| *step == Tell));
    assert_eq!(world.commits, [1]);
}

#[test]
fn a_crash_after_any_step_ends_in_the_same_state_with_one_commit() {
    let mut whole = world();
    let steps = whole.settle(None).len();
    for at in 1..=steps {
        let mut world = world();
        world.settle(Some(at));
        world.crash();
        world.settle(None);
        assert_eq!((world.commits, world.observed.workload), (vec![1], Ok(())), "crash after step {at}");
    }
}

#[test]
fn a_new_generation_is_one_more_commit_and_a_deletion_leaves_nothing() {
    for at in 0..12 {
        let mut world = world();
        world.settle(None);
        world.wanted.generation = 2;
        (world.observed.rendering, world.observed.recorded) = (Rendering::Missing, false);
        world.settle((at > 0).then_some(at));
        assert_eq!(world.commits, [1, 2], "{at}");
        world.wanted.deleting = true;
        world.settle((at > 0).then_some(at));
        assert!(world.gone && world.observed.head.is_none() && world.observed.namespace == Namespace::Absent, "{at}");
        assert_eq!(world.commits, [1, 2, 0], "{at}");
    }
}

#[test]
fn nothing_is_done_for_what_cannot_be_deployed() {
    let mut refused = world();
    refused.observed.complaint = Some(Complaint { reason: "Invalid", message: String::new() });
    assert_eq!(refused.settle(None), []);
    let mut foreign = world();
    foreign.observed.namespace = Namespace::Foreign;
    assert_eq!(foreign.settle(None), [Step::AddFinalizer]);
    let mut broken = world();
    broken.observed.namespace = Namespace::Ours;
    broken.observed.rendering = Rendering::Failed("helm".into());
    assert_eq!(broken.settle(None), [Step::AddFinalizer]);
}

#[test]
fn a_render_that_was_interrupted_is_tried_again() {
    let mut world = world();
    world.observed.rendering = Rendering::Interrupted("signal 9 ended it".into());
    world.settle(None);
    assert_eq!((world.commits, world.observed.workload), (vec![1], Ok(())));
}

#[test]
fn what_somebody_did_to_the_repository_is_mended() {
    let mut world = world();
    world.settle(None);
    world.observed.head.as_mut().unwrap().whole = false;
    world.settle(None);
    world.observed.head = None;
    world.observed.rendering = Rendering::Missing;
    world.settle(None);
    assert_eq!(world.commits, [1, 1, 1]);
    // The app of a KilterApp that was deleted and made again is another one.
    world.observed.head.as_mut().unwrap().uid = "older".into();
    world.settle(None);
    assert_eq!(world.commits.len(), 4);
    // A newer generation at the head: this operator's view is old, so it leaves it.
    world.observed.head.as_mut().unwrap().generation = 9;
    world.settle(None);
    assert_eq!(world.commits.len(), 4);
    // Another render of the same spec.
    world.wanted.rerender = "again".into();
    world.settle(None);
    assert_eq!(world.commits.len(), 5);
}

#[test]
fn a_deploy_waits_for_the_running_job_of_the_one_before_and_a_deletion_does_not() {
    let mut world = world();
    world.settle(None);
    world.wanted.generation = 2;
    (world.observed.rendering, world.observed.job) = (Rendering::Missing, Some("migration-d1".into()));
    assert_eq!(world.settle(None), [Step::Render]);
    let mut deleted = world.clone();
    deleted.wanted.deleting = true;
    deleted.settle(None);
    assert!(deleted.gone);
    world.observed.job = None;
    world.settle(None);
    assert_eq!(world.commits, [1, 2]);
}

#[test]
fn the_app_of_an_earlier_kilterapp_goes_with_the_one_that_has_its_place() {
    let mut world = world();
    world.settle(None);
    world.observed.head.as_mut().unwrap().uid = "before the restore".into();
    world.observed.rendering = Rendering::Failed("helm".into());
    world.wanted.deleting = true;
    assert_eq!(world.settle(None), [Step::Remove, Step::Tell, Step::DropFinalizer]);
    assert!(world.gone && world.observed.namespace == Namespace::Absent);
}

#[test]
fn an_app_that_flux_never_saw_is_deleted_all_the_same() {
    let mut world = world();
    world.flux_is_away = true;
    world.settle(None);
    world.wanted.deleting = true;
    use Step::*;
    assert_eq!(world.settle(None), [Remove, Tell, DeleteNamespace, DropFinalizer]);
    assert!(world.gone && world.observed.namespace == Namespace::Absent);
}
