// A chat, as a service of a node: what is posted is kept in the service's own store, and everybody
// who may call reads the same lines in the same order.
//
// Line N is the value of the key N, made only where there is none, so that of two who post at once
// the second takes the next number. The key `last` says how far the lines had come when somebody
// looked: they may have come further since.
#include "chat.h"

#include <algorithm>
#include <optional>

namespace {

using Bucket = wasi_keyvalue_store_borrow_bucket_t;
using Problem = wasi_keyvalue_store_error_t;
using Line = exports_example_node_chat_line_t;

constexpr std::uint64_t kLinesKept = 1'000;
constexpr std::size_t kLinesRead = 100;
constexpr std::size_t kNameMax = 60;
constexpr std::size_t kTextMax = 500;
// Numbers that others may take while one line is posted.
constexpr int kTriesMax = 1'000;
constexpr std::string_view kLast = "last";

std::string words(const Problem& problem) {
  switch (problem.tag) {
    case WASI_KEYVALUE_STORE_ERROR_NO_SUCH_STORE: return "there is no store";
    case WASI_KEYVALUE_STORE_ERROR_ACCESS_DENIED: return "the store is not for this";
    default: return chat::text(problem.val.other);
  }
}

// The store, open for one call. What failed is in `problem`.
class Store {
 public:
  ~Store() {
    if (open_) wasi_keyvalue_store_bucket_drop_own(own_);
  }

  bool open() {
    guest_string_t name = chat::lent("");
    open_ = wasi_keyvalue_store_open(&name, &own_, &problem);
    return open_;
  }

  // Whether it could be asked; absent is no failure.
  bool get(std::string_view key, std::optional<std::string>& value) {
    guest_string_t asked = chat::lent(key);
    guest_option_list_u8_t found{};
    value.reset();
    if (!wasi_keyvalue_store_method_bucket_get(bucket(), &asked, &found, &problem)) return false;
    if (found.is_some) {
      value.emplace(reinterpret_cast<const char*>(found.val.ptr), found.val.len);
      std::free(found.val.ptr);
    }
    return true;
  }

  bool set(std::string_view key, std::string_view value) {
    guest_string_t asked = chat::lent(key);
    guest_string_t bytes = chat::lent(value);
    guest_list_u8_t list{bytes.ptr, bytes.len};
    return wasi_keyvalue_store_method_bucket_set(bucket(), &asked, &list, &problem);
  }

  bool erase(std::string_view key) {
    guest_string_t asked = chat::lent(key);
    return wasi_keyvalue_store_method_bucket_delete(bucket(), &asked, &problem);
  }

  // Sets a key that is not there. `done` says whether it was this that made it.
  bool make(std::string_view key, std::string_view value, bool& done) {
    guest_string_t asked = chat::lent(key);
    wasi_keyvalue_atomics_own_cas_t cas{};
    guest_option_list_u8_t there{};
    done = false;
    if (!wasi_keyvalue_atomics_static_cas_new(bucket(), &asked, &cas, &problem)) return false;
    if (!wasi_keyvalue_atomics_method_cas_current(wasi_keyvalue_atomics_borrow_cas(cas), &there,
                                                  &problem)) {
      return false;
    }
    if (there.is_some) {
      std::free(there.val.ptr);
      wasi_keyvalue_atomics_cas_drop_own(cas);
      return true;
    }
    guest_string_t bytes = chat::lent(value);
    guest_list_u8_t list{bytes.ptr, bytes.len};
    wasi_keyvalue_atomics_cas_error_t lost{};
    done = wasi_keyvalue_atomics_swap(cas, &list, &lost);
    if (done) return true;
    if (lost.tag != WASI_KEYVALUE_ATOMICS_CAS_ERROR_CAS_FAILED) {
      problem = lost.val.store_error;
      return false;
    }
    wasi_keyvalue_atomics_cas_drop_own(lost.val.cas_failed);
    return true;
  }

  bool last(std::uint64_t& number) {
    std::optional<std::string> found;
    if (!get(kLast, found)) return false;
    number = found ? std::strtoull(found->c_str(), nullptr, 10) : 0;
    return true;
  }

  Problem problem{};

 private:
  Bucket bucket() const { return wasi_keyvalue_store_borrow_bucket(own_); }

  wasi_keyvalue_store_own_bucket_t own_{};
  bool open_ = false;
};

// Nobody's terminal is told to do anything by a line.
std::string plain(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }, ' ');
  return text;
}

// The number of the line, or 0 and why.
std::uint64_t add(const std::string& who, const std::string& text, std::string& why) {
  Store store;
  std::uint64_t number = 0;
  bool done = false;
  bool well = store.open() && store.last(number);
  for (int tries = 0; well && !done && tries < kTriesMax; ++tries) {
    ++number;
    well = store.make(std::to_string(number), who + "\n" + text, done);
  }
  well = well && (!done || store.set(kLast, std::to_string(number)));
  if (well && done && number > kLinesKept) well = store.erase(std::to_string(number - kLinesKept));
  if (well && done) return number;
  why = well ? "too many post at once" : words(store.problem);
  return 0;
}

}  // namespace

bool exports_example_node_chat_post(guest_string_t* name, guest_string_t* text,
                                    std::uint64_t* number, guest_string_t* error) {
  std::string who = plain(chat::text(*name));
  std::string said = plain(chat::text(*text));
  guest_string_free(name);
  guest_string_free(text);
  std::string why;
  if (who.empty() || who.size() > kNameMax || said.empty() || said.size() > kTextMax) {
    why = "a name has 1 to 60 bytes, and a text 1 to 500";
  } else {
    *number = add(chat::signed_name(who), said, why);
  }
  if (why.empty()) return true;
  *error = chat::given(why);
  return false;
}

bool exports_example_node_chat_read(std::uint64_t since, exports_example_node_chat_list_line_t* all,
                                    guest_string_t* error) {
  Store store;
  std::uint64_t last = 0;
  bool well = store.open() && store.last(last);
  std::uint64_t oldest = last > kLinesKept ? last - kLinesKept + 1 : 1;
  all->len = 0;
  all->ptr = static_cast<Line*>(std::malloc(kLinesRead * sizeof(Line)));
  for (std::uint64_t number = std::max(since, oldest); well && all->len < kLinesRead; ++number) {
    std::optional<std::string> found;
    well = store.get(std::to_string(number), found);
    // Before the last one is what went meanwhile, behind it is what is not there yet.
    if (!found && number > last) break;
    if (!found) continue;
    std::size_t cut = found->find('\n');
    all->ptr[all->len++] = {.number = number,
                            .who = chat::given(std::string_view(*found).substr(0, cut)),
                            .text = chat::given(std::string_view(*found).substr(cut + 1))};
  }
  if (well) return true;
  *error = chat::given(words(store.problem));
  return false;
}
