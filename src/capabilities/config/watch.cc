#include "capabilities/config/watch.h"

#include "base/thread_name.h"

namespace weft::config {

SourceWatch::~SourceWatch() {
  {
    std::lock_guard hold(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void SourceWatch::add(Source& source) {
  std::lock_guard hold(mutex_);
  sources_.push_back(&source);
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void SourceWatch::run() {
  name_thread("weft-config");
  std::unique_lock hold(mutex_);
  while (!wake_.wait_for(hold, every_, [this] { return stopping_; })) {
    std::vector<Source*> sources = sources_;
    hold.unlock();
    for (Source* source : sources) source->look();
    hold.lock();
  }
}

}  // namespace weft::config
