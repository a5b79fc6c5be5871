// weft:secrets: what the operator keeps from everybody's eyes.
//
// A name is one of `uses.secrets` in weft.toml; where its value lies is the operator's choice. A
// Secret is a handle that shows nothing: `reveal` gives the value, and the host counts it. Reveal
// as late as possible, and keep no copy.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "weft/result.h"

#ifndef WEFT_SECRETS_STORE_ERROR_NOT_FOUND
#error "the world does not import weft:secrets/store@0.1.0 and reveal"
#endif

namespace weft::secrets {

namespace detail {

inline std::unexpected<Error> taken(weft_secrets_store_error_t& error) {
  switch (error.tag) {
    case WEFT_SECRETS_STORE_ERROR_DENIED:
      return failure(Code::kDenied, "the secret is not granted: name it in uses.secrets");
    case WEFT_SECRETS_STORE_ERROR_NOT_FOUND:
      return failure(Code::kNotFound, "there is no secret of that name");
    default: break;
  }
  Code code = error.tag == WEFT_SECRETS_STORE_ERROR_UNAVAILABLE ? Code::kUnreachable : Code::kOther;
  std::string message(weft::detail::view(error.val.other));
  weft_secrets_store_error_free(&error);
  return failure(code, std::move(message));
}

}  // namespace detail

// A secret as it was when it was got. Dropped with its last owner.
class Secret {
 public:
  explicit Secret(weft_secrets_store_own_secret_t handle) : handle_(handle) {}
  Secret(Secret&& other) noexcept : handle_(std::exchange(other.handle_, {0})) {}
  Secret& operator=(Secret&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Secret() {
    if (handle_.__handle != 0) weft_secrets_store_secret_drop_own(handle_);
  }

  // The value: text, or any bytes.
  std::string reveal() const {
    weft_secrets_reveal_value_t value;
    weft_secrets_reveal_reveal(weft_secrets_store_borrow_secret(handle_), &value);
    std::string out(weft::detail::view(value.val.text));
    weft_secrets_reveal_value_free(&value);
    return out;
  }

 private:
  weft_secrets_store_own_secret_t handle_;
};

// The secret of that name, as it is now.
inline Result<Secret> get(std::string_view name) {
  auto text = weft::detail::lend(name);
  weft_secrets_store_own_secret_t handle;
  weft_secrets_store_error_t error;
  if (weft_secrets_store_get(&text, &handle, &error)) return Secret(handle);
  return detail::taken(error);
}

}  // namespace weft::secrets
