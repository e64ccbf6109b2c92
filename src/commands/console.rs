//! Where a command prints: data to standard output, everything else to standard error.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use serde::Serialize;

use super::Error;
use crate::cli::{self, LogFormat, Output};
use crate::config::{Color, Problem, problem};
use crate::execute::Event;
use crate::exit::Exit;
use crate::ops::{Level, Observer, Phase};
use crate::org::AccountId;
use crate::report;
use crate::report::progress::{Mode, Progress};
use crate::report::style::{self, Style, Tone, Verbosity, count};
use crate::resource::secret::{Discreet, Discretion, Secrets};
use crate::telemetry::{Logs, Telemetry};

/// Where a command talks, and how.
#[derive(Debug, Clone)]
pub struct Console {
    /// How standard output looks.
    pub out: Style,
    /// How standard error looks.
    pub err: Style,
    terminal: bool,
    quiet: bool,
    discretion: Discretion,
}

impl Console {
    /// Decides about color, width and progress from the flags and the environment.
    pub fn new(output: &Output, discretion: Discretion) -> Self {
        let choice = match output.color {
            cli::ColorChoice::Auto => style::ColorChoice::Auto,
            cli::ColorChoice::Always => style::ColorChoice::Always,
            cli::ColorChoice::Never => style::ColorChoice::Never,
        };
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let verbosity = if output.verbose > 0 {
            Verbosity::Verbose
        } else {
            Verbosity::Normal
        };
        let style = |terminal: bool| Style {
            verbosity,
            width: width(terminal),
            ..Style::new(choice, terminal, no_color)
        };
        let terminal = io::stderr().is_terminal();
        Self {
            out: style(io::stdout().is_terminal()),
            err: style(terminal),
            terminal,
            quiet: output.quiet,
            discretion,
        }
    }

    /// From here on these never leave the program: not in text, not in JSON, not in a log.
    pub fn conceal(&self, secrets: &Secrets) {
        self.discretion.learn(secrets);
    }

    /// What never leaves the program, as far as it is known.
    pub fn concealed(&self) -> Secrets {
        self.discretion.secrets()
    }

    /// Standard output, for text. Sensitive values are masked in it.
    pub fn data(&self) -> impl Write {
        Discreet::new(self.bare(), self.discretion.clone())
    }

    /// Standard output, for what has been masked by whoever made it, or is not secret.
    pub fn bare(&self) -> impl Write {
        io::BufWriter::new(io::stdout())
    }

    /// Writes a value as JSON to standard output. Sensitive values are masked in it.
    pub fn json(&self, value: &impl Serialize) -> io::Result<()> {
        let mut out = self.bare();
        report::json::write(&self.discretion.secrets().shown(value), &mut out)?;
        out.flush()
    }

    /// Progress on standard error: a bar on a terminal, plain lines elsewhere, nothing when quiet.
    fn progress(&self) -> Progress {
        let plain = std::env::var_os("CI").is_some()
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Progress::new(
            Mode::choose(self.terminal, self.quiet, plain),
            Box::new(self.stderr()),
        )
    }

    fn stderr(&self) -> Discreet<io::Stderr> {
        Discreet::new(io::stderr(), self.discretion.clone())
    }

    fn tell(&self, text: &str) {
        // There is nowhere left to report that standard error is gone.
        _ = writeln!(io::stderr(), "{}", self.discretion.mask(text));
    }

    /// Says something on standard error.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            self.tell(text);
        }
    }

    /// Says what did not work and changes nothing about the end of the run. It is said even when quiet: nothing else
    /// tells.
    pub fn warn(&self, message: &str) {
        self.tell(&format!(
            "{}: {message}",
            self.err.paint(Tone::Changed, "warning")
        ));
    }

    /// Writes workflow commands of GitHub Actions, which reads them from either stream. They are results: quiet keeps them.
    pub fn annotate(&self, commands: &str) {
        if !commands.is_empty() {
            self.tell(commands.trim_end());
        }
    }

    /// Says what went wrong.
    pub fn error(&self, message: &str) {
        self.tell(&format!(
            "{}: {message}",
            self.err.paint(Tone::Alarm, "error")
        ));
    }

    /// Says how to fix it.
    pub fn hint(&self, hint: &str) {
        self.tell(&format!(
            "{}: {hint}",
            self.err.paint(Tone::Adopted, "hint")
        ));
    }

    /// Shows warnings about the desired state.
    pub fn warnings(&self, warnings: &[Problem]) {
        if !warnings.is_empty() {
            self.say(&problem::render(warnings, self.color()));
        }
    }

    /// Whether the diagnostics of the desired state are colored.
    pub fn color(&self) -> Color {
        if self.err.is_colored() {
            Color::Styled
        } else {
            Color::Plain
        }
    }

    /// Says why a command ended early, and how that ends the run.
    pub fn stop(&self, stop: &Error) -> Exit {
        match stop {
            Error::Desired(problems) => {
                self.tell(&format!("{}\n", problems.render(self.color()).trim_end()));
                self.error(&format!(
                    "{}; nothing was written",
                    count(problems.errors(), "problem")
                ));
            }
            Error::Aws(error) => self.error(&error.to_string()),
            Error::Other { message, hint }
            | Error::Ended {
                exit: _,
                message,
                hint,
            } => {
                self.error(message);
                if let Some(hint) = hint {
                    self.hint(hint);
                }
            }
            Error::ClosedPipe => {}
        }
        stop.exit()
    }
}

impl Observer for Console {
    fn phase(&self, title: &str, total: Option<u64>) -> Arc<dyn Phase> {
        let progress = self.progress();
        progress.phase(title, total);
        Arc::new(progress)
    }

    fn message(&self, level: Level, text: &str) {
        match level {
            Level::Note => self.say(text),
            Level::Warning => self.warn(text),
            Level::Error => self.error(text),
            Level::Hint => self.hint(text),
        }
    }

    fn problems(&self, problems: &[Problem]) {
        self.warnings(problems);
    }

    fn secrets(&self, secrets: &Secrets) {
        self.conceal(secrets);
    }
}

impl Phase for Progress {
    fn tick(&self) {
        Self::tick(self);
    }

    fn account_done(&self, name: &str, id: AccountId, note: &str) {
        Self::account_done(self, name, id, note);
    }

    fn failure(&self, text: &str) {
        Self::failure(self, text);
    }

    fn event(&self, event: &Event) {
        Self::event(self, event);
    }

    fn finish(&self) {
        Self::finish(self);
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::ClosedPipe
        } else {
            Self::because(format!("cannot write the output: {error}"))
        }
    }
}

/// The terminal's width, within what reads well. Elsewhere lines are not wrapped: whoever searches them finds whole
/// sentences.
fn width(is_terminal: bool) -> usize {
    if !is_terminal {
        return usize::from(u16::MAX);
    }
    let terminal = terminal_size::terminal_size().map(|(columns, _)| usize::from(columns.0));
    terminal.unwrap_or(style::DEFAULT_WIDTH).clamp(60, 140)
}

/// Begins to log: warnings, or with `-v -v` debug logs of rolecall, with `-v -v -v` those of the SDK.
pub fn start_logging(output: &Output, discretion: &Discretion) -> Telemetry {
    let filter = match output.verbose {
        0 | 1 => "warn",
        2 => "warn,rolecall=debug",
        _ => "debug,hyper=info,rustls=info",
    };
    let logs = match output.log_format {
        LogFormat::Json => Logs::Json,
        LogFormat::Text if Console::new(output, discretion.clone()).err.is_colored() => {
            Logs::Colored
        }
        LogFormat::Text => Logs::Plain,
    };
    Telemetry::start(logs, filter, discretion)
}
