//! A terminal that a test looks at: kilter in a pseudo-terminal, its screen, its state before and after.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use std::{fs, thread};

use rexpect::process::PtyProcess;

use crate::support::project::{Project, Run, command};

/// Far above what any answer needs on a loaded machine.
const HANGS_AFTER: Duration = Duration::from_secs(120);

pub(super) const CTRL_C: &str = "\x03";
pub(super) const ESC: &str = "\x1b";
pub(super) const ENTER: &str = "\r";
pub(super) const RIGHT: &str = "\x1b[C";
pub(super) const DOWN: &str = "\x1b[B";

/// What stands around kilter: the state of the terminal as `stty` has it, before and after, and kilter's id. An interrupt is
/// for kilter, and drops nothing of what is on its way to the screen: a test reads that later than a terminal does.
const AROUND: &str = "stty noflsh; trap : INT; stty -a >\"$0.before\"; sh -c 'echo $$ >\"$0.id\"; exec \"$@\"' \"$0\" \"$@\"; code=$?; trap '' INT; stty -a >\"$0.after\"; exit $code";

/// kilter on a terminal.
pub(super) struct Terminal {
    process: PtyProcess,
    keyboard: File,
    pieces: Receiver<Vec<u8>>,
    parser: vt100::Parser,
    /// Everything that came.
    heard: Vec<u8>,
    /// Where `stty` said what the state is.
    state: PathBuf,
}

/// How it ended.
pub(super) struct Ended {
    /// The exit code.
    pub(super) code: i32,
    /// What is on the screen, with what scrolled off it.
    pub(super) screen: String,
    /// Everything that came, sequences included.
    pub(super) heard: String,
}

impl Terminal {
    /// Starts kilter on a terminal of 80 columns and 24 rows.
    pub(super) fn start(project: &Project, run: Run<'_>) -> Self {
        Self::of_size(project, run, 80, 24)
    }

    /// Starts kilter on a terminal of this size.
    pub(super) fn of_size(project: &Project, run: Run<'_>, columns: u16, rows: u16) -> Self {
        let kilter = run.into_command();
        let state = project.outside("stty");
        let mut around = command("/bin/sh".as_ref());
        around.args(["-c".as_ref(), AROUND.as_ref(), state.as_os_str(), kilter.get_program()]).args(kilter.get_args());
        around.current_dir(kilter.get_current_dir().unwrap()).env_clear();
        around.envs(kilter.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let process = PtyProcess::new(around).unwrap();
        let keyboard = process.get_file_handle().unwrap();
        let mut screen = keyboard.try_clone().unwrap();
        let (sender, pieces) = channel();
        thread::spawn(move || {
            let mut piece = [0; 64 * 1024];
            while let Ok(length @ 1..) = screen.read(&mut piece) {
                let _ = sender.send(piece[..length].to_vec()); // nobody waits when the test has failed already
            }
        });
        let parser = vt100::Parser::new(size(rows), size(columns), 500);
        let mut terminal = Self { process, keyboard, pieces, parser, heard: Vec::new(), state };
        terminal.resize(columns, rows);
        terminal
    }

    /// Gives the terminal another size.
    pub(super) fn resize(&mut self, columns: u16, rows: u16) {
        self.parser.set_size(size(rows), size(columns));
        let size = rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&self.keyboard, size).unwrap();
    }

    /// Presses keys.
    pub(super) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Sends kilter a signal.
    pub(super) fn signal_kilter(&self, signal: &str) {
        let id = fs::read_to_string(self.state.with_extension("id")).unwrap();
        let mut kill = command("/bin/sh".as_ref());
        kill.args(["-c", "kill -s \"$0\" \"$1\"", signal, id.trim()]);
        assert!(kill.status().unwrap().success());
    }

    /// What is on the screen now, without blanks at the ends.
    pub(super) fn screen(&self) -> String {
        let contents = self.parser.screen().contents();
        contents.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned()
    }

    /// Waits until this is on the screen; returns the screen. Fails the test when it never is.
    pub(super) fn sees(&mut self, text: &str) -> String {
        let deadline = Instant::now() + HANGS_AFTER;
        while !(self.screen().contains(text) && self.is_drawn()) {
            if !self.listen(deadline) {
                panic!("never saw {text:?}, but:\n{}\n{:?}", self.screen(), String::from_utf8_lossy(&self.heard));
            }
        }
        self.screen()
    }

    /// Waits until this is on the screen as often as this.
    pub(super) fn sees_times(&mut self, text: &str, times: usize) {
        let deadline = Instant::now() + HANGS_AFTER;
        while self.screen().matches(text).count() < times {
            assert!(self.listen(deadline), "never {times} times {text:?}:\n{}", self.screen());
        }
    }

    /// Waits until this is no longer on the screen.
    pub(super) fn sees_no(&mut self, text: &str) -> String {
        let deadline = Instant::now() + HANGS_AFTER;
        while self.screen().contains(text) || !self.is_drawn() {
            assert!(self.listen(deadline), "always {text:?}:\n{}", self.screen());
        }
        self.screen()
    }

    /// Tells whether a screen that is drawn as a whole is drawn to its end.
    fn is_drawn(&self) -> bool {
        !self.parser.screen().alternate_screen()
            || [&b"\x1b[J"[..], b"\x1b[?25h"].iter().any(|end| self.heard.ends_with(end))
    }

    /// Takes in what comes next; tells whether something did.
    fn listen(&mut self, deadline: Instant) -> bool {
        let Ok(piece) = self.pieces.recv_timeout(deadline.saturating_duration_since(Instant::now())) else {
            return false;
        };
        self.parser.process(&piece);
        self.heard.extend(piece);
        true
    }

    /// Waits for the end. Fails the test when it does not come, or when the terminal is left in another state than before.
    pub(super) fn end(mut self) -> Ended {
        let deadline = Instant::now() + HANGS_AFTER;
        while self.listen(deadline) {}
        assert!(Instant::now() < deadline, "kilter hangs:\n{}", self.screen());
        // The type is not exported: `Exited(Pid(7), 0)`.
        let status = format!("{:?}", self.process.wait().unwrap());
        let code = status.strip_prefix("Exited(").and_then(|text| text.rsplit_once(", "));
        let Some((_, code)) = code else { panic!("{status} after\n{}", self.screen()) };
        let state = |when: &str| fs::read_to_string(self.state.with_extension(when)).unwrap();
        let sizeless = |text: String| text.split_once("; line").map(|(_, rest)| rest.to_owned()).unwrap();
        assert_eq!(sizeless(state("after")), sizeless(state("before")), "the state of the terminal");
        let screen = self.parser.screen();
        let left = (screen.hide_cursor(), screen.alternate_screen(), screen.bracketed_paste());
        assert_eq!(left, (false, false, false), "cursor hidden, other screen, bracketed paste");
        Ended {
            code: code.trim_end_matches(')').parse().unwrap(),
            screen: everything(&mut self.parser),
            heard: String::from_utf8_lossy(&self.heard).into_owned(),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.process.signal(rexpect::process::Signal::SIGKILL);
    }
}

/// The screen with what scrolled off it.
fn everything(parser: &mut vt100::Parser) -> String {
    let screen = parser.screen_mut();
    screen.set_scrollback(usize::MAX);
    let (rows, columns) = screen.size();
    let mut lines: Vec<String> = Vec::new();
    for above in (0..=screen.scrollback()).rev() {
        screen.set_scrollback(above);
        lines.extend(screen.rows(0, columns.get()).take(if above == 0 { rows.get().into() } else { 1 }));
    }
    lines.join("\n").trim_end().to_owned()
}

fn size(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}
