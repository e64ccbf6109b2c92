//! `rolecall validate`: reads the directory alone, without AWS.

use std::io::Write;

use serde_json::json;

use super::{Console, Stop, survey};
use crate::cli::{DesiredArgs, Format};
use crate::exit::Exit;
use crate::report;
use crate::report::style::Tone;

/// Checks the desired state and says what is wrong with it, all at once.
pub fn run(args: &DesiredArgs, format: Format, console: &Console) -> Result<Exit, Stop> {
    let loaded = survey::load(args);
    match format {
        Format::Text => {
            let config = loaded?;
            console.warnings(config.warnings());
            let counts = config.resources();
            let text = format!(
                "{}: {} roles and {} policies in {} files",
                config.name(),
                counts.roles,
                counts.policies,
                counts.files
            );
            let mut out = console.data();
            writeln!(out, "{} {text}", console.out.paint(Tone::Added, "valid"))?;
            out.flush()?;
            Ok(Exit::Done)
        }
        Format::Json => {
            let (problems, exit) = match &loaded {
                Ok(config) => (json!(config.warnings()), Exit::Done),
                Err(Stop::Desired(problems)) => (json!(problems.iter().collect::<Vec<_>>()), Exit::Error),
                Err(_) => return loaded.map(|_| Exit::Done),
            };
            let mut out = console.data();
            report::json::write(
                &json!({"format": "rolecall-validate/1", "valid": exit == Exit::Done, "problems": problems}),
                &mut out,
            )?;
            out.flush()?;
            Ok(exit)
        }
    }
}
