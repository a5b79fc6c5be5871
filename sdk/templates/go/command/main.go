// A command. The folder gen is made by weft build; an interface that wit/world.wit exports is a
// package here, named export_ and the interface: wasi:cli/run is what a command begins with.
package main

import _ "example/@NAME@/gen/exports/wit_exports"

func main() {}
