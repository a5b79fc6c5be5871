// Written against "guest.h", the bindings of wit/world.wit: each exported function is one of C.

#include <string>

#include "guest.h"

extern "C" void exports_example_greeter_greetings_greet(guest_string_t* name,
                                                        guest_string_t* result) {
  std::string text = "Hello, ";
  text.append(reinterpret_cast<const char*>(name->ptr), name->len);
  text += '!';
  guest_string_free(name);
  guest_string_dup_n(result, text.data(), text.size());
}
