#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "io/http/exchange.h"
#include "io/loop.h"
#include "io/timer.h"
#include "observe/admin_calls.h"

namespace weft {

// From a request for a call until a loop of the host takes it up; and what a loop may be late with
// the end of one.
inline constexpr std::chrono::seconds kAdminCallLate{5};

// Takes requests for calls (POST /api/call), has them made, and answers with what came of them, as
// JSON: {"result": TEXT}, or {"error": MESSAGE, "kind": CODE}. Where a call tells lines before its
// end the answer is lines of JSON, of which that is the last. A client that goes away stops its
// call.
//
// It runs code, so it is careful of whom it listens to: only where the operator allows it, no page
// of another site, no name that leads here but is none of ours, and nothing that a browser would
// send to another site without asking here first. On the admin server's loop only.
class CallDesk {
 public:
  using Answer = std::function<void(HttpExchange& exchange, int status, std::string_view json)>;

  CallDesk(Loop& loop, AdminCalls& calls, Answer answer);
  CallDesk(const CallDesk&) = delete;
  ~CallDesk();

  void take(HttpExchange::Ptr exchange);

 private:
  struct Visit;

  Result<void> check(const RequestHead& request) const;
  void refuse(HttpExchange& exchange, const Error& error);
  void begin(Visit& visit);
  void begun(Visit& visit, std::chrono::milliseconds most);
  void told(Visit& visit, std::string_view line);
  void late(Visit& visit);
  void gone(Visit& visit);
  void ended(Visit& visit, const Result<std::string>& outcome);
  void leave(Visit& visit);

  Loop& loop_;
  AdminCalls& calls_;
  Answer answer_;
  // Each until its call has ended, also when its client is gone. Shared with what is posted here
  // when something becomes of the call, which finds nobody after this.
  std::list<std::shared_ptr<Visit>> visits_;
};

// A page from elsewhere cannot read an answer, and takes no place of those who can.
bool is_of_another_site(const RequestHead& request);

// Whether a request's authority is an address, localhost, or nothing.
bool is_local_name(std::string_view authority);

}  // namespace weft
