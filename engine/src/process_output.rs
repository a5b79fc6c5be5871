//! A command's standard output and error: the process's own, written by a thread of its own.
//!
//! A reader that takes nothing stops neither the loop nor its time-outs. One queue for both keeps
//! their order. The guest goes on while the thread writes, up to a bound; a command waits for
//! `written` before it ends.

use std::fs::File;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Write};
use std::mem::{self, ManuallyDrop};
use std::os::fd::FromRawFd;
use std::pin::Pin;
use std::sync::{Condvar, Mutex};
use std::task::{Context, Poll, Waker};
use tokio::io::AsyncWrite;
use wasmtime::Result;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{OutputStream, StreamError, StreamResult};

/// Bytes that wait for the thread; a guest that has this many waits.
const QUEUE_MAX: usize = 256 << 10;
const WRITE_MAX: usize = 64 << 10;
/// What a part costs beside its bytes: guests may write byte by byte to both in turn.
const PART_COST: usize = 64;
/// Those who wait for room; when they are more, all are woken to ask again.
const WAITING_MAX: usize = 64;

#[derive(Clone, Copy, PartialEq)]
pub enum ProcessOutput {
    Stdout = 1,
    Stderr = 2,
}

struct Queue {
    parts: Vec<(ProcessOutput, Vec<u8>)>,
    /// What `parts` and the thread hold.
    held: usize,
    /// Why a write failed, until the guest is told; one that nobody reads stays closed.
    failed: [Option<io::Error>; 2],
    waiting: Vec<Waker>,
    thread: bool,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue {
    parts: Vec::new(),
    held: 0,
    failed: [None, None],
    waiting: Vec::new(),
    thread: false,
});
static NEWS: Condvar = Condvar::new();

/// Ready when all that was written is out. An error that no guest was told of is one of the run,
/// unless nobody reads.
pub async fn written() -> Result<()> {
    poll_fn(|cx| {
        let mut queue = QUEUE.lock().unwrap();
        if queue.held > 0 {
            return queue.wait(cx);
        }
        let mut failed = queue.failed.iter_mut().filter_map(Option::take);
        match failed.find(|error| error.kind() != ErrorKind::BrokenPipe) {
            Some(error) => Poll::Ready(Err(wasmtime::format_err!("its output: {error}"))),
            None => Poll::Ready(Ok(())),
        }
    })
    .await
}

impl Queue {
    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.drain(..).for_each(Waker::wake);
        }
        self.waiting.push(cx.waker().clone());
        Poll::Pending
    }
}

fn write_parts() {
    let mut queue = QUEUE.lock().unwrap();
    loop {
        while queue.parts.is_empty() {
            queue = NEWS.wait(queue).unwrap();
        }
        let parts = mem::take(&mut queue.parts);
        for (output, bytes) in parts {
            drop(queue);
            let outcome = output.write_out(&bytes);
            queue = QUEUE.lock().unwrap();
            queue.held -= bytes.len() + PART_COST;
            if let Err(error) = outcome {
                queue.failed[output as usize - 1] = Some(error);
            }
            queue.waiting.drain(..).for_each(Waker::wake);
        }
    }
}

impl ProcessOutput {
    fn write_out(self, mut bytes: &[u8]) -> io::Result<()> {
        // SAFETY: the process keeps these two open, and they are not closed here.
        let mut file = ManuallyDrop::new(unsafe { File::from_raw_fd(self as i32) });
        while !bytes.is_empty() {
            match file.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                // Whoever started the process may have made it non-blocking.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let mut poll =
                        libc::pollfd { fd: self as i32, events: libc::POLLOUT, revents: 0 };
                    // SAFETY: `poll` is ours.
                    unsafe { libc::poll(&mut poll, 1, -1) };
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// How much may be written now.
    fn room(self, queue: &mut Queue) -> io::Result<usize> {
        let failed = &mut queue.failed[self as usize - 1];
        if failed.as_ref().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe) {
            return Err(ErrorKind::BrokenPipe.into());
        }
        match failed.take() {
            Some(error) => Err(error),
            None if queue.held < QUEUE_MAX => Ok(WRITE_MAX),
            None => Ok(0),
        }
    }

    fn push(self, queue: &mut Queue, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if !queue.thread {
            std::thread::Builder::new().name("weft-output".into()).spawn(write_parts)?;
            queue.thread = true;
        }
        queue.held += bytes.len();
        match queue.parts.last_mut() {
            Some((output, part)) if *output == self => part.extend_from_slice(bytes),
            _ => {
                queue.held += PART_COST;
                queue.parts.push((self, bytes.to_vec()));
            }
        }
        NEWS.notify_one();
        Ok(())
    }
}

impl IsTerminal for ProcessOutput {
    fn is_terminal(&self) -> bool {
        // SAFETY: isatty has no preconditions.
        unsafe { libc::isatty(*self as i32) == 1 }
    }
}

impl StdoutStream for ProcessOutput {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(*self)
    }
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(*self)
    }
}

fn told(error: io::Error) -> StreamError {
    match error.kind() {
        ErrorKind::BrokenPipe => StreamError::Closed,
        _ => StreamError::LastOperationFailed(error.into()),
    }
}

#[async_trait::async_trait]
impl Pollable for ProcessOutput {
    async fn ready(&mut self) {
        poll_fn(|cx| match QUEUE.lock().unwrap() {
            mut queue if queue.held >= QUEUE_MAX => queue.wait(cx),
            _ => Poll::Ready(()),
        })
        .await
    }
}

impl OutputStream for ProcessOutput {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        self.push(&mut QUEUE.lock().unwrap(), &bytes).map_err(told)
    }
    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }
    fn check_write(&mut self) -> StreamResult<usize> {
        self.room(&mut QUEUE.lock().unwrap()).map_err(told)
    }
}

impl AsyncWrite for ProcessOutput {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut queue = QUEUE.lock().unwrap();
        match self.room(&mut queue) {
            Ok(0) => queue.wait(cx),
            Ok(room) => {
                let count = bytes.len().min(room);
                Poll::Ready(self.push(&mut queue, &bytes[..count]).map(|()| count))
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
