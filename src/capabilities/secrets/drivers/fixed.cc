#include "capabilities/secrets/drivers/fixed.h"

#include <fmt/format.h>

namespace weft::secrets {
namespace {

class ValueSource final : public Source {
 public:
  explicit ValueSource(Secret value) : value_(std::move(value)) {}

  Result<void> open() override { return {}; }
  std::unique_ptr<Reader> reader(Loop&) override { return std::make_unique<ValueReader>(value_); }

 private:
  class ValueReader final : public Reader {
   public:
    explicit ValueReader(const Secret& value) : value_(value) {}
    Answer<Secret> get(Request, std::string_view name) override {
      if (auto checked = check_value(name, value_.reveal()); !checked) {
        return std::move(checked).error();
      }
      return value_;
    }

   private:
    const Secret& value_;
  };

  const Secret value_;
};

class EnvironmentReader final : public Reader {
 public:
  EnvironmentReader(const std::string& variable, const Variables& variables)
      : variable_(variable), variables_(variables) {}

  Answer<Secret> get(Request, std::string_view name) override { return read(name); }

 private:
  Result<Secret> read(std::string_view name) const {
    TRY_VOID(check_name(name));
    std::string variable = variable_.empty() ? variable_of(name) : variable_;
    std::optional<std::string> value = variables_(variable);
    if (!value) {
      return failure(Errc::kNotFound, fmt::format("the environment variable {} is not set: set it "
                                                  "where weft is started",
                                                  variable));
    }
    Secret secret(*std::move(value));
    TRY_VOID(check_value(name, secret.reveal()));
    return secret;
  }

  const std::string& variable_;
  const Variables& variables_;
};

class EnvironmentSource final : public Source {
 public:
  EnvironmentSource(std::string variable, Variables variables)
      : variable_(std::move(variable)), variables_(std::move(variables)) {}

  Result<void> open() override { return {}; }
  std::unique_ptr<Reader> reader(Loop&) override {
    return std::make_unique<EnvironmentReader>(variable_, variables_);
  }

 private:
  const std::string variable_;
  const Variables variables_;
};

}  // namespace

std::unique_ptr<Source> value_source(Secret value) {
  return std::make_unique<ValueSource>(std::move(value));
}

std::unique_ptr<Source> environment_source(std::string variable, Variables variables) {
  return std::make_unique<EnvironmentSource>(std::move(variable), std::move(variables));
}

std::string variable_of(std::string_view name) {
  std::string variable;
  for (char c : name) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    variable += letter ? upper : '_';
  }
  return variable;
}

}  // namespace weft::secrets
