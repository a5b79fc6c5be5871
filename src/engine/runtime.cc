#include "engine/runtime.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "engine/program_loader.h"
#include "engine/runtime_impl.h"
#include "engine/slice.h"

namespace weft {

namespace {

bridge::Limits to_bridge(const Limits& limits) {
  bridge::Limits out;
  out.memory_bytes = limits.memory_bytes;
  out.table_elements = limits.table_elements;
  out.cpu_ns = static_cast<std::uint64_t>(limits.cpu.count());
  out.hostcall_bytes = limits.hostcall_bytes;
  out.handles_max = limits.handles_max;
  out.reuse_calls_at_once = limits.reuse_calls_at_once;
  return out;
}

bridge::WasiGrants to_bridge(const WasiGrants& grants) {
  bridge::WasiGrants out;
  for (const std::string& arg : grants.args) out.args.push_back(arg);
  for (const auto& [name, value] : grants.env) out.env.push_back({name, value});
  for (const Folder& folder : grants.folders) {
    out.folders.push_back({folder.host, folder.guest, folder.access == Folder::Access::kRead});
  }
  std::ranges::copy(as_bytes(grants.input), std::back_inserter(out.input));
  switch (grants.stdio) {
    case WasiGrants::Stdio::kClosed: out.stdio = bridge::Stdio::Closed; break;
    case WasiGrants::Stdio::kInherit: out.stdio = bridge::Stdio::Inherit; break;
    case WasiGrants::Stdio::kLog: out.stdio = bridge::Stdio::Log; break;
  }
  return out;
}

ProgramInfo from_bridge(const bridge::ProgramInfo& info) {
  ProgramInfo out;
  out.kind = program_kind(info.kind);
  for (const bridge::ImportedFunction& each : info.functions) {
    out.functions.push_back({to_string(each.interface), to_string(each.implements),
                             to_string(each.name), to_string(each.signature), each.is_async,
                             each.plain, each.wasi});
  }
  for (const bridge::ExportedFunction& each : info.exports) {
    out.exports.push_back({to_string(each.interface), to_string(each.name),
                           to_string(each.signature), each.is_async, each.plain});
  }
  return out;
}

}  // namespace

LinkedProgram::LinkedProgram(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LinkedProgram::~LinkedProgram() = default;

std::unique_ptr<LinkedProgram> LinkedProgram::with(const Limits& limits,
                                                   const WasiGrants& grants) const {
  bridge::WasiGrants out = to_bridge(grants);
  out.gate = impl_->gate;
  return std::make_unique<LinkedProgram>(std::make_unique<Impl>(
      Impl{impl_->linked->with(to_bridge(limits), std::move(out)), impl_->gate, grants.stdio}));
}

Program::Program(std::unique_ptr<Impl> impl, ProgramInfo info)
    : impl_(std::move(impl)), info_(std::move(info)) {}
Program::~Program() = default;

Result<std::unique_ptr<LinkedProgram>> Program::link(const std::vector<bool>& serve,
                                                     std::string_view component,
                                                     const Limits& limits,
                                                     const WasiGrants& grants) const {
  // std::vector<bool> has no array behind it.
  auto flags = std::make_unique<bool[]>(serve.size());
  for (std::size_t i = 0; i < serve.size(); ++i) flags[i] = serve[i];
  auto gate = std::make_shared<NetGate>(grants.network, std::string(component));
  bridge::WasiGrants out = to_bridge(grants);
  out.gate = gate;
  try {
    return std::make_unique<LinkedProgram>(
        std::make_unique<LinkedProgram::Impl>(LinkedProgram::Impl{
            bridge::program_link(*impl_->program, {flags.get(), serve.size()},
                                 {component.data(), component.size()}, to_bridge(limits), out),
            std::move(gate), grants.stdio}));
  } catch (const rust::Error& error) {
    return failure(Errc::kUnsupported, error.what());
  }
}

Runtime::Runtime(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Runtime::~Runtime() = default;

Result<std::unique_ptr<Runtime>> Runtime::create(const RuntimeOptions& options) {
  bridge::RuntimeOptions out;
  out.instances_max = std::min(options.instances_max, kInstancesMax);
  out.memory_slot_bytes = options.memory_slot_bytes;
  out.tick_ms = static_cast<std::uint32_t>(options.tick.count());
  out.compile_alone = options.compiling == RuntimeOptions::Compiling::kAlone;
  try {
    return std::make_unique<Runtime>(std::make_unique<Impl>(bridge::runtime_new(out), options));
  } catch (const rust::Error& error) {
    return failure(Errc::kInternal, fmt::format("the engine does not start: {}", error.what()));
  }
}

Result<std::unique_ptr<Program>> Runtime::load(const std::string& path,
                                               std::uint64_t memory_bytes) {
  ProgramLoader loader(*impl_, memory_bytes <= impl_->options.memory_slot_bytes);
  Result<LoadedProgram> loaded = loader.load(path);
  if (!loaded) return std::unexpected(std::move(loaded).error().within(path));
  ProgramInfo info = from_bridge(loaded->program->info());
  info.digest = std::move(loaded->digest);
  info.cached = loaded->cached;
  return std::make_unique<Program>(std::make_unique<Program::Impl>(std::move(loaded->program)),
                                   std::move(info));
}

Runtime::ThreadGuard Runtime::enter_thread() {
  using Guard = rust::Box<bridge::ThreadGuard>;
  return {new Guard(impl_->engines->enter_thread()),
          [](void* guard) { delete static_cast<Guard*>(guard); }};
}

bool take_slice_over() {
  return bridge::take_slice_over();
}

std::string Runtime::fallback_note() const {
  std::string note = to_string(impl_->engines->fallback_note());
  std::lock_guard lock(impl_->mutex);
  if (note.empty() || impl_->cache_note.empty()) return note + impl_->cache_note;
  return note + "; " + impl_->cache_note;
}

}  // namespace weft
