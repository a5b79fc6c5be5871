// Publishes many messages and writes down each that it is brought, as cheaply as that can be kept.
// POST /publish?key=K&from=N&count=C sends the messages "K N", "K N+1" and so on to the topic n.K
// with the metadata "key", and answers each number on a line as soon as it was acknowledged. A
// message is kept under "h/K/N" as the place it had in the order of its key; one that comes again
// is counted under "again". GET /read?key=K&from=N&count=C answers "N PLACE" for those that came;
// GET /again how many came again.
#include <cstdlib>
#include <optional>
#include <string>

#include "weft/http_p2.h"
#include "weft/message_handler.h"

namespace weft::http {
namespace {

using detail::lend;
using detail::view;

guest_list_u8_t lend_bytes(std::string_view text) {
  return {const_cast<std::uint8_t*>(bytes(text).data()), text.size()};
}

// The default bucket, for as long as this lives.
class Bucket {
 public:
  Bucket() {
    auto name = lend("");
    wasi_keyvalue_store_error_t error;
    if (!wasi_keyvalue_store_open(&name, &bucket_, &error)) __builtin_trap();
  }
  Bucket(const Bucket&) = delete;
  ~Bucket() { wasi_keyvalue_store_bucket_drop_own(bucket_); }

  std::optional<std::string> get(const std::string& key) const {
    auto name = lend(key);
    guest_option_list_u8_t value;
    wasi_keyvalue_store_error_t error;
    if (!wasi_keyvalue_store_method_bucket_get(borrow(), &name, &value, &error)) __builtin_trap();
    if (!value.is_some) return std::nullopt;
    return std::string(view(value.val));
  }
  void set(const std::string& key, const std::string& text) const {
    auto name = lend(key);
    auto value = lend_bytes(text);
    wasi_keyvalue_store_error_t error;
    if (!wasi_keyvalue_store_method_bucket_set(borrow(), &name, &value, &error)) __builtin_trap();
  }
  std::uint64_t increment(const std::string& key) const {
    auto name = lend(key);
    std::uint64_t sum = 0;
    wasi_keyvalue_store_error_t error;
    if (!wasi_keyvalue_atomics_increment(borrow(), &name, 1, &sum, &error)) __builtin_trap();
    return sum;
  }

 private:
  wasi_keyvalue_store_borrow_bucket_t borrow() const {
    return wasi_keyvalue_store_borrow_bucket(bucket_);
  }
  wasi_keyvalue_store_own_bucket_t bucket_;
};

std::uint64_t number_of(const Request& incoming, std::string_view name) {
  return std::strtoull(std::string(incoming.query(name)).c_str(), nullptr, 10);
}

void publish(const Request& incoming, Out out) {
  std::string key(incoming.query("key"));
  std::uint64_t from = number_of(incoming, "from");
  std::uint64_t end = from + number_of(incoming, "count");
  auto broker = messaging::open();
  if (!broker) __builtin_trap();
  Response response(out, 200);
  for (std::uint64_t number = from; number < end; ++number) {
    std::string text = std::to_string(number);
    if (!broker->send("n." + key, {.data = key + " " + text, .metadata = {{"key", key}}})) break;
    response.write(text + "\n");
  }
}

void read(const Request& incoming, Out out) {
  std::string key(incoming.query("key"));
  std::uint64_t from = number_of(incoming, "from");
  std::uint64_t end = from + number_of(incoming, "count");
  Bucket bucket;
  std::string text;
  for (std::uint64_t number = from; number < end; ++number) {
    auto place = bucket.get("h/" + key + "/" + std::to_string(number));
    if (place) text += std::to_string(number) + " " + *place + "\n";
  }
  Response(out, 200).write(text);
}

}  // namespace

void handle(Request& incoming, Out out) {
  if (incoming.path() == "/publish") return publish(incoming, out);
  if (incoming.path() == "/read") return read(incoming, out);
  if (incoming.path() == "/again") {
    return void(Response(out, 200).write(Bucket().get("again").value_or("0")));
  }
  Response(out, 404).write("there is no such path\n");
}

}  // namespace weft::http

namespace weft::messaging {

Result<> handle(const Incoming& incoming) {
  const std::string& body = incoming.message.data;
  std::size_t cut = body.find(' ');
  if (cut == body.npos || incoming.metadata("key") != body.substr(0, cut)) {
    return failure(Code::kDenied, "it is none of mine");
  }
  http::Bucket bucket;
  std::string name = "h/" + body.substr(0, cut) + "/" + body.substr(cut + 1);
  if (bucket.get(name)) {
    bucket.increment("again");
    return {};
  }
  // Those of one key come one after the other: nobody else counts meanwhile.
  bucket.set(name, std::to_string(bucket.increment("place/" + body.substr(0, cut))));
  return {};
}

}  // namespace weft::messaging
