//! `rolecall import terraform`: states and plans of Terraform and `OpenTofu`.

use super::input::{directory_name, pairs, read};
use super::output::finish;
use crate::cli::TerraformArgs;
use crate::commands::{Console, Error};
use crate::exit::Exit;
use crate::import::report::Report;
use crate::import::{check, hand_over, terraform};

/// Reads the states, and writes what they hold as desired state.
pub fn run(args: &TerraformArgs, console: &Console) -> Result<Exit, Error> {
    let TerraformArgs {
        states,
        accounts,
        to,
    } = args;
    let mut inputs = Vec::new();
    for path in states {
        inputs.push(read(path)?);
    }
    let options = terraform::Options {
        accounts: pairs(accounts, "--account", "ALIAS=ID")?,
    };
    let name = directory_name(to, inputs.first().map(|(file, _)| file.as_str()))?;
    let imported = terraform::import(&inputs, &name, &options).map_err(|problems| {
        let problems: Vec<String> = problems
            .iter()
            .map(|(file, why)| format!("{file}: {why}"))
            .collect();
        Error::because(problems.join("\n"))
    })?;
    let terraform::Imported {
        mut draft,
        mut entries,
        addresses,
    } = imported;
    let (emitted, refused) = check::check(&mut draft, None);
    entries.extend(refused);
    let files: Vec<&str> = inputs.iter().map(|(file, _)| file.as_str()).collect();
    let mut report = Report::new(format!("Terraform: {}", files.join(", ")), &draft, entries);
    report.hand_over = hand_over::terraform(&addresses);
    finish(emitted.files, report, &to.out, to.format, console)
}
