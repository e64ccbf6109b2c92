//! Nothing is sent that may change something once the run is halted or its lease has ended.
//!
//! Steps are long: the SDK tries a call again for minutes, and a process may be stopped between any two of its
//! instructions. So the question is asked where a request leaves, for each attempt: before it is handed to a connection,
//! and again when the connection takes its body. IAM acts on a request once its body is there, so a connection that was
//! opened in time and is used too late does nothing. What is left is the moment between that second question and the
//! system call that writes: a process that is stopped there sends one request late.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::watch;

use crate::execute::{Halt, Why};

/// Guards the requests of one write. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    halt: Halt,
    /// How many requests are on their way.
    under_way: Arc<watch::Sender<usize>>,
    sent: Arc<AtomicBool>,
}

impl Guard {
    /// Guards a write of the run that `halt` ends.
    pub fn new(halt: Halt) -> Self {
        Self {
            halt,
            under_way: Arc::new(watch::Sender::new(0)),
            sent: Arc::default(),
        }
    }

    /// `client`, guarded.
    pub fn client(&self, client: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Guarded {
            client,
            guard: self.clone(),
        })
    }

    /// Waits until the run is halted and no request is on its way: what is left of the write is then waits alone.
    pub async fn ended(&self) -> Why {
        self.halt.stopped().await;
        // The sender lives as long as this guard.
        _ = self
            .under_way
            .subscribe()
            .wait_for(|under_way| *under_way == 0)
            .await;
        self.halt.why().cloned().unwrap_or(Why::Interrupted)
    }

    /// Whether any request left.
    pub fn sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }

    fn check(&self) -> Result<(), NotSent> {
        self.halt.may_send().map_err(NotSent)
    }
}

/// Why a request was not sent.
#[derive(Debug, thiserror::Error)]
#[error("not sent: the run {0}")]
struct NotSent(Why);

/// A request on its way.
struct UnderWay(Arc<watch::Sender<usize>>);

impl UnderWay {
    fn new(guard: &Guard) -> Self {
        guard.under_way.send_modify(|under_way| *under_way += 1);
        Self(Arc::clone(&guard.under_way))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|under_way| *under_way -= 1);
    }
}

#[derive(Debug)]
struct Guarded {
    client: SharedHttpClient,
    guard: Guard,
}

impl HttpClient for Guarded {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connector = self.client.http_connector(settings, components);
        SharedHttpConnector::new(GuardedConnector {
            connector,
            guard: self.guard.clone(),
        })
    }
}

#[derive(Debug)]
struct GuardedConnector {
    connector: SharedHttpConnector,
    guard: Guard,
}

impl HttpConnector for GuardedConnector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let (connector, guard) = (self.connector.clone(), self.guard.clone());
        HttpConnectorFuture::new(async move {
            // The SDK does not try again what fails because of whoever calls.
            guard
                .check()
                .map_err(|refused| ConnectorError::user(refused.into()))?;
            let _under_way = UnderWay::new(&guard);
            let body = std::mem::replace(request.body_mut(), SdkBody::empty());
            *request.body_mut() = SdkBody::from_body_1_x(GuardedBody { body, guard });
            connector.call(request).await
        })
    }
}

/// The body of a request. It fails where it is asked for too late, so that the request never becomes whole.
struct GuardedBody {
    body: SdkBody,
    guard: Guard,
}

impl Body for GuardedBody {
    type Data = Bytes;
    type Error = aws_smithy_runtime_api::box_error::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if let Err(refused) = self.guard.check() {
            return Poll::Ready(Some(Err(refused.into())));
        }
        self.guard.sent.store(true, Ordering::Relaxed);
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        Body::is_end_stream(&self.body)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
