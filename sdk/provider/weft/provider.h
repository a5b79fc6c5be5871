#pragma once

// What a provider's process is written with: see sdk/provider/README.md.
//
//   int main(int argc, char** argv) {
//     return weft::provider::serve(argc, argv, [](weft::provider::Setup& setup) {
//       weft::provider::Interfaces served;
//       served.add<resize::Binding>(resize::kName, resize::kFunctions,
//                                   std::make_unique<Resizer>(setup.number("quality")));
//       return served;
//     });
//   }

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/secret.h"
#include "door/binding.h"
#include "io/loop.h"
#include "io/pool.h"

namespace weft::provider {

// What weft tells the process before it serves. Lives as long as the process serves.
class Setup {
 public:
  virtual ~Setup() = default;

  virtual const std::string& app() const = 0;
  // Of this provider, in the app.
  virtual const std::string& name() const = 0;
  // The configuration that the operator wrote: a JSON object.
  virtual const std::string& configuration() const = 0;
  // Values at the top of it. Nothing: there is none, or it is of another type.
  virtual std::optional<std::string> text(std::string_view key) const = 0;
  virtual std::optional<double> number(std::string_view key) const = 0;
  virtual std::optional<bool> flag(std::string_view key) const = 0;
  // Null: the operator gave none of that name.
  virtual const Secret* secret(std::string_view name) const = 0;

  // Where all calls arrive. What computes for more than some milliseconds goes to the pool: while
  // the loop is busy no other call is answered, and no ping of weft's.
  virtual Loop& loop() = 0;
  virtual Pool& pool() = 0;
};

// The interfaces that a process serves.
class Interfaces {
 public:
  // A generated Binding over a host of its interface, which is kept as long as the process serves:
  // `name` and `functions` are the generated kName and kFunctions.
  template <class Binding, class Host>
  void add(std::string_view name, std::span<const FunctionInfo> functions,
           std::unique_ptr<Host> host) {
    auto binding = std::make_unique<Binding>(*host);
    // Shared is what keeps anything, whatever its type.
    items_.push_back({name, functions, std::shared_ptr<void>(std::move(host)), std::move(binding)});
  }

  struct Item {
    std::string_view name;
    std::span<const FunctionInfo> functions;
    std::shared_ptr<void> host;
    std::unique_ptr<Provider> binding;  // Goes before the host.
  };
  std::vector<Item>& items() { return items_; }

 private:
  std::vector<Item> items_;
};

// Serves until weft says stop or is gone, on this thread; what main returns. `make` runs once, on
// the loop, when the setup is there. Where it fails, weft shows the message and does not start the
// app.
int serve(int argc, char** argv, std::function<Result<Interfaces>(Setup&)> make);

}  // namespace weft::provider
