//! `rolecall schema`, `completions` and `man`: output for editors, shells and `man`.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::{Console, Error, help};
use crate::cli::{Shell, manual};
use crate::config::{json_schema::json_schema, reference};
use crate::exit::Exit;
use crate::files;

/// Prints the JSON Schema of a desired state.
pub fn schema(console: &Console) -> Result<Exit, Error> {
    Ok(console.json(&json_schema()).map(|()| Exit::Done)?)
}

/// Prints every key of a desired state with its meaning, as TOML.
pub fn reference(console: &Console) -> Result<Exit, Error> {
    print(reference::toml().as_bytes(), console)
}

/// Prints the completions of a shell.
pub fn completions(shell: Shell, console: &Console) -> Result<Exit, Error> {
    print(&manual::completions(shell), console)
}

/// Prints the man page, or writes one for each command and guide into a directory.
pub fn man(directory: Option<&Path>, console: &Console) -> Result<Exit, Error> {
    let mut pages = manual::man_pages()?;
    pages.extend(help::man_pages());
    let Some(directory) = directory else {
        return print(pages.first().map_or(&[], |(_, text)| text), console);
    };
    let mut out = console.data();
    let failed = |path: &Path, error: &std::io::Error| {
        Error::because(format!("cannot write `{}`: {error}", path.display()))
    };
    fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
    for (name, text) in pages {
        let path = directory.join(name);
        files::write(&path, &text, 0o644).map_err(|error| failed(&path, &error))?;
        writeln!(out, "{}", path.display())?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn print(text: &[u8], console: &Console) -> Result<Exit, Error> {
    let mut out = console.bare();
    out.write_all(text)?;
    out.flush()?;
    Ok(Exit::Done)
}
