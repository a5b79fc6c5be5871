//! Imports of a guest that C++ serves: each becomes a function name plus bytes.

use crate::bridge::ffi;
use crate::loop_bound::LoopBound;
use crate::pipes::{self, Route};
use crate::program::{Import, Program};
use crate::state::{self, State};
use crate::waker::CallWaker;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use wasmtime::component::{Accessor, Linker, LinkerInstance, ResourceType};
use wasmtime::{AsContextMut, Result, StoreContextMut, error::Context as _};
use weft_codec::{DynIn, DynOut, Frame, Reply, with_flats};

/// Defines every function that `serve` names, and the resources of their interfaces.
pub fn add_to_linker(linker: &mut Linker<State>, program: &Program, serve: &[bool]) -> Result<()> {
    let served = |index: usize| serve.get(index).copied().unwrap_or(false);
    let mut interfaces: Vec<&str> = Vec::new();
    let functions = program.imports.iter().enumerate().filter(|(index, _)| served(*index));
    // An interface that uses a resource of WASI's names it, and imports it from there.
    let of_wasi = |id| program.resources.iter().any(|each| each.wasi && each.id == id);
    let resources = program.resources.iter().filter(|each| !of_wasi(each.id));
    for interface in functions
        .map(|(_, import)| import.interface.as_str())
        // An interface may be imported for its resources' sake alone.
        .chain(resources.clone().map(|resource| resource.interface.as_str()))
    {
        if !interfaces.contains(&interface) {
            interfaces.push(interface);
        }
    }
    for interface in interfaces {
        let mut instance =
            if interface.is_empty() { linker.root() } else { linker.instance(interface)? };
        for resource in resources.clone().filter(|each| each.interface == interface) {
            let ty = ResourceType::host_dynamic(resource.id);
            instance.resource(&resource.name, ty, |store, rep| {
                state::drop_resource(store.data(), rep);
                Ok(())
            })?;
        }
        for (index, import) in program.imports.iter().enumerate() {
            if served(index) && import.interface == interface {
                let what = || format!("{interface}#{}: {}", import.name, import.info.signature);
                match pipes::route(&import.info, &program.resources).with_context(what)? {
                    None => define(&mut instance, index as u32, import).with_context(what)?,
                    Some(route) => define_carrying(&mut instance, index as u32, import, route)
                        .with_context(what)?,
                }
            }
        }
    }
    Ok(())
}

fn define(instance: &mut LinkerInstance<'_, State>, index: u32, import: &Import) -> Result<()> {
    let info = &import.info;
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

/// The same for a function with streams or futures: what the guest hands over becomes pipes before
/// the call begins, and what is answered becomes the guest's before the reply is lowered.
fn define_carrying(
    instance: &mut LinkerInstance<'_, State>,
    index: u32,
    import: &Import,
    route: Arc<Route>,
) -> Result<()> {
    let (info, name) = (&import.info, &import.name);
    let cargo = Arc::new(Cargo { route, results: info.results.clone() });
    macro_rules! plain {
        ($n:ident, $m:literal) => {
            instance.func_wrap_async(name, move |mut store, mut call: DynIn<$n>| {
                let cargo = cargo.clone();
                Box::new(async move {
                    let slots = std::mem::take(&mut call.handles);
                    let _adopted =
                        pipes::adopt(store.as_context_mut(), &mut call.frame, slots, None)?;
                    let begun = begin(&store, index, call);
                    let reply = CarryingReply::of(begun, &cargo, store.data()).await?;
                    reply.lowered::<$m>(store)
                })
            })
        };
    }
    macro_rules! concurrent {
        ($n:ident, $m:literal) => {
            instance.func_wrap_concurrent(name, move |accessor, mut call: DynIn<$n>| {
                let cargo = cargo.clone();
                Box::pin(async move {
                    let slots = std::mem::take(&mut call.handles);
                    let begun = accessor.with(|mut access| {
                        let mut store = access.as_context_mut();
                        let adopted =
                            pipes::adopt(store.as_context_mut(), &mut call.frame, slots, None)?;
                        let call = start(store.data(), index, call.frame);
                        Ok::<_, wasmtime::Error>((
                            adopted,
                            CarryingReply::of(call, &cargo, store.data()),
                        ))
                    });
                    let (_adopted, reply) = begun?;
                    let reply = reply.await?;
                    accessor.with(|mut access| reply.lowered::<$m>(access.as_context_mut()))
                })
            })
        };
    }
    with_flats!(info.params_flat, N => match (info.is_async, info.results_flat) {
        (false, 0) => plain!(N, 0),
        (false, _) => plain!(N, 1),
        (true, 0) => concurrent!(N, 0),
        (true, _) => concurrent!(N, 1),
    })
}

/// What is known of a function whose reply may name pipes.
struct Cargo {
    route: Arc<Route>,
    results: weft_codec::Plan,
}

/// A reply whose pipes are not the guest's yet. Dropped before that, it drops them.
struct CarryingReply {
    call: Option<DoorCall>,
    cargo: Arc<Cargo>,
    host: LoopBound<*mut ffi::GuestHost>,
}

impl CarryingReply {
    fn of(
        call: DoorCall,
        cargo: &Arc<Cargo>,
        state: &State,
    ) -> impl Future<Output = Result<Self>> + use<> {
        let reply = Self { call: Some(call), cargo: cargo.clone(), host: state.host.clone() };
        async move {
            poll_fn(|cx| poll_call(reply.call.as_ref().expect("it is being waited for"), cx))
                .await?;
            Ok(reply)
        }
    }

    fn lowered<const M: usize>(
        mut self,
        store: StoreContextMut<'_, State>,
    ) -> Result<DynOut<M, DoorCall>> {
        let bytes = self.call.as_ref().expect("it was waited for").bytes();
        let handles = pipes::give(store, &self.cargo.route, &self.cargo.results, bytes)?;
        Ok(DynOut::with(self.call.take().expect("as above"), handles))
    }
}

impl Drop for CarryingReply {
    fn drop(&mut self) {
        // SAFETY: the frame is ours until `DoorCall` is dropped.
        if let Some(call) = &self.call
            && unsafe { ffi::call_state(call.pointer()) } == 1
        {
            pipes::forget(&self.host, &self.cargo.route, &self.cargo.results, call.bytes());
        }
    }
}

/// A call in flight, or finished with its reply still in C++'s hands. Dropping it cancels or frees.
struct DoorCall {
    call: LoopBound<*mut ffi::Call>,
    /// The arguments: a call that finished at once may have lent them as its reply.
    _arguments: Frame,
}

impl DoorCall {
    fn pointer(&self) -> *mut ffi::Call {
        *self.call.get()
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
    start(store.data(), index, call.frame)
}

fn begin_concurrent<const N: usize>(
    accessor: &Accessor<State>,
    index: u32,
    call: DynIn<N>,
) -> DoorCall {
    accessor.with(|mut access| start(access.data_mut(), index, call.frame))
}

fn start(state: &State, index: u32, arguments: Frame) -> DoorCall {
    // SAFETY: the host outlives the store; the arguments go after the call does, and C++ copies
    // what it keeps of a call that goes on.
    let call = unsafe { ffi::call_begin(*state.host.get(), index, arguments.bytes()) };
    DoorCall { call: LoopBound::new(call), _arguments: arguments }
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

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = poll_call(self.call.as_ref().expect("not polled after it was ready"), cx);
        polled.map_ok(|()| DynOut::new(self.call.take().expect("checked above")))
    }
}

#[inline]
fn poll_call(call: &DoorCall, cx: &Context<'_>) -> Poll<Result<()>> {
    let call = call.pointer();
    // SAFETY: the frame is ours until `DoorCall` is dropped.
    match unsafe { ffi::call_state(call) } {
        1 => Poll::Ready(Ok(())),
        0 => {
            // The first poll may come with a waker that does nothing: each stores it anew.
            // SAFETY: as above.
            unsafe { ffi::call_wait(call, CallWaker::of(cx)) };
            Poll::Pending
        }
        _ => {
            // SAFETY: as above.
            let error = unsafe { ffi::call_error(call) };
            Poll::Ready(Err(wasmtime::format_err!("{error}")))
        }
    }
}
