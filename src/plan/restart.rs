//! Starting a dev command again inside its container, for commands that do not load changed files by themselves.
//!
//! A restart of the container would not do: it begins with the image's files, without what live update brought. So a
//! few lines of shell are the container's first process, and the command is their child:
//!
//! * HUP, which the Tiltfile sends after each sync, ends the command (TERM, after five seconds KILL, for everything that it
//!   started) and starts it again. TERM and INT are handed on, and the container ends as the command does.
//! * A command that ends by itself ends the container with its status, as long as nothing was synced: the cluster starts it
//!   again and shows why it has to. After a sync it is most often a bad edit. A new container would run the image's old
//!   files until Tilt has synced all of them again, and be held back longer each time; so this one stays,
//!   says so, and starts the command at the next edit, or after half a minute, as a database may have been away. Its
//!   readiness probe fails meanwhile.

use crate::detect::{Stack, reloads_as};

/// Name under which the lines below run: by it the Tiltfile knows whom to send HUP.
pub const SUPERVISOR: &str = "kilter-run";

/// The lines, for any POSIX shell (tried with dash, busybox and bash), without a line break so that they can stand in a list of words.
///
/// A trap may run between any two commands, so each does by itself what ends the child, and `run` looks once more after it
/// knows the child. The KILL waits in a process of nobody's, so that `$!` stays the child. `setsid` makes the command's
/// processes a group; where there is none, the command alone gets the signals. `wait` returns early for a trap, and forgets a
/// child that it told of: 127. Waiting reaps orphans too. busybox's `kill` takes `--` for a process that there is not, and
/// fails, so the group is named without. A signal is lost on a child that is still a copy of the shell, with
/// its traps; `tell` tries again as long as the group that `setsid` makes is to come.
pub(crate) const LINES: [&str; 13] = [
    "again=0 edited=0 over=0 child=;",
    "tell() { kill -$1 -$child || { kill -$1 $child && { [ -z \"$group\" ] ||",
    "for try in 1 2 3 4 5; do sleep 0.1 || sleep 1; kill -$1 -$child && break; done; }; }; } 2>/dev/null;",
    "end() { tell TERM; ( (sleep 5; tell KILL) >/dev/null 2>&1 & ); };",
    "trap 'again=1 edited=1; end' HUP; trap 'over=1; tell TERM' TERM INT;",
    "group=$(command -v setsid);",
    "run() { $group \"$@\" & child=$!; [ $again$over = 00 ] || end;",
    "while wait $child; status=$?; kill -0 $child; do :; done 2>/dev/null;",
    "wait $child 2>/dev/null; late=$?; [ $late = 127 ] || status=$late; };",
    "while again=0; do run \"$@\"; [ $edited$over = 10 ] || exit $status; [ $again = 1 ] || end;",
    "while [ $over = 0 ] && tell 0; do sleep 0.1 2>/dev/null || sleep 1; done;",
    "if [ $again = 0 ]; then echo kilter: ended with status $status, starts again at the next change or in 30 s >&2; run sleep 30; fi;",
    "[ $over = 0 ] || exit $status; echo kilter: starting again >&2; done",
];

/// Tells whether a dev command has to be started again for what live update brings: the command of a stack, or one that
/// kilter.yaml has in place of it.
pub fn restarts(stack: Option<&Stack>, dev: &str) -> bool {
    !reloads_as(dev, stack.is_some_and(|stack| stack.reloads))
}

/// Returns the words that run a command so that HUP starts it again.
pub fn supervised(command: &[&str]) -> Vec<String> {
    let shell = ["/bin/sh", "-c"].map(str::to_owned).into_iter();
    shell.chain([LINES.join(" "), SUPERVISOR.into()]).chain(command.iter().map(|word| (*word).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Ecosystem;

    #[test]
    fn what_kilter_yaml_starts_decides() {
        let stack = |reloads| Stack {
            ecosystem: Ecosystem::Node,
            manager: "npm".into(),
            manifests: Vec::new(),
            rebuild_on: Vec::new(),
            install: "npm ci".into(),
            extensions: Vec::new(),
            keeps: Vec::new(),
            reloads,
        };
        assert!(!restarts(Some(&stack(true)), "npm run dev") && restarts(Some(&stack(false)), "npm start"));
        assert!(restarts(Some(&stack(true)), "node server.js") && !restarts(Some(&stack(false)), "nodemon server.js"));
        assert!(restarts(None, "./serve"));
    }
}
