//! Shows that streams and futures of any type cross with their items encoded: a guest reads what
//! the host produces and writes what the host consumes, in batches smaller than the whole, for
//! types at random. A seed is printed on failure.

mod support;

use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use support::guest::streaming;
use support::{Ty, block_on, encoded, random};
use wasmtime::component::{
    Component, Destination, FutureConsumer, FutureProducer, FutureReader, Instance, Linker, Source,
    StreamConsumer, StreamProducer, StreamReader, StreamResult, VecBuffer,
};
use wasmtime::{Config, Engine, Result, Store, StoreContextMut};
use weft_codec::{DynArgs, DynIn, DynItem, DynOut, DynRet, Handle, read_items};

type Items = Arc<Mutex<VecDeque<Vec<u8>>>>;

/// Produces what is queued, a few at a time, and takes a turn off now and then.
struct Producer {
    items: Items,
    batch: usize,
    rest: bool,
}

impl StreamProducer<()> for Producer {
    type Item = DynItem;
    type Buffer = VecBuffer<DynItem>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'a, ()>,
        mut destination: Destination<'a, DynItem, VecBuffer<DynItem>>,
        _finish: bool,
    ) -> Poll<Result<StreamResult>> {
        self.rest = !self.rest;
        if self.rest {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let room = destination.remaining(store).unwrap_or(usize::MAX).min(self.batch);
        let mut items = self.items.lock().unwrap();
        let count = room.min(items.len());
        let batch = items.drain(..count).map(|bytes| DynItem { bytes, handles: Vec::new() });
        destination.set_buffer(batch.collect::<Vec<_>>().into());
        let end = items.is_empty();
        Poll::Ready(Ok(if end { StreamResult::Dropped } else { StreamResult::Completed }))
    }
}

/// Collects items, at most `batch` at a time.
struct Consumer {
    items: Items,
    batch: usize,
}

impl StreamConsumer<()> for Consumer {
    type Item = DynItem;

    fn poll_consume(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        store: StoreContextMut<()>,
        mut source: Source<'_, DynItem>,
        _finish: bool,
    ) -> Poll<Result<StreamResult>> {
        let items = read_items(&mut source, store, self.batch)?;
        self.items.lock().unwrap().extend(items.into_iter().map(|item| item.bytes));
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

struct Promise(Items);

impl FutureProducer<()> for Promise {
    type Item = DynItem;
    fn poll_produce(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _store: StoreContextMut<()>,
        _finish: bool,
    ) -> Poll<Result<Option<DynItem>>> {
        let bytes = self.0.lock().unwrap().pop_front().unwrap();
        Poll::Ready(Ok(Some(DynItem { bytes, handles: Vec::new() })))
    }
}

struct Hearer(Items);

impl FutureConsumer<()> for Hearer {
    type Item = DynItem;
    fn poll_consume(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        store: StoreContextMut<()>,
        mut source: Source<'_, DynItem>,
        _finish: bool,
    ) -> Poll<Result<()>> {
        let items = read_items(&mut source, store, 1)?;
        self.0.lock().unwrap().extend(items.into_iter().map(|item| item.bytes));
        Poll::Ready(Ok(()))
    }
}

/// The bytes of a reply that is one handle.
const HANDLE: &[u8] = &[0];

fn link(engine: &Engine, items: &Items, batch: usize) -> Result<Linker<()>> {
    let mut linker = Linker::<()>::new(engine);
    let mut root = linker.root();
    let given = items.clone();
    root.func_wrap_async("give", move |mut store, _: DynIn<0>| {
        let items = given.clone();
        Box::new(async move {
            let reader = StreamReader::new(&mut store, Producer { items, batch, rest: false })?;
            Ok(DynOut::<1, _>::with(HANDLE, vec![Handle::Stream(reader)]))
        })
    })?;
    let taken = items.clone();
    root.func_wrap_async("take", move |mut store, call: DynIn<1>| {
        let items = taken.clone();
        Box::new(async move {
            assert_eq!(call.frame.bytes(), [0x80, 0x80, 0x80, 0x80, 0]);
            let [Some(Handle::Stream(reader)), None] = only(call.handles) else { panic!() };
            reader.pipe(&mut store, Consumer { items, batch })?;
            Ok(DynOut::<0, &[u8]>::new(&[]))
        })
    })?;
    let promised = items.clone();
    root.func_wrap_async("promise", move |mut store, _: DynIn<0>| {
        let items = promised.clone();
        Box::new(async move {
            let reader = FutureReader::new(&mut store, Promise(items))?;
            Ok(DynOut::<1, _>::with(HANDLE, vec![Handle::Future(reader)]))
        })
    })?;
    let heard = items.clone();
    root.func_wrap_async("hear", move |mut store, call: DynIn<1>| {
        let items = heard.clone();
        Box::new(async move {
            let [Some(Handle::Future(reader)), None] = only(call.handles) else { panic!() };
            reader.pipe(&mut store, Hearer(items))?;
            Ok(DynOut::<0, &[u8]>::new(&[]))
        })
    })?;
    Ok(linker)
}

fn only(handles: Vec<weft_codec::Slot>) -> [Option<Handle>; 2] {
    let mut handles = handles.into_iter().map(|slot| slot.handle);
    [handles.next(), handles.next()]
}

fn engine() -> Engine {
    let mut config = Config::new();
    config.wasm_component_model_map(true);
    config.wasm_component_model_fixed_length_lists(true);
    config.wasm_component_model_more_async_builtins(true);
    config.cranelift_opt_level(wasmtime::OptLevel::None);
    Engine::new(&config).unwrap()
}

/// `read`, `await`: a function from nothing to a list.
fn pull(store: &mut Store<()>, instance: &Instance, name: &str) -> Result<Vec<u8>> {
    let func = instance.get_func(&mut *store, name).unwrap();
    let func = func.typed::<DynArgs<Vec<u8>>, DynRet<2>>(&*store)?;
    let reply = block_on(func.call_async(&mut *store, DynArgs::new(Vec::new())))?;
    Ok(reply.frame.into_vec())
}

/// `write`, `settle`: a function from a list to nothing.
fn push(store: &mut Store<()>, instance: &Instance, name: &str, list: Vec<u8>) -> Result<()> {
    let func = instance.get_func(&mut *store, name).unwrap();
    let func = func.typed::<DynArgs<Vec<u8>>, DynRet<0>>(&*store)?;
    block_on(func.call_async(&mut *store, DynArgs::new(list))).map(|_| ())
}

fn round(engine: &Engine, ty: &Ty, rng: &mut SmallRng) -> Result<()> {
    let text = streaming(ty);
    let component = Component::new(engine, &text).unwrap_or_else(|e| panic!("{e:?}\n{text}"));
    let items = Items::default();
    let batch = rng.random_range(1..6);
    let linker = link(engine, &items, batch)?;
    let mut store = Store::new(engine, ());
    let instance = block_on(linker.instantiate_async(&mut store, &component))?;
    let one = |rng: &mut SmallRng| encoded([ty], &[random::value(rng, ty)]);

    let sent = (0..rng.random_range(1..20)).map(|_| one(rng)).collect::<VecDeque<_>>();
    let mut list = vec![sent.len() as u8];
    list.extend(sent.iter().flatten());
    *items.lock().unwrap() = sent.clone();
    assert_eq!(pull(&mut store, &instance, "read")?, list);

    push(&mut store, &instance, "write", list)?;
    assert_eq!(std::mem::take(&mut *items.lock().unwrap()), sent);

    let value = one(rng);
    let mut list = vec![1];
    list.extend(&value);
    items.lock().unwrap().push_back(value.clone());
    assert_eq!(pull(&mut store, &instance, "await")?, list);

    push(&mut store, &instance, "settle", list)?;
    assert_eq!(std::mem::take(&mut *items.lock().unwrap()), [value]);
    Ok(())
}

#[test]
fn streams_and_futures_of_any_type() {
    let engine = engine();
    let base = std::env::var("WEFT_SEED").map_or(7, |seed| seed.parse().unwrap());
    let rounds = std::env::var("WEFT_ROUNDS").map_or(300, |rounds| rounds.parse().unwrap());
    for seed in base..base + rounds {
        let rng = &mut SmallRng::seed_from_u64(seed);
        let ty = loop {
            // Bytes cross as they are, and a stream of chars is not allowed.
            match random::ty(rng, 3) {
                Ty::U8 | Ty::Char => {}
                ty => break ty,
            }
        };
        round(&engine, &ty, rng).unwrap_or_else(|error| panic!("seed {seed}, {ty:?}: {error:?}"));
    }
}

/// A guest that lies about where its items are, or about what is in them, loses its call.
#[test]
fn lies_about_items_trap_the_call() {
    let engine = engine();
    let text = streaming(&Ty::String);
    let write = "(call $write-some (local.get $w) (local.get $at) (local.get $left))";
    let at = "(i32.add (i32.const 4096) (i32.mul (local.get $n) (i32.const 8)))";
    let read = &format!("{at} (i32.const 16)");
    let settle = "(call $future-write (local.get $w) (local.get $at))";
    assert!(text.contains(write) && text.contains(read) && text.contains(settle));
    let data = "(data (i32.const 3000) \"\\ff\\ff\\ff\\ff\\01\\00\\00\\00\") (func $list";
    let text = text.replace("(func $list", data);
    let lies = [
        ("write", write.replace("(local.get $at)", "(i32.const 262140)"), "out of bounds"),
        ("write", write.replace("(local.get $at)", "(i32.const -8)"), "out of bounds"),
        ("write", write.replace("(local.get $at)", "(i32.const 1026)"), "aligned"),
        ("write", write.replace("(local.get $left)", "(i32.const 0x7ffffff)"), "out of bounds"),
        ("write", write.replace("(local.get $at)", "(i32.const 3000)"), "out of bounds"),
        ("settle", settle.replace("(local.get $at)", "(i32.const 262140)"), "out of bounds"),
        ("settle", settle.replace("(local.get $at)", "(i32.const 3000)"), "out of bounds"),
        ("read", read.replace(at, "(i32.const 262140)"), "out of bounds"),
        ("read", read.replace(at, "(i32.const 4099)"), "aligned"),
    ];
    for (name, lie, message) in lies {
        let honest = match name {
            "write" => write,
            "settle" => settle,
            _ => read,
        };
        let guest = text.replace(honest, &lie);
        assert_ne!(guest, text);
        let component =
            Component::new(&engine, &guest).unwrap_or_else(|e| panic!("{e:?}\n{guest}"));
        let items = Items::default();
        items.lock().unwrap().push_back(vec![1, b'x']);
        let linker = link(&engine, &items, 4).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = block_on(linker.instantiate_async(&mut store, &component)).unwrap();
        let result = match name {
            "read" => pull(&mut store, &instance, name).map(|_| ()),
            _ => push(&mut store, &instance, name, vec![1, 1, b'x']),
        };
        let error = format!("{:?}", result.unwrap_err());
        assert!(error.contains(message), "{name} {lie}: {error}");
    }
}
