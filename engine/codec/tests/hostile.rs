//! Shows that a hostile guest and hostile bytes each fail one call and nothing else: no panic, no
//! effect on another instance, no unbounded work. Byte mutations print their seed on failure.

mod support;

use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::guest::{self, Import, LIBC, Text, flatten};
use support::{Ty, block_on, encoded, random, text};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Engine, Result, Store};
use weft_codec::{DynArgs, DynIn, DynOut, DynRet, FuncInfo, with_flats};

fn engine() -> Engine {
    let mut config = Config::new();
    config.wasm_component_model_map(true);
    config.wasm_component_model_fixed_length_lists(true);
    config.cranelift_opt_level(wasmtime::OptLevel::None);
    Engine::new(&config).unwrap()
}

/// A guest whose `run` calls `echo` of the given type with core values written out by hand, after
/// laying `data` at 2048.
fn calling(types: &str, core_args: &str, data: &[u8], options: &str) -> String {
    let ty = text::ty(types);
    let mut text = Text::new();
    let func = text.func(std::slice::from_ref(&ty), None);
    let flat = flatten(&ty).len();
    let core = match flat {
        0..=16 => flatten(&ty).iter().map(|core| format!("{core:?} ").to_lowercase()).collect(),
        _ => "i32".to_string(),
    };
    let data = data.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
    write!(
        text.out,
        r#"
  (import "echo" (func $echo {func})){LIBC}
  (core func $echo' (canon lower (func $echo) (memory $memory) (realloc $realloc) {options}))
  (core module $m
    (import "" "memory" (memory 0))
    (import "" "echo" (func $echo (param {core})))
    (data (i32.const 2048) "{data}")
    (func (export "run") (call $echo {core_args})))
  (core instance $i (instantiate $m (with "" (instance
    (export "echo" (func $echo')) (export "memory" (memory $memory))))))
  (func (export "run") (canon lift (core func $i "run"))))"#
    )
    .unwrap();
    text.out
}

/// What the import saw, if it was entered, and how the call ended.
fn run(engine: &Engine, guest: &str) -> (Option<Vec<u8>>, Result<()>) {
    let component = Component::new(engine, guest).unwrap_or_else(|e| panic!("{e:?}\n{guest}"));
    let seen = Arc::new(Mutex::new(None));
    let mut linker = Linker::<()>::new(engine);
    let ty = component.component_type();
    let ComponentItem::ComponentFunc(func) = ty.get_import(engine, "echo").unwrap().ty else {
        panic!("echo is no function");
    };
    let info = FuncInfo::new(&func, &ty, &|_| unreachable!()).unwrap();
    let saw = seen.clone();
    let mut root = linker.root();
    with_flats!(info.params_flat, N => root.func_wrap_async("echo", move |_, call: DynIn<N>| {
        *saw.lock().unwrap() = Some(call.frame.bytes().to_vec());
        Box::new(async { Ok(DynOut::<0, Vec<u8>>::new(Vec::new())) })
    }).unwrap());
    let mut store = Store::new(engine, ());
    let instance = block_on(linker.instantiate_async(&mut store, &component)).unwrap();
    let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
    let result = block_on(run.call_async(&mut store, ()));
    let seen = seen.lock().unwrap().take();
    (seen, result)
}

const UTF16: &str = "string-encoding=utf16";

#[test]
fn lies_of_a_guest_trap_its_call() {
    let engine = engine();
    let many = format!("tuple<{}u8>", "u8, ".repeat(16));
    let pair = |pointer: u32, length: u32| [pointer.to_le_bytes(), length.to_le_bytes()].concat();
    // The type, the core values, what lies at 2048, options, and a part of the message.
    let c = |v: i64| format!("(i32.const {v})");
    let two = |a: i64, b: i64| format!("(i32.const {a}) (i32.const {b})");
    let cases: Vec<(&str, String, Vec<u8>, &str, &str)> = vec![
        ("string", two(-16, 100), vec![], "", "out of bounds"),
        ("string", two(262_144, 1), vec![], "", "out of bounds"),
        ("string", two(262_145, 0), vec![], "", "out of bounds"),
        ("string", two(0, -1), vec![], "", "out of bounds"),
        ("string", two(2048, 2), vec![0xc3, 0x28], "", "UTF-8"),
        ("string", two(2048, 3), vec![0xed, 0xa0, 0x80], "", "UTF-8"),
        ("string", two(2049, 1), vec![0, 0, 0, 0], UTF16, "not aligned"),
        ("string", two(2048, 1), vec![0, 0xd8], UTF16, "utf|surrogate"),
        ("string", two(262_142, 2), vec![], UTF16, "out of bounds"),
        ("list<u8>", two(0, -1), vec![], "", "out of bounds"),
        ("list<u32>", two(2, 1), vec![], "", "not aligned"),
        ("list<u32>", two(2, 0), vec![], "", "not aligned"),
        ("list<u64>", two(8, 0x2000_0001), vec![], "", "out of bounds"),
        ("list<u64>", two(262_136, 2), vec![], "", "out of bounds"),
        ("list<string>", two(2048, 1), pair(0xffff_fff0, 32), "", "out of bounds"),
        ("list<list<u16>>", two(2048, 1), pair(2049, 1), "", "not aligned"),
        ("map<string, u8>", two(2048, 1), pair(5, 0xffff_ffff), "", "out of bounds"),
        ("map<string, u8>", two(2049, 1), vec![], "", "not aligned"),
        ("list<char>", two(2048, 1), vec![0, 0xd8, 0, 0], "", "not a char"),
        ("char", c(0xd800), vec![], "", "not a char"),
        ("char", c(0x11_0000), vec![], "", "not a char"),
        ("char", c(-1), vec![], "", "not a char"),
        ("enum{a, b, c}", c(3), vec![], "", "out of range"),
        ("enum{a, b, c}", c(-1), vec![], "", "out of range"),
        ("list<enum{a, b, c}>", two(2048, 1), vec![3], "", "out of range"),
        ("variant{a, b(u8)}", two(2, 0), vec![], "", "out of range"),
        ("list<variant{a, b(string)}>", two(2048, 1), vec![9], "", "out of range"),
        ("list<variant{a, b(u8)}>", two(2048, 1), vec![9], "", "out of range"),
        ("option<u8>", two(2, 0), vec![], "", "out of range"),
        ("list<option<u8>>", two(2048, 1), vec![2, 0], "", "out of range"),
        ("result", c(2), vec![], "", "out of range"),
        ("list<result<string>>", two(2048, 1), vec![0xff], "", "out of range"),
        (&many, c(-8), vec![], "", "out of bounds"),
        (&many, c(262_143), vec![], "", "out of bounds"),
        (
            "list<tuple<u8, list<string>>>",
            two(2048, 1),
            [vec![0; 4], pair(2060, 1), pair(0, 9)].concat(),
            "",
            "",
        ),
    ];
    for (types, args, data, options, message) in &cases {
        let guest = calling(types, args, data, options);
        let (seen, result) = run(&engine, &guest);
        if message.is_empty() {
            // The one that tells the truth: what the others show is not an accident of the guest.
            assert!(seen.is_some() && result.is_ok(), "{types} {args}: {result:?}");
            continue;
        }
        assert_eq!(seen, None, "{types} {args}");
        let error = format!("{:?}", result.unwrap_err());
        // Wasmtime words some of them in two ways, by the features it is built with.
        let told = message.split('|').any(|either| error.contains(either));
        assert!(told, "{types} {args}: {error}");
    }
}

#[test]
fn bits_that_mean_nothing_are_dropped() {
    let engine = engine();
    let cases = [
        ("bool", "(i32.const 256)", vec![1]),
        ("u8", "(i32.const 0x1ff)", vec![0xff]),
        ("s8", "(i32.const 0x180)", vec![0x80]),
        ("u16", "(i32.const 0x10001)", vec![1]),
        ("s16", "(i32.const 0x1ffff)", vec![0x7f]),
        ("flags{a, b, c}", "(i32.const -1)", vec![7]),
        ("list<bool>", "(i32.const 2048) (i32.const 1)", vec![1, 1]),
        ("list<flags{a, b, c}>", "(i32.const 2048) (i32.const 1)", vec![1, 7]),
        ("variant{a(u64), b(u8)}", "(i32.const 1) (i64.const 0x7ffffffff)", vec![1, 0xff]),
        (
            "variant{a(u64), b(f32)}",
            "(i32.const 1) (i64.const 0x13f800000)",
            vec![1, 0, 0, 0x80, 0x3f],
        ),
    ];
    for (types, args, bytes) in cases {
        let (seen, result) = run(&engine, &calling(types, args, &[0xff; 8], ""));
        result.unwrap();
        assert_eq!(seen.unwrap(), bytes, "{types}");
    }
}

/// Each entry of a list aliases the same 64 KiB: 512 MiB if anyone copied it.
#[test]
fn aliased_lists_run_out_of_fuel() {
    let engine = engine();
    for (types, element) in [("list<list<u8>>", 0x1_0000u32), ("list<string>", 0x1_0000)] {
        let mut guest = calling(types, "(i32.const 65536) (i32.const 8192)", &[], "");
        // Fills 65536..131072 with (0, element).
        guest = guest.replacen(
            "(func (export \"run\") ",
            &format!(
                "(func (export \"run\") (local $i i32)
                   (loop $l
                     (i32.store (i32.add (i32.const 65540) (local.get $i)) (i32.const {element}))
                     (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 8)))
                                         (i32.const 65536)))) "
            ),
            1,
        );
        let start = Instant::now();
        let (seen, result) = run(&engine, &guest);
        assert_eq!(seen, None);
        let error = format!("{:?}", result.unwrap_err());
        assert!(error.contains("fuel"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}

/// Guests whose allocator or results lie.
#[test]
fn lies_about_results_and_memory_fail_the_call() {
    let engine = engine();
    let export = |ty: &str, core: &str, result: &str| {
        format!(
            r#"(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const {core}))
    (func (export "take") (param i32 i32))
    (func (export "give") (result i32) (i32.const {result})))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (alias core export $i "realloc" (core func $realloc))
  (func (export "take") (param "p" {ty})
    (canon lift (core func $i "take") (memory $memory) (realloc $realloc)))
  (func (export "give") (result {ty}) (canon lift (core func $i "give") (memory $memory))))"#
        )
    };
    let attempt = |ty: &str, realloc: &str, result: &str, name: &str, args: &[u8]| {
        let component = Component::new(&engine, export(ty, realloc, result)).unwrap();
        let mut store = Store::new(&engine, ());
        let linker = Linker::<()>::new(&engine);
        let instance = block_on(linker.instantiate_async(&mut store, &component)).unwrap();
        let args = DynArgs::new(args.to_vec());
        let bytes = match name {
            "take" => {
                let func = instance.get_typed_func::<DynArgs<Vec<u8>>, DynRet<0>>(&mut store, name);
                block_on(func.unwrap().call_async(&mut store, args))?.frame.into_vec()
            }
            _ => {
                let func = instance.get_typed_func::<DynArgs<Vec<u8>>, DynRet<2>>(&mut store, name);
                block_on(func.unwrap().call_async(&mut store, args))?.frame.into_vec()
            }
        };
        Ok::<_, wasmtime::Error>(bytes)
    };
    let message = |result: Result<Vec<u8>>| format!("{:?}", result.unwrap_err());
    assert!(attempt("string", "64", "64", "take", &[1, b'a']).is_ok());
    assert_eq!(attempt("string", "64", "64", "give", &[]).unwrap(), [0]);
    let list = "(list u32)";
    assert!(message(attempt(list, "65535", "0", "take", &[1, 1])).contains("aligned"));
    assert!(message(attempt(list, "65536", "0", "take", &[1, 1])).contains("beyond end"));
    assert!(message(attempt(list, "-4", "0", "take", &[1, 1])).contains("beyond end"));
    assert!(message(attempt("string", "0", "65532", "give", &[])).contains("out of bounds"));
    assert!(message(attempt("string", "0", "-8", "give", &[])).contains("out of bounds"));
    assert!(message(attempt("string", "0", "2", "give", &[])).contains("aligned"));
}

/// A peer's count that the guest's memory would have to hold.
#[test]
fn counts_are_held_against_the_bytes_there_are() {
    let engine = engine();
    let wide = text::ty("list<variant{none, all(list<u64, 4>)}>");
    let ty = text::ty("list<list<u64>>");
    for (ty, bytes) in [
        (&ty, vec![0xff, 0xff, 0xff, 0xff, 0x0f]),
        (&ty, vec![1, 0xff, 0xff, 0xff, 0x7f, 0]),
        (&wide, vec![0xff, 0xff, 0x3f, 0]),
    ] {
        let guest = Passing::new(&engine, std::slice::from_ref(ty));
        assert!(guest.info.params.check(&bytes).is_err());
        assert!(format!("{:?}", guest.deliver(&bytes).unwrap_err()).contains("do not fit"));
    }
}

/// A guest that passes what `run` gets to an import that takes it and says nothing.
struct Passing {
    info: FuncInfo,
    pre: InstancePre<()>,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Passing {
    fn new(engine: &Engine, params: &[Ty]) -> Passing {
        let guest = guest::passing(params, None, Import::Sync, "");
        let component = Component::new(engine, &guest).unwrap_or_else(|e| panic!("{e:?}\n{guest}"));
        let mut linker = Linker::<()>::new(engine);
        let ty = component.component_type();
        let ComponentItem::ComponentFunc(func) = ty.get_import(engine, "echo").unwrap().ty else {
            panic!("echo is no function");
        };
        let info = FuncInfo::new(&func, &ty, &|_| unreachable!()).unwrap();
        let seen = Arc::<Mutex<Vec<u8>>>::default();
        let saw = seen.clone();
        with_flats!(info.params_flat, N => {
            linker.root().func_wrap_async("echo", move |_, call: DynIn<N>| {
                *saw.lock().unwrap() = call.frame.bytes().to_vec();
                Box::new(async { Ok(DynOut::<0, Vec<u8>>::new(Vec::new())) })
            }).unwrap()
        });
        Passing { info, pre: linker.instantiate_pre(&component).unwrap(), seen }
    }

    /// Calls `run` of a fresh instance with the bytes: what the import saw.
    fn deliver(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let mut store = Store::new(self.pre.engine(), ());
        let instance = block_on(self.pre.instantiate_async(&mut store))?;
        let run = instance.get_typed_func::<DynArgs<Vec<u8>>, DynRet<0>>(&mut store, "run")?;
        block_on(run.call_async(&mut store, DynArgs::new(bytes.to_vec())))?;
        Ok(std::mem::take(&mut *self.seen.lock().unwrap()))
    }
}

fn mutate(rng: &mut SmallRng, bytes: &mut Vec<u8>) {
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..=bytes.len());
        match rng.random_range(0..6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.random()),
            2 if at < bytes.len() => bytes[at] = rng.random(),
            3 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            4 if at < bytes.len() => bytes[at] = [0xff, 0x80, 0x7f, 0][rng.random_range(0..4)],
            _ if at < bytes.len() => drop(bytes.remove(at)),
            _ => bytes.push(rng.random()),
        }
    }
}

/// Bytes near valid ones and bytes of no kind: lowering takes exactly what a check of the bytes
/// alone takes, and what it takes comes out the same, in the shortest numbers.
#[test]
fn mutated_bytes_are_lowered_or_refused_but_never_more() {
    let engine = engine();
    let base = std::env::var("WEFT_SEED").map_or(0xbad, |seed| seed.parse().unwrap());
    let rounds = std::env::var("WEFT_ROUNDS").map_or(250, |rounds| rounds.parse().unwrap());
    let (mut taken, mut refused) = (0, 0);
    for seed in base..base + rounds {
        let rng = &mut SmallRng::seed_from_u64(seed);
        let params = (0..rng.random_range(1..4)).map(|_| random::ty(rng, 3)).collect::<Vec<_>>();
        let guest = Passing::new(&engine, &params);
        let info = &guest.info;
        for _ in 0..8 {
            let values = params.iter().map(|ty| random::value(rng, ty)).collect::<Vec<_>>();
            let mut bytes = encoded(&params, &values);
            match rng.random_bool(0.1) {
                true => bytes = (0..rng.random_range(0..40)).map(|_| rng.random()).collect(),
                false => mutate(rng, &mut bytes),
            }
            let result = guest.deliver(&bytes);
            let valid = info.params.check(&bytes).is_ok();
            assert_eq!(valid, result.is_ok(), "seed {seed}: {params:?} {bytes:?} {result:?}");
            match result {
                Ok(seen) => {
                    taken += 1;
                    info.params.check(&seen).unwrap();
                    assert!(seen.len() <= bytes.len(), "seed {seed}");
                    // What came out goes in and comes out unchanged.
                    assert_eq!(guest.deliver(&seen).unwrap(), seen, "seed {seed}");
                }
                Err(_) => refused += 1,
            }
        }
    }
    // Neither side of the comparison is empty.
    assert!(taken > rounds && refused > rounds, "{taken} taken, {refused} refused");
}

/// A guest that lies does no harm to its neighbour in the same engine.
#[test]
fn a_neighbour_is_not_affected() {
    let engine = engine();
    let good = Passing::new(&engine, &[Ty::String]);
    let bad = calling("string", "(i32.const -16) (i32.const 100)", &[], "");
    for _ in 0..20 {
        assert!(run(&engine, &bad).1.is_err());
        assert_eq!(good.deliver(&[2, b'o', b'k']).unwrap(), [2, b'o', b'k']);
    }
}
