//! Progress: a bar on a terminal, one plain line per account elsewhere, or nothing.
//!
//! Progress goes to standard error or to the writer it is given, never to standard output. It is shared by all tasks;
//! that a line of progress could not be written does not end the work, so such errors are dropped.

use std::fmt;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::style::{clean, count};
use crate::execute::{Event, Outcome, WaveEvent};
use crate::org::AccountId;

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A bar that is drawn over and over, on standard error.
    Terminal,
    /// One line for each finished account, no escape codes.
    Plain,
    /// No progress.
    Quiet,
}

impl Mode {
    /// Decides: `is_terminal` is standard error's, `ci` says that `CI` is set: its terminals are logs.
    pub fn choose(is_terminal: bool, quiet: bool, ci: bool) -> Self {
        match (quiet, is_terminal && !ci) {
            (true, _) => Self::Quiet,
            (false, true) => Self::Terminal,
            (false, false) => Self::Plain,
        }
    }
}

/// The progress of one command, phase by phase.
pub struct Progress {
    view: View,
}

enum View {
    Bar(ProgressBar),
    Lines(Mutex<Lines>),
    Nothing,
}

struct Lines {
    out: Box<dyn Write + Send>,
    title: String,
    done: u64,
    total: Option<u64>,
}

impl Progress {
    /// Progress in the given mode; plain lines go to `out`.
    pub fn new(mode: Mode, out: Box<dyn Write + Send>) -> Self {
        let view = match mode {
            Mode::Terminal => View::Bar(ProgressBar::with_draw_target(
                None,
                ProgressDrawTarget::stderr(),
            )),
            Mode::Plain => View::Lines(Mutex::new(Lines {
                out,
                title: String::new(),
                done: 0,
                total: None,
            })),
            Mode::Quiet => View::Nothing,
        };
        Self { view }
    }

    /// Begins a phase: `reading accounts`. Without a total, what is done is only counted.
    pub fn phase(&self, title: &str, total: Option<u64>) {
        match &self.view {
            View::Bar(bar) => begin(bar, title, total),
            View::Lines(lines) => lines
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .phase(title, total),
            View::Nothing => {}
        }
    }

    /// Counts one thing that has no name worth a line, such as a page of the organization.
    pub fn tick(&self) {
        match &self.view {
            View::Bar(bar) => bar.inc(1),
            View::Lines(lines) => lines.lock().unwrap_or_else(PoisonError::into_inner).done += 1,
            View::Nothing => {}
        }
    }

    /// An account is finished; `note` says how, and may be empty.
    pub fn account_done(&self, name: &str, id: AccountId, note: &str) {
        match &self.view {
            View::Bar(bar) => bar.inc(1),
            View::Lines(lines) => {
                lines
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .account_done(name, id, note);
            }
            View::Nothing => {}
        }
    }

    /// Says at once that something failed; the report says it again.
    pub fn failure(&self, text: &str) {
        self.say(&format!("failed: {text}"));
    }

    fn say(&self, text: &str) {
        match &self.view {
            View::Bar(bar) => bar.println(clean(text)),
            View::Lines(lines) => lines
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .line(text),
            View::Nothing => {}
        }
    }

    /// Takes in what happens in a run.
    pub fn event(&self, event: &Event) {
        match event {
            Event::AccountStarted { .. } => {}
            Event::Wave {
                number,
                of,
                title,
                event,
            } => self.wave(number + 1, *of, title, *event),
            Event::ChangeFinished {
                address,
                outcome,
                error,
            } => {
                if *outcome == Outcome::Failed {
                    self.failure(&format!(
                        "{address}: {}",
                        error.as_deref().unwrap_or("no reason was given")
                    ));
                }
            }
            Event::AccountFinished {
                account,
                name,
                done,
                not_done,
            } => {
                let not_done = if *not_done == 0 {
                    String::new()
                } else {
                    format!(", {not_done} not done")
                };
                self.account_done(
                    name,
                    *account,
                    &format!("{} done{not_done}", count(*done, "change")),
                );
            }
        }
    }

    fn wave(&self, number: usize, of: usize, title: &str, event: WaveEvent) {
        let text = match event {
            WaveEvent::Started => format!("Wave {number} of {of}: {title}"),
            WaveEvent::Baking(time) => {
                format!(
                    "Wave {number} of {of}: written; waiting {} s before it is checked again",
                    time.as_secs()
                )
            }
            WaveEvent::Finished => return,
        };
        self.say(&text);
    }

    /// Ends the phase and takes the bar off the terminal.
    pub fn finish(&self) {
        match &self.view {
            View::Bar(bar) => bar.finish_and_clear(),
            View::Lines(_) | View::Nothing => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

fn begin(bar: &ProgressBar, title: &str, total: Option<u64>) {
    bar.set_message(clean(title).into_owned());
    bar.set_style(style(total));
    match total {
        Some(total) => bar.set_length(total),
        None => bar.unset_length(),
    }
    bar.reset();
    bar.enable_steady_tick(Duration::from_millis(200));
}

fn style(total: Option<u64>) -> ProgressStyle {
    let template = match total {
        Some(_) => "{msg} [{bar:30}] {pos}/{len}  {rate}  {eta} left",
        None => "{spinner} {msg} {pos}",
    };
    let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
        // A bar that cannot be drawn does not end the work.
        let _ = write!(out, "{:.0}/s", state.per_sec());
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
        .with_key("rate", rate)
}

impl Lines {
    fn phase(&mut self, title: &str, total: Option<u64>) {
        title.clone_into(&mut self.title);
        self.done = 0;
        self.total = total;
        let total = total.map_or(String::new(), |total| format!(" (0/{total})"));
        self.line(&format!("{title}{total}"));
    }

    fn account_done(&mut self, name: &str, id: AccountId, note: &str) {
        self.done += 1;
        let total = self
            .total
            .map_or(String::new(), |total| format!("/{total}"));
        let note = if note.is_empty() {
            String::new()
        } else {
            format!(": {note}")
        };
        self.line(&format!(
            "{} {}{total} {name} ({id}){note}",
            self.title, self.done
        ));
    }

    fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{}", clean(text));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    fn work(progress: &Progress) {
        let account = AccountId::parse("222222222222").unwrap();
        progress.phase("organization", None);
        progress.tick();
        progress.phase("applying", Some(2));
        progress.event(&Event::AccountStarted {
            account,
            name: "prod".into(),
        });
        progress.event(&Event::ChangeFinished {
            address: "222222222222/role/X".into(),
            outcome: Outcome::Failed,
            error: Some("AttachRolePolicy `X`: LimitExceeded: \u{1b}[2Jno".into()),
        });
        progress.event(&Event::AccountFinished {
            account,
            name: "prod".into(),
            done: 1,
            not_done: 1,
        });
        progress.account_done("dev", AccountId::parse("333333333333").unwrap(), "");
        progress.finish();
    }

    #[test]
    fn elsewhere_than_on_a_terminal_each_account_has_one_plain_line() {
        let out = Shared::default();
        work(&Progress::new(Mode::Plain, Box::new(out.clone())));
        let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        insta::assert_snapshot!(text);
    }

    #[test]
    fn quiet_says_nothing_and_a_closed_pipe_hurts_nobody() {
        let out = Shared::default();
        work(&Progress::new(Mode::Quiet, Box::new(out.clone())));
        assert!(out.0.lock().unwrap().is_empty());
        work(&Progress::new(Mode::Plain, Box::new(Closed)));
        work(&Progress::new(Mode::Terminal, Box::new(Closed)));
    }

    #[test]
    fn a_bar_is_for_terminals_that_somebody_watches() {
        for (is_terminal, quiet, ci, expect) in [
            (true, false, false, Mode::Terminal),
            (true, false, true, Mode::Plain),
            (false, false, false, Mode::Plain),
            (true, true, false, Mode::Quiet),
            (false, true, true, Mode::Quiet),
        ] {
            assert_eq!(
                Mode::choose(is_terminal, quiet, ci),
                expect,
                "{is_terminal} {quiet} {ci}"
            );
        }
    }
}
