//! JSON views: what `--format json` prints, pretty, with a line end.

use std::io::{self, Write};

use serde::Serialize;

/// Writes a value as it is serialized: a plan as it may be shown, a run report, the accounts.
pub fn write(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}
