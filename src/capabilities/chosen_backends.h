#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "capabilities/capability.h"
#include "capabilities/driver_backend.h"
#include "io/loop.h"

namespace weft {

// The backends of the drivers that operators chose for names of one capability, opened. One that
// was chosen otherwise since stays, because an earlier version of an app may still use it.
//
// `embedded` is the driver that is not among them; empty where every choice has a backend of its
// own.
template <class Backend>
class ChosenBackends {
 public:
  // Opens those that are not there yet: `make` gives a Result<std::unique_ptr<Backend>> for a
  // choice. As Capability::prepare; the first failure names the table it is about.
  template <class Make>
  Result<void> prepare(const Use& use, std::string_view capability, std::string_view embedded,
                       Make make) {
    for (const auto& [name, choice] : use.drivers) {
      if (choice.driver == embedded || find(name, choice) != nullptr) continue;
      Result<std::unique_ptr<Backend>> backend = make(choice);
      if (backend) {
        if (Result<void> opened = (*backend)->open(); !opened) {
          backend = std::unexpected(std::move(opened).error());
        }
      }
      if (!backend) {
        return std::unexpected(
            std::move(backend).error().within(fmt::format("[{}.{}]", capability, name)));
      }
      std::lock_guard lock(mutex_);
      backends_[name].push_back({choice, *std::move(backend)});
    }
    return {};
  }

  // A store on the loop for each name that has a backend here. Everything was prepared.
  template <class Store>
  void stores(Site site, std::string_view embedded,
              std::map<std::string, std::unique_ptr<Store>, std::less<>>& into) const {
    for (const auto& [name, choice] : site.use.drivers) {
      if (choice.driver == embedded) continue;
      Backend* backend = find(name, choice);
      CHECK(backend != nullptr);
      into.emplace(name, backend->store(site.loop));
    }
  }

  // As Capability::connect, for a choice that has a backend of its own.
  template <class Make>
  static Result<void> connect(const DriverChoice& choice, Make make) {
    Loop loop;  // Outlives the backend, whose clients are on it.
    TRY(std::unique_ptr<Backend> backend, make(choice));
    return reach_now(loop, *backend);
  }

  // As Capability::servers: of each name what was chosen last.
  std::vector<ChosenServer> servers() const {
    std::vector<ChosenServer> servers;
    std::lock_guard lock(mutex_);
    for (const auto& [name, chosen] : backends_) {
      std::shared_ptr<const remote::Health> health = chosen.back().backend->health();
      if (health == nullptr) continue;
      servers.push_back({name, chosen.back().choice.driver, std::move(health)});
    }
    return servers;
  }

  // Calls it with each backend, also with those that were chosen before.
  template <class Look>
  void each(Look look) const {
    std::lock_guard lock(mutex_);
    for (const auto& [name, chosen] : backends_) {
      for (const Chosen& one : chosen) look(std::as_const(*one.backend));
    }
  }

  // What was opened for the choice, or null.
  Backend* find(std::string_view name, const DriverChoice& choice) const {
    std::lock_guard lock(mutex_);
    auto named = backends_.find(name);
    if (named == backends_.end()) return nullptr;
    auto chosen = std::ranges::find(named->second, choice, &Chosen::choice);
    return chosen == named->second.end() ? nullptr : chosen->backend.get();
  }

 private:
  struct Chosen {
    DriverChoice choice;
    std::unique_ptr<Backend> backend;
  };

  mutable std::mutex mutex_;
  // By name, in the order of their choice. Guarded; the backends themselves stay where they are.
  std::map<std::string, std::vector<Chosen>, std::less<>> backends_;
};

}  // namespace weft
