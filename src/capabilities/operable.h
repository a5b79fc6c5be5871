#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "capabilities/waking.h"

// What operators ask of a capability while a host runs: `weft messages`, `weft cron run`.
namespace weft {

// One wish, on the loop that is to see to it. What is borrowed outlives what is made of it.
struct OperatorCall {
  Loop& loop;
  std::string app;
  std::string name;       // What of the capability's is meant: a broker, a component.
  std::string verb;       // "publish"
  std::string arguments;  // A JSON object.
  // The grants of the app's components, of those that ask for the capability.
  std::vector<const Use*> uses;
  // The capability's triggers of the app.
  std::vector<Waking> triggers;
};

// Whom one wish tells, on its loop and never inside `operate`.
struct OperatorEvents {
  // A line, a JSON object. False: there was no room for it, and it is lost.
  std::function<bool(std::string line)> told;
  // The result, a JSON object, or what came in its place. Once, and nothing after it.
  std::function<void(Result<std::string>)> ended;
};

// A wish that is being seen to. Dropped, it is stopped and tells nothing more.
class OperatorWork {
 public:
  virtual ~OperatorWork() = default;
  // Whether it ends only when somebody wants it to: it holds up no reload and no end of the host.
  virtual bool endless() const { return false; }
  // What it waits for before it begins, for messages: "a lock". Empty: it has begun.
  virtual std::string waits_for() const { return {}; }
};

// A capability of which operators may ask something. Implemented beside Capability, which says that
// it is.
class Operable {
 public:
  virtual ~Operable() = default;
  // On any loop's thread, also while components are loaded.
  virtual std::unique_ptr<OperatorWork> operate(OperatorCall call, OperatorEvents events) = 0;
};

}  // namespace weft
