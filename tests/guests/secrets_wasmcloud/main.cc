// A command that gets the secrets of the names that it is given, through wasmcloud:secrets, and
// prints each, or what kind of error there was.

#include <cstdio>
#include <string>

#include "guest.h"

int main(int count, char** words) {
  for (int i = 1; i < count; ++i) {
    std::string name(words[i]);
    guest_string_t key{reinterpret_cast<std::uint8_t*>(name.data()), name.size()};
    wasmcloud_secrets_0_1_0_draft_store_own_secret_t secret;
    wasmcloud_secrets_0_1_0_draft_store_secrets_error_t error;
    if (!wasmcloud_secrets_0_1_0_draft_store_get(&key, &secret, &error)) {
      bool none = error.tag == WASMCLOUD_SECRETS_0_1_0_DRAFT_STORE_SECRETS_ERROR_NOT_FOUND;
      std::printf("%s: %s\n", words[i], none ? "not-found" : "another error");
      wasmcloud_secrets_0_1_0_draft_store_secrets_error_free(&error);
      continue;
    }
    wasmcloud_secrets_0_1_0_draft_reveal_secret_value_t value;
    wasmcloud_secrets_0_1_0_draft_reveal_reveal(
        wasmcloud_secrets_0_1_0_draft_store_borrow_secret(secret), &value);
    std::printf("%s: %.*s\n", words[i], static_cast<int>(value.val.string.len),
                reinterpret_cast<const char*>(value.val.string.ptr));
    wasmcloud_secrets_0_1_0_draft_reveal_secret_value_free(&value);
    wasmcloud_secrets_0_1_0_draft_store_secret_drop_own(secret);
  }
  return 0;
}
