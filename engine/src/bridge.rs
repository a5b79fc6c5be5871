//! The whole surface between the two languages: what C++ calls here, what Rust calls there.
//!
//! C++ includes the header that `cxx` makes of this file; the functions under `extern "C++"` are
//! declared in src/engine/bridge_host.h and written in src/engine. Nothing else crosses.

use crate::callee::{Callee, callee_new, start_export};
use crate::command::start_command;
use crate::http_fresh::start_http;
use crate::http_worker::{Worker, worker_new};
use crate::inspect::inspect_program;
use crate::outgoing::OutgoingTransfer;
use crate::program::{
    Linked, Program, Source, program_compile, program_link, program_map, program_source,
};
use crate::runtime::{Runtime, runtime_new};
use crate::state::take_slice_over;
use crate::task::Task;
use crate::waker::CallWaker;
use crate::wit::{describe_wit, guest_bindings, make_component, write_standard_wit};

#[cxx::bridge(namespace = "weft::bridge")]
pub mod ffi {
    /// What a process may spend on instances; fixed when the runtime is made.
    struct RuntimeOptions {
        /// Instances that may live at once, in all programs together.
        instances_max: u32,
        /// The largest linear memory a pool slot holds; what needs more lives outside the pool.
        memory_slot_bytes: u64,
        /// Milliseconds between two ticks, at which a guest that computes yields to its loop.
        tick_ms: u32,
        /// Whether a program is compiled by the thread that asks for it, and by no others.
        compile_alone: bool,
    }

    /// What one instance may spend. 0 means no bound, unless it says otherwise.
    #[derive(Clone)]
    struct Limits {
        memory_bytes: u64,
        table_elements: u64,
        /// Processor time, of one fresh instance or of one reused instance's calls together.
        cpu_ns: u64,
        /// Bytes one host call may lift out of the guest; 0: 128 MiB.
        hostcall_bytes: u64,
        /// Handles open at once; 0: 65,536.
        handles_max: u32,
        /// For reused instances: calls at once.
        reuse_calls_at_once: u32,
    }

    #[derive(Clone)]
    struct Pair {
        name: String,
        value: String,
    }

    #[derive(Clone)]
    struct Folder {
        host: String,
        guest: String,
        read_only: bool,
    }

    enum Stdio {
        /// Reads nothing, writes go nowhere.
        Closed,
        /// The process's own.
        Inherit,
        /// Reads nothing; each line written goes to the host's log.
        Log,
    }

    /// What WASI's own interfaces grant an instance.
    #[derive(Clone)]
    struct WasiGrants {
        args: Vec<String>,
        env: Vec<Pair>,
        folders: Vec<Folder>,
        stdio: Stdio,
        /// Standard input, where it is not the process's own.
        input: Vec<u8>,
        /// What it may reach.
        gate: SharedPtr<NetGate>,
    }

    /// A request that a guest sends. The headers are flat, as an exchange's are.
    struct OutgoingRequest {
        method: String,
        scheme: String,
        authority: String,
        path: String,
        headers: Vec<u8>,
        /// 0: there is no body; -1: its length is not known.
        body_length: i64,
        /// 0: the host's own.
        connect_ms: u64,
        first_byte_ms: u64,
        between_bytes_ms: u64,
    }

    /// Why an outgoing request failed; HttpProblem of src/io/http_client says what each is.
    enum OutgoingProblem {
        Denied,
        Url,
        DnsTimeout,
        DnsError,
        ConnectionRefused,
        ConnectionTimeout,
        Unroutable,
        Unavailable,
        ConnectionLimit,
        TlsCertificate,
        TlsProtocol,
        Terminated,
        ReadTimeout,
        HeaderSize,
        Incomplete,
        Protocol,
        BodyBroken,
        Internal,
    }

    enum SocketUse {
        TcpBind,
        TcpListen,
        TcpAccept,
        TcpConnect,
        UdpBind,
        UdpSend,
        UdpReceive,
    }

    /// An address that a socket is about to use. IPv4 comes mapped into IPv6.
    struct SocketQuery {
        reason: SocketUse,
        ip: [u8; 16],
        is_v4: bool,
        port: u16,
    }

    struct SocketUses {
        tcp: bool,
        udp: bool,
    }

    enum ProgramKind {
        /// Exports no entry that weft knows.
        Library,
        Command02,
        Command03,
        Http02,
        Http03,
    }

    /// A function that a program imports.
    struct ImportedFunction {
        interface: String,
        /// The interface that is imported under a plain name; empty: it is none that has a name.
        implements: String,
        name: String,
        signature: String,
        is_async: bool,
        /// No handle, stream or future in its bytes.
        plain: bool,
        /// Wasmtime's own WASI crates serve it.
        wasi: bool,
    }

    struct ImportedResource {
        interface: String,
        name: String,
        wasi: bool,
    }

    struct ExportedFunction {
        interface: String,
        name: String,
        signature: String,
        is_async: bool,
        plain: bool,
    }

    struct ProgramInfo {
        kind: ProgramKind,
        functions: Vec<ImportedFunction>,
        resources: Vec<ImportedResource>,
        exports: Vec<ExportedFunction>,
    }

    /// A function that a file imports or exports. Without a name: an interface of types only.
    struct InspectedFunction {
        interface: String,
        name: String,
        signature: String,
        wasi: bool,
    }

    /// What made a file: `field` is `language`, `sdk` or `processed-by`.
    struct Producer {
        field: String,
        name: String,
        version: String,
    }

    /// What is in a file. With a `problem`, which says why it cannot be loaded, it has neither
    /// functions nor WIT.
    struct Inspection {
        kind: ProgramKind,
        producers: Vec<Producer>,
        imports: Vec<InspectedFunction>,
        exports: Vec<InspectedFunction>,
        wit: String,
        problem: String,
    }

    /// What a pipe carries, as PipeKind of src/door/pipe.h.
    enum PipeKind {
        Bytes,
        Items,
        One,
    }

    /// What the guest's side does at its end of a pipe.
    enum PipeSide {
        Reads,
        Writes,
    }

    /// How a task ended.
    enum Ending {
        /// It ran to its end.
        Done,
        /// A command left with `exit_code`.
        Exited,
        /// The guest trapped: `message` is the report.
        Trapped,
        /// A limit of its own ended it: `message` names it.
        Limited,
        /// As many instances live as the process may have.
        NoRoom,
        /// It could not be started, or the bridge failed: `message` says why.
        Failed,
    }

    /// Which limit it was that ended a guest.
    #[derive(Debug)]
    enum ReachedLimit {
        None,
        Cpu,
        Memory,
        Table,
    }

    struct Outcome {
        ending: Ending,
        limit: ReachedLimit,
        exit_code: i32,
        message: String,
    }

    /// What a guest used so far.
    struct Spent {
        cpu_ns: u64,
        /// The most that its memories held together.
        memory_bytes: u64,
        /// What they held, times the milliseconds that they did.
        memory_byte_ms: u64,
    }

    extern "Rust" {
        type Runtime;
        /// Makes the engines. Call once, after crash handlers are installed.
        fn runtime_new(options: &RuntimeOptions) -> Result<Box<Runtime>>;
        /// Must be held by each loop thread for its life: Wasmtime's clocks look for it.
        fn enter_thread(self: &Runtime) -> Box<ThreadGuard>;
        /// What the runtime had to give up on this machine, for people; empty: nothing.
        fn fallback_note(self: &Runtime) -> String;

        type ThreadGuard;

        /// Whether a guest on this thread was made to yield at a tick since this was last asked.
        fn take_slice_over() -> bool;

        type Source;
        /// Makes a component of a component, a WASI 0.1 module or their text form.
        fn program_source(bytes: &[u8]) -> Result<Box<Source>>;
        fn bytes(self: &Source) -> &[u8];
        /// Whether it uses the component model's async parts: it needs another engine.
        fn concurrent(self: &Source) -> bool;

        type Program;
        /// Compiles it. `pooled`: its memories fit the slots of the pool.
        fn program_compile(
            runtime: &Runtime,
            source: &Source,
            pooled: bool,
        ) -> Result<Box<Program>>;
        /// What was compiled, to be kept in a file that nobody else may write.
        fn artefact(self: &Program) -> Result<Vec<u8>>;
        /// Maps such a file. It fails where version or settings are others.
        unsafe fn program_map(
            runtime: &Runtime,
            path: &str,
            concurrent: bool,
            pooled: bool,
        ) -> Result<Box<Program>>;
        fn info(self: &Program) -> ProgramInfo;

        /// What is in the bytes of a file, without compiling it.
        fn inspect_program(bytes: &[u8]) -> Result<Inspection>;

        type Linked;
        /// As of its source.
        fn concurrent(self: &Linked) -> bool;
        /// The same program, for instances of other limits and grants.
        fn with(self: &Linked, limits: Limits, grants: WasiGrants) -> Box<Linked>;
        /// Links a program. `serve[i]` says whether the door serves function i of `ProgramInfo`.
        /// `component` is the name that traps are reported under.
        fn program_link(
            program: &Program,
            serve: &[bool],
            component: &str,
            limits: &Limits,
            grants: &WasiGrants,
        ) -> Result<Box<Linked>>;

        /// Interfaces of a WIT package as JSON, for the bindings generator.
        fn describe_wit(
            path: &str,
            more: &Vec<String>,
            interfaces: &Vec<String>,
            worlds: &Vec<String>,
        ) -> Result<String>;
        /// Bindings of a world (empty: the only one) for a guest, into `folder`: C, or Go for the
        /// Go module of that name.
        fn guest_bindings(
            path: &str,
            more: &Vec<String>,
            world: &str,
            module: &str,
            folder: &str,
        ) -> Result<()>;
        /// Makes the component `out` of the core module at `path`, with an adapter of WASI 0.1
        /// (empty: the one that fits).
        fn make_component(path: &str, adapter: &str, out: &str) -> Result<()>;
        /// The packages of WASI as files below `folder`.
        fn write_standard_wit(folder: &str) -> Result<()>;

        type Task;
        /// Runs `wasi:cli/run` in a fresh instance.
        unsafe fn start_command(linked: &Linked, host: *mut GuestHost, wake: WakeKey) -> Box<Task>;
        /// Calls `wasi:http/incoming-handler` in a fresh instance, for the request in `exchange`.
        unsafe fn start_http(
            linked: &Linked,
            host: *mut GuestHost,
            exchange: *mut Exchange,
            wake: WakeKey,
        ) -> Box<Task>;
        /// Calls an exported function in a fresh instance. The reply goes to `sink`.
        unsafe fn start_export(
            linked: &Linked,
            host: *mut GuestHost,
            function: u32,
            arguments: &[u8],
            sink: *mut ReplySink,
            wake: WakeKey,
        ) -> Box<Task>;
        /// True: it has ended, and `outcome` tells how. Never re-entered, never called after that.
        fn poll(self: &mut Task) -> bool;
        fn outcome(self: &Task) -> Outcome;
        fn spent(self: &Task) -> Spent;

        type Callee;
        /// One instance whose exports are called, on one loop. It is made at the first poll.
        unsafe fn callee_new(linked: &Linked, host: *mut GuestHost, wake: WakeKey) -> Box<Callee>;
        /// Hands it one more call, to be polled next. The reply goes to `sink`, which lives until
        /// then, or until `give_up`.
        unsafe fn call(self: &mut Callee, function: u32, arguments: &[u8], sink: *mut ReplySink);
        /// Whose reply nobody waits for any more. The guest goes on.
        unsafe fn give_up(self: &mut Callee, sink: *const ReplySink);
        /// Drops one of the resources that its replies gave, to be polled next.
        fn drop_resource(self: &mut Callee, number: u32);
        /// Takes no further call, and ends when those in it have; to be polled next.
        fn retire(self: &mut Callee);
        /// True: it has ended; `outcome` tells how, and calls still in it have no reply.
        fn poll(self: &mut Callee) -> bool;
        /// No call is in it, and its guest goes on with what it began in one.
        fn lingers(self: &Callee) -> bool;
        fn outcome(self: &Callee) -> Outcome;
        fn spent(self: &Callee) -> Spent;

        type Worker;
        /// One reused instance of a 0.3 program, on one loop. Its instance is made at first use.
        unsafe fn worker_new(linked: &Linked, host: *mut GuestHost, wake: WakeKey) -> Box<Worker>;
        /// Hands it one more request, to be polled next. Returns the number under which `detach`
        /// knows it.
        unsafe fn push(self: &mut Worker, exchange: *mut Exchange) -> u64;
        /// Whether it takes another call now.
        fn has_room(self: &Worker) -> bool;
        /// Whether its guest went on at the last poll; asked when no call is in it.
        fn lingers(self: &Worker) -> bool;
        /// True: the instance has ended; `outcome` tells how, and calls still in it are aborted.
        fn poll(self: &mut Worker) -> bool;
        fn outcome(self: &Worker) -> Outcome;
        fn spent(self: &Worker) -> Spent;
        fn detach(self: &mut Worker, call: u64);
        /// Takes no further call, and ends when those in flight have; to be polled next.
        fn retire(self: &mut Worker);

        type CallWaker;
        fn wake(self: &CallWaker);

        /// One outgoing request, as the loop sees it: used there alone, dropped when it ended.
        type OutgoingTransfer;
        fn attach(self: &mut OutgoingTransfer, wake: WakeKey);
        /// False: nobody waits for the response any more. Asked first whenever it is woken.
        fn is_wanted(self: &OutgoingTransfer) -> bool;
        /// Of the request's body: how much was read; 0: the end; -1: nothing yet; -2: broken.
        fn read(self: &mut OutgoingTransfer, room: &mut [u8]) -> i64;
        /// False: a wake follows when there is room.
        fn has_room(self: &OutgoingTransfer) -> bool;
        fn head(self: &OutgoingTransfer, status: u16, headers: &[u8]);
        fn data(self: &OutgoingTransfer, data: &[u8]);
        fn finish(self: &OutgoingTransfer, trailers: &[u8]);
        fn fail(self: &OutgoingTransfer, problem: OutgoingProblem, detail: &str);
    }

    /// Which task a wake is for: a slot of the loop's table, and which use of it.
    #[derive(Clone)]
    struct WakeKey {
        target: SharedPtr<WakeTarget>,
        slot: u32,
        generation: u32,
    }

    unsafe extern "C++" {
        include!("engine/bridge_host.h");

        #[namespace = "weft"]
        type WakeTarget;
        /// From any thread, at any time, also after the task is gone.
        fn wake_task(target: &WakeTarget, slot: u32, generation: u32);

        /// One instance's side of the door.
        type GuestHost;
        /// A call in flight.
        #[namespace = "weft"]
        type Call;
        /// Begins a call of function `function` of `ProgramInfo`; it may be finished on return.
        unsafe fn call_begin(host: *mut GuestHost, function: u32, arguments: &[u8]) -> *mut Call;
        /// 0: running, 1: done, 2: failed.
        unsafe fn call_state(call: *const Call) -> u8;
        unsafe fn call_reply<'a>(call: *const Call) -> &'a [u8];
        unsafe fn call_error(call: *const Call) -> String;
        /// Who to wake when a running call finishes. Replaces an earlier one.
        unsafe fn call_wait(call: *mut Call, waker: Box<CallWaker>);
        /// Gives the caller's side up: a running call is cancelled.
        unsafe fn call_release(call: *mut Call);
        unsafe fn host_drop_resource(host: *mut GuestHost, slot: u32);
        /// How much of standard output (1) or error (2) is taken; 0: not yet; -1: nobody reads;
        /// -2: a write failed. Of 0, at a command's end: 0 until all is out, then 1 or -2.
        unsafe fn host_output_room(host: *mut GuestHost, stream: u8) -> i64;
        unsafe fn host_output_error(host: *mut GuestHost, stream: u8) -> String;
        unsafe fn host_output_write(host: *mut GuestHost, stream: u8, bytes: &[u8]);
        unsafe fn host_output_wait(host: *mut GuestHost, stream: u8, waker: Box<CallWaker>);
        /// Sends a guest's request. On the loop; what comes of it arrives after this call.
        unsafe fn host_send(
            host: *mut GuestHost,
            request: &OutgoingRequest,
            transfer: Box<OutgoingTransfer>,
        );

        /// What a component may reach. From any thread.
        #[namespace = "weft"]
        type NetGate;
        fn gate_uses(gate: &SharedPtr<NetGate>) -> SocketUses;
        /// A refusal is logged. With `names`, it depends on where those lead: ask
        /// gate_check_named, or log with gate_refuse.
        fn gate_check(
            gate: &SharedPtr<NetGate>,
            query: &SocketQuery,
            names: &mut Vec<String>,
        ) -> bool;
        fn gate_check_named(gate: &SharedPtr<NetGate>, query: &SocketQuery, name: &str) -> bool;
        fn gate_refuse(gate: &SharedPtr<NetGate>, query: &SocketQuery);
        /// Logs that no socket of `scheme`, tcp or udp, is granted.
        fn gate_refuse_sockets(gate: &SharedPtr<NetGate>, scheme: &str);
        /// Whether a name may be looked up; logged where not.
        fn gate_lookup(gate: &SharedPtr<NetGate>, name: &str) -> bool;

        /// The guest's end of a pipe, released with `pipe_close`.
        #[namespace = "weft"]
        type PipeEnd;
        /// A new pipe, whose other end waits under `number`. Null: `problem` says why.
        unsafe fn pipe_open(
            host: *mut GuestHost,
            kind: PipeKind,
            side: PipeSide,
            number: &mut u32,
            problem: &mut String,
        ) -> *mut PipeEnd;
        /// The end that waits under `number`. Null: `problem` says why.
        unsafe fn pipe_take_up(
            host: *mut GuestHost,
            number: u32,
            kind: PipeKind,
            side: PipeSide,
            problem: &mut String,
        ) -> *mut PipeEnd;
        /// Drops the end that waits under `number`, if it still does.
        unsafe fn pipe_forget(host: *mut GuestHost, number: u32);
        /// 0: nothing to read yet, 1: data, 2: the end, 3: failed.
        unsafe fn pipe_state(end: *const PipeEnd) -> u8;
        /// All the bytes there are, or one item.
        unsafe fn pipe_view<'a>(end: *const PipeEnd) -> &'a [u8];
        unsafe fn pipe_error(end: *const PipeEnd) -> String;
        unsafe fn pipe_take(end: *mut PipeEnd, count: usize);
        /// How much may be written; -1: nobody reads.
        unsafe fn pipe_room(end: *const PipeEnd) -> i64;
        unsafe fn pipe_write(end: *mut PipeEnd, data: &[u8]) -> usize;
        unsafe fn pipe_fail(end: *mut PipeEnd, message: &str);
        /// Who to wake when there is something new to read, or room. Replaces an earlier one.
        unsafe fn pipe_wait(end: *mut PipeEnd, waker: Box<CallWaker>);
        /// Lets go of the end: what it wrote is whole, unless the guest is ending.
        unsafe fn pipe_close(end: *mut PipeEnd);
        /// The guest is ending: what it leaves open was cut off.
        unsafe fn host_end_pipes(host: *mut GuestHost);
        /// Makes a place for a task of the instance's own, and starts it there.
        unsafe fn host_add_pump(host: *mut GuestHost) -> WakeKey;
        unsafe fn host_start_pump(host: *mut GuestHost, slot: u32, task: Box<Task>);

        /// One HTTP request and its response.
        type Exchange;
        unsafe fn exchange_method<'a>(exchange: *const Exchange) -> &'a [u8];
        unsafe fn exchange_target<'a>(exchange: *const Exchange) -> &'a [u8];
        unsafe fn exchange_authority<'a>(exchange: *const Exchange) -> &'a [u8];
        /// Whether it came over TLS.
        unsafe fn exchange_secure(exchange: *const Exchange) -> bool;
        /// Name and value of each header, each with its length before it (u32, little endian).
        unsafe fn exchange_headers<'a>(exchange: *const Exchange) -> &'a [u8];
        /// False: the request has no body.
        unsafe fn exchange_has_body(exchange: *const Exchange) -> bool;
        /// How much was read into `room`; 0: the end; -1: nothing yet, `exchange_wait_body` wakes;
        /// -2: the client broke off.
        unsafe fn exchange_read(exchange: *mut Exchange, room: &mut [u8]) -> i64;
        unsafe fn exchange_wait_body(exchange: *mut Exchange, waker: Box<CallWaker>);
        /// What followed the body, once its end was read: as exchange_headers gives them.
        unsafe fn exchange_trailers<'a>(exchange: *mut Exchange) -> &'a [u8];
        /// Begins the response. `length` is the body's length, or -1.
        unsafe fn exchange_head(exchange: *mut Exchange, status: u16, headers: &[u8], length: i64);
        /// Sends a part of the body. False: wait before the next (`exchange_wait_room`).
        unsafe fn exchange_write(exchange: *mut Exchange, data: &[u8]) -> bool;
        unsafe fn exchange_has_room(exchange: *const Exchange) -> bool;
        unsafe fn exchange_wait_room(exchange: *mut Exchange, waker: Box<CallWaker>);
        unsafe fn exchange_finish(exchange: *mut Exchange, trailers: &[u8]);
        /// Answers with an error, or breaks a response off that has begun, so that the client sees
        /// it is not whole.
        unsafe fn exchange_fail(exchange: *mut Exchange, status: u16);

        /// Where an export call's reply goes.
        type ReplySink;
        unsafe fn sink_reply(sink: *mut ReplySink, reply: &[u8]);
    }
}

/// Keeps tokio's context entered on a loop's thread.
pub struct ThreadGuard {
    pub(crate) _guard: tokio::runtime::EnterGuard<'static>,
}
