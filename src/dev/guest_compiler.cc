#include "dev/guest_compiler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "dev/compile_jobs.h"
#include "dev/component_file.h"
#include "dev/guest_bindings.h"
#include "dev/own_tools.h"
#include "dev/process.h"
#include "dev/tools.h"
#include "engine/wit.h"

namespace weft {
namespace fs = std::filesystem;

namespace {

using Language = BuildSettings::Language;
using Words = std::vector<std::string>;

// Of the guest's stack, which lies below everything else: to run over it is a trap.
constexpr std::size_t kStackBytes = 256 * 1024;
// Of the heap that an instance begins with: a memory that grows has its pages' protection changed,
// which every processor of the host hears of, for each page and each instance anew. What is not
// touched costs nothing.
constexpr std::size_t kHeapBytes = 128 * 1024;

// What a guest's sources have read before they begin: parsing the standard library is most of the
// time that compiling takes.
constexpr std::string_view kStandardHeaders =
    "#include <algorithm>\n#include <array>\n#include <chrono>\n#include <cstdint>\n"
    "#include <cstdio>\n#include <cstdlib>\n#include <cstring>\n#include <expected>\n"
    "#include <functional>\n#include <map>\n#include <memory>\n#include <optional>\n"
    "#include <span>\n#include <string>\n#include <string_view>\n#include <utility>\n"
    "#include <vector>\n";
constexpr std::string_view kStoreHeaders =
    "#include \"weft/config.h\"\n#include \"weft/keyvalue.h\"\n#include \"weft/logging.h\"\n"
    "#include \"weft/secrets.h\"\n#include \"weft/sql.h\"\n";
constexpr std::string_view kBindingsHeaders =
    "#include \"weft/stream.h\"\n#include \"weft/wit.h\"\n";
constexpr std::string_view kHttpHeaders =
    "#include \"weft/clock.h\"\n#include \"weft/http_client.h\"\n";

void add(Words& words, std::initializer_list<std::string_view> more) {
  words.insert(words.end(), more.begin(), more.end());
}

// One build of one guest.
class Build {
 public:
  Build(const SdkFolder& sdk, Effort effort, const GuestBuild& guest)
      : sdk_(sdk),
        guest_(guest),
        settings_(guest.settings),
        optimize_(effort == Effort::kQuick ? "-O0" : "-O2"),
        objects_(
            fmt::format("{}/.weft/{}", fs::path(guest.output).parent_path().string(), guest.name)) {
    if (!settings_.wit) {
      bindings_ = sdk.compiled(settings_.world.text);
    } else {
      bindings_ = objects_ + "/bindings";
    }
  }

  Result<GuestBuilt> run() {
    TRY_VOID(check_compiler(settings_.language));
    TRY(CompileResult first, prepare());
    std::vector<CompileJob> jobs = source_jobs();
    TRY(CompileResult compiled, compile(jobs));
    std::vector<CompileJob> own = bindings_jobs(uses_cpp(jobs));
    TRY(CompileResult bound, compile(own));
    jobs.insert(jobs.end(), own.begin(), own.end());
    GuestBuilt built{false, first.output + compiled.output + bound.output};
    TRY(built.changed, link(jobs, first.ran || compiled.ran || bound.ran));
    return built;
  }

 private:
  std::string beside(const std::string& path) const {
    return fs::path(path).is_absolute() ? path : (fs::path(guest_.folder) / path).string();
  }

  Result<CompileResult> compile(const std::vector<CompileJob>& jobs) const {
    auto compiled = run_compile_jobs(jobs);
    if (compiled) return compiled;
    return failure(Errc::kInvalid, fmt::format("component {} does not compile:\n{}", guest_.name,
                                               compiled.error().message()));
  }

  // What sources are compiled against: bindings, and headers that are parsed already.
  Result<CompileResult> prepare() {
    TRY(Fd lock, sdk_.lock());
    TRY_VOID(make_bindings());
    std::vector<CompileJob> jobs;
    // A world of the SDK's has its bindings compiled once for all apps.
    if (!settings_.wit) jobs = bindings_jobs(Bound::kC);
    if (has_precompiled()) jobs.push_back(headers_job());
    return run_compile_jobs(jobs);
  }

  Result<void> make_bindings() {
    std::error_code problem;
    fs::create_directories(bindings_, problem);
    fs::create_directories(objects_, problem);
    if (problem) {
      return failure(Errc::kIo,
                     fmt::format("cannot make the folder {}: {}", objects_, problem.message()));
    }
    if (settings_.wit) return make_own_bindings();
    // They belong to this version of weft: once they are there, nothing changes them.
    std::string done = bindings_ + "/done";
    if (fs::exists(done, problem)) return {};
    const std::string& world = settings_.world.text;
    TRY_VOID(make_guest_bindings({sdk_.world(world), sdk_.packages(sdk_.world(world)), world},
                                 bindings_));
    return write_file(done, "The bindings are whole.\n");
  }

  // Those of a world of the app's own. C++ has a choice, and what one of the two cannot express the
  // other one may: its header says so to whoever includes it.
  Result<void> make_own_bindings() {
    std::string wit = beside(settings_.wit->text);
    GuestWorld world{wit, sdk_.packages(wit), settings_.world.text};
    Result<void> made = make_guest_bindings(world, bindings_);
    has_c_ = made.has_value();
    if (settings_.language != Language::kCxx) return made;
    // WASI's own interfaces are the SDK's, which is written against the bindings in C.
    auto scope = has_c_ ? bindgen::GuestScope::kOwn : bindgen::GuestScope::kAll;
    auto made_cpp = make_guest_cpp(world, bindings_, scope);
    if (!made && !made_cpp) return made;
    if (!made) TRY_VOID(write_reason("guest.h", made.error()));
    if (!made_cpp) TRY_VOID(write_reason("guest.hpp", made_cpp.error()));
    return has_c_ ? write_beside() : Result<void>();
  }
  // The bindings in C as they stand beside those in C++: of what they export only WASI's interfaces
  // are exports, whose other side is in the SDK's headers.
  Result<void> write_beside() const {
    TRY(std::string text, read_file(bindings_ + "/guest.c"));
    static constexpr std::string_view kExport = "__export_name__(\"";
    for (std::size_t at = text.find(kExport); at != text.npos; at = text.find(kExport, at + 1)) {
      std::size_t end = text.find("\")", at);
      if (end == text.npos) break;
      std::string_view name = std::string_view(text).substr(at, end - at);
      if (!name.contains("wasi:")) text.replace(at, end + 2 - at, "__unused__");
    }
    std::string file = bindings_ + "/guest_beside.c";
    return read_file(file).value_or("") == text ? Result<void>() : write_file(file, text);
  }
  Result<void> write_reason(std::string_view header, const Error& error) const {
    std::string reason = error.message();
    std::ranges::replace(reason, '\n', ' ');
    std::string file = fmt::format("{}/{}", bindings_, header);
    std::string text = fmt::format("#error {}\n", reason);
    if (read_file(file).value_or("") == text) return {};
    return write_file(file, text);
  }

  Words common() const {
    return {"--target=wasm32-wasi", "-Wno-deprecated", "-ffunction-sections",
            "-fdata-sections",      "-fno-ident",      "-I" + bindings_};
  }
  Words cxx() const {
    Words words = common();
    words.insert(words.begin(), compiler_of(Language::kCxx));
    add(words, {"-std=c++23", "-fno-exceptions", "-fno-rtti", optimize_});
    words.push_back("-I" + sdk_.headers());
    return words;
  }
  Words c(std::string_view optimize) const {
    Words words = common();
    words.insert(words.begin(), compiler_of(Language::kC));
    add(words, {"-std=gnu17", optimize});
    return words;
  }

  // Flags of the app's own may mean other headers: it reads them itself then.
  bool has_precompiled() const {
    return settings_.language == Language::kCxx && settings_.flags.empty();
  }
  std::string precompiled() const { return fmt::format("{}/sdk{}.pch", bindings_, optimize_); }

  // Which bindings the sources are written against.
  enum class Bound : unsigned char { kC, kCpp };

  // The compiler tells what each source has included.
  Bound uses_cpp(const std::vector<CompileJob>& jobs) const {
    if (!settings_.wit) return Bound::kC;
    fs::path header = fs::path(bindings_ + "/guest.hpp").lexically_normal();
    for (const CompileJob& job : jobs) {
      for (const std::string& input : depfile_inputs(read_file(job.output + ".d").value_or(""))) {
        if (fs::path(input).lexically_normal() == header) return Bound::kCpp;
      }
    }
    return Bound::kC;
  }

  // The bindings' own code. Beside C++ those in C are what the SDK's headers call the host with,
  // and what nobody calls is left out by the linker.
  std::vector<CompileJob> bindings_jobs(Bound bound) const {
    std::vector<CompileJob> jobs;
    if (is_command()) jobs.push_back(start_job());
    if (bound == Bound::kCpp) {
      CompileJob code{cxx(), "the bindings", fmt::format("{}/guest_cpp{}.o", bindings_, optimize_)};
      finish(code, bindings_ + "/guest.cc", "c++");
      jobs.push_back(std::move(code));
      if (!has_c_) return jobs;
    }
    std::string_view name = bound == Bound::kCpp ? "guest_beside" : "guest";
    CompileJob code{c("-O2"), "the bindings", fmt::format("{}/{}.o", bindings_, name)};
    finish(code, fmt::format("{}/{}.c", bindings_, name), "c");
    jobs.push_back(std::move(code));
    return jobs;
  }

  CompileJob start_job() const {
    CompileJob start{c("-O2"), "the SDK", bindings_ + "/command_start.o"};
    finish(start, sdk_.headers() + "/weft/command_start.c", "c");
    return start;
  }

  CompileJob headers_job() const {
    std::string header = bindings_ + "/sdk.h";
    std::string text(kStandardHeaders);
    if (!settings_.wit) text += kStoreHeaders;
    if (!settings_.wit && settings_.world.text != "command") text += kHttpHeaders;
    // guest.hpp is not in it, so that whoever includes it is known by that.
    text += settings_.wit ? kBindingsHeaders : "#include \"guest.h\"\n";
    if (read_file(header).value_or("") != text) std::ignore = write_file(header, text);
    CompileJob headers{cxx(), "the SDK", precompiled()};
    headers.words.emplace_back("-fpch-instantiate-templates");
    finish(headers, header, "c++-header");
    return headers;
  }

  std::vector<CompileJob> source_jobs() const {
    std::vector<CompileJob> jobs;
    for (std::size_t i = 0; i < settings_.sources.size(); ++i) {
      const std::string& source = settings_.sources[i].text;
      bool is_c = source.ends_with(".c");
      CompileJob job{
          is_c ? c(optimize_) : cxx(), source,
          fmt::format("{}/{}-{}{}.o", objects_, i, fs::path(source).stem().string(), optimize_)};
      add(job.words, {"-Wall", "-Wextra", "-Wno-unused-parameter",
                      "-Wno-missing-field-initializers", "-fdiagnostics-color=never"});
      if (!is_c && has_precompiled()) add(job.words, {"-include-pch", precompiled()});
      for (const Placed& flag : settings_.flags) job.words.push_back(flag.text);
      finish(job, beside(source), is_c ? "c" : "c++");
      jobs.push_back(std::move(job));
    }
    return jobs;
  }

  static void finish(CompileJob& job, const std::string& source, std::string_view kind) {
    add(job.words, {"-MD", "-MF", job.output + ".d", "-x", kind});
    if (kind != "c++-header") job.words.emplace_back("-c");
    add(job.words, {source, "-o", job.output});
  }

  bool is_command() const {
    if (!settings_.wit) return settings_.world.text == "command";
    return !has_exports(beside(settings_.wit->text));
  }

  Result<bool> link(const std::vector<CompileJob>& jobs, bool anything_new) {
    std::string core = objects_ + "/core.wasm";
    bool command = is_command();
    Words words{compiler_of(settings_.language),
                "--target=wasm32-wasi",
                "-Wno-deprecated",
                "-Wl,--gc-sections",
                "-Wl,--strip-debug",
                "-Wl,--stack-first",
                fmt::format("-Wl,-z,stack-size={}", kStackBytes),
                fmt::format("-Wl,--initial-heap={}", kHeapBytes)};
    if (effort_is_full()) words.emplace_back("-Wl,-s");
    words.emplace_back(command ? "-nostartfiles" : "-mexec-model=reactor");
    for (const CompileJob& job : jobs) words.push_back(job.output);
    // C++ bindings have it inside.
    if (uses_cpp(jobs) == Bound::kC) words.push_back(bindings_ + "/guest_component_type.o");
    add(words, {"-o", core});
    std::string made = fmt::format("{}\n", fmt::join(words, "\n"));
    std::string stamp = objects_ + "/linked";
    std::error_code problem;
    if (!anything_new && fs::exists(guest_.output, problem) &&
        read_file(stamp).value_or("") == made) {
      return false;
    }
    // What is cut off in between is made again.
    fs::remove(stamp, problem);
    TRY(ProcessResult linked, run_process(words));
    if (linked.exit_code != 0) {
      return failure(Errc::kInvalid,
                     fmt::format("component {} does not link:\n{}", guest_.name, linked.output));
    }
    std::string aside = guest_.output + ".new";
    TRY_VOID(make_component(core, command ? WasiAdapter::kCommand : WasiAdapter::kReactor, aside));
    if (std::rename(aside.c_str(), guest_.output.c_str()) != 0) {
      return system_failure(fmt::format("writing {}", guest_.output), errno);
    }
    TRY_VOID(write_file(stamp, made));
    return true;
  }
  bool effort_is_full() const { return optimize_ == "-O2"; }

  const SdkFolder& sdk_;
  const GuestBuild& guest_;
  const BuildSettings& settings_;
  std::string optimize_;
  std::string objects_;
  std::string bindings_;
  bool has_c_ = true;  // whether the bindings in C are there
};

}  // namespace

Result<GuestBuilt> GuestCompiler::build(const GuestBuild& guest) const {
  switch (guest.settings.language) {
    case Language::kGo: return build_go(sdk_, guest, effort_);
    case Language::kRust: return build_rust(guest, effort_);
    default: return Build(sdk_, effort_, guest).run();
  }
}

}  // namespace weft
