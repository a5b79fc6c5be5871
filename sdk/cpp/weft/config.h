// wasi:config: what `uses.config` in weft.toml says, or the operator in its place.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/result.h"

#ifndef WASI_CONFIG_STORE_ERROR_IO
#error "the world does not import wasi:config/store@0.2.0-rc.1"
#endif

namespace weft::config {

namespace detail {

inline std::unexpected<Error> taken(wasi_config_store_error_t& error) {
  std::string message(weft::detail::view(error.val.io));
  wasi_config_store_error_free(&error);
  return failure(Code::kOther, std::move(message));
}

}  // namespace detail

// The value of a key; nothing when nobody set it.
inline Result<std::optional<std::string>> get(std::string_view key) {
  auto name = weft::detail::lend(key);
  guest_option_string_t value;
  wasi_config_store_error_t error;
  if (!wasi_config_store_get(&name, &value, &error)) return detail::taken(error);
  if (!value.is_some) return std::nullopt;
  std::string out(weft::detail::view(value.val));
  guest_option_string_free(&value);
  return out;
}

// The value of a key, or `fallback` when there is none or it cannot be read.
inline std::string get_or(std::string_view key, std::string_view fallback) {
  auto value = get(key);
  return value && *value ? std::move(**value) : std::string(fallback);
}

inline Result<std::vector<std::pair<std::string, std::string>>> get_all() {
  guest_list_tuple2_string_string_t rows;
  wasi_config_store_error_t error;
  if (!wasi_config_store_get_all(&rows, &error)) return detail::taken(error);
  std::vector<std::pair<std::string, std::string>> out;
  for (std::size_t i = 0; i < rows.len; ++i) {
    out.emplace_back(weft::detail::view(rows.ptr[i].f0), weft::detail::view(rows.ptr[i].f1));
  }
  guest_list_tuple2_string_string_free(&rows);
  return out;
}

}  // namespace weft::config
