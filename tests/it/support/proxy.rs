//! A proxy on loopback that lets things go wrong before any AWS: real sockets, real resets.

use std::io::{self, Error};
use std::sync::{Arc, Mutex};

use rolecall::sandbox::faults::{Effect, Fault, Faults, Moment, Refusal};
use rolecall::sandbox::gate::Call;
use rolecall::sandbox::protocol::{Request, Service, json_answer, xml_answer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The proxy.
#[derive(Clone)]
pub struct Proxy {
    pub endpoint: String,
    behind: String,
    faults: Arc<Mutex<Faults>>,
}

impl Proxy {
    /// A proxy before `endpoint`, an `http://` address.
    pub async fn before(endpoint: &str) -> Self {
        let (listener, own) = super::listen().await;
        let proxy = Self {
            endpoint: own,
            behind: endpoint.trim_start_matches("http://").to_owned(),
            faults: Arc::default(),
        };
        let accepting = proxy.clone();
        super::servers().spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let proxy = accepting.clone();
                tokio::spawn(async move { proxy.converse(client).await });
            }
        });
        proxy
    }

    /// Makes calls that match `fault` go wrong from now on. Which account a call acts in is not known here.
    pub fn fail(&self, fault: Fault) {
        self.faults.lock().unwrap().add(fault);
    }

    /// How often each fault struck.
    pub fn struck(&self) -> Vec<u64> {
        self.faults.lock().unwrap().struck()
    }

    /// Passes one request on: one connection, one call, as moto does it.
    async fn converse(&self, mut client: TcpStream) -> io::Result<()> {
        let (text, body_at) = read_request(&mut client).await?;
        let call = understand(&text, body_at);
        let effect = self.faults.lock().unwrap().strike(&call);
        match effect {
            None => client.write_all(&self.pass(&text).await?).await?,
            Some(Effect::Delay(delay)) => {
                let answer = self.pass(&text).await?;
                tokio::time::sleep(delay).await;
                client.write_all(&answer).await?;
            }
            Some(Effect::Error(error)) => client.write_all(&refusal(&call, error)).await?,
            Some(Effect::Refuse(refuse)) => {
                client
                    .write_all(&refusal(&call, refuse.of(call.service)))
                    .await?;
            }
            Some(Effect::Say(refuse, message)) => {
                let error = refuse.saying(call.service, &message);
                client.write_all(&refusal(&call, error)).await?;
            }
            Some(Effect::Fail) => {
                self.pass(&text).await?;
                client
                    .write_all(&refusal(&call, Refusal::InternalFailure.of(call.service)))
                    .await?;
            }
            Some(Effect::Reset(moment)) => {
                if moment == Moment::After {
                    self.pass(&text).await?;
                }
                client.set_zero_linger()?;
            }
            Some(Effect::Truncate) => {
                let answer = self.pass(&text).await?;
                client.write_all(&answer[..answer.len() - 40]).await?;
                client.set_zero_linger()?;
            }
            Some(Effect::Hang) => std::future::pending().await,
            Some(effect @ (Effect::Expire | Effect::Stop(..))) => {
                panic!("{effect:?} is the sandbox's alone")
            }
        }
        client.shutdown().await
    }

    /// The answer of whoever is behind, as it is.
    async fn pass(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        let mut server = TcpStream::connect(&self.behind).await?;
        server.write_all(request).await?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).await?;
        Ok(answer)
    }
}

/// A whole request with `Connection: close`, and where its body begins.
async fn read_request(client: &mut TcpStream) -> io::Result<(Vec<u8>, usize)> {
    let mut text = Vec::new();
    let body_at = loop {
        if let Some(end) = text.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if client.read_buf(&mut text).await? == 0 {
            return Err(Error::from(io::ErrorKind::UnexpectedEof));
        }
    };
    let length: usize = header(&text[..body_at], "content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    while text.len() < body_at + length {
        if client.read_buf(&mut text).await? == 0 {
            return Err(Error::from(io::ErrorKind::UnexpectedEof));
        }
    }
    let close = b"Connection: close\r\n";
    text.splice(body_at - 2..body_at - 2, close.iter().copied());
    Ok((text, body_at + close.len()))
}

fn header(head: &[u8], name: &str) -> Option<String> {
    let head = String::from_utf8_lossy(head);
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    headers
        .find(|(its_name, _)| its_name.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim().to_owned())
}

fn understand(text: &[u8], body_at: usize) -> Call {
    let (head, body) = text.split_at(body_at);
    let request = Request {
        authorization: header(head, "authorization"),
        token: None,
        target: header(head, "x-amz-target"),
        body: body.to_vec(),
    };
    let service = request
        .credential()
        .map_or(Service::Other, |(_, service)| service);
    let operation = request.json_operation().map(str::to_owned);
    let operation = operation.or_else(|| request.params().get("Action").map(str::to_owned));
    Call {
        service,
        operation: operation.unwrap_or_default(),
        account: None,
    }
}

fn refusal(call: &Call, error: rolecall::sandbox::wire::ApiError) -> Vec<u8> {
    let answer = match call.service {
        service if service.is_json() => json_answer(Err(error), "by-the-proxy".to_owned()),
        service => xml_answer(
            service,
            &call.operation,
            Err(error),
            "by-the-proxy".to_owned(),
        ),
    };
    format!(
        "HTTP/1.1 {} No\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
        answer.status,
        answer.content_type,
        answer.body.len(),
        answer.body
    )
    .into_bytes()
}
