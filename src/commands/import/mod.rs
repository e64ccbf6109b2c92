//! `rolecall import`: desired state from what there is. It writes files and nothing else.

use super::{Console, Error};
use crate::aws;
use crate::cli::ImportCommand;
use crate::exit::Exit;

mod cdk;
mod cloudformation;
mod input;
mod live;
mod output;
mod terraform;

/// Imports from one source.
pub async fn run(
    command: &ImportCommand,
    aws: aws::Settings,
    console: &Console,
) -> Result<Exit, Error> {
    match command {
        ImportCommand::Live(args) => live::run(args, aws, console).await,
        ImportCommand::CloudFormation(args) => cloudformation::run(args, console),
        ImportCommand::Terraform(args) => terraform::run(args, console),
    }
}
