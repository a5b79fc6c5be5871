//! Streams, futures and wasi:io's streams across the door. Each is a pipe of C++, of which the
//! guest's side holds one end here; the other end is found by the number in the bytes.
//!
//! A guest's end is dropped with the guest's handle, or with its store. What it wrote is whole
//! in the first case and cut off in the second: `PipesGuard` tells C++ which, and first.

use crate::bridge::ffi::{self, GuestHost, PipeKind, PipeSide};
use crate::loop_bound::LoopBound;
use crate::program::Resource;
use crate::state::State;
use crate::waker::CallWaker;
use crate::wasi_streams;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use wasmtime::component::{
    Destination, FutureConsumer, FutureProducer, FutureReader, Lift, Lower, Source, StreamConsumer,
    StreamProducer, StreamReader, StreamResult, VecBuffer,
};
use wasmtime::{AsContextMut, Result, StoreContextMut, bail, error::Context as _, format_err};
use weft_codec::{
    DynItem, Frame, FuncInfo, Handle, HandleKind, HandleRef, Payload, Plan, Slot, padded_u32,
    read_items,
};

/// The most items that one turn moves.
const ITEMS_AT_ONCE: usize = 256;

/// Which resources of one function are wasi:io's, by their numbers in its type.
#[derive(Default)]
pub struct Route {
    inputs: Vec<u32>,
    outputs: Vec<u32>,
    /// The component's own: of an export.
    defined: Vec<u32>,
}

/// How a function's handles cross; none where its bytes say it all. Refuses what cannot cross.
pub fn route(info: &FuncInfo, resources: &[Resource]) -> Result<Option<Arc<Route>>> {
    let mut route = Route::default();
    let mut carries = false;
    for kind in &info.handles {
        let (table, own) = match *kind {
            HandleKind::Own(table) => (table, true),
            HandleKind::Borrow(table) => (table, false),
            HandleKind::Stream(Payload::Handles) | HandleKind::Future(Payload::Handles) => bail!(
                "a stream or future of it has handles in its items, which the door does not carry"
            ),
            _ => {
                carries = true;
                continue;
            }
        };
        let ty = info.resources.iter().find(|(known, _)| *known == table).map(|(_, ty)| ty);
        // The first to import a resource is the interface that defines it.
        let Some(resource) = resources.iter().find(|each| Some(&each.ty) == ty) else {
            route.defined.push(table);
            carries = true;
            continue;
        };
        if !resource.wasi {
            continue;
        }
        let places = match resource.name.as_str() {
            _ if !resource.interface.starts_with("wasi:io/streams@") || !own => None,
            "input-stream" => Some(&mut route.inputs),
            "output-stream" => Some(&mut route.outputs),
            _ => None,
        };
        let Some(places) = places else {
            let (interface, name) = (&resource.interface, &resource.name);
            bail!(
                "it passes {}<{name}> of {interface}: of WASI's resources only input-stream and \
                 output-stream cross the door, and as own",
                if own { "own" } else { "borrow" },
            );
        };
        places.push(table);
        carries = true;
    }
    Ok(carries.then(|| Arc::new(route)))
}

/// The guest's end of a pipe.
pub struct Pipe {
    end: LoopBound<*mut ffi::PipeEnd>,
    _given: Option<Given>,
}

impl Pipe {
    /// A new pipe, and the number under which C++ finds its other end.
    pub fn open(
        host: &LoopBound<*mut GuestHost>,
        kind: PipeKind,
        side: PipeSide,
        given: Option<&Arc<Giving>>,
    ) -> Result<(Self, u32)> {
        let (mut number, mut problem) = (0, String::new());
        // SAFETY: the host outlives the store.
        let end = unsafe { ffi::pipe_open(*host.get(), kind, side, &mut number, &mut problem) };
        Ok((Self::of(end, problem, given)?, number))
    }

    /// The end that C++ sent on its way as `number`.
    fn take_up(
        host: &LoopBound<*mut GuestHost>,
        number: u32,
        kind: PipeKind,
        side: PipeSide,
    ) -> Result<Self> {
        let mut problem = String::new();
        // SAFETY: the host outlives the store.
        let end = unsafe { ffi::pipe_take_up(*host.get(), number, kind, side, &mut problem) };
        Self::of(end, problem, None)
    }

    fn of(end: *mut ffi::PipeEnd, problem: String, given: Option<&Arc<Giving>>) -> Result<Self> {
        if end.is_null() {
            bail!("{problem}");
        }
        Ok(Self { end: LoopBound::new(end), _given: given.map(|given| Given(given.clone())) })
    }

    // SAFETY of all below: the end is ours until the drop, one thread has both ends, and a view is
    // given up before anything moves the pipe: `take` wants it back; C++ does not run meanwhile.

    /// What there is to read: all the bytes, or one item. `Ok(None)` at the end, none for not yet.
    pub fn data(&self) -> Option<Result<Option<&[u8]>>> {
        let end = *self.end.get();
        unsafe {
            match ffi::pipe_state(end) {
                0 => None,
                1 => Some(Ok(Some(ffi::pipe_view(end)))),
                2 => Some(Ok(None)),
                _ => Some(Err(format_err!("{}", ffi::pipe_error(end)))),
            }
        }
    }
    pub fn poll_data(&self, cx: &Context<'_>) -> Poll<Result<Option<&[u8]>>> {
        match self.data() {
            Some(found) => Poll::Ready(found),
            None => {
                self.wait(cx);
                Poll::Pending
            }
        }
    }
    /// Removes that many bytes, or the one item.
    pub fn take(&mut self, count: usize) {
        unsafe { ffi::pipe_take(*self.end.get(), count) }
    }
    /// How much may be written now; none when nobody reads any more.
    pub fn room(&self) -> Option<usize> {
        usize::try_from(unsafe { ffi::pipe_room(*self.end.get()) }).ok()
    }
    pub fn poll_room(&self, cx: &Context<'_>) -> Poll<Option<usize>> {
        match self.room() {
            Some(0) => {
                self.wait(cx);
                Poll::Pending
            }
            room => Poll::Ready(room),
        }
    }
    /// Bytes that there is room for, or one item.
    pub fn write(&self, data: &[u8]) -> usize {
        unsafe { ffi::pipe_write(*self.end.get(), data) }
    }
    pub fn fail(&self, message: &str) {
        unsafe { ffi::pipe_fail(*self.end.get(), message) }
    }
    /// Stored anew at every poll: the first one may do nothing.
    pub fn wait(&self, cx: &Context<'_>) {
        unsafe { ffi::pipe_wait(*self.end.get(), CallWaker::of(cx)) }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // SAFETY: the one release of this end.
        unsafe { ffi::pipe_close(*self.end.get()) }
    }
}

/// Tells C++, before anything of the store goes, that what is written from here on is not whole.
pub struct PipesGuard(LoopBound<*mut GuestHost>);

impl PipesGuard {
    fn set(state: &mut State) {
        state.pipes.get_or_insert_with(|| Self(state.host.clone()));
    }
}

impl Drop for PipesGuard {
    fn drop(&mut self) {
        // SAFETY: the host outlives the store.
        unsafe { ffi::host_end_pipes(*self.0.get()) }
    }
}

/// What an export's reply gave and is not done yet.
#[derive(Default)]
pub struct Giving(Mutex<Option<Waker>>);
struct Given(Arc<Giving>);

impl Giving {
    pub fn poll_done(self: &Arc<Self>, cx: &Context<'_>) -> Poll<()> {
        if Arc::strong_count(self) == 1 {
            return Poll::Ready(());
        }
        *self.0.lock().unwrap() = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        if let Some(waker) = self.0.0.lock().unwrap().take() {
            waker.wake();
        }
    }
}

/// Numbers given to pipes for one call. C++ has taken them by the time this is dropped, or nobody
/// ever will.
pub struct Adopted {
    host: LoopBound<*mut GuestHost>,
    numbers: Vec<u32>,
}

impl Drop for Adopted {
    fn drop(&mut self) {
        for number in &self.numbers {
            // SAFETY: the host outlives the store, and calls do not outlive that.
            unsafe { ffi::pipe_forget(*self.host.get(), *number) }
        }
    }
}

/// Pipes what the guest handed over, and writes each pipe's number into the bytes.
pub fn adopt(
    mut store: StoreContextMut<'_, State>,
    frame: &mut Frame,
    slots: Vec<Slot>,
    given: Option<&Arc<Giving>>,
) -> Result<Adopted> {
    PipesGuard::set(store.data_mut());
    let host = store.data().host.clone();
    let mut adopted = Adopted { host: host.clone(), numbers: Vec::new() };
    for Slot { at, handle } in slots {
        macro_rules! piped {
            ($kind:ident, $end:ident, $item:ty) => {{
                let (pipe, number) = Pipe::open(&host, PipeKind::$kind, PipeSide::Writes, given)?;
                $end.pipe(&mut store, FromGuest::<$item>::new(pipe))?;
                number
            }};
        }
        let number = match handle {
            Handle::StreamU8(end) => piped!(Bytes, end, u8),
            Handle::Stream(end) => piped!(Items, end, DynItem),
            Handle::StreamUnit(end) => piped!(Items, end, ()),
            Handle::Future(end) => piped!(One, end, DynItem),
            Handle::FutureUnit(end) => piped!(One, end, ()),
            Handle::Resource(resource) => {
                match wasi_streams::adopt(store.as_context_mut(), resource, given)? {
                    Some(number) => number,
                    None => {
                        let number = store.data_mut().held.push(resource);
                        frame.bytes_mut()[at..at + 5].copy_from_slice(&padded_u32(number));
                        continue;
                    }
                }
            }
        };
        adopted.numbers.push(number);
        frame.bytes_mut()[at..at + 5].copy_from_slice(&padded_u32(number));
    }
    Ok(adopted)
}

fn handles_in(plan: &Plan, bytes: &[u8]) -> Result<Vec<HandleRef>> {
    let mut found = Vec::new();
    plan.scan(bytes, &mut |each| {
        found.push(each);
        Ok(())
    })?;
    Ok(found)
}

/// Takes up the pipes that are named in bytes for the guest, as what their type says they are.
pub fn give(
    mut store: StoreContextMut<'_, State>,
    route: &Route,
    plan: &Plan,
    bytes: &[u8],
) -> Result<Vec<Handle>> {
    PipesGuard::set(store.data_mut());
    let host = store.data().host.clone();
    let mut handles = Vec::new();
    for HandleRef { kind, number, .. } in handles_in(plan, bytes)? {
        let take_up = |kind, side| Pipe::take_up(&host, number, kind, side);
        macro_rules! reader {
            ($kind:ident, $reader:ident, $item:ty) => {{
                let pipe = take_up(PipeKind::$kind, PipeSide::Reads)?;
                $reader::new(&mut store, ToGuest::<$item>::new(pipe))?
            }};
        }
        handles.push(match kind {
            HandleKind::Stream(Payload::Bytes) => {
                Handle::StreamU8(reader!(Bytes, StreamReader, u8))
            }
            HandleKind::Stream(Payload::Unit) => {
                Handle::StreamUnit(reader!(Items, StreamReader, ()))
            }
            HandleKind::Stream(_) => Handle::Stream(reader!(Items, StreamReader, DynItem)),
            HandleKind::Future(Payload::Unit) => Handle::FutureUnit(reader!(One, FutureReader, ())),
            HandleKind::Future(_) => Handle::Future(reader!(One, FutureReader, DynItem)),
            HandleKind::Own(table) if route.inputs.contains(&table) => {
                let pipe = take_up(PipeKind::Bytes, PipeSide::Reads)?;
                wasi_streams::give_input(store.as_context_mut(), pipe)?
            }
            HandleKind::Own(table) if route.outputs.contains(&table) => {
                let pipe = take_up(PipeKind::Bytes, PipeSide::Writes)?;
                wasi_streams::give_output(store.as_context_mut(), pipe)?
            }
            HandleKind::Own(table) if route.defined.contains(&table) => {
                let taken = store.data_mut().held.take(number);
                Handle::Resource(taken.context("the resource is gone")?)
            }
            HandleKind::Borrow(table) if route.defined.contains(&table) => {
                let lent = store.data().held.get(number);
                Handle::Resource(lent.context("the resource is gone")?)
            }
            HandleKind::Own(_) | HandleKind::Borrow(_) => continue,
        });
    }
    Ok(handles)
}

/// Drops the ends that are named in bytes which the guest will not see.
pub fn forget(host: &LoopBound<*mut GuestHost>, route: &Route, plan: &Plan, bytes: &[u8]) {
    for HandleRef { kind, number, .. } in handles_in(plan, bytes).unwrap_or_default() {
        let of_a_pipe = match kind {
            HandleKind::Own(table) => {
                route.inputs.contains(&table) || route.outputs.contains(&table)
            }
            HandleKind::Borrow(_) => false,
            HandleKind::Stream(_) | HandleKind::Future(_) => true,
        };
        if of_a_pipe {
            // SAFETY: the host outlives the store.
            unsafe { ffi::pipe_forget(*host.get(), number) }
        }
    }
}

/// What a typed pipe carries: an encoded item, or an item without content.
pub trait Item: Lift + Lower + Send + Sync + Sized + 'static {
    fn of(bytes: &[u8]) -> Self;
    fn bytes(&self) -> &[u8];
    fn read(
        source: &mut Source<'_, Self>,
        store: StoreContextMut<'_, State>,
        max: usize,
    ) -> Result<Vec<Self>>;
}

impl Item for DynItem {
    fn of(bytes: &[u8]) -> Self {
        DynItem { bytes: bytes.to_vec(), handles: Vec::new() }
    }
    fn bytes(&self) -> &[u8] {
        &self.bytes
    }
    fn read(
        source: &mut Source<'_, Self>,
        store: StoreContextMut<'_, State>,
        max: usize,
    ) -> Result<Vec<Self>> {
        read_items(source, store, max)
    }
}

impl Item for () {
    fn of(_: &[u8]) -> Self {}
    fn bytes(&self) -> &[u8] {
        &[]
    }
    /// One at a time: a vector of nothing has room for ever.
    fn read(
        source: &mut Source<'_, ()>,
        mut store: StoreContextMut<'_, State>,
        max: usize,
    ) -> Result<Vec<()>> {
        let count = source.remaining(&mut store).min(max);
        for _ in 0..count {
            source.read(&mut store, &mut None::<()>)?;
        }
        Ok(vec![(); count])
    }
}

/// Gives a guest what C++ writes. Nothing is taken from the pipe before the guest has room for it.
struct ToGuest<T>(Pipe, PhantomData<fn() -> T>);
/// Puts what a guest writes into the pipe. Nothing is taken from the guest before there is room.
struct FromGuest<T>(Pipe, PhantomData<fn() -> T>);

impl<T> ToGuest<T> {
    fn new(pipe: Pipe) -> Self {
        Self(pipe, PhantomData)
    }
}
impl<T> FromGuest<T> {
    fn new(pipe: Pipe) -> Self {
        Self(pipe, PhantomData)
    }
}

/// Waits, unless the guest is giving up what it waits for.
fn not_yet(finish: bool) -> Poll<Result<StreamResult>> {
    if finish { Poll::Ready(Ok(StreamResult::Cancelled)) } else { Poll::Pending }
}

impl StreamProducer<State> for ToGuest<u8> {
    type Item = u8;
    type Buffer = VecBuffer<u8>;
    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'a, State>,
        destination: Destination<'a, u8, VecBuffer<u8>>,
        finish: bool,
    ) -> Poll<Result<StreamResult>> {
        let data = match self.0.poll_data(cx)? {
            Poll::Pending => return not_yet(finish),
            Poll::Ready(None) => return Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Ready(Some(data)) => data,
        };
        let mut destination = destination.as_direct(store, data.len());
        let room = destination.remaining();
        let count = room.len().min(data.len());
        room[..count].copy_from_slice(&data[..count]);
        destination.mark_written(count);
        self.0.take(count);
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

impl<T: Item> StreamProducer<State> for ToGuest<T> {
    type Item = T;
    type Buffer = VecBuffer<T>;
    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'a, State>,
        mut destination: Destination<'a, T, VecBuffer<T>>,
        finish: bool,
    ) -> Poll<Result<StreamResult>> {
        match self.0.poll_data(cx)? {
            Poll::Pending => return not_yet(finish),
            Poll::Ready(None) => return Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Ready(Some(_)) => {}
        }
        let room = destination.remaining(store).unwrap_or(ITEMS_AT_ONCE).min(ITEMS_AT_ONCE);
        let mut items = Vec::new();
        while items.len() < room
            && let Some(Ok(Some(item))) = self.0.data()
        {
            items.push(T::of(item));
            self.0.take(1);
        }
        destination.set_buffer(items.into());
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

impl<T: Item> FutureProducer<State> for ToGuest<T> {
    type Item = T;
    fn poll_produce(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _store: StoreContextMut<'_, State>,
        finish: bool,
    ) -> Poll<Result<Option<T>>> {
        match self.0.poll_data(cx)? {
            Poll::Pending if finish => Poll::Ready(Ok(None)),
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => Poll::Ready(Err(format_err!("a future that has no value"))),
            Poll::Ready(Some(item)) => {
                let item = T::of(item);
                self.0.take(1);
                Poll::Ready(Ok(Some(item)))
            }
        }
    }
}

impl StreamConsumer<State> for FromGuest<u8> {
    type Item = u8;
    fn poll_consume(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<State>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<Result<StreamResult>> {
        match self.0.poll_room(cx) {
            Poll::Pending => return not_yet(finish),
            Poll::Ready(None) => return Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Ready(Some(_)) => {}
        }
        let mut source = source.as_direct(store);
        let count = self.0.write(source.remaining());
        source.mark_read(count);
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

impl<T: Item> StreamConsumer<State> for FromGuest<T> {
    type Item = T;
    fn poll_consume(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<State>,
        mut source: Source<'_, T>,
        finish: bool,
    ) -> Poll<Result<StreamResult>> {
        let room = match self.0.poll_room(cx) {
            Poll::Pending => return not_yet(finish),
            Poll::Ready(None) => return Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Ready(Some(room)) => room.min(ITEMS_AT_ONCE),
        };
        for item in T::read(&mut source, store, room)? {
            self.0.write(item.bytes());
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

impl<T: Item> FutureConsumer<State> for FromGuest<T> {
    type Item = T;
    fn poll_consume(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        store: StoreContextMut<State>,
        mut source: Source<'_, T>,
        _finish: bool,
    ) -> Poll<Result<()>> {
        // A pipe of one item has room for it, and takes it also when nobody reads.
        for item in T::read(&mut source, store, 1)? {
            self.0.write(item.bytes());
        }
        Poll::Ready(Ok(()))
    }
}
