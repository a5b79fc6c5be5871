#include "provider/handshake.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <boost/json.hpp>
#include <set>

#include "base/check.h"
#include "base/json_text.h"
#include "values/type.h"

namespace weft::provider {
namespace {

namespace json = boost::json;

Result<json::object> read_object(std::string_view text, std::string_view what) {
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  if (error)
    return failure(Errc::kCorrupt, fmt::format("{} is no JSON: {}", what, error.message()));
  if (!value.is_object()) return failure(Errc::kCorrupt, fmt::format("{} is no JSON object", what));
  return std::move(value.get_object());
}

Result<std::string> text_of(const json::object& object, std::string_view key,
                            std::string_view what) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) {
    return failure(Errc::kCorrupt, fmt::format("{} has no text \"{}\"", what, key));
  }
  return std::string(value->get_string());
}

Result<const json::array*> array_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_array()) {
    return failure(Errc::kCorrupt, fmt::format("its answer has no list \"{}\"", key));
  }
  return &value->get_array();
}

Result<OfferedInterface> read_interface(const json::value& value) {
  if (!value.is_object()) return failure(Errc::kCorrupt, "an interface is no JSON object");
  OfferedInterface interface;
  TRY(interface.name, text_of(value.get_object(), "name", "an interface"));
  TRY(const json::array* functions, array_of(value.get_object(), "functions"));
  std::set<std::string_view> names;
  for (const json::value& each : *functions) {
    if (!each.is_object()) return failure(Errc::kCorrupt, "a function is no JSON object");
    OfferedFunction function;
    TRY(function.name, text_of(each.get_object(), "name", "a function"));
    TRY(function.signature, text_of(each.get_object(), "signature", function.name));
    if (auto read = parse_signature(function.signature); !read) {
      return std::unexpected(
          std::move(read).error().within(fmt::format("{} {}", interface.name, function.name)));
    }
    interface.functions.push_back(std::move(function));
  }
  for (const OfferedFunction& function : interface.functions) {
    if (names.insert(function.name).second) continue;
    return failure(Errc::kCorrupt,
                   fmt::format("{} {} is there twice", interface.name, function.name));
  }
  return interface;
}

}  // namespace

std::string hello_text(std::string_view token) {
  std::string out = "{\"token\": ";
  append_json_string(out, token);
  return out + "}";
}

Result<std::string> token_of_hello(std::string_view text) {
  TRY(json::object object, read_object(text, "its hello"));
  return text_of(object, "token", "its hello");
}

Secret setup_text(const SetupMessage& setup) {
  std::string out = "{\"token\": ";
  append_json_string(out, setup.token);
  out += ", \"app\": ";
  append_json_string(out, setup.app);
  out += ", \"name\": ";
  append_json_string(out, setup.name);
  out += ", \"configuration\": ";
  out += setup.configuration_json.empty() ? "{}" : setup.configuration_json;
  out += ", \"secrets\": {";
  // Grown once: a buffer that grows leaves copies behind.
  std::size_t room = out.size() + 16;
  for (const auto& [name, secret] : setup.secrets) {
    room += 6 * (name.size() + secret.reveal().size()) + 8;
  }
  out.reserve(room);
  for (bool first = true; const auto& [name, secret] : setup.secrets) {
    if (!std::exchange(first, false)) out += ", ";
    append_json_string(out, name);
    out += ": ";
    append_json_string(out, secret.reveal());
  }
  out += "}}";
  return Secret(std::move(out));
}

Result<SetupMessage> read_setup(std::string_view text) {
  TRY(json::object object, read_object(text, "the setup"));
  SetupMessage setup;
  TRY(setup.token, text_of(object, "token", "the setup"));
  TRY(setup.app, text_of(object, "app", "the setup"));
  TRY(setup.name, text_of(object, "name", "the setup"));
  if (const json::value* configuration = object.if_contains("configuration")) {
    setup.configuration_json = json::serialize(*configuration);
  }
  const json::value* secrets = object.if_contains("secrets");
  if (secrets == nullptr || !secrets->is_object()) return setup;
  for (const auto& [name, value] : secrets->get_object()) {
    if (!value.is_string()) return failure(Errc::kCorrupt, "a secret is no text");
    setup.secrets.emplace_back(name, Secret(std::string(value.get_string())));
  }
  return setup;
}

std::string ready_text(const Offer& offer) {
  std::string out = "{\"interfaces\": [";
  for (std::size_t i = 0; i < offer.size(); ++i) {
    out += i == 0 ? "{\"name\": " : ", {\"name\": ";
    append_json_string(out, offer[i].name);
    out += ", \"functions\": [";
    for (std::size_t j = 0; j < offer[i].functions.size(); ++j) {
      out += j == 0 ? "{\"name\": " : ", {\"name\": ";
      append_json_string(out, offer[i].functions[j].name);
      out += ", \"signature\": ";
      append_json_string(out, offer[i].functions[j].signature);
      out += "}";
    }
    out += "]}";
  }
  return out + "]}";
}

Result<Offer> read_ready(std::string_view text) {
  TRY(json::object object, read_object(text, "its answer"));
  TRY(const json::array* interfaces, array_of(object, "interfaces"));
  Offer offer;
  for (const json::value& each : *interfaces) {
    TRY(OfferedInterface interface, read_interface(each));
    for (const OfferedInterface& other : offer) {
      if (other.name != interface.name) continue;
      return failure(Errc::kCorrupt, fmt::format("{} is there twice", other.name));
    }
    offer.push_back(std::move(interface));
  }
  return offer;
}

std::string difference(const Offer& before, const Offer& now) {
  if (before.size() != now.size()) {
    return fmt::format("it served {} interfaces and serves {}", before.size(), now.size());
  }
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i].name != now[i].name) {
      return fmt::format("it served {} and serves {} in its place", before[i].name, now[i].name);
    }
    if (before[i].functions != now[i].functions) {
      return fmt::format("the functions of {} are others than before", before[i].name);
    }
  }
  return "nothing differs";
}

std::string random_token() {
  std::array<std::uint8_t, 16> bytes;
  CHECK(getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  std::string out;
  for (std::uint8_t byte : bytes) out += fmt::format("{:02x}", byte);
  return out;
}

}  // namespace weft::provider
