//! Someone who is posted to: a webhook, a collector.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;

/// One request.
#[derive(Debug)]
pub struct Posted {
    /// The request line and the headers.
    pub head: String,
    pub body: Vec<u8>,
}

/// Answers with each of `statuses` in turn, and hands on what it was told. It is at the URL that is returned.
pub fn listen(
    statuses: impl IntoIterator<Item = u16> + Send + 'static,
) -> (String, mpsc::Receiver<Posted>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for status in statuses {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let mut head = String::new();
            while reader.read_line(&mut head).unwrap() > 2 {}
            let length = head.lines().find_map(|line| {
                line.to_lowercase()
                    .strip_prefix("content-length:")?
                    .trim()
                    .parse()
                    .ok()
            });
            let mut body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body).unwrap();
            // Whoever waits may have seen enough.
            _ = tell.send(Posted { head, body });
            let answer =
                format!("HTTP/1.1 {status} Any\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    (url, told)
}
