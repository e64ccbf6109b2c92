//! `rolecall init`: writes a starting directory, or a kit, and the JSON Schema that its files name for editors. No file
//! that is there is ever touched.

use std::io::Write;
use std::path::Path;

use super::writing::{NewFile, write};
use super::{Console, Stop};
use crate::config::json_schema;
use crate::config::problem::did_you_mean;
use crate::exit::Exit;

mod kits;

use kits::{KITS, Kit, START};

/// Writes the kit of this name, or the starting directory, into `directory`.
pub fn run(name: Option<&str>, directory: &Path, console: &Console) -> Result<Exit, Stop> {
    let files = files(find(name.unwrap_or(START))?);
    write(&files, directory)?;
    let mut out = console.data();
    for file in &files {
        writeln!(out, "{}", directory.join(&file.path).display())?;
    }
    out.flush()?;
    let here = directory == Path::new(".");
    let config = if here {
        String::new()
    } else {
        format!(" -c {}", directory.display())
    };
    console.say(&format!(
        "\nNext: rolecall validate{config}\nIt lists every input that still needs a value, and where to set it."
    ));
    Ok(Exit::Done)
}

fn find(name: &str) -> Result<&'static Kit, Stop> {
    let names = || KITS.iter().map(|kit| kit.name);
    KITS.iter().find(|kit| kit.name == name).ok_or_else(|| {
        let known = || format!("available kits: {}", names().collect::<Vec<_>>().join(", "));
        Stop::with_hint(
            format!("there is no kit `{name}`"),
            did_you_mean(name, names()).unwrap_or_else(known),
        )
    })
}

/// What is written: the kit, and the schema beside it. In `examples/` the kits share one, a directory higher.
fn files(kit: &Kit) -> Vec<NewFile> {
    let own = |(file, text): &(&str, &str)| {
        NewFile::public(*file, text.replacen("#:schema ../", "#:schema ", 1))
    };
    let schema = NewFile::public(
        json_schema::FILE,
        format!("{:#}\n", json_schema::json_schema()),
    );
    kit.files.iter().map(own).chain([schema]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::Arc;

    use crate::config::{Inputs, load};
    use crate::files::Disk;

    #[test]
    fn every_kit_can_be_written_and_read_and_is_never_written_over() {
        for kit in KITS {
            let directory = tempfile::tempdir().unwrap();
            let inside = directory.path().join("new");
            let files = files(kit);
            write(&files, &inside).unwrap();
            let loaded = load(&Inputs::new(Arc::new(Disk), &inside));
            // Nothing but inputs may be missing, and where they are given is said.
            for problem in loaded.err().into_iter().flatten() {
                let hint = problem.hint.clone().unwrap_or_default();
                assert!(
                    problem.code == "variable" && problem.message.contains("has no value"),
                    "{problem:?}"
                );
                // An input of a module is given by the directory that names it, which is said instead.
                let words: &[&str] = if hint.starts_with("it is set at ") {
                    &["readers.toml:", "{{ var."]
                } else {
                    &["--var ", "ROLECALL_VAR_", "rolecall.toml:"]
                };
                assert!(words.iter().all(|word| hint.contains(word)), "{hint}");
            }
            let (last, others) = files.split_last().unwrap();
            for file in others {
                fs::remove_file(inside.join(&file.path)).unwrap();
            }
            fs::write(inside.join(&last.path), "mine").unwrap();
            let Err(Stop::Other { message, .. }) = write(&files, &inside) else {
                panic!("{} was written over", kit.name)
            };
            assert!(
                message.contains(&format!("{}` would be overwritten", last.path)),
                "{message}"
            );
            assert_eq!(fs::read_to_string(inside.join(&last.path)).unwrap(), "mine");
            assert!(
                others.iter().all(|file| !inside.join(&file.path).exists()),
                "all or nothing"
            );
        }
    }

    #[test]
    fn an_unknown_kit_is_named_with_the_one_that_was_meant() {
        assert_eq!(find("quickstart").unwrap().name, START);
        let Err(Stop::Other { message, hint }) = find("quickstrat") else {
            panic!("it was found")
        };
        assert!(message.contains("`quickstrat`") && hint.unwrap().contains("`quickstart`"));
        let Err(Stop::Other { hint, .. }) = find("nothing") else {
            panic!("it was found")
        };
        assert!(hint.unwrap().contains("available kits: "));
    }
}
