//! Remarks as GitHub Actions shows them beside the lines of a pull request.
//!
//! Source: GitHub Docs, "Workflow commands for GitHub Actions", setting a notice, a warning or an error message. A step
//! shows ten of each level; the rest are in the log.

use std::io::{self, Write};

use super::remark::{Level, Remark};

/// Writes one workflow command a remark.
pub fn annotations(remarks: &[Remark], out: &mut dyn Write) -> io::Result<()> {
    for remark in remarks {
        let command = match remark.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "notice",
        };
        writeln!(
            out,
            "::{command} file={},line={},title={}::{}",
            property(&remark.origin.file),
            remark.origin.line,
            property(&format!("rolecall {}", remark.code)),
            data(&remark.text),
        )?;
    }
    Ok(())
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
