//! Questions to a person, one after the other, with a way back: pure questions and answers, and the terminals that show
//! them.

mod add;
mod eject;
mod example;
mod frame;
mod init;
mod keys;
mod line;
mod linear;
mod list;
mod machine;
mod page;
mod question;
mod remove;
mod screen;
mod tty;
mod widget;

pub(crate) use add::{AddFlow, Chosen, chosen, commands};
pub(crate) use eject::EjectFlow;
pub(crate) use example::example;
pub(crate) use init::{Drafted, Fact, InitFlow};
pub(crate) use linear::{ask_line as ask_linear, ask_yes as ask_yes_linear};
pub(crate) use question::{Item, Kind};
pub(crate) use remove::{RemoveFlow, command as remove_command};
pub(crate) use screen::ask_line;
pub(crate) use tty::{hold, restore_interrupted};
pub(crate) use widget::run;
