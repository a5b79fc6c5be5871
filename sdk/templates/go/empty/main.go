// A component that offers what wit/world.wit says. The folder gen is made by weft build; an interface
// that the world exports is a package here, named export_ and the interface.
package main

import _ "example/@NAME@/gen/exports/wit_exports"

func main() {}
