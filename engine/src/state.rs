//! What a store carries: WASI's contexts, the limits, and the way to the C++ host.

use crate::bridge::ffi::{self, GuestHost, Limits, ReachedLimit, Stdio, WasiGrants};
use crate::loop_bound::LoopBound;
use crate::report::LimitReached;
use crate::stdio::GuestOutput;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use wasmtime::component::{ResourceAny, ResourceTable};
use wasmtime::{ResourceLimiter, Result, Store, UpdateDeadline, error::Context as _};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// Handles that one component may have open where its limits say nothing.
const HANDLES_MAX: usize = 65_536;
/// Bytes one host call may lift where the limits say nothing.
const HOSTCALL_BYTES: usize = 128 << 20;
/// From here on a poll is worth a system call to know what it used.
const LONG_POLL_NS: u64 = 200_000;
/// A poll that has run for less goes on at a tick.
const SHORT_POLL_NS: u64 = 500_000;
/// Ticks until a guest that computes yields to its loop.
const TICKS: u64 = 1;

pub struct State {
    /// Goes first: it says that whatever else goes with the store was cut off.
    pub pipes: Option<crate::pipes::PipesGuard>,
    pub table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: crate::outgoing::Hooks,
    pub host: LoopBound<*mut GuestHost>,
    pub meter: Arc<Meter>,
    /// Resources of the instance's own that its replies gave away, by number.
    pub held: Held,
    bounds: Bounds,
}

/// Numbers for what somebody outside holds. Freed ones are used again.
#[derive(Default)]
pub struct Held {
    all: Vec<Option<ResourceAny>>,
    free: Vec<u32>,
}

impl Held {
    pub fn push(&mut self, resource: ResourceAny) -> u32 {
        match self.free.pop() {
            Some(number) => {
                self.all[number as usize] = Some(resource);
                number
            }
            None => {
                self.all.push(Some(resource));
                (self.all.len() - 1) as u32
            }
        }
    }
    pub fn get(&self, number: u32) -> Option<ResourceAny> {
        *self.all.get(number as usize)?
    }
    pub fn take(&mut self, number: u32) -> Option<ResourceAny> {
        let resource = self.all.get_mut(number as usize)?.take()?;
        self.free.push(number);
        Some(resource)
    }
}

/// Counts the processor time of one store's polls. The store is borrowed by its future while it is
/// polled, so the one who polls holds the meter too. One thread uses it; the atomics are for
/// `Send`.
///
/// Asking for a thread's processor time is a system call, so a poll is timed with the monotonic
/// clock, which may count a wait for the processor as well. A poll in which a tick comes, or that
/// is long, asks the thread's own clock: it is charged no more than the thread used since that
/// clock was last asked. What another store's poll took inside this one, that of a component it
/// called, is that store's.
#[derive(Default)]
pub struct Meter {
    spent_ns: AtomicU64,
    poll_began_ns: AtomicU64,
    /// The thread's clock when the poll began; 0 while no tick has come in this poll.
    thread_began_ns: AtomicU64,
    /// Of polls inside the poll around this one, up to where this one began.
    inner_before_ns: AtomicU64,
    /// 0: no limit.
    limit_ns: AtomicU64,
    /// What the store's memories hold together, which does not shrink, and since when.
    memory_bytes: AtomicU64,
    memory_since_ns: AtomicU64,
    /// Bytes times milliseconds, up to then.
    memory_byte_ms: AtomicU64,
}

thread_local! {
    /// What the polls inside the present one took.
    static INNER_NS: Cell<u64> = const { Cell::new(0) };
    /// A guest was made to yield at a tick, and nobody has asked yet.
    static SLICE_OVER: Cell<bool> = const { Cell::new(false) };
}

/// A guest was polled since the ticks were last counted. Written where it is not so already: the
/// line stays shared between the loops' processors.
static POLLED: AtomicBool = AtomicBool::new(false);

/// Whether any guest was polled since this was last asked: where none was, nobody needs ticks soon.
pub fn take_polled() -> bool {
    POLLED.swap(false, Relaxed)
}

/// Whether a guest on this thread was made to yield at a tick since this was last asked.
pub fn take_slice_over() -> bool {
    SLICE_OVER.take()
}

impl Meter {
    pub fn spent(&self, ended: bool) -> ffi::Spent {
        let memory_bytes = self.memory_bytes.load(Relaxed);
        if !ended {
            self.hold(clock_ns(libc::CLOCK_MONOTONIC), memory_bytes);
        }
        ffi::Spent {
            cpu_ns: self.spent_ns.load(Relaxed),
            memory_bytes,
            memory_byte_ms: self.memory_byte_ms.load(Relaxed),
        }
    }
    /// From `now` on the memories hold so much; what they held until now is counted.
    fn hold(&self, now: u64, bytes: u64) {
        let time = now.saturating_sub(self.memory_since_ns.swap(now, Relaxed));
        let held = self.memory_bytes.swap(bytes, Relaxed);
        // KiB times nanoseconds; 1,024 bytes for 1,000,000 of those are 16 for 15,625.
        let byte_ms = (held >> 10).saturating_mul(time) / 15_625 * 16;
        self.memory_byte_ms.fetch_add(byte_ms, Relaxed);
    }
    /// The first memories are held from the beginning of the poll that makes them.
    fn grown(&self, bytes: u64) {
        let now = match self.memory_bytes.load(Relaxed) {
            0 => self.poll_began_ns.load(Relaxed),
            _ => clock_ns(libc::CLOCK_MONOTONIC),
        };
        self.hold(now, bytes);
    }
    /// At a tick within a poll: whether it has computed for long, so that others come first.
    /// One that began just before the tick has not.
    fn slice_is_over(&self) -> bool {
        let wall = clock_ns(libc::CLOCK_MONOTONIC) - self.poll_began_ns.load(Relaxed);
        let over = wall >= SHORT_POLL_NS;
        if over {
            SLICE_OVER.set(true);
        }
        over
    }
    pub fn begin(&self) {
        if !POLLED.load(Relaxed) {
            POLLED.store(true, Relaxed);
        }
        self.poll_began_ns.store(clock_ns(libc::CLOCK_MONOTONIC), Relaxed);
        self.thread_began_ns.store(0, Relaxed);
        self.inner_before_ns.store(INNER_NS.replace(0), Relaxed);
    }
    pub fn end(&self) {
        let now = clock_ns(libc::CLOCK_MONOTONIC);
        self.hold(now, self.memory_bytes.load(Relaxed));
        let wall = now - self.poll_began_ns.load(Relaxed);
        let poll = match self.thread_began_ns.load(Relaxed) {
            0 if wall < LONG_POLL_NS => wall,
            0 => thread_clock().1.min(wall),
            began => thread_clock().0 - began,
        };
        let inner = INNER_NS.replace(self.inner_before_ns.load(Relaxed) + poll);
        self.spent_ns.fetch_add(poll.saturating_sub(inner), Relaxed);
    }
    /// One more call in a reused instance brings `each_ns`. The `calls` in flight, this one among
    /// them, share what they bring; what ended calls have left is gone.
    pub fn allow(&self, each_ns: u64, calls: u32) {
        if each_ns == 0 {
            return;
        }
        let sum = self.limit_ns.load(Relaxed).saturating_add(each_ns);
        let share = each_ns.saturating_mul(calls.into());
        let most = self.spent_ns.load(Relaxed).saturating_add(share);
        self.limit_ns.store(sum.min(most), Relaxed);
    }
    /// At a tick within a poll: whether the limit is passed.
    fn exhausted(&self) -> bool {
        let limit = self.limit_ns.load(Relaxed);
        if limit == 0 {
            return false;
        }
        let (now, since) = thread_clock();
        if self.thread_began_ns.load(Relaxed) == 0 {
            let wall = clock_ns(libc::CLOCK_MONOTONIC) - self.poll_began_ns.load(Relaxed);
            self.thread_began_ns.store(now.saturating_sub(wall.min(since)).max(1), Relaxed);
        }
        let poll = (now - self.thread_began_ns.load(Relaxed)).saturating_sub(INNER_NS.get());
        self.spent_ns.load(Relaxed) + poll > limit
    }
}

/// What all core memories and all tables of a store hold together, and may.
struct Bounds {
    memory: Bound,
    table: Bound,
    meter: Arc<Meter>,
}

struct Bound {
    limit: ReachedLimit,
    what: &'static str,
    held: usize,
    max: usize,
    /// What was asked for beyond it, for the report.
    refused: Option<String>,
}

impl Bound {
    fn new(limit: ReachedLimit, what: &'static str, max: u64) -> Self {
        let max = if max == 0 { usize::MAX } else { max as usize };
        Self { limit, what, held: 0, max, refused: None }
    }
    /// A growth that is allowed counts, also when it fails after all: a guest could otherwise fail
    /// on purpose to be given back what it holds.
    fn grow(&mut self, from: usize, to: usize, maximum: Option<usize>) -> bool {
        let held = self.held.saturating_add(to.saturating_sub(from));
        if held > self.max {
            let Self { what, max, .. } = self;
            self.refused = Some(format!("asked for {held} {what} in all, its limit is {max}"));
            return false;
        }
        let allowed = maximum.is_none_or(|max| to <= max);
        if allowed {
            self.held = held;
        }
        allowed
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

/// The trap that ends a store which used up its processor time.
#[derive(Debug)]
pub struct CpuExhausted {
    pub limit_ns: u64,
}
impl std::fmt::Display for CpuExhausted {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "used up its processor time ({} ms)", self.limit_ns / 1_000_000)
    }
}
impl std::error::Error for CpuExhausted {}

pub fn new_meter(limit_ns: u64) -> Arc<Meter> {
    Arc::new(Meter { limit_ns: AtomicU64::new(limit_ns), ..Meter::default() })
}

/// A fresh store for one instance. `host` must outlive it.
pub fn new_store(
    engine: &wasmtime::Engine,
    limits: &Limits,
    grants: &WasiGrants,
    host: &LoopBound<*mut GuestHost>,
    meter: &Arc<Meter>,
) -> Result<Store<State>> {
    let handles = if limits.handles_max == 0 { HANDLES_MAX } else { limits.handles_max as usize };
    let mut table = ResourceTable::new();
    table.set_max_capacity(handles);
    let mut store = Store::new(
        engine,
        State {
            pipes: None,
            table,
            wasi: wasi_context(grants, host)?,
            http: WasiHttpCtx::new(),
            hooks: crate::outgoing::Hooks(host.clone()),
            host: host.clone(),
            meter: meter.clone(),
            held: Held::default(),
            bounds: Bounds {
                memory: Bound::new(ReachedLimit::Memory, "bytes of memory", limits.memory_bytes),
                table: Bound::new(ReachedLimit::Table, "table elements", limits.table_elements),
                meter: meter.clone(),
            },
        },
    );
    store.limiter(|state| &mut state.bounds);
    store.set_max_component_handles(handles);
    store.set_hostcall_fuel(if limits.hostcall_bytes == 0 {
        HOSTCALL_BYTES
    } else {
        limits.hostcall_bytes as usize
    });
    store.set_epoch_deadline(TICKS);
    let limit_ns = limits.cpu_ns;
    store.epoch_deadline_callback(move |mut cx| {
        if cx.data_mut().meter.exhausted() {
            return Err(wasmtime::Error::new(CpuExhausted { limit_ns }));
        }
        Ok(match cx.data_mut().meter.slice_is_over() {
            true => UpdateDeadline::Yield(TICKS),
            false => UpdateDeadline::Continue(TICKS),
        })
    });
    Ok(store)
}

impl State {
    /// What a refused growth was, when one was refused.
    pub fn refusal(&self) -> Option<LimitReached> {
        [&self.bounds.memory, &self.bounds.table].into_iter().find_map(|bound| {
            Some(LimitReached { limit: bound.limit, text: bound.refused.clone()? })
        })
    }
}

/// The processor time of this thread, and what it used of it since it was last asked.
fn thread_clock() -> (u64, u64) {
    thread_local!(static LAST: Cell<u64> = const { Cell::new(0) });
    let now = clock_ns(libc::CLOCK_THREAD_CPUTIME_ID);
    (now, now - LAST.replace(now))
}

fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both clocks exist on every Linux, and `time` is ours.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

impl ResourceLimiter for Bounds {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        let grown = self.memory.grow(current, desired, maximum);
        self.meter.grown(self.memory.held as u64);
        Ok(grown)
    }
    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        Ok(self.table.grow(current, desired, maximum))
    }
}

fn wasi_context(grants: &WasiGrants, host: &LoopBound<*mut GuestHost>) -> Result<WasiCtx> {
    let mut wasi = WasiCtxBuilder::new();
    if !grants.args.is_empty() {
        wasi.args(&grants.args);
    }
    for pair in &grants.env {
        wasi.env(&pair.name, &pair.value);
    }
    for folder in &grants.folders {
        let perms = if folder.read_only { FsPerms::ReadOnly } else { FsPerms::ReadWrite };
        wasi.preopened_dir(&folder.host, &folder.guest, perms)
            .with_context(|| format!("--dir: cannot open {}", folder.host))?;
    }
    let of_process = grants.stdio == Stdio::Inherit;
    if of_process {
        wasi.inherit_stdin();
    } else if !grants.input.is_empty() {
        wasi.stdin(MemoryInputPipe::new(grants.input.clone()));
    }
    if grants.stdio != Stdio::Closed {
        wasi.stdout(GuestOutput::new(host, 1, of_process));
        wasi.stderr(GuestOutput::new(host, 2, of_process));
    }
    crate::sockets::grant(&mut wasi, &grants.gate);
    Ok(wasi.build())
}

/// Drops a resource of the door when the guest drops its handle.
pub fn drop_resource(state: &State, rep: u32) {
    // SAFETY: the host outlives the store (new_store).
    unsafe { ffi::host_drop_resource(*state.host.get(), rep) }
}
