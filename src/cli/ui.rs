//! The only printer: results to standard output, everything else to standard error. What it marks can be read on a light background
//! as on a dark one: nothing is faint, yellow or white.

mod asking;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, OnceLock, PoisonError};

use console::Style;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Global;
use crate::diag::{Error, Problem, Result};
use crate::exec::{Invocation, redact};
use crate::helm::{Observer, Source};
use crate::toolchain::{Progress, Tool};

pub(crate) use asking::left;
pub(crate) use rows::Rows;

/// The progress that is on the screen, so that the signal handler can clear it.
static BARS: OnceLock<MultiProgress> = OnceLock::new();

/// Takes progress off the screen.
pub(super) fn clear_progress() {
    if let Some(bars) = BARS.get() {
        let _ = bars.clear();
    }
}

/// Shows the cursor of the terminal, if there is one, after a prompt that did not come to its end.
pub(super) fn show_cursor() {
    let terminal = console::Term::stderr();
    if terminal.is_term() {
        let _ = terminal.show_cursor();
    }
}

/// What is to be said when a person leaves before the end.
static FAREWELL: Mutex<Option<String>> = Mutex::new(None);

/// Has this said when the command is interrupted; `None` takes it back.
pub(crate) fn on_leaving(text: Option<String>) {
    *FAREWELL.lock().unwrap_or_else(PoisonError::into_inner) = text;
}

/// Says it, once: whoever notices the interrupt first does.
pub(super) fn say_farewell() {
    if let Some(text) = FAREWELL.lock().unwrap_or_else(PoisonError::into_inner).take() {
        clear_progress();
        let _ = std::io::stderr().lock().write_all(format!("{text}\n").as_bytes());
    }
}

/// Prints a command that kilter is about to run (`--verbose`): the same text that failures show, without logins.
pub(super) fn tell_call(call: &Invocation) {
    let line = format!("$ {}\n", redact(&call.shell_line()));
    let write = || {
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    };
    match BARS.get() {
        Some(bars) => bars.suspend(write),
        None => write(),
    }
}

/// Prints a failure where nothing is known yet of how to talk.
pub(super) fn print_error(error: &Error) {
    let _ = std::io::stderr().lock().write_all(format!("error: {error}").as_bytes());
}

/// How kilter talks in this process.
#[derive(Debug)]
pub(crate) struct Ui {
    /// Whether results are JSON.
    pub(crate) json: bool,
    /// Whether a person can be asked: both ends are terminals, no CI, no `--no-input`.
    pub(crate) interactive: bool,
    /// Whether a person watches: standard error is a terminal, and this is no CI.
    pub(crate) watched: bool,
    /// Whether questions are numbered lines: the terminal cannot redraw, or the person does not want it to.
    pub(crate) linear: bool,
    /// Whether standard error takes colour.
    pub(crate) color_err: bool,
    quiet: bool,
    /// Whether nothing is said at all.
    muted: bool,
    /// Whether progress may redraw lines: standard error is a terminal that can, and nobody asked for plain lines.
    live: bool,
    /// Whether standard output takes colour.
    pub(crate) color_out: bool,
    /// Why a part of the result could not be written.
    lost: Mutex<Option<std::io::Error>>,
    /// The warnings that were printed.
    warned: Mutex<BTreeSet<String>>,
}

impl Ui {
    pub(super) fn new(global: &Global, vars: &BTreeMap<String, String>) -> Self {
        let set = |name: &str| vars.get(name).is_some_and(|value| !value.is_empty());
        let dumb = vars.get("TERM").is_none_or(|term| term == "dumb");
        let plain = set("CI") || dumb || set("KILTER_ACCESSIBLE");
        let color = !set("NO_COLOR") && !dumb;
        let (stdin, stdout, stderr) =
            (std::io::stdin().is_terminal(), std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        Self {
            json: global.json,
            interactive: stdin && stderr && !global.no_input && !set("CI"),
            watched: stderr && !set("CI"),
            linear: dumb || set("KILTER_ACCESSIBLE"),
            muted: false,
            quiet: global.quiet,
            live: stderr && !plain && !global.quiet,
            color_out: color && stdout,
            color_err: color && stderr && !set("CI"),
            lost: Mutex::new(None),
            warned: Mutex::default(),
        }
    }

    /// One that says nothing and asks nobody, for work beside the work.
    pub(super) fn silent() -> Self {
        Self {
            json: false,
            interactive: false,
            watched: false,
            linear: false,
            color_err: false,
            quiet: true,
            muted: true,
            live: false,
            color_out: false,
            lost: Mutex::new(None),
            warned: Mutex::default(),
        }
    }

    /// Prints a part of the result. A reader that went away is no failure.
    pub(crate) fn result(&self, text: &str) {
        self.result_bytes(text.as_bytes());
        if !text.ends_with('\n') {
            self.result_bytes(b"\n");
        }
    }

    /// Prints bytes of the result as they are.
    pub(crate) fn result_bytes(&self, bytes: &[u8]) {
        let mut stdout = std::io::stdout().lock();
        self.note(stdout.write_all(bytes));
    }

    /// Prints what is left of the result, and says whether all of it was written.
    ///
    /// # Errors
    /// When it was not: the disk is full, say. A reader that went away is no failure.
    pub(crate) fn finish(&self) -> Result<()> {
        self.note(std::io::stdout().lock().flush());
        match self.lost.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(Error::io("write the result to standard output", &error)),
            None => Ok(()),
        }
    }

    fn note(&self, written: std::io::Result<()>) {
        if let Err(error) = written
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            self.lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }

    /// Prints the result as JSON.
    pub(crate) fn json(&self, value: &serde_json::Value) {
        self.result(&format!("{value:#}"));
    }

    /// Prints progress or advice; `--quiet` leaves it out.
    pub(crate) fn talk(&self, text: &str) {
        if !self.quiet {
            self.stderr(text);
        }
    }

    /// Prints a warning, once: two parts of a command may have looked at the same.
    pub(crate) fn warn(&self, problem: &Problem) {
        if !self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(problem.to_string()) {
            return;
        }
        let word = self.err_style(Style::new().magenta().bold()).apply_to("warning");
        self.stderr(&format!("{word}: {problem}"));
    }

    /// Prints every problem of a failure.
    pub(crate) fn error(&self, error: &Error) {
        let word = self.err_style(Style::new().red().bold()).apply_to("error").to_string();
        let problems: Vec<String> = error.problems().iter().map(|problem| format!("{word}: {problem}")).collect();
        self.stderr(&problems.join("\n"));
    }

    fn stderr(&self, text: &str) {
        if self.muted {
            return;
        }
        let end = if text.ends_with('\n') { "" } else { "\n" };
        let write = || {
            let _ = std::io::stderr().lock().write_all(format!("{text}{end}").as_bytes());
        };
        match BARS.get() {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }

    /// Makes a word of the result stand out, when standard output takes colour.
    pub(crate) fn strong(&self, text: &str) -> String {
        Style::new().bold().force_styling(self.color_out).apply_to(text).to_string()
    }

    fn err_style(&self, style: Style) -> Style {
        style.force_styling(self.color_err)
    }

    fn bars(&self) -> &'static MultiProgress {
        BARS.get_or_init(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()))
    }

    /// Starts showing a piece of work of unknown length.
    pub(crate) fn work(&self, text: &str) -> Work<'_> {
        let bar = self.live.then(|| {
            let style =
                ProgressStyle::with_template("{spinner} {msg} {elapsed}").unwrap_or(ProgressStyle::default_spinner());
            let bar = self.bars().add(ProgressBar::new_spinner().with_style(style).with_message(text.to_owned()));
            // At once, and not when the thread that goes on drawing gets its turn: this may be the first text of a command.
            bar.tick();
            bar.enable_steady_tick(std::time::Duration::from_millis(120));
            bar
        });
        if bar.is_none() {
            self.talk(text);
        }
        Work { ui: self, bar }
    }
}

/// A piece of work that is being shown; it leaves the screen when dropped.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    ui: &'a Ui,
    bar: Option<ProgressBar>,
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
            self.ui.bars().remove(bar);
        }
    }
}

/// Shows a render: on a terminal one line that changes, elsewhere one line per service that helm renders.
#[derive(Debug)]
pub(crate) struct RenderProgress<'a> {
    ui: &'a Ui,
    bar: Option<ProgressBar>,
}

impl<'a> RenderProgress<'a> {
    /// Starts to show a render of `total` services.
    pub(crate) fn new(ui: &'a Ui, total: usize) -> Self {
        let bar = ui.live.then(|| {
            let style =
                ProgressStyle::with_template("{bar:20} {pos}/{len} {msg}").unwrap_or(ProgressStyle::default_bar());
            ui.bars().add(ProgressBar::new(total as u64).with_style(style))
        });
        Self { ui, bar }
    }
}

impl Observer for RenderProgress<'_> {
    fn started(&self, service: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(format!("rendering {service}")),
            None => self.ui.talk(&format!("rendering {service}")),
        }
    }

    fn finished(&self, _service: &str, _source: Source) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }
}

impl Drop for RenderProgress<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Shows tools being got: a bar per download on a terminal, plain lines elsewhere.
#[derive(Debug)]
pub(crate) struct ToolProgress<'a> {
    ui: &'a Ui,
    bar: Mutex<Option<ProgressBar>>,
}

impl<'a> ToolProgress<'a> {
    /// Starts to show tools being got.
    pub(crate) fn new(ui: &'a Ui) -> Self {
        Self { ui, bar: Mutex::new(None) }
    }

    fn bar(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for ToolProgress<'_> {
    fn line(&self, text: &str) {
        self.ui.talk(text);
    }

    fn bytes(&self, tool: Tool, done: u64, total: Option<u64>) {
        if !self.ui.live {
            return;
        }
        let mut bar = self.bar();
        let bar = bar.get_or_insert_with(|| {
            let template = "{msg} {bar:24} {bytes}/{total_bytes} {bytes_per_sec}";
            let style = ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar());
            self.ui.bars().add(ProgressBar::new(0).with_style(style).with_message(tool.name()))
        });
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_position(done);
    }

    fn ended(&self, _tool: Tool) {
        if let Some(bar) = self.bar().take() {
            bar.finish_and_clear();
        }
    }
}
