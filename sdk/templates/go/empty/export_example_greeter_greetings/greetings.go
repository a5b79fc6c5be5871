// What the interface greetings offers.
package export_example_greeter_greetings

func Greet(name string) string {
	return "Hello, " + name + "!"
}
