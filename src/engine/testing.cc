#include "engine/testing.h"

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "capabilities/test_folder.h"
#include "io/loop.h"
#include "io/timer.h"

// The engine's fibers are not announced to the sanitizer, which would take their frames for freed
// ones.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
  return "detect_stack_use_after_return=0";
}

namespace weft::testing {

namespace {

constexpr std::chrono::seconds kPatience{30};
constexpr char kCounter = 0;
constexpr char kBucket = 0;

}  // namespace

Runtime& runtime() {
  static std::unique_ptr<Runtime> made = must(Runtime::create(
      {.instances_max = 256, .memory_slot_bytes = std::uint64_t{64} << 20, .cache_folder = {}}));
  return *made;
}

std::string guest(std::string_view name) {
  return std::string(WEFT_GUESTS) + "/" + std::string(name) + ".wasm";
}

std::string file_with(std::string_view name, std::string_view content) {
  static TestFolder folder;
  std::filesystem::path path = folder.path() / name;
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

void Script::begin(Call& call, Completion done) {
  ++begun;
  if (serve && serve(call, done)) return;
  Way chosen = way(call);
  if (chosen == Way::kDrop) return;
  if (chosen == Way::kThrow) throw std::runtime_error("a library gave up");
  if (chosen == Way::kFail) {
    return std::move(done).fail(Error(Errc::kUnavailable, "the store is on fire"));
  }
  if (Result<void> answered = answer(call, done.reply()); !answered) {
    return std::move(done).fail(std::move(answered).error());
  }
  switch (chosen) {
    case Way::kLater:
      done.on_cancel([](void* self) { ++static_cast<Script*>(self)->cancelled; }, this);
      waiting.push_back(std::move(done));
      break;
    case Way::kThread:
      ++travelling;
      must(pool_.submit(
          loop_, [] {},
          [this, back = std::move(done)]() mutable {
            --travelling;
            std::move(back).finish();
          }));
      break;
    default: std::move(done).finish();
  }
}

void Script::finish(std::size_t index) {
  std::swap(waiting[index], waiting.back());
  Completion done = std::move(waiting.back());
  waiting.pop_back();
  std::move(done).finish();
}

Result<void> Script::answer(Call& call, Buffer& reply) {
  ResourceTable& resources = call.context().resources();
  const std::string& name = call.function().name;
  Reader in(call.arguments(), &resources);
  Writer out(reply, &resources);
  auto counter = [&] { return static_cast<Counter*>(in.borrow(&kCounter)); };
  if (name == "[constructor]counter") {
    out.own(&kCounter, std::make_unique<Counter>(static_cast<std::uint32_t>(in.unsigned_leb(32))));
  } else if (name == "[method]counter.add") {
    Counter* self = counter();
    if (self != nullptr) self->value += static_cast<std::uint32_t>(in.unsigned_leb(32));
    if (self != nullptr) out.unsigned_leb(self->value);
  } else if (name == "[static]counter.merge") {
    std::unique_ptr<Resource> into = in.own(&kCounter);
    Counter* other = counter();
    if (into != nullptr && other != nullptr) {
      static_cast<Counter&>(*into).value += other->value;
      out.own(&kCounter, std::move(into));
    }
  } else if (name == "open") {
    in.text();
    out.byte(0);
    out.own(&kBucket, std::make_unique<Resource>());
  } else if (name == "[method]bucket.get") {
    in.borrow(&kBucket);
    std::string value(in.text());
    out.byte(0);
    out.byte(1);
    out.text(value);
  } else if (name == "many") {
    in.raw(in.left());
    out.text("that was a lot");
  } else {
    out.raw(in.raw(in.left()));
  }
  if (garble) out.byte(0xff);
  TRY_VOID(in.end());
  return out.end();
}

Ground::Ground() : Ground(runtime()) {}
Ground::Ground(Runtime& runtime) : engine_(std::make_unique<EngineLoop>(runtime, loop_)) {}
Ground::~Ground() {
  run_until([&] { return engine_->calls().live() == 0; });
}

bool Ground::run_until(const std::function<bool()>& over) {
  Deadline deadline = Deadline::after(kPatience);
  bool reached = false;
  std::function<void()> ask = [&] {
    reached = over();
    if (reached || deadline.passed()) return loop_.stop();
    loop_.post([&] { ask(); });
  };
  loop_.post([&] { ask(); });
  loop_.context().restart();
  loop_.run();
  return reached;
}

Stage::Stage(Ground& ground, const std::string& file, const StageOptions& options)
    : ground_(ground) {
  program_ = must(ground.engine().runtime().load(file, options.limits.memory_bytes));
  std::vector<bool> serve;
  for (const ImportedFunction& each : info().functions) serve.push_back(!each.wasi);
  linked_ = must(program_->link(serve, "guest", options.limits, options.grants));
  deployment_ = std::make_unique<Deployment>(ground.engine(), *linked_, serve.size());
  deployment_->app = "app";
  deployment_->component = "guest";
  deployment_->limits = options.limits;
  script_ = &deployment_->links.keep(std::make_unique<Script>(ground.loop()));
  for (std::uint32_t i = 0; i < serve.size(); ++i) {
    if (!serve[i]) continue;
    const ImportedFunction& each = info().functions[i];
    deployment_->links.set(i, std::make_unique<Link>(Function{.interface = each.interface,
                                                              .name = each.name,
                                                              .signature = each.signature,
                                                              .ordinal = i,
                                                              .plain = each.plain},
                                                     *script_));
  }
}

Stage::~Stage() {
  script_->waiting.clear();
  ground_.run_until([&] { return script_->travelling == 0; });
}

std::uint32_t Stage::function(std::string_view name) const {
  for (std::uint32_t i = 0; i < info().exports.size(); ++i) {
    if (info().exports[i].name == name) return i;
  }
  CHECK(false && "there is no such export");
}

Stage::Ended Stage::command() {
  std::optional<Ended> ended;
  auto run = GuestRun::command(*deployment_, [&](RunOutcome outcome, BytesView reply) {
    ended = Ended{std::move(outcome), Bytes(reply.begin(), reply.end())};
  });
  CHECK(ground_.run_until([&] { return ended.has_value(); }));
  return *ended;
}

Stage::Ended Stage::call(std::string_view name, BytesView arguments) {
  std::optional<Ended> ended;
  auto run = GuestRun::call(*deployment_, function(name), arguments,
                            [&](RunOutcome outcome, BytesView reply) {
                              ended = Ended{std::move(outcome), Bytes(reply.begin(), reply.end())};
                            });
  CHECK(ground_.run_until([&] { return ended.has_value(); }));
  return *ended;
}

}  // namespace weft::testing
