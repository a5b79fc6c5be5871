#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "capabilities/capability.h"
#include "capabilities/secrets/audit.h"
#include "capabilities/secrets/source.h"
#include "door/answer.h"
#include "door/codec.h"

// What the host classes of all versions have in common. `Wit` names the generated types of one
// version: Error, Secret, StoreHost, RevealHost, Value, and says in its words what is wrong.
namespace weft::secrets {

// What an offer's provider is made with.
struct Hosting {
  std::unique_ptr<Reader> reader;
  const Use& use;
  Audit& audit;
  std::string label;  // What the component imports the interface as.
};

// The secret behind a guest's handle: its value as it was when it was got. Wiped with the handle.
template <class Wit>
class HostSecret final : public Wit::Secret {
 public:
  HostSecret(std::string name, Secret value) : name_(std::move(name)), value_(std::move(value)) {}

  const std::string& name() const { return name_; }
  const Secret& value() const { return value_; }

 private:
  const std::string name_;
  const Secret value_;
};

// What a guest is told where a driver's words are for the operator alone: they name files and
// servers.
inline constexpr std::string_view kSeeLog =
    "the secret cannot be read now: the host's log says why";

// Reads the secret of that name for who calls; failures go to the log.
template <class Wit>
Answer<std::unique_ptr<typename Wit::Secret>> read_secret(Hosting& hosting, Call& call,
                                                          std::string_view name) {
  using Made = std::unique_ptr<typename Wit::Secret>;
  const Context& context = call.context();
  return hosting.reader->get({context.loop(), call.deadline()}, name)
      .settle([&hosting, &context, name = std::string(name)](Result<Secret> value) -> Result<Made> {
        if (!value) {
          if (value.error().code() != Errc::kNotFound) {
            hosting.audit.failed(context, name, value.error());
          }
          return std::unexpected(std::move(value).error());
        }
        return std::make_unique<HostSecret<Wit>>(name, *std::move(value));
      });
}

// store.get: of the names that the component asks for. Whether another one exists is not told.
template <class Wit>
class StoreHost final : public Wit::StoreHost {
 public:
  using E = typename Wit::Error;
  using Made = std::unique_ptr<typename Wit::Secret>;
  using Got = std::expected<Made, E>;

  explicit StoreHost(Hosting hosting) : hosting_(std::move(hosting)) {}

  Answer<Got> get(Call& call, std::string_view name) override {
    if (!hosting_.use.allows(name)) return Got(std::unexpected(Wit::denied()));
    return read_secret<Wit>(hosting_, call, name).settle([](Result<Made> made) -> Got {
      if (!made) return std::unexpected(Wit::error_of(made.error()));
      return *std::move(made);
    });
  }

 private:
  Hosting hosting_;
};

// reveal.reveal: the one place where a value goes to a guest.
template <class Wit>
class RevealHost final : public Wit::RevealHost {
 public:
  using Value = typename Wit::Value;

  explicit RevealHost(Hosting hosting) : audit_(hosting.audit) {}

  Answer<Value> reveal(Call& call, typename Wit::Secret& lent) override {
    // Every secret of a version is a HostSecret.
    auto& secret = static_cast<HostSecret<Wit>&>(lent);
    audit_.revealed(call.context(), secret.name());
    std::string_view value = secret.value().reveal();
    // Encoded at once: the copy between is wiped here, and not wherever an answer goes.
    if (is_utf8(value)) {
      Value shown = Wit::text(std::string(value));
      auto answer = Answer<Value>::written(call, shown);
      wipe(Wit::text_of(shown));
      return answer;
    }
    Value shown = Wit::bytes(Bytes(as_bytes(value).begin(), as_bytes(value).end()));
    auto answer = Answer<Value>::written(call, shown);
    wipe(Wit::bytes_of(shown));
    return answer;
  }

 private:
  static void wipe(auto& copy) { explicit_bzero(copy.data(), copy.size()); }

  Audit& audit_;
};

// The providers of one interface each, as secrets.cc lists them.
std::unique_ptr<Provider> weft_store(Hosting hosting);
std::unique_ptr<Provider> weft_reveal(Hosting hosting);
std::unique_ptr<Provider> draft_store(Hosting hosting);
std::unique_ptr<Provider> draft_reveal(Hosting hosting);
std::unique_ptr<Provider> v1_store(Hosting hosting);
std::unique_ptr<Provider> v1_reveal(Hosting hosting);
std::unique_ptr<Provider> v2_store(Hosting hosting);
std::unique_ptr<Provider> v2_reveal(Hosting hosting);
std::unique_ptr<Provider> v2_secret(Hosting hosting);

}  // namespace weft::secrets
