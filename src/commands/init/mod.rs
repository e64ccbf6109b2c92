//! `rolecall init`: writes a starting directory, or a kit, and the JSON Schema that its files name for editors. No file
//! that is there is ever touched.

use std::io::Write;
use std::path::Path;

use super::writing::{NewFile, write};
use super::{Console, Error, shell};
use crate::config::json_schema;
use crate::config::problem::did_you_mean;
use crate::exit::Exit;

mod kits;

use kits::{KITS, Kit, START};

/// Writes the kit of this name, or the starting directory, into `directory`.
pub fn run(name: Option<&str>, directory: &Path, console: &Console) -> Result<Exit, Error> {
    let kit = find(name.unwrap_or(START))?;
    let owner = owner_name(directory, kit);
    let files = files(kit, &owner);
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
        format!(" -c {}", shell::word(&directory.display().to_string()))
    };
    console.say(&format!(
        "\nThe name of this directory is `{owner}`: it tags what it manages with it. No other directory may have that name.\n\
         Next: rolecall validate{config}\nIt lists every input that still needs a value, and where to set it."
    ));
    Ok(Exit::Done)
}

fn find(name: &str) -> Result<&'static Kit, Error> {
    let names = || KITS.iter().map(|kit| kit.name);
    KITS.iter().find(|kit| kit.name == name).ok_or_else(|| {
        let known = || format!("available kits: {}", names().collect::<Vec<_>>().join(", "));
        Error::with_hint(
            format!("there is no kit `{name}`"),
            did_you_mean(name, names()).unwrap_or_else(known),
        )
    })
}

/// The name of a directory that is begun at `directory`: its own name, as far as letters allow. Two directories of one
/// name would take each other's roles for theirs, so the kit's name is only the last resort.
fn owner_name(directory: &Path, kit: &Kit) -> String {
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    // `std::path::absolute` keeps `..`, which is no name.
    let absolute = absolute.canonicalize().unwrap_or(absolute);
    let written = absolute
        .file_name()
        .map(|name| name.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let plain = written.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit());
    let words: Vec<&str> = plain.filter(|word| !word.is_empty()).collect();
    let name: String = words.join("-").chars().take(MAX_NAME).collect();
    let name = name.trim_end_matches('-');
    if name.is_empty() { kit.name } else { name }.to_owned()
}

/// Characters of a directory's name at most.
const MAX_NAME: usize = 64;

/// What is written: the kit under the name `owner`, and the schema beside it. In `examples/` the kits share one, a
/// directory higher.
fn files(kit: &Kit, owner: &str) -> Vec<NewFile> {
    let named = |file: &str, text: String| match file {
        // The first one is the directory's own.
        "rolecall.toml" => match text.split_once("\nname = ") {
            Some((before, rest)) => {
                let rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
                format!(
                    "{before}\nname = \"{owner}\" # the tag on all that this directory manages: no other directory may have it\n{rest}"
                )
            }
            None => text,
        },
        _ => text,
    };
    let own = |(file, text): &(&str, &str)| {
        NewFile::public(
            *file,
            named(file, text.replacen("#:schema ../", "#:schema ", 1)),
        )
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
            let files = files(kit, "new");
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
            let Err(Error::Other { message, .. }) = write(&files, &inside) else {
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
    fn a_directory_gives_its_name_to_what_begins_in_it() {
        let root = tempfile::tempdir().unwrap();
        let kit = find("cortex-xdr").unwrap();
        let long = "x".repeat(80);
        for (directory, expect) in [
            ("fedramp", "fedramp"),
            ("Cortex XDR (EU)", "cortex-xdr-eu"),
            ("-é-", "cortex-xdr"),
            ("a_b.c", "a-b-c"),
            (long.as_str(), &long[..64]),
        ] {
            let directory = root.path().join(directory);
            assert_eq!(owner_name(&directory, kit), expect);
            fs::create_dir(&directory).unwrap();
            assert_eq!(owner_name(&directory.join("."), kit), expect);
        }
        for kit in KITS {
            let files = files(kit, "my-own");
            let main = files
                .iter()
                .find(|file| file.path == "rolecall.toml")
                .unwrap();
            let text = &main.text;
            assert_eq!(text.matches("\nname = \"my-own\" # ").count(), 1, "{text}");
        }
    }

    #[test]
    fn an_unknown_kit_is_named_with_the_one_that_was_meant() {
        assert_eq!(find("quickstart").unwrap().name, START);
        let Err(Error::Other { message, hint }) = find("quickstrat") else {
            panic!("it was found")
        };
        assert!(message.contains("`quickstrat`") && hint.unwrap().contains("`quickstart`"));
        let Err(Error::Other { hint, .. }) = find("nothing") else {
            panic!("it was found")
        };
        assert!(hint.unwrap().contains("available kits: "));
    }
}
