//! The directories of `examples/` that `rolecall init` writes, built into the program.

/// One directory of `examples/`.
#[derive(Debug)]
pub struct Kit {
    /// Its name, which is the directory's.
    pub name: &'static str,
    /// Its files: the path in the directory, and the text.
    pub files: &'static [(&'static str, &'static str)],
}

/// A row of the table: a directory of `examples/`, and the files in it.
macro_rules! kit {
    ($name:literal: $($file:literal),+ $(,)?) => {
        Kit {
            name: $name,
            files: &[$(($file, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/", $name, "/", $file)))),+],
        }
    };
}

/// What is written where no kit is named.
pub const START: &str = "quickstart";

/// Every directory of desired state in `examples/`, with every file in it.
pub const KITS: &[Kit] = &[
    kit!("cado": "README.md", "policies/cross-account.yaml", "rolecall.toml"),
    kit!("cloudtrail": "README.md", "reader/rolecall.toml", "readers.toml", "rolecall.toml"),
    kit!("cortex-xdr": "README.md", "rolecall.toml"),
    kit!("cortex-xsiam":
        "README.md",
        "checks.toml",
        "policies.toml",
        "policies/ads.json",
        "policies/automation.json",
        "policies/cloudtrail-read.json",
        "policies/discovery.json",
        "policies/dspm-scanner.json",
        "policies/dspm.json",
        "policies/ecr.json",
        "policies/empty-bucket.json",
        "policies/k8s.json",
        "policies/lambda.json",
        "roles.toml",
        "rolecall.toml",
    ),
    kit!("quickstart": "policies/read-logs.json", "rolecall.toml", "vendor.toml"),
];

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn files(directory: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        // Whoever tried an example has a state in it.
        let entries = entries.filter(|path| path.file_name().is_some_and(|name| name != "state"));
        let mut found: Vec<PathBuf> = entries
            .flat_map(|path| {
                if path.is_dir() {
                    files(&path)
                } else {
                    vec![path]
                }
            })
            .collect();
        found.sort();
        found
    }

    #[test]
    fn every_file_of_every_example_is_built_in() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        for entry in std::fs::read_dir(&examples).unwrap() {
            let directory = entry.unwrap().path();
            if !directory.join("rolecall.toml").is_file() {
                continue;
            }
            let name = directory.file_name().unwrap().to_str().unwrap();
            let mut there: Vec<String> = files(&directory)
                .iter()
                .map(|file| {
                    file.strip_prefix(&directory)
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .replace('\\', "/")
                })
                .collect();
            there.sort();
            let mut built_in: Vec<&str> = KITS
                .iter()
                .find(|kit| kit.name == name)
                .map(|kit| kit.files.iter().map(|(file, _)| *file).collect())
                .unwrap_or_default();
            built_in.sort_unstable();
            let quoted: Vec<String> = there.iter().map(|file| format!("\"{file}\"")).collect();
            assert_eq!(
                built_in,
                there,
                "the row of this kit is: kit!(\"{name}\": {}),",
                quoted.join(", ")
            );
        }
    }
}
