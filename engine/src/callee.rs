//! One instance whose exports C++ calls, any number of times: what a link to a component, and one
//! call from the command line, are made of.

use crate::bridge::ffi::{self, GuestHost, Outcome, ReplySink, Spent, WakeKey};
use crate::loop_bound::LoopBound;
use crate::pipes::{self, Giving};
use crate::program::{Linked, LinkedExport, Shared};
use crate::state::{self, Meter, State};
use crate::task::{Finish, Task};
use futures::stream::{FuturesUnordered, Stream};
use std::cell::Cell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use wasmtime::component::{Accessor, Func, Instance};
use wasmtime::{AsContextMut, Result, Store, StoreContextMut, error::Context as _};
use weft_codec::{DynArgs, DynRet, Frame, Handle, Slot, with_flats};

/// Resources that wait to be dropped while calls go on; with more of them no call begins. As many
/// as a component may have open at most: what is lower would let one caller hold up the others.
const DROPS_MAX: usize = 65_536;

/// What C++ and the instance's future share. One thread uses it; the locks are for `Send`. Nothing
/// here wakes: C++ polls after each call, drop and retire.
#[derive(Default)]
struct Queue {
    waiting: Mutex<VecDeque<Call>>,
    /// Resources of the instance's own that nobody holds any more.
    dropped: Mutex<Vec<u32>>,
    retired: AtomicBool,
    /// Set by the last poll: no call is in it, and its guest goes on all the same.
    lingers: AtomicBool,
}

struct Call {
    function: u32,
    arguments: Vec<u8>,
    sink: Arc<Sink>,
}

/// Where a reply goes, until C++ gives the call up.
struct Sink(LoopBound<Cell<*mut ReplySink>>);

pub struct Callee {
    queue: Arc<Queue>,
    task: Box<Task>,
    sinks: Vec<Arc<Sink>>,
}

/// # Safety
/// `host` outlives the callee.
pub unsafe fn callee_new(linked: &Linked, host: *mut GuestHost, wake: WakeKey) -> Box<Callee> {
    let shared = linked.shared.clone();
    let queue = Arc::new(Queue::default());
    // To be made: calls bring their own.
    let meter = state::new_meter(shared.limits.cpu_ns);
    let component = shared.component.clone();
    let future = serve(shared, queue.clone(), LoopBound::new(host), meter.clone());
    let task = Task::new(Box::pin(future), wake, meter.clone(), component, None);
    Box::new(Callee { queue, task, sinks: Vec::new() })
}

/// One call in an instance of its own.
///
/// # Safety
/// `host` and `sink` outlive the task.
pub unsafe fn start_export(
    linked: &Linked,
    host: *mut GuestHost,
    function: u32,
    arguments: &[u8],
    sink: *mut ReplySink,
    wake: WakeKey,
) -> Box<Task> {
    // SAFETY: as said above.
    let mut callee = unsafe { callee_new(linked, host, wake) };
    // SAFETY: as said above.
    unsafe { callee.call(function, arguments, sink) };
    callee.retire();
    callee.task
}

impl Callee {
    /// # Safety
    /// `sink` lives until the reply has come, it is given up, or the callee is dropped.
    pub unsafe fn call(&mut self, function: u32, arguments: &[u8], sink: *mut ReplySink) {
        let sink = Arc::new(Sink(LoopBound::new(Cell::new(sink))));
        self.sinks.retain(|each| !each.0.get().get().is_null());
        self.sinks.push(sink.clone());
        let call = Call { function, arguments: arguments.to_vec(), sink };
        self.queue.waiting.lock().unwrap().push_back(call);
    }

    pub fn give_up(&mut self, sink: *const ReplySink) {
        for each in &self.sinks {
            if std::ptr::eq(each.0.get().get(), sink) {
                each.0.get().set(std::ptr::null_mut());
            }
        }
    }

    pub fn drop_resource(&mut self, number: u32) {
        self.queue.dropped.lock().unwrap().push(number);
    }

    pub fn retire(&mut self) {
        self.queue.retired.store(true, Relaxed);
    }

    pub fn poll(&mut self) -> bool {
        self.task.poll()
    }

    pub fn lingers(&self) -> bool {
        self.queue.lingers.load(Relaxed)
    }

    pub fn outcome(&self) -> Outcome {
        self.task.outcome()
    }

    pub fn spent(&self) -> Spent {
        self.task.spent()
    }
}

impl Queue {
    /// The next call; none when there is something else to do first, or nothing any more. What
    /// was dropped before a call was made goes before it, where no other is `busy`, or too much
    /// waits for those.
    fn poll_next(&self, busy: bool) -> Poll<Option<Call>> {
        let dropped = self.dropped.lock().unwrap().len();
        if (dropped > 0 && !busy) || dropped >= DROPS_MAX {
            return Poll::Ready(None);
        }
        match self.waiting.lock().unwrap().pop_front() {
            Some(call) => Poll::Ready(Some(call)),
            None if dropped > 0 || self.retired.load(Relaxed) => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
    fn is_over(&self) -> bool {
        self.retired.load(Relaxed) && self.waiting.lock().unwrap().is_empty()
    }
}

/// The instance's whole life: made at the first poll, ended when it is retired and empty.
async fn serve(
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    host: LoopBound<*mut GuestHost>,
    meter: Arc<Meter>,
) -> Result<Finish> {
    let mut store =
        state::new_store(&shared.engine, &shared.limits, &shared.grants, &host, &meter)?;
    let instance = shared.pre.instantiate_async(&mut store).await?;
    let exports =
        Exports { found: Mutex::new(vec![None; shared.exports.len()]), instance, shared, meter };
    while !queue.is_over() {
        let dropped = std::mem::take(&mut *queue.dropped.lock().unwrap());
        for number in dropped {
            if let Some(resource) = store.data_mut().held.take(number) {
                resource.resource_drop_async(&mut store).await?;
            }
        }
        if exports.shared.concurrent {
            store.run_concurrent(async |accessor| exports.serve(accessor, &queue).await).await??;
        } else if let Some(call) = poll_fn(|_| queue.poll_next(false)).await {
            exports.run_alone(&mut store, call).await?;
        }
    }
    Ok(Finish::Done)
}

struct Exports {
    shared: Arc<Shared>,
    instance: Instance,
    found: Mutex<Vec<Option<Func>>>,
    meter: Arc<Meter>,
}

impl Exports {
    /// Calls, as many at once as come, until there is something else to do and none is left.
    async fn serve(&self, accessor: &Accessor<State>, queue: &Queue) -> Result<()> {
        let mut calls = pin!(FuturesUnordered::new());
        poll_fn(|cx| {
            loop {
                match calls.as_mut().poll_next(cx) {
                    Poll::Ready(Some(Ok(()))) => continue,
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                    Poll::Ready(None) | Poll::Pending => {}
                }
                let lingers =
                    calls.is_empty() && accessor.poll_no_interesting_tasks(cx).is_pending();
                queue.lingers.store(lingers, Relaxed);
                match queue.poll_next(!calls.is_empty()) {
                    Poll::Ready(Some(call)) => {
                        self.meter.allow(self.shared.limits.cpu_ns, calls.len() as u32 + 1);
                        calls.push(self.run(accessor, call));
                    }
                    Poll::Ready(None) if calls.is_empty() => return Poll::Ready(Ok(())),
                    Poll::Ready(None) | Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }

    async fn run(&self, accessor: &Accessor<State>, mut call: Call) -> Result<()> {
        let (func, export, handles) =
            accessor.with(|mut access| self.prepare(access.as_context_mut(), &call))?;
        with_flats!(export.info.return_flat, M => {
            let func =
                accessor.with(|access| func.typed::<DynArgs<Vec<u8>>, DynRet<M>>(access))?;
            let arguments = DynArgs::with(std::mem::take(&mut call.arguments), handles);
            let reply = func.call_concurrent(accessor, arguments).await?;
            let giving = accessor.with(|mut access| {
                call.answer(access.as_context_mut(), export, reply.frame, reply.handles)
            })?;
            poll_fn(|cx| giving.poll_done(cx)).await;
            Ok(())
        })
    }

    async fn run_alone(&self, store: &mut Store<State>, mut call: Call) -> Result<()> {
        self.meter.allow(self.shared.limits.cpu_ns, 1);
        let (func, export, handles) = self.prepare(store.as_context_mut(), &call)?;
        with_flats!(export.info.return_flat, M => {
            let func = func.typed::<DynArgs<Vec<u8>>, DynRet<M>>(&mut *store)?;
            let arguments = DynArgs::with(std::mem::take(&mut call.arguments), handles);
            let reply = func.call_async(&mut *store, arguments).await?;
            let giving = call.answer(store.as_context_mut(), export, reply.frame, reply.handles)?;
            poll_fn(|cx| giving.poll_done(cx)).await;
            Ok(())
        })
    }

    /// The function, and the handles in the arguments, which are checked to be what its type says.
    fn prepare(
        &self,
        mut store: StoreContextMut<'_, State>,
        call: &Call,
    ) -> Result<(Func, &LinkedExport, Vec<Handle>)> {
        let number = call.function as usize;
        let export =
            self.shared.exports.get(number).context("there is no export of that number")?;
        let what = || format!("{}#{}: {}", export.interface, export.name, export.info.signature);
        let route = export.route.as_ref().map_err(|why| wasmtime::format_err!("{why}"));
        let route = route.with_context(what)?;
        export.info.params.check(&call.arguments).context("the arguments")?;
        let mut found = self.found.lock().unwrap();
        let func = match found[number] {
            Some(func) => func,
            None => *found[number].insert(find(&self.instance, store.as_context_mut(), export)?),
        };
        let handles = match route {
            Some(route) => pipes::give(store, route, &export.info.params, &call.arguments)?,
            None => Vec::new(),
        };
        Ok((func, export, handles))
    }
}

fn find(
    instance: &Instance,
    mut store: StoreContextMut<'_, State>,
    export: &LinkedExport,
) -> Result<Func> {
    let LinkedExport { interface, name, .. } = export;
    let mut index = |parent: Option<&_>, name: &str| {
        let index = instance.get_export_index(&mut store, parent, name);
        index.context("the export is gone")
    };
    let parent = if interface.is_empty() { None } else { Some(index(None, interface)?) };
    let index = index(parent.as_ref(), name)?;
    instance.get_func(&mut store, index).context("the export is no function")
}

impl Call {
    /// Hands the reply over; what comes back waits for the streams in it.
    fn answer(
        &self,
        store: StoreContextMut<'_, State>,
        export: &LinkedExport,
        mut frame: Frame,
        slots: Vec<Slot>,
    ) -> Result<Arc<Giving>> {
        let giving = Arc::new(Giving::default());
        let plain = matches!(export.route, Ok(None));
        let _adopted = match plain {
            true => None,
            false => Some(pipes::adopt(store, &mut frame, slots, Some(&giving))?),
        };
        let sink = self.sink.0.get().replace(std::ptr::null_mut());
        if !sink.is_null() {
            // SAFETY: nobody gave it up, so it is there, and it reads only during the call.
            unsafe { ffi::sink_reply(sink, frame.bytes()) }
        }
        Ok(giving)
    }
}
