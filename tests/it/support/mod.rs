//! What the integration tests stand on: the binary, a directory of desired state, an AWS to talk to.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock};

use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub mod browser;
pub mod bucket;
pub mod cloud;
pub mod listener;
pub mod moto;
pub mod pipeline;
pub mod proxy;
pub mod served;
pub mod world;

/// What one run of the binary printed, and how it ended.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Everything that was printed.
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Asserts the exit code, showing everything when it is another one.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// Asserts that all of these words were printed.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        let text = self.text();
        for word in words {
            assert!(text.contains(word), "`{word}` is not said:\n{text}");
        }
        self
    }
}

/// The binary with a clean environment: nothing of the machine's own AWS settings reaches it.
pub fn rolecall() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rolecall"));
    command
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null());
    // The key that plans are signed with lies there.
    command.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// The environment that points any AWS client at `endpoint`.
pub fn aws_env(endpoint: &str, key: &str, secret: &str) -> Vec<(String, String)> {
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", key),
        ("AWS_SECRET_ACCESS_KEY", secret),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// Where servers of the tests run. Tests block while a process runs, and with the server on a test's own runtime all its
/// threads can wait for processes that wait for the server.
pub fn servers() -> &'static Runtime {
    static SERVERS: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
    &SERVERS
}

/// A free port of this machine for a server on [`servers`], and its `http://` address.
pub async fn listen() -> (TcpListener, String) {
    let bind = servers().spawn(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let listener = bind.await.unwrap().unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    (listener, endpoint)
}

/// What the tests' own AWS clients speak over: the SDK brings none, since the program has one of its own.
pub fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

/// Runs a prepared command to its end.
#[track_caller]
pub fn run(command: &mut Command) -> Run {
    let output = command.output().expect("the binary starts");
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
    }
}

/// Runs `act` for each of `inputs`, a few at once. Fails once all have ended, so that nothing is left waiting.
pub async fn for_each<T, F>(inputs: Vec<T>, act: impl Fn(T) -> F) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let places = Arc::new(tokio::sync::Semaphore::new(6));
    let mut running = tokio::task::JoinSet::new();
    for input in inputs {
        let (places, one) = (Arc::clone(&places), act(input));
        running.spawn(async move {
            let _place = places.acquire_owned().await.unwrap();
            one.await
        });
    }
    let (mut done, mut failed) = (Vec::new(), 0);
    while let Some(ended) = running.join_next().await {
        match ended {
            Ok(output) => done.push(output),
            Err(_) => failed += 1,
        }
    }
    assert_eq!(failed, 0, "some failed, see above");
    done
}

/// A directory of desired state that goes away with the test.
pub struct Directory(tempfile::TempDir);

impl Directory {
    /// One `rolecall.toml`.
    pub fn new(rolecall_toml: &str) -> Self {
        Self::of(&[("rolecall.toml", rolecall_toml)])
    }

    /// Several files.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let directory = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            directory.write(name, text);
        }
        directory
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.file(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}
