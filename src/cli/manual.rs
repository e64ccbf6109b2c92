//! Help texts, shell completions and man pages, generated from the command line itself.

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::{Cli, Shell};

/// The completions of a shell, as its script.
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "rolecall", &mut out);
    out
}

/// The full help of the command that `words` name; `None` where there is no such command.
pub fn help(words: &[String]) -> Option<String> {
    let mut command = Cli::command();
    command.build();
    let mut found = &mut command;
    for word in words {
        found = found.find_subcommand_mut(word)?;
    }
    Some(found.render_long_help().to_string())
}

/// The names of the commands.
pub fn commands() -> Vec<String> {
    let command = Cli::command();
    let names = command.get_subcommands().map(Command::get_name);
    names.map(str::to_owned).collect()
}

/// The man pages: the file's name and its text, the program's own page first, then one for each command.
pub fn man_pages() -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = Cli::command();
    command.build();
    let mut pages = Vec::new();
    add(command, &mut pages)?;
    Ok(pages)
}

fn add(command: Command, pages: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
    let within: Vec<Command> = command
        .get_subcommands()
        .filter(|one| !one.is_hide_set())
        .cloned()
        .collect();
    let page = Man::new(command);
    let mut text = Vec::new();
    page.render(&mut text)?;
    pages.push((page.get_filename(), text));
    within
        .into_iter()
        .try_for_each(|command| add(command, pages))
}
