//! A guest's standard output where it serves requests: lines in the host's log.

use crate::bridge::ffi::{self, Host};
use crate::loop_bound::LoopBound;
use bytes::Bytes;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{OutputStream, StreamResult};

/// The most of a line that is kept; the rest is cut.
const LINE_MAX: usize = 8 << 10;

/// Gathers what is written until a line ends, then hands the line to the host. What is left when
/// the guest has ended is a line too.
#[derive(Clone)]
pub struct LogStream(Arc<Lines>);

struct Lines {
    host: LoopBound<*mut Host>,
    line: Mutex<Vec<u8>>,
}

impl Lines {
    fn end(&self, line: &mut Vec<u8>) {
        // SAFETY: the host outlives the store that owns this stream.
        unsafe { ffi::host_log(*self.host.get(), line) };
        line.clear();
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let mut line = std::mem::take(self.line.get_mut().unwrap());
        if !line.is_empty() {
            self.end(&mut line);
        }
    }
}

impl LogStream {
    /// `host` outlives the store that this stream belongs to.
    pub fn new(host: &LoopBound<*mut Host>) -> Self {
        Self(Arc::new(Lines { host: host.clone(), line: Mutex::default() }))
    }

    fn take(&self, bytes: &[u8]) {
        let mut line = self.0.line.lock().unwrap();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            let room = LINE_MAX.saturating_sub(line.len());
            line.extend_from_slice(&text[..text.len().min(room)]);
            if text.len() < part.len() {
                self.0.end(&mut line);
            }
        }
    }
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }
    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }
    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

impl AsyncWrite for LogStream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
