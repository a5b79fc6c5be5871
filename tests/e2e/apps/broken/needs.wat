(component
  (import "no:such/thing@1.0.0" (instance (export "f" (func))))
  (import "wasi:keyvalue/store@0.9.0" (instance (export "f" (func)))))
