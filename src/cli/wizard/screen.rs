//! A terminal that can redraw: the whole screen for a wizard, one line for a single question.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::stdin;

use super::frame::{Frame, Size, fit, paint};
use super::keys::{Decoder, Key};
use super::line::Line;
use super::machine::{Answers, Machine};
use super::question::Answer;
use super::tty::{self, LOOKS, Taken, wait};
use super::widget::{Reply, Widget, left, refused};
use crate::diag::{Error, Result};
use crate::exec::interrupted;

/// The other screen, with bracketed paste, and back (xterm's private modes 1049, 25 and 2004).
const ENTER: &str = "\x1b[?1049h\x1b[?2004h\x1b[?25l";
const LEAVE: &str = "\x1b[?2004l\x1b[?25h\x1b[?1049l";

/// How long nothing may come after an Esc for it to be the key, in milliseconds.
const ALONE: u64 = 40;

/// Asks the questions of a wizard.
///
/// # Errors
/// When the person leaves or quits, or the terminal fails; and the flow's own.
pub(super) fn run(mut machine: Machine<'_>, color: bool) -> Result<Answers> {
    let mut keyboard = Keyboard::default();
    let taken = Taken::keys(ENTER, LEAVE)?;
    while let Some(question) = machine.question().cloned() {
        let mut widget = Widget::new(&question, machine.kept());
        let mut notice: Option<String> = None;
        loop {
            let draw = |size| draw(&widget.frame(&question, notice.as_deref(), size), color);
            let key = keyboard.next(draw)?;
            notice = None;
            match widget.key(key) {
                Reply::Stay => {}
                Reply::Notice(text) => notice = Some(text),
                Reply::Answer(answer) => match machine.answer(answer)? {
                    Some(objection) => notice = Some(objection),
                    None => break,
                },
                Reply::Rest => {
                    machine.take_defaults()?;
                    break;
                }
                Reply::Back if machine.back()? => break,
                Reply::Back => return Err(left()),
                Reply::No => return Err(refused()),
                Reply::Quit => return Err(Error::interrupted()),
            }
        }
    }
    drop(taken);
    Ok(machine.into_answers())
}

/// Asks for one line, in place; `None` when the person leaves with Esc. Nothing of it is shown when `hidden`.
///
/// # Errors
/// When the person quits, or the terminal fails.
pub(crate) fn ask_line(prompt: &str, hidden: bool, color: bool) -> Result<Option<String>> {
    let prompt = format!("{prompt}: ");
    let mut line = if hidden { Line::hidden() } else { Line::default() };
    let mut keyboard = Keyboard::default();
    let _taken = Taken::keys("\x1b[?2004h", "\x1b[?2004l\x1b[?25h\r\n")?;
    loop {
        let key = keyboard.next(|size| {
            let (row, column) = line.row(&prompt, size.columns);
            let row = fit(row, size.columns.saturating_sub(1));
            tty::write(&format!(
                "\r\x1b[K{}\r{}",
                paint(&row, color),
                right(column.min(size.columns.saturating_sub(1)))
            ))
        })?;
        match line.key(key) {
            Reply::Answer(Answer::Text(text)) => return Ok(Some(text.unwrap_or_default())),
            Reply::Back => return Ok(None),
            Reply::Quit => return Err(Error::interrupted()),
            _ => {}
        }
    }
}

/// Moves the cursor to the right.
fn right(columns: usize) -> String {
    if columns == 0 { String::new() } else { format!("\x1b[{columns}C") }
}

fn draw(frame: &Frame, color: bool) -> Result<()> {
    let mut text = String::from("\x1b[?25l\x1b[H");
    for (number, row) in frame.rows.iter().enumerate() {
        let end = if number == 0 { "" } else { "\r\n" };
        let _ = write!(text, "{end}{}\x1b[K", paint(row, color));
    }
    text.push_str("\x1b[J");
    if let Some((row, column)) = frame.cursor {
        let _ = write!(text, "\x1b[{};{}H\x1b[?25h", row + 1, column + 1);
    }
    tty::write(&text)
}

/// The keys as they come.
#[derive(Debug, Default)]
struct Keyboard {
    decoder: Decoder,
    keys: VecDeque<Key>,
}

impl Keyboard {
    /// Waits for a key. Draws first unless more keys are there already, and again when the terminal gets another size.
    fn next(&mut self, draw: impl Fn(Size) -> Result<()>) -> Result<Key> {
        if let Some(key) = self.keys.pop_front() {
            return Ok(key);
        }
        let mut size = tty::size();
        draw(size)?;
        loop {
            if interrupted() {
                return Err(Error::interrupted());
            }
            let held = self.decoder.waits();
            let came = match wait(if held { ALONE } else { LOOKS })? {
                true => {
                    let mut bytes = [0; 4096];
                    match rustix::io::read(stdin(), &mut bytes) {
                        // The terminal is gone.
                        Ok(0) => return Err(Error::interrupted()),
                        Ok(length) => self.decoder.feed(&bytes[..length]),
                        Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Vec::new(),
                        Err(rustix::io::Errno::IO) => return Err(Error::interrupted()),
                        Err(error) => return Err(tty::fails(&error.into())),
                    }
                }
                false if held => self.decoder.settle(),
                false => Vec::new(),
            };
            self.keys.extend(came);
            if let Some(key) = self.keys.pop_front() {
                return Ok(key);
            }
            let now = tty::size();
            if now != size {
                size = now;
                draw(size)?;
            }
        }
    }
}
