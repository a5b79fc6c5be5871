#include "app/link_layers.h"

#include <fmt/format.h>

#include <random>
#include <string_view>
#include <utility>

#include "door/attempt.h"
#include "door/cache_layer.h"
#include "door/concurrency.h"
#include "door/retry.h"
#include "values/relocate.h"
#include "values/type.h"

namespace weft {
namespace {

// What of a function may not run twice, or be given to two callers.
std::string handle_of(const ImportedFunction& function) {
  auto signature = parse_signature(function.signature);
  if (!signature) return "a handle";
  for (const Signature::Parameter& each : signature->parameters) {
    if (auto found = find_handle(each.type)) return *found;
  }
  return find_handle(signature->result).value_or("a handle");
}

// Of a function without handles, whether bytes are a reply of its type.
CacheLayer::Sound soundness(std::string_view signature) {
  struct Nothing final : Renumbering {
    static std::unexpected<Error> none() { return failure(Errc::kInvalid, "a handle"); }
    Result<std::uint32_t> own(std::string_view, std::uint32_t) override { return none(); }
    Result<std::uint32_t> borrow(std::string_view, std::uint32_t) override { return none(); }
    Result<std::uint32_t> reader(PipeKind, std::uint32_t) override { return none(); }
    Result<std::uint32_t> writer(PipeKind, std::uint32_t) override { return none(); }
  };
  auto parsed = parse_signature(signature);
  if (!parsed) return nullptr;
  return [type = *std::move(parsed)](BytesView reply) {
    Buffer unread;
    Nothing nothing;
    return relocate_result(type, reply, nothing, unread).has_value();
  };
}

class Check {
 public:
  explicit Check(std::span<const ImportedFunction* const> functions) : functions_(functions) {
    for (const ImportedFunction* each : functions) names_.push_back(each->name);
  }

  // `done` is what is done with it: "cached". Empty: it may have handles.
  void name(const Placed& written, std::string_view done) {
    const ImportedFunction* named = nullptr;
    for (const ImportedFunction* each : functions_) {
      // A link may serve several interfaces: the one with handles counts.
      if (each->name == written.text && (named == nullptr || !each->plain)) named = each;
    }
    if (named == nullptr) {
      wrong.push_back({written.place,
                       fmt::format("it calls no function \"{}\" of {}", written.text,
                                   functions_.front()->interface),
                       suggest(written.text, names_)});
    } else if (!named->plain && !done.empty()) {
      wrong.push_back({written.place,
                       fmt::format("{} of {} cannot be {}: it has {}, which is one caller's and "
                                   "crosses once",
                                   named->name, named->interface, done, handle_of(*named)),
                       "take it out"});
    }
  }

  std::vector<LinkLayers::Wrong> wrong;

 private:
  std::span<const ImportedFunction* const> functions_;
  std::vector<std::string_view> names_;
};

}  // namespace

LinkLayers::LinkLayers(const LinkSettings& settings)
    : settings_(settings.layers), end_(settings.end_text()) {
  if (const auto& cache = settings_.cache) {
    cache_ = std::make_shared<CallCache>(
        ReplyCache::Bounds{.entries = cache->entries, .bytes = cache->bytes, .keep = cache->keep});
  }
  if (const auto& concurrency = settings_.concurrency) {
    limit_ = std::make_shared<ConcurrencyLimit>(
        ConcurrencyLimit::Bounds{.calls = concurrency->calls, .waiting = concurrency->waiting});
  }
}

std::vector<LinkLayers::Wrong> LinkLayers::check(
    const LinkSettings& settings, std::span<const ImportedFunction* const> functions) {
  if (functions.empty()) return {};
  Check check(functions);
  for (const auto& [name, deadline] : settings.deadlines) check.name({name, deadline.place}, "");
  if (const auto& retry = settings.layers.retry) {
    for (const Placed& each : retry->functions) check.name(each, "tried again");
  }
  if (const auto& cache = settings.layers.cache) {
    for (const Placed& each : cache->functions) check.name(each, "cached");
  }
  return std::move(check.wrong);
}

Provider& LinkLayers::OnLoop::add(const Function& function, Provider& provider, LinkNotes* notes,
                                  std::vector<Layer*>& layers) {
  const LinkLayerSettings& settings = link_.settings_;
  Provider* serving = &provider;
  if (settings.cache && LinkLayerSettings::has(settings.cache->functions, function.name)) {
    layers.push_back(&links_.keep(std::make_unique<CacheLayer>(link_.cache_, function, notes,
                                                               soundness(function.signature))));
  }
  const auto& retry = settings.retry;
  if (retry && LinkLayerSettings::has(retry->functions, function.name)) {
    if (retry_ == nullptr) {
      RetryLayer::Rules rules{.attempts = retry->attempts, .wait = retry->wait};
      retry_ =
          &links_.keep(std::make_unique<RetryLayer>(loop_, rules, std::random_device()(), notes));
    }
    layers.push_back(retry_);
    if (retry->attempt_deadline) {
      serving = &links_.keep(
          std::make_unique<AttemptProvider>(function, provider, *retry->attempt_deadline));
    }
  }
  if (link_.limit_ != nullptr) {
    layers.push_back(
        &links_.keep(std::make_unique<ConcurrencyLayer>(link_.limit_, link_.end_, notes)));
  }
  return *serving;
}

}  // namespace weft
