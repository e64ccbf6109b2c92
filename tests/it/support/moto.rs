//! moto: other hands' opinion of AWS.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const INSTALL: &str = "python3 -m venv .venv && .venv/bin/pip install -r tests/requirements.txt";

/// A moto server of its own, gone with the test.
pub struct Moto {
    child: Child,
    pub endpoint: String,
}

/// The Python that has the test tools: `.venv` here, or else the system's.
pub fn python() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python3");
    if own.exists() {
        own
    } else {
        PathBuf::from("python3")
    }
}

/// Says that a tool of the tests does not start and how to install it; in CI that is a failure.
#[track_caller]
pub fn missing(tool: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "{tool} does not start: {INSTALL}"
    );
    eprintln!("NOT TESTED: {tool} does not start. Install it: {INSTALL}");
}

impl Moto {
    /// Starts moto. Where it is not installed the test says how to install it: in CI it fails, elsewhere it ends here.
    pub fn start() -> Option<Self> {
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/it/support/serve_moto.py"
        );
        let started = Command::new(python())
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn();
        let Ok(mut child) = started else {
            missing("moto");
            return None;
        };
        let mut endpoint = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut endpoint)
            .unwrap();
        if endpoint.is_empty() {
            _ = child.wait();
            missing("moto");
            return None;
        }
        Some(Self {
            child,
            endpoint: endpoint.trim().to_owned(),
        })
    }

    /// The environment that points an AWS client at it, as the management account.
    pub fn env(&self) -> Vec<(String, String)> {
        super::aws_env(&self.endpoint, "testing", "testing")
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
