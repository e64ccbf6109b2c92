//! On a real terminal: a progress bar, color, and a question that only `yes` answers.

use std::io::{Read, Write};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use crate::support::Directory;
use crate::support::served::Served;

const DESIRED: &str = "name = \"tty\"\n[[role]]\nname = \"R\"\ntargets = [{ ou = \"Workloads\" }]\n[[role.trust]]\nservice = \"ec2.amazonaws.com\"\n";

struct Terminal {
    writer: Box<dyn Write + Send>,
    screen: mpsc::Receiver<Vec<u8>>,
    said: String,
    child: Box<dyn portable_pty::Child + Send + Sync>,
}

impl Terminal {
    fn open(
        served: &Served,
        desired: &Directory,
        arguments: &[&str],
        env: &[(&str, &str)],
    ) -> Self {
        let size = PtySize {
            rows: 40,
            cols: 100,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_rolecall"));
        command.env_clear();
        command.env("TERM", "xterm-256color");
        for (name, value) in served.env() {
            command.env(name, value);
        }
        for (name, value) in env {
            command.env(name, value);
        }
        command.arg(arguments[0]);
        command.arg("-c");
        command.arg(desired.path());
        command.args(&arguments[1..]);
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let (sender, screen) = mpsc::channel();
        std::thread::spawn(move || {
            let _keep_open = pair.master;
            let mut buffer = [0; 4096];
            while let Ok(n) = reader.read(&mut buffer) {
                if n == 0 || sender.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            writer,
            screen,
            said: String::new(),
            child,
        }
    }

    fn wait_for(&mut self, words: &str) {
        let end = Instant::now() + Duration::from_mins(1);
        while !self.said.contains(words) {
            assert!(
                Instant::now() < end,
                "`{words}` is not said:\n{}",
                self.said
            );
            if let Ok(bytes) = self.screen.recv_timeout(Duration::from_millis(100)) {
                self.said += &String::from_utf8_lossy(&bytes);
            }
        }
    }

    fn end(mut self) -> (u32, String) {
        let code = self.child.wait().unwrap().exit_code();
        while let Ok(bytes) = self.screen.recv_timeout(Duration::from_millis(500)) {
            self.said += &String::from_utf8_lossy(&bytes);
        }
        (code, self.said)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_asks_and_only_yes_is_yes() {
    let (served, desired) = (Served::demo().await, Directory::new(DESIRED));
    for (answer, code, roles) in [("y\n", 1, 0), ("no\n", 1, 0), ("yes\n", 0, 5)] {
        let mut terminal = Terminal::open(&served, &desired, &["apply"], &[]);
        terminal.wait_for("Type `yes` to apply");
        terminal.writer.write_all(answer.as_bytes()).unwrap();
        let (exit, said) = terminal.end();
        assert_eq!(exit, code, "{said}");
        assert_eq!(served.count("CreateRole"), roles, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_gets_a_bar_and_color_unless_no_color_is_set() {
    let (served, desired) = (Served::demo().await, Directory::new(DESIRED));
    served.sandbox.set_latency(Duration::from_millis(150));
    let (_, said) = Terminal::open(&served, &desired, &["plan"], &[]).end();
    assert!(said.contains("/5") && said.contains("left"), "{said}");
    assert!(said.contains("\u{1b}[32m"), "{said}");
    let (_, said) = Terminal::open(&served, &desired, &["plan"], &[("NO_COLOR", "1")]).end();
    assert!(!said.contains("\u{1b}[32m"), "{said}");
    assert!(said.contains("Plan: 5 to create"), "{said}");
}
