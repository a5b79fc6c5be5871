// A page that counts its visitors.
package main

import (
	"fmt"
	"net/http"

	wasihttp "example/@NAME@/export_wasi_http_incoming_handler"
	_ "example/@NAME@/gen/exports/wit_exports"
	atomics "example/@NAME@/gen/imports/wasi_keyvalue_atomics"
	store "example/@NAME@/gen/imports/wasi_keyvalue_store"
)

// Nobody calls main of a component: what it serves is said while it starts.
func init() {
	http.HandleFunc("/", page)
	wasihttp.Serve(http.DefaultServeMux)
}

func main() {}

func page(out http.ResponseWriter, request *http.Request) {
	bucket := store.Open("visits")
	if bucket.IsErr() {
		http.Error(out, "the store visits cannot be opened", http.StatusInternalServerError)
		return
	}
	visits := atomics.Increment(bucket.Ok(), "all", 1)
	if visits.IsErr() {
		http.Error(out, "the store visits cannot be written", http.StatusInternalServerError)
		return
	}
	out.Header().Set("content-type", "text/plain; charset=utf-8")
	fmt.Fprintf(out, "Hello, visitor %d!\n", visits.Ok())
}
