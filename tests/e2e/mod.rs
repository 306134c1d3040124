//! The dev loop on the test bed (scripts/testbed): the pinned helm, Tilt and kubectl, docker, a registry, and pods of a real
//! Kubernetes. Nothing on the road is faked.
//!
//! `KILTER_TEST_BED` is the kubeconfig of the bed; without it each test says that it is skipped. scripts/test runs them inside
//! the bed's network (`scripts/testbed enter`), one after another: they share the cluster, and some of them take parts of it
//! away for a while.

mod app;
mod behind;
mod catalog;
mod clients;
mod edits;
mod ejected;
mod env_file;
mod failures;
mod first;
mod life;
mod originals;
mod php;
mod production;
mod reach;
mod served;
mod several;
mod stages;
mod used_rights;

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::support;

/// The bed's context, and the registry that its node pulls from.
const CONTEXT: &str = "kilter-bed";
const REGISTRY: &str = "localhost:5010";

/// Far above what anything takes on a loaded machine.
const HANGS_AFTER: Duration = Duration::from_secs(180);

/// How often the outside world is asked where nobody tells of a change.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// Where the tools of the tests are, and the bed.
#[derive(Debug, Clone)]
struct Bed {
    kubeconfig: PathBuf,
    docker: String,
    tilt: PathBuf,
    kubectl: PathBuf,
}

impl Bed {
    /// Returns the bed; without one, or when the time of the run is over, says what is not tested.
    fn find(what: &str) -> Option<Self> {
        let until = support::variable("KILTER_TEST_BED_UNTIL").map(|text| text.to_str().unwrap().parse().unwrap());
        if until.is_some_and(|until| SystemTime::now() >= UNIX_EPOCH + Duration::from_secs(until)) {
            support::skip(&format!("{what}: left for the next run, as the time of this one is over"));
            return None;
        }
        let variable = |name: &str| match support::variable(name) {
            Some(value) => Some(value),
            None => {
                support::skip(&format!("{what}: {name} is not set"));
                None
            }
        };
        Some(Self {
            kubeconfig: variable("KILTER_TEST_BED")?.into(),
            docker: variable("KILTER_TEST_DOCKER_HOST")?.into_string().unwrap(),
            tilt: variable("KILTER_TILT")?.into(),
            kubectl: variable("KILTER_KUBECTL")?.into(),
        })
    }
}

/// Asks until there is an answer; fails the test when none comes.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    until_ok(what, || ask().ok_or_else(|| "nothing".to_owned()))
}

/// Asks until there is an answer; fails the test with the last refusal when none comes.
fn until_ok<T>(what: &str, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(last) => {
                assert!(began.elapsed() < HANGS_AFTER, "{what}: not within {} s: {last}", HANGS_AFTER.as_secs())
            }
        }
        thread::sleep(ASK_AGAIN);
    }
}
