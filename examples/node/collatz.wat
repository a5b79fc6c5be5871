;; A library in text: how many steps a number takes to 1, where an odd one becomes 3n + 1 and an
;; even one its half. It has one typed function and no entry: others call it, by name or by hash.
(component
  (core module $m
    (func (export "steps") (param i64) (result i32)
      (local $n i32)
      (block $done
        (loop $again
          (br_if $done (i64.le_u (local.get 0) (i64.const 1)))
          (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (local.set 0
            (select
              (i64.add (i64.mul (local.get 0) (i64.const 3)) (i64.const 1))
              (i64.shr_u (local.get 0) (i64.const 1))
              (i32.wrap_i64 (i64.and (local.get 0) (i64.const 1)))))
          (br $again)))
      (local.get $n)))
  (core instance $i (instantiate $m))
  (func (export "steps") (param "of" u64) (result u32)
    (canon lift (core func $i "steps"))))
