#pragma once

// For src/observe's own sources.

#include <functional>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/embedded_file.h"
#include "io/loop.h"
#include "io/timer.h"
#include "observe/admin_server.h"
#include "observe/call_desk.h"
#include "observe/history.h"
#include "observe/spy_desk.h"

namespace weft {

// Answers the requests of the admin server. On its loop only.
class AdminHandler final : public HttpHandler {
 public:
  // Whether names that are neither addresses nor localhost are answered to.
  enum class Names : std::uint8_t { kAny, kLocal };

  AdminHandler(Loop& loop, AdminServer::Watched watched, Names names);
  ~AdminHandler() override;

  void handle(HttpExchange::Ptr exchange) override;

 private:
  // A question to every loop, and who waits for the answers.
  struct Question;

  void answer(HttpExchange& exchange, int status, std::string_view type, std::string_view body);
  void begin_spying(HttpExchange::Ptr exchange);
  bool answer_at_once(HttpExchange& exchange, std::string_view path);
  void ask(HttpExchange::Ptr exchange,
           std::function<void(AdminHandler&, HttpExchange&, const Question&)> then);
  void answered(const std::shared_ptr<Question>& question);
  void tell_ready(HttpExchange& exchange, const Question& question);
  Totals totals() const;
  void look();

  Loop& loop_;
  const AdminServer::Watched watched_;
  const Names names_;
  History history_;
  Timer second_;
  std::unique_ptr<SpyDesk> spies_;   // Null where nobody may watch.
  std::unique_ptr<CallDesk> calls_;  // Null where nothing makes calls.
  // Shared with what was posted to the loops.
  std::list<std::shared_ptr<Question>> questions_;
};

// The files of page/.
std::span<const EmbeddedFile> page_files();

// A part of the page, with its type. Empty for what is none.
struct PageFile {
  std::string type;
  std::string_view body;
};
PageFile page_file(std::string_view path);

}  // namespace weft
