// The two APIs that endpoints speak: what is asked in them, and how their answers are read.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exchange.h"
#include "wit/ollama/llm_1_0_0/llm.h"

namespace llm = weft::wit::ollama::llm_1_0_0::llm;

template <class T>
using Or = std::expected<T, llm::Error>;

// What was read of the answer to a chat so far.
struct Progress {
  std::string text = {};  // New: whoever passes it on takes it out.
  llm::Summary summary = {};
  bool finished = false;  // The model was done.
  bool over = false;      // Nothing follows.
};

// Without state: one object for all calls.
class Dialect {
 public:
  virtual ~Dialect() = default;

  virtual HttpAsk chat(const llm::Request& request) const = 0;
  virtual HttpAsk list() const = 0;
  virtual HttpAsk show(std::string_view name) const = 0;

  // One line of the answer to a chat, without its end.
  virtual Or<void> read_line(std::string_view line, Progress& progress) const = 0;
  virtual Or<std::vector<llm::Model>> read_list(std::string_view body) const = 0;
  virtual Or<llm::Details> read_show(std::string_view name, std::string_view body) const = 0;
};

// "ollama" or "openai"; null: no such one.
std::unique_ptr<Dialect> make_dialect(std::string_view name);
std::unique_ptr<Dialect> make_ollama();
std::unique_ptr<Dialect> make_openai();

// What an answer with another status than 200 means. `body` may have more words for it.
llm::Error error_of(unsigned status, std::optional<std::uint32_t> retry_after,
                    std::string_view model, std::string_view body);
