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
/// Where `listener` is not on loopback, or its address cannot be told.
pub async fn serve(sandbox: Sandbox, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
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

/// Serves one connection to its end. A client that breaks off is nobody's error.
async fn converse(sandbox: Sandbox, stream: TcpStream) {
    let service = service_fn(move |request| {
        let sandbox = sandbox.clone();
        async move { handle(&sandbox, request).await }
    });
    // A reset makes the service fail, and hyper closes the connection without an answer.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn handle(
    sandbox: &Sandbox,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, ConnectionReset> {
    let (head, body) = request.into_parts();
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
        return Ok(plain(413, "the request body cannot be read or is too long"));
    };
    let request = Request {
        authorization: header("authorization"),
        token: header("x-amz-security-token"),
        target: header("x-amz-target"),
        body: body.to_bytes().to_vec(),
    };
    sandbox.answer(&request).await.map(|answer| written(answer).unwrap_or_else(|_| plain(500, "no answer")))
}

fn written(answer: Response) -> http::Result<hyper::Response<Full<Bytes>>> {
    let Response { status, content_type, request_id, body } = answer;
    hyper::Response::builder()
        .status(status)
        .header("content-type", content_type)
        .header("x-amzn-requestid", request_id)
        .body(Full::from(body))
}

fn plain(status: u16, text: &'static str) -> hyper::Response<Full<Bytes>> {
    let mut answer = hyper::Response::new(Full::from(text));
    *answer.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    answer
}
