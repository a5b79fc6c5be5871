//! A guest's standard output and error: C++ takes what it prints, and says when there is room.

use crate::bridge::ffi::{self, GuestHost};
use crate::loop_bound::LoopBound;
use crate::waker::CallWaker;
use bytes::Bytes;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime::Result;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{OutputStream, StreamError, StreamResult};

/// 1 is standard output, 2 is standard error; 0 asks about both, for the end of a command.
#[derive(Clone)]
pub struct GuestOutput {
    host: LoopBound<*mut GuestHost>,
    stream: u8,
    terminal: bool,
}

/// Ready when all that a command wrote is out. An error that no guest was told of is one of the
/// run, unless nobody reads.
pub async fn written(host: &LoopBound<*mut GuestHost>) -> Result<()> {
    let both = GuestOutput { host: host.clone(), stream: 0, terminal: false };
    match poll_fn(|cx| both.poll_room(cx)).await {
        Err(Some(error)) => Err(wasmtime::format_err!("its output: {error}")),
        _ => Ok(()),
    }
}

impl GuestOutput {
    /// `host` outlives the store that this stream belongs to.
    pub fn new(host: &LoopBound<*mut GuestHost>, stream: u8, of_process: bool) -> Self {
        // What goes to the log goes by lines, and so guests are to print it: their libraries
        // keep what is for no terminal until there is much of it, and what an instance keeps
        // goes with it.
        // SAFETY: isatty has no preconditions.
        let terminal =
            if of_process { unsafe { libc::isatty(stream.into()) == 1 } } else { stream == 1 };
        Self { host: host.clone(), stream, terminal }
    }

    /// How much may be written: 0 is not yet, what is negative is an error.
    fn ask(&self) -> i64 {
        // SAFETY: the host outlives the store that owns this stream.
        unsafe { ffi::host_output_room(*self.host.get(), self.stream) }
    }

    fn wait(&self, cx: &Context<'_>) {
        // SAFETY: as above.
        unsafe { ffi::host_output_wait(*self.host.get(), self.stream, CallWaker::of(cx)) }
    }

    /// The error is told once, and none when nobody reads.
    fn room(&self) -> core::result::Result<usize, Option<String>> {
        match self.ask() {
            -1 => Err(None),
            // SAFETY: as above.
            -2 => Err(Some(unsafe { ffi::host_output_error(*self.host.get(), self.stream) })),
            room => Ok(room as usize),
        }
    }

    fn poll_room(&self, cx: &Context<'_>) -> Poll<core::result::Result<usize, Option<String>>> {
        match self.room() {
            Ok(0) => {
                self.wait(cx);
                Poll::Pending
            }
            room => Poll::Ready(room),
        }
    }

    fn put(&self, bytes: &[u8]) {
        // SAFETY: the host outlives the store that owns this stream.
        unsafe { ffi::host_output_write(*self.host.get(), self.stream, bytes) }
    }
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        self.terminal
    }
}

impl StdoutStream for GuestOutput {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for GuestOutput {
    async fn ready(&mut self) {
        // An error stays for `check_write` to tell.
        poll_fn(|cx| match self.ask() {
            0 => {
                self.wait(cx);
                Poll::Pending
            }
            _ => Poll::Ready(()),
        })
        .await
    }
}

impl OutputStream for GuestOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.put(&bytes);
        Ok(())
    }
    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }
    fn check_write(&mut self) -> StreamResult<usize> {
        self.room().map_err(|error| match error {
            Some(error) => StreamError::LastOperationFailed(wasmtime::format_err!("{error}")),
            None => StreamError::Closed,
        })
    }
}

impl AsyncWrite for GuestOutput {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_room(cx).map(|room| match room {
            Ok(room) => {
                let count = bytes.len().min(room);
                self.put(&bytes[..count]);
                Ok(count)
            }
            Err(Some(error)) => Err(io::Error::other(error)),
            Err(None) => Err(io::ErrorKind::BrokenPipe.into()),
        })
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
