// Written against "guest.h", the bindings of wit/world.wit.

#include <stdio.h>

#include "guest.h"

void exports_example_greeter_greetings_greet(guest_string_t* name, guest_string_t* result) {
  char text[256];
  snprintf(text, sizeof text, "Hello, %.*s!", (int)name->len, (const char*)name->ptr);
  guest_string_free(name);
  guest_string_dup(result, text);
}
