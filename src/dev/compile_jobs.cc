#include "dev/compile_jobs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <atomic>
#include <filesystem>
#include <mutex>
#include <thread>

#include "dev/process.h"
#include "dev/sdk_folder.h"

namespace weft {
namespace fs = std::filesystem;

namespace {

// The words that made an output stand in `output`.made.
std::string made_by(const CompileJob& job) {
  return fmt::format("{}\n", fmt::join(job.words, "\n"));
}

bool is_fresh(const CompileJob& job) {
  std::error_code problem;
  auto made = fs::last_write_time(job.output, problem);
  if (problem) return false;
  if (read_file(job.output + ".made").value_or("") != made_by(job)) return false;
  auto inputs = read_file(job.output + ".d");
  if (!inputs) return false;
  for (const std::string& input : depfile_inputs(*inputs)) {
    auto changed = fs::last_write_time(input, problem);
    if (problem || changed > made) return false;
  }
  return true;
}

Result<std::string> run_job(const CompileJob& job) {
  // A source that is saved while it is compiled is newer than its object.
  auto start = fs::file_time_type::clock::now();
  TRY(ProcessResult result, run_process(job.words));
  if (result.exit_code != 0) {
    return failure(Errc::kInvalid, result.output.empty()
                                       ? fmt::format("{}: the compiler ended with {}\n", job.source,
                                                     result.exit_code)
                                       : result.output);
  }
  std::error_code problem;
  fs::last_write_time(job.output, start, problem);
  TRY_VOID(write_file(job.output + ".made", made_by(job)));
  return result.output;
}

}  // namespace

std::vector<std::string> depfile_inputs(const std::string& text) {
  std::vector<std::string> inputs;
  std::string word;
  auto end_word = [&] {
    if (!word.empty() && !word.ends_with(':')) inputs.push_back(word);
    word.clear();
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      char next = text[++i];
      if (next == '\n') {
        end_word();
      } else {
        word += next;
      }
    } else if (text[i] == ' ' || text[i] == '\n') {
      end_word();
    } else {
      word += text[i];
    }
  }
  end_word();
  return inputs;
}

Result<CompileResult> run_compile_jobs(const std::vector<CompileJob>& jobs) {
  std::vector<const CompileJob*> stale;
  for (const CompileJob& job : jobs) {
    if (!is_fresh(job)) stale.push_back(&job);
  }
  CompileResult all{!stale.empty(), {}};
  std::string failures;
  std::mutex mutex;
  std::atomic<std::size_t> next = 0;
  auto work = [&] {
    for (std::size_t i = next++; i < stale.size(); i = next++) {
      auto done = run_job(*stale[i]);
      std::lock_guard hold(mutex);
      if (done) {
        all.output += *done;
      } else {
        failures += done.error().message();
      }
    }
  };
  std::size_t threads =
      std::min<std::size_t>(stale.size(), std::max(1U, std::thread::hardware_concurrency()));
  {
    std::vector<std::jthread> workers;
    for (std::size_t i = 1; i < threads; ++i) workers.emplace_back(work);
    work();
  }
  if (!failures.empty()) return failure(Errc::kInvalid, std::move(failures));
  return all;
}

}  // namespace weft
