//! `rolecall apply`, `destroy` and `rollback`: show what will be done, ask, write, read back.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;

use super::{Console, Error, notify, options};
use crate::cli::{Format, RunArgs, Secret};
use crate::execute::{RunReport, Wave};
use crate::exit::Exit;
use crate::ops::Interruption;
use crate::ops::apply::{self, Context, Operator, Resume, What};
use crate::ops::saved::SavedPlan;
use crate::plan::Plan;
use crate::report::notice::Run;
use crate::report::run::Extent;
use crate::{aws, report};

/// Applies a plan saved in a file, or a fresh one.
pub async fn apply(
    saved: Option<&Path>,
    resume: bool,
    args: &RunArgs,
    aws: aws::Settings,
    interruption: &Interruption,
    console: &Console,
) -> Result<Exit, Error> {
    let saved = saved.map(SavedPlan::read).transpose()?;
    let what = saved.as_ref().map_or(What::Desired, What::Saved);
    let resume = if resume { Resume::Last } else { Resume::No };
    run(what, resume, args, aws, interruption, console).await
}

/// Applies what the command is for.
pub async fn run(
    what: What<'_>,
    resume: Resume,
    args: &RunArgs,
    aws: aws::Settings,
    interruption: &Interruption,
    console: &Console,
) -> Result<Exit, Error> {
    let options = apply::Options {
        what,
        resume,
        selection: options::selection(&args.scope),
        state: args.state.state.clone(),
        lease: options::lease(&args.lease),
    };
    let terminal = Terminal {
        approval: Approval::new(args),
        format: args.format,
        notify: args.notify.notify.as_ref(),
        console,
    };
    apply::run(&options, aws, interruption, &terminal, console).await
}

/// Who says that a fresh plan may be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// The command line did: `--auto-approve`.
    Given,
    /// A person at the terminal is asked.
    Ask,
    /// It was not given, and asking is disabled: `--no-input`.
    Unavailable,
}

impl Approval {
    /// Reads the two flags.
    fn new(args: &RunArgs) -> Self {
        match (args.auto_approve, args.no_input) {
            (true, _) => Self::Given,
            (false, true) => Self::Unavailable,
            (false, false) => Self::Ask,
        }
    }
}

/// The person or the pipeline that ran the command.
pub struct Terminal<'a> {
    /// Who approves.
    pub approval: Approval,
    /// Format of the run report.
    pub format: Format,
    /// The webhook to notify.
    pub notify: Option<&'a Secret>,
    /// Where to talk.
    pub console: &'a Console,
}

impl Operator for Terminal<'_> {
    fn show(&self, plan: &Plan, waves: &[Wave]) -> Result<(), Error> {
        let Err(unseen) = self.try_show(plan, waves) else {
            return Ok(());
        };
        // Who was to approve it did not see it; who approved it beforehand did not want to.
        let message = format!("the plan could not be shown: {}", unseen.why());
        if self.approval != Approval::Given {
            return Err(Error::because(format!("{message}; nothing was written")));
        }
        self.console.warn(&message);
        Ok(())
    }

    async fn approve(&self, plan: &Plan) -> Result<(), Error> {
        approve(self.approval, plan, self.console).await
    }

    /// Prints what the run did. A closed output does not change how the run ended.
    fn report(&self, run: &RunReport, extent: Extent) {
        if let Err(unread) = self.try_report(run, extent) {
            let id = &run.run;
            self.console.warn(&format!(
                "the report could not be written: {}",
                Error::from(unread).why()
            ));
            if !run.results.is_empty() {
                self.console.hint(&format!(
                    "`rolecall state history {id}` shows what the run did"
                ));
            }
        }
    }

    async fn notify(&self, context: &Context<'_>, run: &RunReport, exit: Exit) {
        let Context { command, survey } = *context;
        let notice = |of: Run<'_>| of.applied(run);
        notify::post(self.notify, (command, exit), survey, notice, self.console).await;
    }
}

impl Terminal<'_> {
    /// Shows a plan. Where the run report is JSON the plan goes to standard error, so that standard
    /// output is one object.
    fn try_show(&self, plan: &Plan, waves: &[Wave]) -> Result<(), Error> {
        let Self { console, .. } = self;
        let (style, mut text) = match self.format {
            Format::Text => (&console.out, Vec::new()),
            Format::Json => (&console.err, Vec::new()),
        };
        report::human::plan(plan, style, &mut text)?;
        report::run::waves(waves, style, &mut text)?;
        match self.format {
            Format::Text => {
                let mut out = console.data();
                out.write_all(&text)?;
                out.flush()?;
            }
            Format::Json => console.say(String::from_utf8_lossy(&text).trim_end()),
        }
        Ok(())
    }

    fn try_report(&self, run: &RunReport, extent: Extent) -> io::Result<()> {
        let mut out = self.console.data();
        match self.format {
            Format::Text if run.results.is_empty() => {}
            Format::Text => report::run::run(run, extent, &self.console.out, &mut out)?,
            Format::Json => self.console.json(run)?,
        }
        out.flush()
    }
}

/// Asks the person at the terminal. Nothing but `yes` is yes.
async fn approve(approval: Approval, plan: &Plan, console: &Console) -> Result<(), Error> {
    let refused = |message: &str| {
        Err(Error::with_hint(
            message,
            "nothing was written; --auto-approve applies without asking",
        ))
    };
    match approval {
        Approval::Given => return Ok(()),
        Approval::Unavailable => {
            return refused("apply needs approval, but --no-input disables the prompt");
        }
        Approval::Ask if !io::stdin().is_terminal() => {
            return refused("apply needs approval, but there is no terminal to ask on");
        }
        Approval::Ask => {}
    }
    let steps = plan.summary.steps;
    _ = write!(
        io::stderr(),
        "\nApply these {steps} steps? Type `yes` to apply: "
    );
    _ = io::stderr().flush();
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).map(|_| answer)
    });
    let answer = answer.await.map_err(io::Error::other)??;
    if answer.trim() == "yes" {
        return Ok(());
    }
    console.say("");
    Err(Error::because("not approved; nothing was written"))
}
