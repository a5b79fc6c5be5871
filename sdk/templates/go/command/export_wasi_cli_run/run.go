// A command that counts its runs.
package export_wasi_cli_run

import (
	"fmt"
	"os"

	atomics "example/@NAME@/gen/imports/wasi_keyvalue_atomics"
	store "example/@NAME@/gen/imports/wasi_keyvalue_store"
	"example/@NAME@/gen/wit/types"
)

type Unit = wit_types.Unit

func Run() wit_types.Result[Unit, Unit] {
	name := "world"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	bucket := store.Open("runs")
	if bucket.IsErr() {
		fmt.Fprintln(os.Stderr, "the store runs cannot be opened")
		return wit_types.Err[Unit](Unit{})
	}
	runs := atomics.Increment(bucket.Ok(), "all", 1)
	if runs.IsErr() {
		fmt.Fprintln(os.Stderr, "the store runs cannot be written")
		return wit_types.Err[Unit](Unit{})
	}
	fmt.Printf("Hello, %s! This is run %d.\n", name, runs.Ok())
	return wit_types.Ok[Unit, Unit](Unit{})
}
