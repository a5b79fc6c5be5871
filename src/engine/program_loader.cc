#include "engine/program_loader.h"

#include <fmt/format.h>

#include "base/log.h"
#include "base/sha256.h"

namespace weft {

ProgramLoader::ProgramLoader(Runtime::Impl& runtime, bool pooled)
    : runtime_(runtime), pooled_(pooled) {
  if (!runtime.options.cache_folder.empty()) open_cache();
}

// Where there can be no cache every start compiles, and the note says so.
void ProgramLoader::open_cache() {
  Result<CompileCache> cache = CompileCache::open(runtime_.options.cache_folder);
  if (cache) {
    cache_ = *std::move(cache);
    return;
  }
  std::lock_guard lock(runtime_.mutex);
  runtime_.cache_note = fmt::format("compiled programs are not kept: {}", cache.error().message());
}

std::string_view ProgramLoader::engine_name(bool concurrent) const {
  if (concurrent) return pooled_ ? "async-pooled" : "async";
  return pooled_ ? "plain-pooled" : "plain";
}

// The compiled form, when it is here and this engine takes it: one of another version is made
// again.
ProgramLoader::Found ProgramLoader::kept(bool concurrent, const std::string& digest) {
  Result<std::optional<std::string>> path = cache_->find(engine_name(concurrent), digest);
  if (!path) log::warn("engine", path.error().message());
  if (!path || !*path) return std::nullopt;
  try {
    return bridge::program_map(*runtime_.engines, **path, concurrent, pooled_);
  } catch (const rust::Error&) {
    return std::nullopt;
  }
}

// Which engine a program needs is known only from its bytes: for a file that was read before, both
// are looked for.
std::optional<LoadedProgram> ProgramLoader::known(const ProgramFile& file) {
  std::optional<std::string> digest = cache_ ? cache_->known_digest(file.stamp()) : std::nullopt;
  if (!digest) return std::nullopt;
  for (bool concurrent : {false, true}) {
    if (Found program = kept(concurrent, *digest)) {
      return LoadedProgram{*std::move(program), *std::move(digest), true};
    }
  }
  return std::nullopt;
}

Result<LoadedProgram> ProgramLoader::load(const std::string& path) {
  TRY(ProgramFile file, ProgramFile::open(path));
  if (std::optional<LoadedProgram> program = known(file)) return *std::move(program);
  TRY(Bytes bytes, file.read());
  try {
    auto source = bridge::program_source({bytes.data(), bytes.size()});
    bool concurrent = source->concurrent();
    rust::Slice<const std::uint8_t> component = source->bytes();
    std::string digest = sha256_hex({component.data(), component.size()});
    if (cache_) {
      if (Found program = kept(concurrent, digest)) {
        cache_->remember(file.stamp(), digest);
        return LoadedProgram{*std::move(program), std::move(digest), true};
      }
    }
    auto program = bridge::program_compile(*runtime_.engines, *source, pooled_);
    if (cache_) {
      rust::Vec<std::uint8_t> artefact = program->artefact();
      cache_->store(engine_name(concurrent), digest, {artefact.data(), artefact.size()});
      cache_->remember(file.stamp(), digest);
    }
    return LoadedProgram{std::move(program), std::move(digest), false};
  } catch (const rust::Error& error) {
    return failure(Errc::kInvalid, error.what());
  }
}

}  // namespace weft
