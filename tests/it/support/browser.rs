//! Chromium without a window, driven through the protocol of its developer tools.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

const INSTALL: &str = "apt-get install chromium";
const NAMES: &[&str] = &[
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// What a page that lives on its own needs, and nothing that calls home. The page is ours, and CI may run as root.
const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--window-size=1400,1000",
];

/// How long any answer may take, on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// A browser with one tab, gone with the test.
pub struct Browser {
    child: Child,
    directory: TempDir,
    socket: WebSocket<TcpStream>,
    session: Option<String>,
    next: u64,
    events: Vec<Value>,
}

impl Browser {
    /// Starts Chromium. Where it is not installed the test says so: in CI it fails, elsewhere it ends here.
    pub fn start() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let profile = format!(
            "--user-data-dir={}",
            directory.path().join("profile").display()
        );
        let child = NAMES.iter().find_map(|name| {
            let mut command = Command::new(name);
            command
                .args(FLAGS)
                .arg(&profile)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.spawn().ok()
        });
        let Some(child) = child else {
            assert!(
                std::env::var_os("CI").is_none(),
                "Chromium does not start: {INSTALL}"
            );
            eprintln!("NOT TESTED: Chromium does not start. Install it: {INSTALL}");
            return None;
        };
        let socket = connect(&directory);
        let mut browser = Self {
            child,
            directory,
            socket,
            session: None,
            next: 0,
            events: Vec::new(),
        };
        let target =
            browser.call("Target.createTarget", &json!({"url": "about:blank"}))["targetId"].clone();
        let session = browser.call(
            "Target.attachToTarget",
            &json!({"targetId": target, "flatten": true}),
        );
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Network", "Log"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        Some(browser)
    }

    /// Opens a page from a file and waits until it is there.
    pub fn open(&mut self, html: &str) {
        let file = self.directory.path().join("plan.html");
        std::fs::write(&file, html).unwrap();
        self.events.clear();
        self.call(
            "Page.navigate",
            &json!({"url": format!("file://{}", file.display())}),
        );
        self.wait_for(|event| event["method"] == "Page.loadEventFired");
        // What is in view is laid out when the first frame is drawn.
        self.eval("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))");
    }

    /// The value of an expression in the page; a promise is waited for.
    #[track_caller]
    pub fn eval(&mut self, expression: &str) -> Value {
        let arguments =
            json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", &arguments);
        assert!(
            answer.get("exceptionDetails").is_none(),
            "{expression}: {answer:#}"
        );
        answer["result"]["value"].clone()
    }

    /// What is in view, as PNG.
    #[track_caller]
    pub fn picture(&mut self) -> Vec<u8> {
        let answer = self.call("Page.captureScreenshot", &json!({"format": "png"}));
        let data = answer["data"].as_str().unwrap();
        base64::engine::general_purpose::STANDARD
            .decode(data)
            .unwrap()
    }

    /// Presses a key as a person does.
    pub fn press(&mut self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            let text = match key {
                "Enter" if kind == "keyDown" => "\r",
                _ => "",
            };
            self.call("Input.dispatchKeyEvent", &json!({"type": kind, "key": key, "code": key, "text": text, "windowsVirtualKeyCode": if key == "Enter" { 13 } else { 0 }}));
        }
    }

    /// What a call of that protocol answers.
    #[track_caller]
    pub fn call(&mut self, method: &str, params: &Value) -> Value {
        self.next += 1;
        let id = self.next;
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = Value::from(session.clone());
        }
        self.socket
            .send(Message::text(message.to_string()))
            .unwrap();
        loop {
            let answer = self.receive();
            if answer["id"] == id {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    /// What the page complained of: errors and warnings on the console, exceptions, what its policy refused.
    pub fn complaints(&mut self) -> Vec<Value> {
        self.eval("1");
        let methods = [
            "Log.entryAdded",
            "Runtime.exceptionThrown",
            "Runtime.consoleAPICalled",
        ];
        let said = self
            .events
            .iter()
            .filter(|event| methods.iter().any(|method| event["method"] == *method));
        said.cloned().collect()
    }

    /// What the page asked for, itself aside.
    pub fn requests(&mut self) -> Vec<String> {
        self.eval("1");
        let asked = self
            .events
            .iter()
            .filter(|event| event["method"] == "Network.requestWillBeSent");
        let urls = asked.map(|event| {
            event["params"]["request"]["url"]
                .as_str()
                .unwrap()
                .to_owned()
        });
        urls.filter(|url| !url.ends_with("/plan.html") && !url.starts_with("data:"))
            .collect()
    }

    fn wait_for(&mut self, is_it: impl Fn(&Value) -> bool) {
        while !self.events.iter().any(&is_it) {
            let event = self.receive();
            self.events.push(event);
        }
    }

    fn receive(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.socket.read().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }
}

/// Connects once the browser has written down where it listens.
fn connect(directory: &TempDir) -> WebSocket<TcpStream> {
    let file = directory.path().join("profile/DevToolsActivePort");
    let start = Instant::now();
    loop {
        if let Ok(text) = std::fs::read_to_string(&file)
            && let Some((port, path)) = text.split_once('\n')
        {
            let stream = TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let url = format!("ws://127.0.0.1:{port}{}", path.trim());
            return tungstenite::client(url, stream).unwrap().0;
        }
        assert!(
            start.elapsed() < PATIENCE,
            "Chromium does not say where it listens"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
