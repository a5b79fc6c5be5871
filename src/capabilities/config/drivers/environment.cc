#include <fmt/format.h>

#include <utility>

#include "capabilities/config/source.h"
#include "door/codec.h"

namespace weft::config {
namespace {

class EnvironmentSource final : public Source {
 public:
  EnvironmentSource(std::string prefix, Variables variables)
      : prefix_(std::move(prefix)), variables_(std::move(variables)) {}

  Result<void> open() override { return {}; }

  std::optional<std::string> get(std::string_view key) const override {
    std::string variable = prefix_;
    for (char c : key) {
      bool lower = c >= 'a' && c <= 'z';
      bool plain = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      variable += lower ? static_cast<char>(c - 'a' + 'A') : plain ? c : '_';
    }
    auto value = variables_(variable);
    // A string of WIT is UTF-8: bytes that are none are no value.
    if (value && (!is_utf8(*value) || value->size() > kValueBytesMax)) return std::nullopt;
    return value;
  }

 private:
  const std::string prefix_;
  const Variables variables_;
};

}  // namespace

std::unique_ptr<Source> environment_source(std::string prefix, Variables variables) {
  return std::make_unique<EnvironmentSource>(std::move(prefix), std::move(variables));
}

}  // namespace weft::config
