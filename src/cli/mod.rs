//! The command line: one file per command, each with its arguments, its help and a `run` that reads like the story.

mod add;
mod ahead;
mod apps;
mod candidates;
mod catalog;
mod completions;
mod context;
mod deploy;
mod destroy;
mod dev;
mod doctor;
mod down;
mod eject;
mod ending;
mod env;
mod exec;
mod forms;
mod help;
mod init;
mod login;
mod logout;
mod logs;
mod man;
mod needs;
mod production;
mod project;
mod proposal;
mod remove;
mod render;
mod restart;
mod rollback;
mod schema;
mod status;
mod stop;
mod tools;
mod ui;
mod up;
mod upgrade;
mod verify;
mod version;
mod why;
mod wizard;

use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Effects, Styles};
use clap::{CommandFactory as _, Parser, Subcommand};

use crate::diag::{Error, Kind, Result};
use crate::exec as processes;
use crate::fsx;
use context::Context;

/// How help and errors of usage are marked: as [`ui`] does.
const STYLES: Styles = Styles::styled()
    .invalid(AnsiColor::Red.on_default().effects(Effects::BOLD))
    .valid(AnsiColor::Green.on_default().effects(Effects::BOLD));

/// Real backing services in development and a one-command deploy, from one small kilter.yaml.
#[derive(Debug, Parser)]
#[command(name = "kilter", version, about, max_term_width = 100, styles = STYLES)]
#[command(disable_help_subcommand = true)]
#[command(
    after_help = "Start in a project with `kilter init`, then `kilter up`. `kilter help` shows the way, and explains. \
    Exit codes: 0 done, 1 the project is wrong or a check failed, 2 usage, 3 something is missing, 4 a tool failed, \
    5 refused or not confirmed, 70 a bug in kilter, 130 interrupted."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Work on the project in this directory.
    #[arg(short = 'C', long, global = true, value_name = "DIR")]
    pub(crate) directory: Option<std::path::PathBuf>,
    /// Work on this instance of the project (a second working copy).
    #[arg(long, global = true, value_name = "NAME", env = "KILTER_INSTANCE", hide_env_values = true)]
    pub(crate) instance: Option<String>,
    /// Print the result as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Never ask; a missing answer is an error that names its flag.
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// Open no network connection.
    #[arg(long, global = true)]
    pub(crate) offline: bool,
    /// Print results and errors only.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Print every command that kilter runs.
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

/// The commands, in the order of a project's life.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(init::Args),
    Add(add::Args),
    Remove(remove::Args),
    Catalog(catalog::Args),
    Why(why::Args),
    Render(render::Args),
    Verify(verify::Args),
    Upgrade(upgrade::Args),
    Eject(eject::Args),
    Up(up::Args),
    Status(status::Args),
    Logs(logs::Args),
    Exec(exec::Args),
    Restart(restart::Args),
    Down(down::Args),
    Stop(stop::Args),
    Destroy(destroy::Args),
    Env(env::Args),
    Doctor(doctor::Args),
    Login(login::Args),
    Logout(logout::Args),
    Deploy(deploy::Args),
    Rollback(rollback::Args),
    Apps(apps::Args),
    Tools(tools::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Man(man::Args),
    Version(version::Args),
    Help(help::Args),
}

impl Command {
    fn run(&self, ctx: &Context) -> Result<()> {
        match self {
            Self::Init(args) => init::run(args, ctx),
            Self::Add(args) => add::run(args, ctx),
            Self::Remove(args) => remove::run(args, ctx),
            Self::Catalog(args) => catalog::run(args, ctx),
            Self::Why(args) => why::run(args, ctx),
            Self::Render(args) => render::run(args, ctx),
            Self::Verify(args) => verify::run(args, ctx),
            Self::Upgrade(args) => upgrade::run(args, ctx),
            Self::Eject(args) => eject::run(args, ctx),
            Self::Up(args) => up::run(args, ctx),
            Self::Status(args) => status::run(args, ctx),
            Self::Logs(args) => logs::run(args, ctx),
            Self::Exec(args) => exec::run(args, ctx),
            Self::Restart(args) => restart::run(args, ctx),
            Self::Down(args) => down::run(args, ctx),
            Self::Stop(args) => stop::run(args, ctx),
            Self::Destroy(args) => destroy::run(args, ctx),
            Self::Env(args) => env::run(args, ctx),
            Self::Doctor(args) => doctor::run(args, ctx),
            Self::Login(args) => login::run(args, ctx),
            Self::Logout(args) => logout::run(args, ctx),
            Self::Deploy(args) => deploy::run(args, ctx),
            Self::Rollback(args) => rollback::run(args, ctx),
            Self::Apps(args) => apps::run(args, ctx),
            Self::Tools(args) => tools::run(args, ctx),
            Self::Schema(args) => schema::run(args, ctx),
            Self::Completions(args) => completions::run(args, ctx),
            Self::Man(args) => man::run(args, ctx),
            Self::Version(args) => version::run(args, ctx),
            Self::Help(args) => help::run(args, ctx),
        }
    }
}

/// Runs kilter on the arguments and environment of this process.
pub fn main() -> ExitCode {
    if let Some(error) = processes::become_detached(std::env::args_os()) {
        ui::print_error(&error);
        return ExitCode::from(error.kind().exit_code());
    }
    clap_complete::CompleteEnv::with_factory(Cli::command).complete();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print(); // a closed terminal is nothing to report
            return ExitCode::from(if error.use_stderr() { Kind::Usage.exit_code() } else { 0 });
        }
    };
    handle_signals();
    let ci = matches!(&cli.command, Command::Up(args) if args.ci);
    let ctx = Context::new(cli.global.clone(), ci);
    if cli.global.verbose {
        processes::tell_calls(ui::tell_call);
    }
    let outcome =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| cli.command.run(&ctx).and_then(|()| ctx.ui.finish())));
    let result = outcome.unwrap_or_else(|_| Err(Error::bug("kilter stopped in the middle of its work")));
    match result {
        _ if processes::interrupted() => {
            ui::say_farewell();
            ExitCode::from(Kind::Interrupted.exit_code())
        }
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if error.kind() != Kind::Interrupted {
                ctx.ui.error(&error);
            }
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// How long a command may take to end once the tool it waits for is gone: it removes its temporary files. The process is
/// over as soon as it does.
const ENDS_BY_ITSELF: std::time::Duration = std::time::Duration::from_secs(5);

/// Ctrl-C and termination end the tools that run, let a file be finished that is being put in place, show the cursor
/// and leave with 130.
fn handle_signals() {
    // Fails only when a handler is already set, and this is the one place that sets it.
    let _ = ctrlc::set_handler(|| {
        match processes::on_interrupt() {
            processes::Interrupt::HeldBack => return,
            processes::Interrupt::EndOfTools => std::thread::sleep(ENDS_BY_ITSELF),
            processes::Interrupt::End => {}
        }
        let _held = fsx::COMMIT.lock();
        wizard::restore_interrupted();
        ui::show_cursor();
        ui::clear_progress();
        ui::say_farewell();
        #[expect(clippy::exit, reason = "the one way out of a blocked prompt or read")]
        std::process::exit(i32::from(Kind::Interrupted.exit_code()));
    });
}
