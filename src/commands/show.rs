//! `rolecall show`: a saved plan, printed without AWS, the desired state or its variables.

use std::io::Write;
use std::path::Path;

use super::{Console, Error};
use crate::cli::ShowFormat;
use crate::exit::Exit;
use crate::ops::plan;
use crate::ops::saved;
use crate::plan::load_masked;
use crate::report;
use crate::resource::secret::Secrets;

/// Prints the plan in the file. Sensitive values are digests in it and masked here, so none are left to mask.
pub fn run(path: &Path, format: ShowFormat, console: &Console) -> Result<Exit, Error> {
    let shown = load_masked(&saved::contents(path)?).map_err(|error| {
        Error::with_hint(
            format!("cannot show `{}`: {error}", path.display()),
            "save a plan with `rolecall plan --out FILE`",
        )
    })?;
    let none = Secrets::default();
    let mut out = console.bare();
    match format {
        ShowFormat::Text => {
            let mut out = console.data();
            report::human::plan(&shown, &console.out, &mut out)?;
            out.flush()?;
        }
        ShowFormat::Json => report::json::write(&shown.shown(&none), &mut out)?,
        ShowFormat::Markdown => report::markdown::plan(&shown, &none, &mut out)?,
    }
    out.flush()?;
    Ok(plan::reading(&shown))
}
