// The door to a chat on another node, as a service of a node: those who may call this one, whom the
// other need not know, read and post there. Their lines go there under this node's key; whose they
// are stands before it.
#include "chat.h"

bool exports_example_node_chat_post(guest_string_t* name, guest_string_t* text,
                                    std::uint64_t* number, guest_string_t* error) {
  std::string who = chat::signed_name(chat::text(*name));
  guest_string_t shown = chat::lent(who);
  bool done = example_node_chat_post(&shown, text, number, error);
  guest_string_free(name);
  guest_string_free(text);
  return done;
}

// The types are the same, by two names.
bool exports_example_node_chat_read(std::uint64_t since, exports_example_node_chat_list_line_t* all,
                                    guest_string_t* error) {
  example_node_chat_list_line_t there{};
  static_assert(sizeof there == sizeof *all);
  bool done = example_node_chat_read(since, &there, error);
  if (done) std::memcpy(all, &there, sizeof there);
  return done;
}
