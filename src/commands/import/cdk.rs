//! `cdk.out`: what the AWS CDK synthesises an app into.
//!
//! Source: aws-cdk, `cloud-assembly-schema`: `manifest.json`, artifacts of type `aws:cloudformation:stack`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::input::read as read_text;
use crate::commands::Error;
use crate::import::cfn::Input;

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    artifacts: BTreeMap<String, Artifact>,
}

#[derive(Deserialize)]
struct Artifact {
    #[serde(rename = "type")]
    kind: String,
    environment: Option<String>,
    #[serde(default)]
    properties: Properties,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Properties {
    template_file: Option<String>,
    stack_name: Option<String>,
    directory_name: Option<String>,
}

/// Reads the stacks of a directory, those of its stages too, and the templates that stacks in them name.
pub fn read(
    directory: &Path,
    inputs: &mut Vec<Input>,
    nested: &mut BTreeMap<String, (String, String)>,
) -> Result<(), Error> {
    read_stage(directory, DEPTH, inputs, nested)
}

/// How deep stages may be in each other: an assembly that names itself has no end.
const DEPTH: usize = 16;

fn read_stage(
    directory: &Path,
    depth: usize,
    inputs: &mut Vec<Input>,
    nested: &mut BTreeMap<String, (String, String)>,
) -> Result<(), Error> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Error::because(format!(
            "`{}`: its assemblies are in each other more than {DEPTH} deep",
            directory.display()
        )));
    };
    let path = directory.join("manifest.json");
    if !path.is_file() {
        return Err(Error::with_hint(
            format!(
                "`{}` is a directory without a manifest.json",
                directory.display()
            ),
            "name a template, or the cdk.out that `cdk synth` writes",
        ));
    }
    let (name, text) = read_text(&path)?;
    let manifest: Manifest = serde_json::from_str(&text)
        .map_err(|error| Error::because(format!("cannot read `{name}`: {error}")))?;
    let entries = std::fs::read_dir(directory);
    let entries = entries.map_err(|error| {
        Error::because(format!("cannot list `{}`: {error}", directory.display()))
    })?;
    for entry in entries.flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        if file.ends_with(".nested.template.json") {
            nested.insert(file, read_text(&entry.path())?);
        }
    }
    for (id, artifact) in manifest.artifacts {
        let Artifact {
            kind,
            environment,
            properties,
        } = artifact;
        match (kind.as_str(), properties) {
            (
                "aws:cloudformation:stack",
                Properties {
                    template_file: Some(template),
                    stack_name,
                    ..
                },
            ) => {
                let (file, text) = read_text(&directory.join(template))?;
                let environment = environment.unwrap_or_default();
                let mut parts = environment
                    .strip_prefix("aws://")
                    .unwrap_or_default()
                    .split('/');
                let known = |part: Option<&str>| {
                    part.filter(|part| !part.is_empty() && !part.starts_with("unknown-"))
                        .map(str::to_owned)
                };
                inputs.push(Input {
                    file,
                    text,
                    stack_name: Some(stack_name.unwrap_or(id)),
                    account: known(parts.next()),
                    region: known(parts.next()),
                });
            }
            (
                "cdk:cloud-assembly",
                Properties {
                    directory_name: Some(inner),
                    ..
                },
            ) => read_stage(&directory.join(inner), depth, inputs, nested)?,
            _ => {}
        }
    }
    Ok(())
}
