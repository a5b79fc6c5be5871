//! The engines of one process, their tick, and the tokio runtime that Wasmtime's clocks ask for.

use crate::bridge::ThreadGuard;
use crate::bridge::ffi::RuntimeOptions;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result,
    error::Context as _,
};

/// Bytes of a slot's memory that are reset in place rather than handed back to the kernel.
const MEMORY_KEPT: usize = 2 << 20;
const TABLE_KEPT: usize = 512 << 10;
/// Core memories and tables one component may bring; adapters and shims bring their own.
const MEMORIES_PER_COMPONENT: u32 = 20;
const TABLES_PER_COMPONENT: u32 = 40;
const CORE_INSTANCES_PER_COMPONENT: u32 = 200;
/// The most table elements one core table of a pooled instance may hold.
const TABLE_ELEMENTS: usize = 200_000;
/// What a memory has room to grow by before it moves, where address space is short.
const GROWTH: u64 = 1 << 20;
/// What one core instance's and one component instance's own bookkeeping may take.
const INSTANCE_BYTES: usize = 4 << 20;
/// A wasm stack, and the fiber's stack around it: host code runs on what is between the two.
const WASM_STACK: usize = 512 << 10;
const FIBER_STACK: usize = 2 << 20;

/// Which engine a program is compiled for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EngineKind {
    /// Whether the program uses the component model's async parts. One that does not is spared
    /// their bookkeeping on every host call.
    pub concurrent: bool,
    /// Whether its memories fit pool slots.
    pub pooled: bool,
}

impl EngineKind {
    fn index(self) -> usize {
        usize::from(self.concurrent) * 2 + usize::from(self.pooled)
    }
}

pub struct Runtime {
    options: RuntimeOptions,
    engines: [OnceLock<Engine>; 4],
    /// Held while an engine is made, so that two threads do not make the same one.
    making: Mutex<()>,
    ticking: Arc<Ticking>,
    note: Mutex<String>,
}

/// Between ticks while no guest runs: the first slice of the next one may be so long.
const IDLE_TICK: Duration = Duration::from_millis(20);

struct Ticking {
    stop: AtomicBool,
    engines: Mutex<Vec<wasmtime::EngineWeak>>,
}

pub fn runtime_new(options: &RuntimeOptions) -> Result<Box<Runtime>> {
    crate::task::guarded(|| {
        // Wasmtime takes a backtrace for every store that is dropped with a fiber when this is set.
        // SAFETY: the runtime is made before the process starts its threads (bridge.rs says so).
        unsafe { std::env::remove_var("RUST_BACKTRACE") };
        let ticking = Arc::new(Ticking { stop: AtomicBool::new(false), engines: Mutex::default() });
        let period = Duration::from_millis(u64::from(options.tick_ms.max(1)));
        let ticker = ticking.clone();
        std::thread::Builder::new()
            .name("weft-tick".into())
            .spawn(move || {
                while !ticker.stop.load(Ordering::Relaxed) {
                    let idle = !crate::state::take_polled();
                    std::thread::sleep(if idle { period.max(IDLE_TICK) } else { period });
                    for engine in ticker.engines.lock().unwrap().iter() {
                        if let Some(engine) = engine.upgrade() {
                            engine.increment_epoch();
                        }
                    }
                }
            })
            .context("starting the tick thread")?;
        Ok(Box::new(Runtime {
            options: RuntimeOptions { ..*options },
            engines: Default::default(),
            making: Mutex::default(),
            ticking,
            note: Mutex::default(),
        }))
    })
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.ticking.stop.store(true, Ordering::Relaxed);
    }
}

/// The process's tokio: one worker, for files, sockets and timers of wasmtime-wasi. It lives as
/// long as the process, because loop threads hold its context for life.
fn tokio_handle() -> &'static tokio::runtime::Handle {
    static TOKIO: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    TOKIO
        .get_or_init(|| {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .max_blocking_threads(16)
                .thread_name("weft-wasi")
                .enable_all()
                .build()
                .expect("tokio's runtime starts where threads can be started")
        })
        .handle()
}

impl Runtime {
    pub fn enter_thread(&self) -> Box<ThreadGuard> {
        Box::new(ThreadGuard { _guard: tokio_handle().enter() })
    }

    pub fn fallback_note(&self) -> String {
        self.note.lock().unwrap().clone()
    }

    /// The engine for `kind`, made at first use. Where the pool's address space cannot be had, the
    /// engine allocates on demand and the note says so.
    pub fn engine(&self, kind: EngineKind) -> Result<&Engine> {
        let cell = &self.engines[kind.index()];
        if let Some(engine) = cell.get() {
            return Ok(engine);
        }
        let _making = self.making.lock().unwrap();
        if let Some(engine) = cell.get() {
            return Ok(engine);
        }
        let engine = self.make_engine(kind)?;
        self.ticking.engines.lock().unwrap().push(engine.weak());
        Ok(cell.get_or_init(|| engine))
    }

    fn make_engine(&self, kind: EngineKind) -> Result<Engine> {
        if !kind.pooled {
            return Engine::new(&self.config(kind, 0));
        }
        let mut instances = self.options.instances_max.max(1);
        loop {
            match Engine::new(&self.config(kind, instances)) {
                Ok(engine) => {
                    if instances < self.options.instances_max {
                        self.add_note(&format!(
                            "address space is short: room for {instances} instances at once \
                             instead of {}",
                            self.options.instances_max
                        ));
                    }
                    return Ok(engine);
                }
                Err(_) if instances > 8 => instances /= 4,
                Err(error) => {
                    self.add_note(&format!(
                        "address space is short: instances are allocated on demand, which is \
                         slower ({error:#}); raise `ulimit -v`"
                    ));
                    let mut config = self.config(EngineKind { pooled: false, ..kind }, 0);
                    // A memory takes what it has, and moves when it grows.
                    config
                        .memory_reservation(0)
                        .memory_reservation_for_growth(GROWTH)
                        .memory_guard_size(0);
                    return Engine::new(&config);
                }
            }
        }
    }

    fn add_note(&self, text: &str) {
        let mut note = self.note.lock().unwrap();
        if !note.contains(text) {
            if !note.is_empty() {
                note.push_str("; ");
            }
            note.push_str(text);
        }
    }

    fn config(&self, kind: EngineKind, instances: u32) -> Config {
        let mut config = Config::new();
        config.epoch_interruption(true);
        config.wasm_component_model(true);
        // One interface imported more than once, each time under a name of its own.
        config.wasm_component_model_implements(true);
        config.concurrency_support(kind.concurrent);
        config.max_wasm_stack(WASM_STACK);
        config.async_stack_size(FIBER_STACK);
        config.wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Disable);
        config.memory_init_cow(true);
        config.parallel_compilation(!self.options.compile_alone);
        if kind.pooled {
            let mut pool = PoolingAllocationConfig::default();
            let memory = usize::try_from(self.options.memory_slot_bytes).unwrap_or(usize::MAX);
            pool.total_component_instances(instances)
                .total_core_instances(instances * 4)
                .total_memories(instances * 2)
                .total_tables(instances * 4)
                .total_stacks(instances)
                .max_memory_size(memory)
                .max_memories_per_component(MEMORIES_PER_COMPONENT)
                .max_memories_per_module(MEMORIES_PER_COMPONENT)
                .max_tables_per_module(TABLES_PER_COMPONENT)
                .max_tables_per_component(TABLES_PER_COMPONENT)
                .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
                .max_component_instance_size(INSTANCE_BYTES)
                .max_core_instance_size(INSTANCE_BYTES)
                .table_elements(TABLE_ELEMENTS)
                .linear_memory_keep_resident(MEMORY_KEPT)
                .table_keep_resident(TABLE_KEPT)
                .pagemap_scan(Enabled::Auto);
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        }
        config
    }
}
