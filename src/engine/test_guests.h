#pragma once

// Guests small enough to be written as text.

#include <string_view>

namespace weft::testing {

// Two functions that a guest imports, one of an asynchronous type, and ways to call them: `one`
// waits for the asynchronous one, `three` starts it twice and calls the other one meanwhile,
// `cancelled` starts one and cancels it.
inline constexpr std::string_view kAsyncGuest = R"((component
  (import "test:torture/calls@1.0.0" (instance $calls
    (export "later" (func async (param "value" u32) (result u32)))
    (export "plain" (func (param "value" u32) (result u32)))))
  (core module $room (memory (export "memory") 1))
  (core instance $room (instantiate $room))
  (core func $one (canon lower (func $calls "later")))
  (core func $later (canon lower (func $calls "later") async (memory (core memory $room "memory"))))
  (core func $plain (canon lower (func $calls "plain")))
  (core func $new (canon waitable-set.new))
  (core func $wait (canon waitable-set.wait (memory (core memory $room "memory"))))
  (core func $join (canon waitable.join))
  (core func $gone (canon waitable-set.drop))
  (core func $drop (canon subtask.drop))
  (core func $cancel (canon subtask.cancel))
  (core module $main
    (import "" "memory" (memory 1))
    (import "" "one" (func $one (param i32) (result i32)))
    (import "" "later" (func $later (param i32 i32) (result i32)))
    (import "" "plain" (func $plain (param i32) (result i32)))
    (import "" "new" (func $new (result i32)))
    (import "" "wait" (func $wait (param i32 i32) (result i32)))
    (import "" "join" (func $join (param i32 i32)))
    (import "" "gone" (func $gone (param i32)))
    (import "" "drop" (func $drop (param i32)))
    (import "" "cancel" (func $cancel (param i32) (result i32)))
    (func (export "one") (param i32) (result i32) (call $one (local.get 0)))
    (func $begun (param $status i32) (param $set i32) (result i32)
      (if (i32.eq (i32.and (local.get $status) (i32.const 15)) (i32.const 2))
        (then (return (i32.const 0))))
      (call $join (i32.shr_u (local.get $status) (i32.const 4)) (local.get $set))
      (i32.const 1))
    (func (export "three") (param $value i32) (result i32)
      (local $set i32) (local $left i32)
      (local.set $set (call $new))
      (local.set $left (i32.add
        (call $begun (call $later (local.get $value) (i32.const 0)) (local.get $set))
        (call $begun (call $later (local.get $value) (i32.const 4)) (local.get $set))))
      (i32.store (i32.const 16) (call $plain (local.get $value)))
      (block $done
        (loop $next
          (br_if $done (i32.eqz (local.get $left)))
          (drop (call $wait (local.get $set) (i32.const 8)))
          (if (i32.eq (i32.load (i32.const 12)) (i32.const 2))
            (then
              (call $drop (i32.load (i32.const 8)))
              (local.set $left (i32.sub (local.get $left) (i32.const 1)))))
          (br $next)))
      (call $gone (local.get $set))
      (i32.add (i32.load (i32.const 16))
        (i32.add (i32.load (i32.const 0)) (i32.load (i32.const 4)))))
    (func (export "cancelled") (param $value i32) (result i32)
      (local $status i32) (local $end i32)
      (local.set $status (call $later (local.get $value) (i32.const 0)))
      (if (i32.eq (i32.and (local.get $status) (i32.const 15)) (i32.const 2))
        (then (return (i32.load (i32.const 0)))))
      (local.set $end (call $cancel (i32.shr_u (local.get $status) (i32.const 4))))
      (call $drop (i32.shr_u (local.get $status) (i32.const 4)))
      (local.get $end)))
  (core instance $main (instantiate $main (with "" (instance
    (export "memory" (memory $room "memory"))
    (export "one" (func $one)) (export "later" (func $later)) (export "plain" (func $plain))
    (export "new" (func $new)) (export "wait" (func $wait)) (export "join" (func $join))
    (export "gone" (func $gone)) (export "drop" (func $drop))
    (export "cancel" (func $cancel))))))
  (type $way (func async (param "value" u32) (result u32)))
  (func (export "one") (type $way) (canon lift (core func $main "one")))
  (func (export "three") (type $way) (canon lift (core func $main "three")))
  (func (export "cancelled") (type $way) (canon lift (core func $main "cancelled"))))
)";

// Ways to fail that need no library: `spin` never ends, `grow` asks for so many pages of memory and
// says whether it got them, `deep` recurses for ever, `trap` traps two functions deep.
inline constexpr std::string_view kUnrulyGuest = R"((component
  (core module $main
    (memory (export "memory") 1)
    (func (export "spin") (loop $on (br $on)))
    (func (export "grow") (param i32) (result i32)
      (i32.ne (memory.grow (local.get 0)) (i32.const -1)))
    (func $deep (export "deep") (call $deep))
    (func $divide (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
    (func $shop (export "trap") (drop (call $divide (i32.const 0)))))
  (core instance $main (instantiate $main))
  (func (export "spin") (canon lift (core func $main "spin")))
  (func (export "grow") (param "pages" u32) (result bool) (canon lift (core func $main "grow")))
  (func (export "deep") (canon lift (core func $main "deep")))
  (func (export "trap") (canon lift (core func $main "trap"))))
)";

// Four memories in one component: `grow` asks for so many pages of each and says how many got them.
inline constexpr std::string_view kManyMemoriesGuest = R"((component
  (core module $main
    (memory 1) (memory 1) (memory 1) (memory 1)
    (func (export "grow") (param $pages i32) (result i32)
      (i32.add
        (i32.add
          (i32.ne (memory.grow 0 (local.get $pages)) (i32.const -1))
          (i32.ne (memory.grow 1 (local.get $pages)) (i32.const -1)))
        (i32.add
          (i32.ne (memory.grow 2 (local.get $pages)) (i32.const -1))
          (i32.ne (memory.grow 3 (local.get $pages)) (i32.const -1))))))
  (core instance $main (instantiate $main))
  (func (export "grow") (param "pages" u32) (result u32) (canon lift (core func $main "grow"))))
)";

// Opens a counter `count` times and closes none.
inline constexpr std::string_view kHoarderGuest = R"((component
  (import "test:torture/counters@1.0.0" (instance $counters
    (export "counter" (type $counter (sub resource)))
    (export "[constructor]counter" (func (param "start" u32) (result (own $counter))))))
  (core func $open (canon lower (func $counters "[constructor]counter")))
  (core module $main
    (import "" "open" (func $open (param i32) (result i32)))
    (func (export "hoard") (param $count i32) (result i32)
      (block $done
        (loop $next
          (br_if $done (i32.eqz (local.get $count)))
          (drop (call $open (i32.const 1)))
          (local.set $count (i32.sub (local.get $count) (i32.const 1)))
          (br $next)))
      (i32.const 7)))
  (core instance $main (instantiate $main (with "" (instance (export "open" (func $open))))))
  (func (export "hoard") (param "count" u32) (result u32)
    (canon lift (core func $main "hoard"))))
)";

}  // namespace weft::testing
