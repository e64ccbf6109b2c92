//! Parses the command line, runs the command, and ends with its exit code.

use std::process::ExitCode;

use rolecall::cli;
use rolecall::commands;
use rolecall::exit::Exit;
use rolecall::resource::secret::Discretion;

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(answer) => {
            // Help and version are answers; everything else is wrong usage, which is 1: clap's own 2 means changes here.
            _ = answer.print();
            return if answer.use_stderr() {
                Exit::Error.into()
            } else {
                Exit::Done.into()
            };
        }
    };
    match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => {
            let exit = runtime.block_on(commands::run(cli));
            // A question at the terminal may still wait for its answer.
            runtime.shutdown_background();
            exit.into()
        }
        Err(error) => {
            commands::Console::new(&cli.output, Discretion::default())
                .error(&format!("cannot start: {error}"));
            Exit::Error.into()
        }
    }
}
