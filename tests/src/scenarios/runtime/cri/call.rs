//! Calls over gRPC, as much of it as one request with one answer takes.
//!
//! The protocol: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request};
use prost::Message;
use tokio::{
    net::UnixStream,
    runtime::{Builder, Runtime},
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// Before a message stand a byte, which tells whether it is compressed, and its length.
const PREFIX: usize = 5;

/// A connection to a service on a socket.
#[derive(Debug)]
pub struct Client {
    runtime: Runtime,
    sender: SendRequest<Bytes>,
}

impl Client {
    /// Connects.
    pub fn connect(socket: &Path) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let sender = runtime.block_on(async {
            let stream = UnixStream::connect(socket)
                .await
                .with_context(|| format!("connecting to {}", socket.display()))?;
            let (sender, connection) = h2::client::handshake(stream).await?;
            tokio::spawn(connection);
            anyhow::Ok(sender)
        })?;
        Ok(Self { runtime, sender })
    }

    /// Calls a method, such as `runtime.v1.RuntimeService/Version`.
    pub fn call<A: Message + Default>(&self, method: &str, request: &impl Message) -> Result<A> {
        let answer = self.unary(method, request);
        self.runtime
            .block_on(async { timeout(PATIENCE, answer).await })
            .with_context(|| format!("{method} takes more than {} s", PATIENCE.as_secs()))?
            .with_context(|| method.to_owned())
    }

    async fn unary<A: Message + Default>(&self, method: &str, request: &impl Message) -> Result<A> {
        let head = Request::post(format!("http://localhost/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())?;
        let mut sender = self.sender.clone().ready().await?;
        let (response, mut stream) = sender.send_request(head, false)?;
        stream.send_data(frame(request)?, true)?;

        let response = response.await?;
        ensure!(response.status() == 200, "HTTP {}", response.status());
        // An error without an answer comes in the head.
        succeeded(response.headers())?;
        let mut body = response.into_body();
        let mut received = Vec::new();
        while let Some(chunk) = body.data().await {
            let chunk = chunk?;
            body.flow_control().release_capacity(chunk.len())?;
            received.extend_from_slice(&chunk);
        }
        succeeded(&body.trailers().await?.unwrap_or_default())?;
        let message = received.get(PREFIX..).context("no message")?;
        A::decode(message).context("the answer")
    }
}

fn frame(message: &impl Message) -> Result<Bytes> {
    let message = message.encode_to_vec();
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len())?.to_be_bytes());
    frame.extend_from_slice(&message);
    Ok(frame.into())
}

fn succeeded(headers: &HeaderMap) -> Result<()> {
    match headers.get("grpc-status").map(|status| status.as_bytes()) {
        None | Some(b"0") => Ok(()),
        Some(status) => {
            let message = headers.get("grpc-message").map(|m| m.as_bytes());
            bail!(
                "status {}: {}",
                String::from_utf8_lossy(status),
                String::from_utf8_lossy(message.unwrap_or_default())
            )
        }
    }
}
