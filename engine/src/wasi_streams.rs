//! wasi:io's streams across the door: those that C++ gives are a pipe with Wasmtime's traits around
//! it; those that a guest hands over, of whatever make, are pumped into or out of a pipe by a task
//! of their own, which ends with the instance.

use crate::bridge::ffi::{self, PipeKind, PipeSide};
use crate::pipes::{Giving, Pipe};
use crate::state::State;
use crate::task::{Finish, Task};
use bytes::Bytes;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use wasmtime::component::{ResourceAny, ResourceType};
use wasmtime::{AsContextMut, Result, StoreContextMut, error::Context as _};
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, StreamError, StreamResult,
};
use weft_codec::Handle;

/// The most that one read or write moves.
const CHUNK: usize = 64 << 10;

struct PipeInput(Pipe);
struct PipeOutput(Pipe);

#[async_trait::async_trait]
impl Pollable for PipeInput {
    async fn ready(&mut self) {
        poll_fn(|cx| self.0.poll_data(cx).map(drop)).await
    }
}

impl InputStream for PipeInput {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        match self.0.data() {
            None => Ok(Bytes::new()),
            Some(Ok(None)) => Err(StreamError::Closed),
            Some(Err(error)) => Err(StreamError::LastOperationFailed(error)),
            Some(Ok(Some(data))) => {
                let data = Bytes::copy_from_slice(&data[..data.len().min(size)]);
                self.0.take(data.len());
                Ok(data)
            }
        }
    }
}

#[async_trait::async_trait]
impl Pollable for PipeOutput {
    async fn ready(&mut self) {
        poll_fn(|cx| self.0.poll_room(cx).map(drop)).await
    }
}

impl OutputStream for PipeOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > self.check_write()? {
            return Err(StreamError::trap("it wrote more than check-write allowed"));
        }
        self.0.write(&bytes);
        Ok(())
    }
    fn flush(&mut self) -> StreamResult<()> {
        self.check_write().map(drop)
    }
    fn check_write(&mut self) -> StreamResult<usize> {
        self.0.room().map(|room| room.min(CHUNK)).ok_or(StreamError::Closed)
    }
}

pub fn give_input(mut store: StoreContextMut<'_, State>, pipe: Pipe) -> Result<Handle> {
    let stream: DynInputStream = Box::new(PipeInput(pipe));
    let resource = store.data_mut().table.push(stream)?;
    Ok(Handle::Resource(ResourceAny::try_from_resource(resource, store)?))
}

pub fn give_output(mut store: StoreContextMut<'_, State>, pipe: Pipe) -> Result<Handle> {
    let stream: DynOutputStream = Box::new(PipeOutput(pipe));
    let resource = store.data_mut().table.push(stream)?;
    Ok(Handle::Resource(ResourceAny::try_from_resource(resource, store)?))
}

/// Takes a stream that the guest hands over. The number is the pipe's; none: it is no stream.
pub fn adopt(
    mut store: StoreContextMut<'_, State>,
    resource: ResourceAny,
    given: Option<&Arc<Giving>>,
) -> Result<Option<u32>> {
    let host = store.data().host.clone();
    if resource.ty() == ResourceType::host::<DynInputStream>() {
        let stream = take::<DynInputStream>(store.as_context_mut(), resource)?;
        let (pipe, number) = Pipe::open(&host, PipeKind::Bytes, PipeSide::Writes, given)?;
        start(store, pump_in(stream, pipe));
        return Ok(Some(number));
    }
    if resource.ty() == ResourceType::host::<DynOutputStream>() {
        let stream = take::<DynOutputStream>(store.as_context_mut(), resource)?;
        let (pipe, number) = Pipe::open(&host, PipeKind::Bytes, PipeSide::Reads, given)?;
        start(store, pump_out(stream, pipe));
        return Ok(Some(number));
    }
    Ok(None)
}

fn take<T: 'static>(mut store: StoreContextMut<'_, State>, resource: ResourceAny) -> Result<T> {
    let resource = resource.try_into_resource::<T>(&mut store)?;
    let taken = store.data_mut().table.delete(resource);
    taken.context("a stream cannot be handed over while a pollable of it is open: drop that first")
}

/// Runs a pump as a task of the instance's own, polled on the loop like any guest.
fn start(store: StoreContextMut<'_, State>, pump: impl Future<Output = ()> + Send + 'static) {
    let state = store.data();
    let host = *state.host.get();
    let future = Box::pin(async move {
        pump.await;
        Ok(Finish::Done)
    });
    // SAFETY: the host outlives the store, and owns the task.
    unsafe {
        let key = ffi::host_add_pump(host);
        let slot = key.slot;
        ffi::host_start_pump(
            host,
            slot,
            Task::new(future, key, state.meter.clone(), "".into(), None),
        );
    }
}

async fn pump_in(mut stream: DynInputStream, pipe: Pipe) {
    while let Some(room) = poll_fn(|cx| pipe.poll_room(cx)).await {
        let mut ready = stream.ready();
        let read_on = poll_fn(|cx| {
            if pipe.room().is_none() {
                return Poll::Ready(false);
            }
            pipe.wait(cx);
            ready.as_mut().poll(cx).map(|()| true)
        });
        let read_on = read_on.await;
        drop(ready);
        if !read_on {
            break;
        }
        match stream.read(room.min(CHUNK)) {
            Ok(bytes) => _ = pipe.write(&bytes),
            Err(StreamError::Closed) => break,
            Err(error) => {
                pipe.fail(&error.to_string());
                break;
            }
        }
    }
    stream.cancel().await;
}

async fn pump_out(mut stream: DynOutputStream, mut pipe: Pipe) {
    loop {
        match poll_fn(|cx| pipe.poll_data(cx).map_ok(|data| data.is_some())).await {
            Ok(true) => {}
            Ok(false) => {
                if stream.flush().is_ok() {
                    let _ = stream.write_ready().await;
                }
                break;
            }
            Err(_) => break,
        }
        let Ok(permit) = stream.write_ready().await else { break };
        let Some(Ok(Some(data))) = pipe.data() else { break };
        let data = Bytes::copy_from_slice(&data[..data.len().min(permit)]);
        let count = data.len();
        if stream.write(data).is_err() {
            break;
        }
        pipe.take(count);
    }
    stream.cancel().await;
}
