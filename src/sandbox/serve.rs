//! The sandbox over HTTP, so that the `aws` CLI, boto3 and anything else can talk to it.
//!
//! HTTP/1.1 with keep-alive. Paths mean nothing: the service is in the credential scope. Who can reach the port can do
//! everything, since signatures are not verified, so the listener must be on loopback.

use std::future::Future;
use std::io;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::protocol::{Request, Response};
use super::{ConnectionReset, Sandbox};

/// The longest body that is read; IAM's longest documents stay far below it.
const MAX_BODY: usize = 4 << 20;

/// Answers requests on `listener` until `shutdown` comes to an end.
///
/// # Errors
/// Where `listener` is not on loopback, or its address cannot be determined.
pub async fn serve(
    sandbox: Sandbox,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        let message = format!("the sandbox listens on loopback only, not on `{address}`");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    // Dropped when this function ends, and every connection with it.
    let mut connections = tokio::task::JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return Ok(()),
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(converse(sandbox.clone(), stream)); }
                // The client gave up, or descriptors ran out for a moment.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            },
        }
    }
}

/// Serves one connection to its end. A client that breaks off is not an error.
async fn converse(sandbox: Sandbox, stream: TcpStream) {
    let service = service_fn(move |request| {
        let sandbox = sandbox.clone();
        async move { handle(&sandbox, request).await }
    });
    // A reset makes the service fail, and hyper closes the connection without an answer.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn handle(
    sandbox: &Sandbox,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, ConnectionReset> {
    let (head, body) = request.into_parts();
    let header = |name| {
        head.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
        return Ok(plain(413, "the request body cannot be read or is too long"));
    };
    let request = Request {
        authorization: header("authorization"),
        token: header("x-amz-security-token"),
        target: header("x-amz-target"),
        body: body.to_bytes().to_vec(),
    };
    sandbox
        .answer(&request)
        .await
        .map(|answer| written(answer).unwrap_or_else(|_| plain(500, "no answer")))
}

fn written(answer: Response) -> http::Result<hyper::Response<Full<Bytes>>> {
    let Response {
        status,
        content_type,
        request_id,
        body,
    } = answer;
    hyper::Response::builder()
        .status(status)
        .header("content-type", content_type)
        .header("x-amzn-requestid", request_id)
        .body(Full::from(body))
}

fn plain(status: u16, text: &'static str) -> hyper::Response<Full<Bytes>> {
    let mut answer = hyper::Response::new(Full::from(text));
    *answer.status_mut() =
        http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    answer
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::faults::{Effect, Fault, Moment, When};
    use crate::world::World;

    async fn started() -> (
        Sandbox,
        TcpStream,
        tokio::sync::oneshot::Sender<()>,
        tokio::task::JoinHandle<io::Result<()>>,
    ) {
        let sandbox = Sandbox::new(World::demo());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = tokio::spawn(serve(sandbox.clone(), listener, async {
            drop(stopped.await);
        }));
        (
            sandbox,
            TcpStream::connect(address).await.unwrap(),
            stop,
            server,
        )
    }

    /// Asks who calls, and reads the answer's head and body; nothing where the connection broke.
    async fn ask(stream: &mut TcpStream, sandbox: &Sandbox) -> String {
        let key = sandbox.credentials().access_key_id().to_owned();
        let body = "Action=GetCallerIdentity&Version=2011-06-15";
        let request = format!(
            "POST /any/path HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential={key}/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let mut chunk = [0; 4096];
        while !answer.ends_with(b"</GetCallerIdentityResponse>") {
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => break,
                Ok(count) => answer.extend(chunk.iter().take(count)),
            }
        }
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn one_connection_carries_many_calls_until_the_end() {
        let (sandbox, mut stream, stop, server) = started().await;
        for _ in 0..3 {
            let answer = ask(&mut stream, &sandbox).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            assert!(answer.contains("content-type: text/xml\r\n"), "{answer}");
            assert!(answer.contains(":user/admin</Arn>"), "{answer}");
        }
        stop.send(()).unwrap();
        server.await.unwrap().unwrap();
        assert_eq!(ask(&mut stream, &sandbox).await, "");
    }

    #[tokio::test]
    async fn a_reset_breaks_the_connection_without_an_answer() {
        let (sandbox, mut stream, _stop, _server) = started().await;
        sandbox.fail(Fault::of("*", When::Always, Effect::Reset(Moment::Before)));
        assert_eq!(ask(&mut stream, &sandbox).await, "");
    }

    #[tokio::test]
    async fn only_loopback_is_listened_on() {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let refused = serve(
            Sandbox::new(World::demo()),
            listener,
            std::future::ready(()),
        )
        .await
        .unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    }
}
