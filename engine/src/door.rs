//! Imports of a guest that C++ serves: each becomes a function name plus bytes.

use crate::bridge::ffi;
use crate::loop_bound::LoopBound;
use crate::program::{Import, Program};
use crate::state::{self, State};
use crate::waker::CallWaker;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use wasmtime::component::{Accessor, Linker, LinkerInstance, ResourceType};
use wasmtime::{Result, StoreContextMut, error::Context as _};
use weft_codec::{DynIn, DynOut, Reply, with_flats};

/// Defines every function that `serve` names, and the resources of their interfaces.
pub fn add_to_linker(linker: &mut Linker<State>, program: &Program, serve: &[bool]) -> Result<()> {
    let served = |index: usize| serve.get(index).copied().unwrap_or(false);
    let mut interfaces: Vec<&str> = Vec::new();
    let functions = program.imports.iter().enumerate().filter(|(index, _)| served(*index));
    let resources = program.resources.iter().filter(|each| !each.wasi);
    for interface in functions
        .map(|(_, import)| import.interface.as_str())
        // An interface may be imported for its resources' sake alone.
        .chain(resources.map(|resource| resource.interface.as_str()))
    {
        if !interfaces.contains(&interface) {
            interfaces.push(interface);
        }
    }
    for interface in interfaces {
        let mut instance =
            if interface.is_empty() { linker.root() } else { linker.instance(interface)? };
        for resource in program.resources.iter().filter(|each| each.interface == interface) {
            let ty = ResourceType::host_dynamic(resource.id);
            instance.resource(&resource.name, ty, |store, rep| {
                state::drop_resource(store.data(), rep);
                Ok(())
            })?;
        }
        for (index, import) in program.imports.iter().enumerate() {
            if served(index) && import.interface == interface {
                define(&mut instance, index as u32, import)
                    .with_context(|| format!("{interface}#{}", import.name))?;
            }
        }
    }
    Ok(())
}

fn define(instance: &mut LinkerInstance<'_, State>, index: u32, import: &Import) -> Result<()> {
    let info = &import.info;
    if info.signature.contains("stream<") || info.signature.contains("future<") {
        wasmtime::bail!("it passes streams or futures, which the door does not carry yet");
    }
    with_flats!(info.params_flat, N => match (info.is_async, info.results_flat) {
        (false, 0) => instance.func_wrap_async(&import.name, move |store, call: DynIn<N>| {
            wait::<0>(begin(&store, index, call))
        }),
        (false, _) => instance.func_wrap_async(&import.name, move |store, call: DynIn<N>| {
            wait::<1>(begin(&store, index, call))
        }),
        (true, 0) => instance.func_wrap_concurrent(&import.name, move |accessor, call: DynIn<N>| {
            Pin::from(wait::<0>(begin_concurrent(accessor, index, call)))
        }),
        (true, _) => instance.func_wrap_concurrent(&import.name, move |accessor, call: DynIn<N>| {
            Pin::from(wait::<1>(begin_concurrent(accessor, index, call)))
        }),
    })
}

/// A call in flight, or finished with its reply still in C++'s frame. Dropping it cancels or frees.
struct DoorCall(LoopBound<*mut ffi::Call>);

impl DoorCall {
    fn pointer(&self) -> *mut ffi::Call {
        *self.0.get()
    }
}

impl Reply for DoorCall {
    fn bytes(&self) -> &[u8] {
        // SAFETY: the frame is ours until the drop below, and finished: nobody writes to it.
        unsafe { ffi::call_reply(self.pointer()) }
    }
}

impl Drop for DoorCall {
    fn drop(&mut self) {
        // SAFETY: the one release of the caller's side.
        unsafe { ffi::call_release(self.pointer()) }
    }
}

fn begin<const N: usize>(
    store: &StoreContextMut<'_, State>,
    index: u32,
    call: DynIn<N>,
) -> DoorCall {
    start(store.data(), index, call.frame.bytes())
}

fn begin_concurrent<const N: usize>(
    accessor: &Accessor<State>,
    index: u32,
    call: DynIn<N>,
) -> DoorCall {
    accessor.with(|mut access| start(access.data_mut(), index, call.frame.bytes()))
}

fn start(state: &State, index: u32, arguments: &[u8]) -> DoorCall {
    // SAFETY: the host outlives the store; the arguments are borrowed for the call only, and C++
    // copies what it keeps.
    DoorCall(LoopBound::new(unsafe { ffi::call_begin(*state.host.get(), index, arguments) }))
}

type Waiting<'a, const M: usize> =
    Box<dyn Future<Output = Result<DynOut<M, DoorCall>>> + Send + 'a>;

fn wait<'a, const M: usize>(call: DoorCall) -> Waiting<'a, M> {
    Box::new(Wait { call: Some(call) })
}

struct Wait<const M: usize> {
    call: Option<DoorCall>,
}

impl<const M: usize> Future for Wait<M> {
    type Output = Result<DynOut<M, DoorCall>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let call = self.call.as_ref().expect("not polled after it was ready").pointer();
        // SAFETY: the frame is ours until `DoorCall` is dropped.
        match unsafe { ffi::call_state(call) } {
            1 => {}
            0 => {
                // The first poll may come with a waker that does nothing: each stores it anew.
                // SAFETY: as above.
                unsafe { ffi::call_wait(call, CallWaker::of(cx)) };
                return Poll::Pending;
            }
            _ => {
                // SAFETY: as above.
                let error = unsafe { ffi::call_error(call) };
                return Poll::Ready(Err(wasmtime::format_err!("{error}")));
            }
        }
        Poll::Ready(Ok(DynOut::new(self.call.take().expect("checked above"))))
    }
}
