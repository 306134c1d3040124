//! A commit that the remote refuses for what is in it: a key that its push protection knows, more bytes than it takes. It is
//! written again in halves, so that a change fails that is refused alone, and the others get through.

use super::{Change, Outcome, Repository};
use crate::diag::{Error, Result};
use crate::exec::Captured;

/// Most commits that the remote may refuse before what is left is given up until it is asked for again: as many as find one change
/// among the 200 of a commit take 8. A remote that refuses everything is not asked 400 times.
const MOST: usize = 16;

/// Why a commit is not on the branch.
#[derive(Debug)]
pub(super) enum Unwritten {
    /// The remote refuses what is in it.
    Refused(Error),
    /// Anything else; as a rule it says nothing about the commit.
    Failed(Error),
}

impl From<Error> for Unwritten {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Unwritten> for Error {
    fn from(unwritten: Unwritten) -> Self {
        match unwritten {
            Unwritten::Refused(error) | Unwritten::Failed(error) => error,
        }
    }
}

impl Repository {
    /// Writes changes like [`Repository::write`]; an answer per change, in their order. Those that the remote refuses fail alone,
    /// with its words about them; the others are in as many commits as that takes.
    pub fn write_each(&mut self, changes: &[Change]) -> Vec<Result<Outcome>> {
        in_halves(changes, |part| self.try_write(part))
    }
}

/// Writes all at once, and what is refused in halves of it. Once something else fails, nothing more is tried.
pub(super) fn in_halves<C, T>(
    changes: &[C],
    mut write: impl FnMut(&[C]) -> Result<Vec<T>, Unwritten>,
) -> Vec<Result<T>> {
    let (mut done, mut refusals) = (Vec::with_capacity(changes.len()), 0);
    // The last is the next.
    let mut parts = vec![changes];
    while let Some(part) = parts.pop() {
        let error = match write(part) {
            Ok(outcomes) => {
                done.extend(outcomes.into_iter().map(Ok));
                continue;
            }
            Err(Unwritten::Refused(error)) => {
                refusals += 1;
                if part.len() == 1 && refusals < MOST {
                    done.push(Err(error));
                    continue;
                }
                if part.len() > 1 && refusals < MOST {
                    tracing::warn!(changes = part.len(), %error, detail = ?error.problems().first().and_then(|p| p.detail.clone()), "the remote refuses a commit: it is written in halves");
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                    continue;
                }
                error
            }
            Err(Unwritten::Failed(error)) => error,
        };
        let left = changes.len() - done.len();
        let error = if left > 1 { without_the_remotes_words(error) } else { error };
        done.extend((0..left).map(|_| Err(error.clone())));
        break;
    }
    done
}

/// What a remote says about a commit for several apps may name a file of one of them: that is not for the others to read.
fn without_the_remotes_words(error: Error) -> Error {
    let keep = |line: &&str| !line.trim_start().starts_with("remote:");
    error.reworded(|text| text.lines().filter(keep).collect::<Vec<_>>().join("\n"))
}

/// Tells whether a push failed because the remote does not take what is in the commit.
pub(super) fn is_refusal(pushed: &Captured) -> bool {
    // "!\t<from>:<to>\t[remote rejected] (<reason>)" (git-push(1), `--porcelain`): a hook's word, or what the remote could not
    // unpack. With these reasons somebody else was at the same reference (refs.c, receive-pack.c).
    let others = ["cannot lock ref", "failed to update ref", "incorrect old value"];
    let text = pushed.text();
    let mut said = text.lines().filter(|line| line.starts_with('!') && line.contains("[remote rejected]"));
    // A proxy that takes no more bytes speaks no git (RFC 9110, 15.5.14).
    said.any(|line| !others.iter().any(|other| line.contains(other))) || pushed.stderr.contains("HTTP 413")
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::tests::{Bench, change};
    use super::*;

    /// A hook that refuses a commit that has an app, and says which.
    fn refuses(app: &str) -> String {
        format!(
            "while read old new ref; do\n\
             git cat-file -e $new:apps/{app}-prod && echo secret found in apps/{app}-prod/app/app.yaml >&2 && exit 1\n\
             done\nexit 0\n"
        )
    }

    #[test]
    fn an_app_that_the_remote_refuses_fails_alone_with_the_words_about_it() {
        let bench = Bench::new();
        bench.hook(&refuses("c"));
        let mut repository = bench.open("a");
        let changes: Vec<Change> = ["a", "b", "c", "d", "e"].map(|app| change(app, 1, "i@sha256:1")).into();
        let answers = repository.write_each(&changes);
        let fine: Vec<bool> = answers.iter().map(|answer| matches!(answer, Ok(Outcome::Committed(_)))).collect();
        assert_eq!(fine, [true, true, false, true, true], "{answers:?}");
        let said = format!("{:?}", answers[2].as_ref().unwrap_err().problems());
        assert!(said.contains("secret found in apps/c-prod/app/app.yaml"), "{said}");
        let there = bench.look(&["ls-tree", "--name-only", "main", "apps/"]);
        assert_eq!(there.lines().filter(|line| line.ends_with("-prod")).count(), 4, "{there}");
        assert_eq!(bench.look(&["fsck", "--no-dangling"]), "");
        // The same again: what is there is no commit.
        let commits = bench.commits();
        let again = repository.write_each(&changes);
        assert_eq!(again.iter().filter(|answer| matches!(answer, Ok(Outcome::Unchanged(_)))).count(), 4, "{again:?}");
        assert_eq!(bench.commits(), commits);
    }

    #[test]
    fn what_fails_for_several_says_nothing_about_one_of_them() {
        let bench = Bench::new();
        let mut repository = bench.open("a");
        repository.write(&[change("shop", 1, "i@sha256:1")]).unwrap();
        // It answers no fetch after the push that it refused.
        bench.hook("echo secret found in apps/a-prod >&2\nmv HEAD away\nexit 1\n");
        let answers = repository.write_each(&["a", "b"].map(|app| change(app, 1, "i@sha256:1")));
        for answer in answers {
            let said = format!("{:?}", answer.unwrap_err().problems());
            assert!(said.contains("push to `main`") && !said.contains("a-prod"), "{said}");
        }
    }

    #[test]
    fn a_remote_that_refuses_everything_is_not_asked_for_each() {
        let asked = Cell::new(0);
        let answers = in_halves(&[(); 200], |_| {
            asked.set(asked.get() + 1);
            Err::<Vec<()>, _>(Unwritten::Refused(Error::tool("no").detail("remote: apps/x\nelse")))
        });
        assert_eq!((answers.len(), asked.get()), (200, MOST));
        let last = answers.last().unwrap().as_ref().unwrap_err();
        assert_eq!(last.problems()[0].detail.as_deref(), Some("else"));
        // The remote went away meanwhile.
        let answers = in_halves(&[1, 2, 3, 4], |part| match part {
            [1, 2, 3, 4] => Err(Unwritten::Refused(Error::tool("no"))),
            [1, 2] => Ok(vec![1, 2]),
            _ => Err(Unwritten::Failed(Error::tool("away"))),
        });
        let answers: Vec<_> = answers.into_iter().map(|answer| answer.map_err(|error| error.to_string())).collect();
        assert_eq!(answers[..2], [Ok(1), Ok(2)]);
        assert!(answers[2..].iter().all(|answer| answer.as_ref().is_err_and(|error| error.contains("away"))));
    }
}
