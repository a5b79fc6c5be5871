#include "engine/fake/program.h"

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <sstream>

#include "engine/slice.h"

namespace weft {

namespace {

Result<FakeStep> read_call(std::istringstream& words) {
  FakeStep step{.kind = FakeStep::Kind::kCall, .arguments = {}};
  words >> step.function;
  for (std::string word; words >> word;) {
    std::uint16_t value = FakeStep::kHandle;
    if (word != "@") {
      auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), value, 16);
      if (problem != std::errc() || value > 0xff) {
        return failure(Errc::kInvalid, fmt::format("{} is no byte", word));
      }
    }
    step.arguments.push_back(value);
  }
  return step;
}

// One line of a fake program: src/engine/fake/README.md describes them.
Result<void> read_line(const std::string& line, ProgramInfo& info, FakeProgram& program) {
  std::istringstream words(line);
  std::string verb;
  words >> verb;
  if (verb.empty()) return {};
  if (verb == "command") {
    info.kind = ProgramKind::kCommand02;
  } else if (verb == "http") {
    info.kind = ProgramKind::kHttp02;
  } else if (verb == "import") {
    ImportedFunction function;
    words >> function.interface >> function.name >> std::ws;
    std::getline(words, function.signature);
    info.functions.push_back(std::move(function));
  } else if (verb == "call") {
    TRY(auto step, read_call(words));
    if (step.function >= info.functions.size()) {
      return failure(Errc::kInvalid, fmt::format("there is no import {}", step.function));
    }
    program.steps.push_back(std::move(step));
  } else if (verb == "keep") {
    program.steps.push_back({.kind = FakeStep::Kind::kKeep, .arguments = {}});
  } else if (verb == "drop") {
    program.steps.push_back({.kind = FakeStep::Kind::kDrop, .arguments = {}});
  } else if (verb == "pause") {
    program.steps.push_back({.kind = FakeStep::Kind::kPause, .arguments = {}});
  } else {
    return failure(Errc::kInvalid, fmt::format("\"{}\" is nothing a fake guest does", verb));
  }
  return {};
}

}  // namespace

LinkedProgram::LinkedProgram(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LinkedProgram::~LinkedProgram() = default;

std::unique_ptr<LinkedProgram> LinkedProgram::with(const Limits&, const WasiGrants&) const {
  return std::make_unique<LinkedProgram>(std::make_unique<Impl>(Impl{impl_->program}));
}

Program::Program(std::unique_ptr<Impl> impl, ProgramInfo info)
    : impl_(std::move(impl)), info_(std::move(info)) {}
Program::~Program() = default;

Result<std::unique_ptr<LinkedProgram>> Program::link(const std::vector<bool>& serve,
                                                     std::string_view, const Limits&,
                                                     const WasiGrants&) const {
  for (std::size_t i = 0; i < info_.functions.size(); ++i) {
    if (!serve[i]) return failure(Errc::kUnsupported, info_.functions[i].name + " is not served");
  }
  return std::make_unique<LinkedProgram>(
      std::make_unique<LinkedProgram::Impl>(LinkedProgram::Impl{impl_->program}));
}

Runtime::Runtime(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Runtime::~Runtime() = default;

Result<std::unique_ptr<Runtime>> Runtime::create(const RuntimeOptions&) {
  return std::make_unique<Runtime>(std::make_unique<Impl>());
}

Result<std::unique_ptr<Program>> Runtime::load(const std::string& path, std::uint64_t) {
  std::ifstream file(path);
  if (!file) return failure(Errc::kNotFound, fmt::format("{}: it cannot be read", path));
  ProgramInfo info;
  auto program = std::make_shared<FakeProgram>();
  for (std::string line; std::getline(file, line);) {
    if (auto read = read_line(line, info, *program); !read) {
      return std::unexpected(std::move(read).error().within(path));
    }
  }
  return std::make_unique<Program>(std::make_unique<Program::Impl>(std::move(program)),
                                   std::move(info));
}

Runtime::ThreadGuard Runtime::enter_thread() {
  return {nullptr, [](void*) {}};
}

// A fake guest computes nothing.
bool take_slice_over() {
  return false;
}

std::string Runtime::fallback_note() const {
  return {};
}

}  // namespace weft
