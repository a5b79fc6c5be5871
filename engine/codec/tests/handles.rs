//! Shows how handles cross: a host's resources as the numbers their host gave them, another
//! component's and Wasmtime's own beside the bytes, streams of bytes untouched; and that a guest
//! cannot use a handle it does not have.

mod support;

use std::sync::{Arc, Mutex};
use support::block_on;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{
    Component, Instance, Linker, Resource, ResourceAny, ResourceType, StreamReader,
};
use wasmtime::{Config, Engine, Result, Store, bail};
use weft_codec::{DynArgs, DynIn, DynOut, DynRet, FuncInfo, Handle, HandleKind, Payload};

fn engine() -> Engine {
    let mut config = Config::new();
    config.cranelift_opt_level(wasmtime::OptLevel::None);
    Engine::new(&config).unwrap()
}

const BUCKETS: &str = r#"
(component
  (import "test:h/store" (instance $store
    (export "bucket" (type $bucket (sub resource)))
    (export "open" (func (param "name" string) (result (own $bucket))))
    (export "[method]bucket.size" (func (param "self" (borrow $bucket)) (result u32)))
    (export "swap" (func (param "buckets" (list (own $bucket))) (result (list (own $bucket)))))
    (export "close" (func (param "b" (own $bucket))))))
  (alias export $store "bucket" (type $bucket))
  LIBC
  (core func $open (canon lower (func $store "open") (memory $memory) (realloc $realloc)))
  (core func $size (canon lower (func $store "[method]bucket.size")))
  (core func $swap (canon lower (func $store "swap") (memory $memory) (realloc $realloc)))
  (core func $close (canon lower (func $store "close")))
  (core func $drop (canon resource.drop $bucket))
  (core module $m
    (import "" "memory" (memory 0))
    (import "" "open" (func $open (param i32 i32) (result i32)))
    (import "" "size" (func $size (param i32) (result i32)))
    (import "" "swap" (func $swap (param i32 i32 i32)))
    (import "" "close" (func $close (param i32)))
    (import "" "drop" (func $drop (param i32)))
    (data (i32.const 100) "ab")
    (func (export "use") (result i32)
      (local $a i32) (local $b i32) (local $sum i32)
      (local.set $a (call $open (i32.const 100) (i32.const 1)))
      (local.set $b (call $open (i32.const 101) (i32.const 1)))
      (i32.store (i32.const 200) (local.get $a))
      (i32.store (i32.const 204) (local.get $b))
      (call $swap (i32.const 200) (i32.const 2) (i32.const 208))
      (local.set $a (i32.load (i32.load (i32.const 208))))
      (local.set $b (i32.load offset=4 (i32.load (i32.const 208))))
      (local.set $sum (i32.add (i32.mul (call $size (local.get $a)) (i32.const 1000))
                               (call $size (local.get $b))))
      (call $close (local.get $a))
      (call $drop (local.get $b))
      (local.get $sum))
    (func (export "stale") (result i32)
      (local $a i32)
      (local.set $a (call $open (i32.const 100) (i32.const 1)))
      (call $close (local.get $a))
      (call $size (local.get $a)))
    (func (export "absent") (result i32) (call $size (i32.const 77))))
  (core instance $i (instantiate $m (with "" (instance
    (export "memory" (memory $memory)) (export "open" (func $open)) (export "size" (func $size))
    (export "swap" (func $swap)) (export "close" (func $close)) (export "drop" (func $drop))))))
  (func (export "use") (result u32) (canon lift (core func $i "use")))
  (func (export "stale") (result u32) (canon lift (core func $i "stale")))
  (func (export "absent") (result u32) (canon lift (core func $i "absent"))))"#;

/// What the host saw, in order.
type Seen = Arc<Mutex<Vec<String>>>;

fn buckets(engine: &Engine, seen: &Seen) -> Result<Linker<()>> {
    let mut linker = Linker::<()>::new(engine);
    let mut store = linker.instance("test:h/store")?;
    let dropped = seen.clone();
    store.resource("bucket", ResourceType::host_dynamic(5), move |_, number| {
        dropped.lock().unwrap().push(format!("drop {number}"));
        Ok(())
    })?;
    // "a" is bucket 300, "b" bucket 301.
    store.func_wrap_async("open", |_, call: DynIn<2>| {
        let number = 300 + u32::from(call.frame.bytes()[1] - b'a');
        let mut reply = Vec::new();
        weft_codec::put_u32(&mut reply, number);
        Box::new(async move { Ok(DynOut::<1, _>::new(reply)) })
    })?;
    let sizes = seen.clone();
    store.func_wrap_async("[method]bucket.size", move |_, call: DynIn<1>| {
        sizes.lock().unwrap().push(format!("size {:?}", call.frame.bytes()));
        assert!(call.handles.is_empty());
        let low = call.frame.bytes()[0] & 0x7f;
        Box::new(async move { Ok(DynOut::<1, _>::new(vec![low])) })
    })?;
    store.func_wrap_async("swap", |_, call: DynIn<2>| {
        let reply = match call.frame.bytes() {
            [2, first @ .., c, d] => [&[2, *c, *d], first].concat(),
            other => panic!("{other:?}"),
        };
        Box::new(async move { Ok(DynOut::<0, _>::new(reply)) })
    })?;
    let closed = seen.clone();
    store.func_wrap_async("close", move |_, call: DynIn<1>| {
        closed.lock().unwrap().push(format!("close {:?}", call.frame.bytes()));
        Box::new(async move { Ok(DynOut::<0, _>::new(Vec::new())) })
    })?;
    Ok(linker)
}

fn call_u32(engine: &Engine, linker: &Linker<()>, component: &Component, name: &str) -> Result<u8> {
    let mut store = Store::new(engine, ());
    let instance = block_on(linker.instantiate_async(&mut store, component))?;
    let func = instance.get_typed_func::<DynArgs<Vec<u8>>, DynRet<1>>(&mut store, name)?;
    let reply = block_on(func.call_async(&mut store, DynArgs::new(Vec::new())))?;
    Ok(reply.frame.bytes().iter().fold(0, |sum, byte| sum ^ byte))
}

#[test]
fn resources_of_the_host_cross_by_number() {
    let engine = engine();
    let text = BUCKETS.replace("LIBC", support::guest::LIBC);
    let component = Component::new(&engine, text).unwrap();
    let seen = Seen::default();
    let linker = buckets(&engine, &seen).unwrap();
    // 300 is [0xac, 2], 301 is [0xad, 2]; swapped, the sizes are 45 and 44.
    let sum = call_u32(&engine, &linker, &component, "use").unwrap();
    assert_eq!(sum, 0xf4 ^ 0xdf ^ 0x02); // 45044
    let expected = ["size [173, 2]", "size [172, 2]", "close [173, 2]", "drop 300"];
    assert_eq!(*seen.lock().unwrap(), expected);
    for hostile in ["stale", "absent"] {
        seen.lock().unwrap().clear();
        let error = call_u32(&engine, &linker, &component, hostile).unwrap_err();
        assert!(format!("{error:?}").contains("handle index"), "{error:?}");
        assert!(!seen.lock().unwrap().iter().any(|entry| entry.starts_with("size")));
    }
}

#[test]
fn signatures_name_resources() {
    let engine = engine();
    let text = BUCKETS.replace("LIBC", support::guest::LIBC);
    let component = Component::new(&engine, text).unwrap();
    let ty = component.component_type();
    let ComponentItem::ComponentInstance(store) =
        ty.get_import(&engine, "test:h/store").unwrap().ty
    else {
        panic!()
    };
    let info = |name: &str| {
        let ComponentItem::ComponentFunc(func) = store.get_export(&engine, name).unwrap().ty else {
            panic!()
        };
        FuncInfo::new(&func, &ty, &|_| "bucket".to_string()).unwrap()
    };
    assert_eq!(info("open").signature, "func(name: string) -> own<bucket>");
    let size = info("[method]bucket.size");
    assert_eq!(size.signature, "func(self: borrow<bucket>) -> u32");
    assert_eq!(info("close").signature, "func(b: own<bucket>)");
    let swap = info("swap");
    assert_eq!(swap.signature, "func(buckets: list<own<bucket>>) -> list<own<bucket>>");
    assert!(!swap.plain && !swap.params.plain());
    assert_eq!((swap.params_flat, swap.results_flat, swap.return_flat), (2, 0, 2));
    let [(table, _)] = swap.resources[..] else { panic!("{:?}", swap.resources) };
    let mut found = Vec::new();
    swap.params
        .scan(&[2, 7, 0xac, 2], &mut |handle| {
            found.push((handle.kind, handle.number, handle.at, handle.length));
            Ok(())
        })
        .unwrap();
    let own = HandleKind::Own(table);
    assert_eq!(found, [(own, 7, 1, 1), (own, 300, 2, 2)]);
    assert_eq!(swap.handles, [own]);
    assert_eq!(size.handles, [HandleKind::Borrow(table)]);
    assert!(info("open").params.plain());
}

/// Defines a resource of its own.
const THINGS: &str = r#"
(component
  (type $thing' (resource (rep i32)))
  (export $thing "thing" (type $thing'))
  (core func $new (canon resource.new $thing'))
  (core func $drop (canon resource.drop $thing'))
  (core module $m
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
    (func (export "peek") (param i32) (result i32) (local.get 0))
    (func (export "eat") (param i32) (result i32) (call $drop (local.get 0)) (i32.const 1)))
  (core instance $i (instantiate $m
    (with "" (instance (export "new" (func $new)) (export "drop" (func $drop))))))
  (func (export "make") (param "n" u32) (result (own $thing)) (canon lift (core func $i "make")))
  (func (export "peek") (param "t" (borrow $thing)) (result u32) (canon lift (core func $i "peek")))
  (func (export "eat") (param "t" (own $thing)) (result u32) (canon lift (core func $i "eat"))))"#;

struct Things {
    store: Store<()>,
    instance: Instance,
}

impl Things {
    fn call(&mut self, name: &str, args: &[u8], handles: Vec<Handle>) -> Result<DynRet<1>> {
        let func =
            self.instance.get_typed_func::<DynArgs<Vec<u8>>, DynRet<1>>(&mut self.store, name)?;
        block_on(func.call_async(&mut self.store, DynArgs::with(args.to_vec(), handles)))
    }

    fn make(&mut self, number: u8) -> ResourceAny {
        let mut made = self.call("make", &[number], Vec::new()).unwrap();
        assert_eq!(made.frame.bytes(), [0x80, 0x80, 0x80, 0x80, 0]);
        let slot = made.handles.pop().unwrap();
        assert_eq!(slot.at, 0);
        let Handle::Resource(thing) = slot.handle else { panic!() };
        thing
    }
}

#[test]
fn resources_of_components_travel_beside_the_bytes() {
    let engine = engine();
    let component = Component::new(&engine, THINGS).unwrap();
    let linker = Linker::<()>::new(&engine);
    let mut store = Store::new(&engine, ());
    let instance = block_on(linker.instantiate_async(&mut store, &component)).unwrap();
    let mut things = Things { store, instance };
    let thing = things.make(42);
    // The number in the bytes of arguments does not matter, the order of the handles does.
    let peeked = things.call("peek", &[9], vec![Handle::Resource(thing)]).unwrap();
    assert_eq!(peeked.frame.bytes(), [42]);
    let eaten = things.call("eat", &[0], vec![Handle::Resource(thing)]).unwrap();
    assert_eq!(eaten.frame.bytes(), [1]);
    // What was given away is gone; what is missing or too much is refused. A call refused before
    // the guest ran leaves the instance as it was, or ends it: either way it is an error.
    assert!(things.call("peek", &[0], vec![Handle::Resource(thing)]).is_err());
    for handles in [0, 2] {
        let mut store = Store::new(&engine, ());
        let instance = block_on(linker.instantiate_async(&mut store, &component)).unwrap();
        let mut things = Things { store, instance };
        let thing = things.make(1);
        let handles = (0..handles).map(|_| Handle::Resource(thing)).collect();
        assert!(things.call("peek", &[0], handles).is_err());
    }
}

/// A resource as Wasmtime's own crates define them.
struct Native;

const NATIVE: &str = r#"
(component
  (import "native" (type $native (sub resource)))
  (import "get" (func $get (result (own $native))))
  (import "look" (func $look (param "n" (borrow $native))))
  (import "put" (func $put (param "n" (own $native))))
  (import "bytes" (func $bytes (result (stream u8))))
  (core func $get' (canon lower (func $get)))
  (core func $look' (canon lower (func $look)))
  (core func $put' (canon lower (func $put)))
  (core func $bytes' (canon lower (func $bytes)))
  (core module $m
    (import "" "get" (func $get (result i32)))
    (import "" "look" (func $look (param i32)))
    (import "" "put" (func $put (param i32)))
    (import "" "bytes" (func $bytes (result i32)))
    (func (export "run") (local $n i32)
      (local.set $n (call $get))
      (call $look (local.get $n))
      (call $put (local.get $n)))
    (func (export "pass") (result i32) (call $bytes)))
  (core instance $i (instantiate $m (with "" (instance
    (export "get" (func $get')) (export "look" (func $look')) (export "put" (func $put'))
    (export "bytes" (func $bytes'))))))
  (func (export "run") (canon lift (core func $i "run")))
  (func (export "pass") (result (stream u8)) (canon lift (core func $i "pass"))))"#;

#[test]
fn native_resources_and_byte_streams_travel_beside_the_bytes() {
    let engine = engine();
    let component = Component::new(&engine, NATIVE).unwrap();
    let mut linker = Linker::<()>::new(&engine);
    let mut root = linker.root();
    root.resource("native", ResourceType::host::<Native>(), |_, _| Ok(())).unwrap();
    root.func_wrap_async("get", |mut store, _: DynIn<0>| {
        Box::new(async move {
            let native = Resource::<Native>::new_own(77);
            let any = ResourceAny::try_from_resource(native, &mut store)?;
            Ok(DynOut::<1, _>::with(vec![0], vec![Handle::Resource(any)]))
        })
    })
    .unwrap();
    for name in ["look", "put"] {
        root.func_wrap_async(name, move |mut store, mut call: DynIn<1>| {
            Box::new(async move {
                let Some(Handle::Resource(any)) = call.handles.pop().map(|slot| slot.handle) else {
                    bail!("no handle");
                };
                assert_eq!(any.ty(), ResourceType::host::<Native>());
                let native = any.try_into_resource::<Native>(&mut store)?;
                assert_eq!((native.rep(), native.owned()), (77, name == "put"));
                Ok(DynOut::<0, _>::new(Vec::new()))
            })
        })
        .unwrap();
    }
    root.func_wrap_async("bytes", |mut store, _: DynIn<0>| {
        Box::new(async move {
            let reader = StreamReader::new(&mut store, vec![1u8, 2, 3])?;
            Ok(DynOut::<1, _>::with(vec![0], vec![Handle::StreamU8(reader)]))
        })
    })
    .unwrap();
    let mut store = Store::new(&engine, ());
    let instance = block_on(linker.instantiate_async(&mut store, &component)).unwrap();
    let run = instance.get_typed_func::<DynArgs<Vec<u8>>, DynRet<0>>(&mut store, "run").unwrap();
    block_on(run.call_async(&mut store, DynArgs::new(Vec::new()))).unwrap();
    let pass = instance.get_typed_func::<DynArgs<Vec<u8>>, DynRet<1>>(&mut store, "pass").unwrap();
    let mut passed = block_on(pass.call_async(&mut store, DynArgs::new(Vec::new()))).unwrap();
    let slot = passed.handles.pop().unwrap();
    let Handle::StreamU8(mut reader) = slot.handle else { panic!() };
    reader.close(&mut store).unwrap();
    let ty = component.component_type();
    let func = instance.get_func(&mut store, "pass").unwrap().ty(&store);
    let info = FuncInfo::new(&func, &ty, &|_| String::new()).unwrap();
    assert_eq!(info.signature, "func() -> stream<u8>");
    let mut kinds = Vec::new();
    info.results
        .scan(passed.frame.bytes(), &mut |handle| {
            kinds.push(handle.kind);
            Ok(())
        })
        .unwrap();
    assert_eq!(kinds, [HandleKind::Stream(Payload::Bytes)]);
}

/// What can be in a function is known from its type, also that items have handles in them.
#[test]
fn kinds_of_handles_are_known_before_a_call() {
    let engine = engine();
    let text = r#"(component
      (type $bytes (stream u8))
      (import "f" (func (param "all" (list (stream $bytes))) (param "last" (future string))
        (result (option (stream))))))"#;
    let component = Component::new(&engine, text).unwrap();
    let ty = component.component_type();
    let Some((_, item)) = ty.imports(&engine).next() else { panic!() };
    let ComponentItem::ComponentFunc(func) = item.ty else { panic!() };
    let info = FuncInfo::new(&func, &ty, &|_| String::new()).unwrap();
    let nested = HandleKind::Stream(Payload::Handles);
    let last = HandleKind::Future(Payload::Value);
    assert_eq!(info.handles, [nested, last, HandleKind::Stream(Payload::Unit)]);
}

#[test]
fn error_context_is_refused_with_a_reason() {
    let mut config = Config::new();
    config.wasm_component_model_error_context(true);
    let engine = Engine::new(&config).unwrap();
    let component = Component::new(
        &engine,
        r#"(component (import "f" (func (param "e" (option error-context)))))"#,
    )
    .unwrap();
    let ty = component.component_type();
    let ComponentItem::ComponentFunc(func) = ty.get_import(&engine, "f").unwrap().ty else {
        panic!()
    };
    let Err(error) = FuncInfo::new(&func, &ty, &|_| String::new()) else { panic!() };
    assert!(error.to_string().contains("error-context cannot cross"), "{error:?}");
    let mut linker = Linker::<()>::new(&engine);
    linker
        .root()
        .func_wrap_async("f", |_, _: DynIn<2>| {
            Box::new(async { Ok(DynOut::<0, _>::new(Vec::new())) })
        })
        .unwrap();
    let Err(error) = linker.instantiate_pre(&component) else { panic!() };
    assert!(format!("{error:?}").contains("error-context cannot cross"), "{error:?}");
}

#[test]
fn wrong_numbers_of_core_values_are_refused() {
    let engine = engine();
    let text = r#"(component
        (import "f" (func (param "s" string) (param "n" u64) (result (list u8)))))"#;
    let component = Component::new(&engine, text).unwrap();
    let link = |linker: &Linker<()>| linker.instantiate_pre(&component).map(|_| ());
    let mut linker = Linker::<()>::new(&engine);
    linker.allow_shadowing(true);
    macro_rules! with {
        ($n:literal, $m:literal) => {{
            linker
                .root()
                .func_wrap_async("f", |_, _: DynIn<$n>| {
                    Box::new(async { Ok(DynOut::<$m, _>::new(Vec::new())) })
                })
                .unwrap();
            link(&linker)
        }};
    }
    assert!(with!(3, 0).is_ok());
    for error in [with!(2, 0), with!(4, 0), with!(0, 0), with!(16, 0), with!(3, 1)] {
        let error = format!("{:?}", error.unwrap_err());
        assert!(error.contains("core values where the function has"), "{error}");
    }
}
