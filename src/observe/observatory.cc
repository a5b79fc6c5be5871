#include "observe/observatory.h"

namespace weft {

Observatory::Observatory(Loops& loops, HostView& view, std::optional<Export> exporting)
    : loops_(loops), view_(view), observers_(loops.size()) {
  if (exporting) {
    own_.on_each([&](Loop& loop, std::size_t) {
      exporter_ = std::make_unique<OtlpExporter>(loop, exporting->http_client, exporting->endpoint);
    });
  }
  loops_.on_each([&](Loop& loop, std::size_t index) {
    SpanQueue::Ship ship;
    if (exporter_ != nullptr) {
      ship = [this](std::vector<Span>&& spans) { return exporter_->take(std::move(spans)); };
    }
    observers_[index] = std::make_unique<LoopObserver>(loop, traps_, std::move(ship));
  });
}

Observatory::~Observatory() {
  admin_.reset();
  // What was asked of the loops before has been answered when this has run there.
  loops_.on_each([&](Loop&, std::size_t index) { observers_[index].reset(); });
  if (exporter_ == nullptr) return;
  exporter_->drain(Deadline::after(kLastExportMax));
  own_.on_each([&](Loop&, std::size_t) { exporter_.reset(); });
}

Result<std::string> Observatory::serve(HttpAddress address, SpyQueue* spy, AdminCalls* calls) {
  std::vector<LoopObserver*> observers;
  for (const auto& each : observers_) observers.push_back(each.get());
  TRY(admin_, AdminServer::start(own_, {loops_, std::move(observers), *this, traps_, spy, calls},
                                 std::move(address)));
  return admin_->url();
}

HostFacts Observatory::facts() {
  HostFacts facts = view_.facts();
  facts.loops = loops_.size();
  for (const auto& each : observers_) {
    if (SpanQueue* spans = each->spans()) facts.spans_dropped += spans->dropped();
  }
  if (exporter_ != nullptr) {
    facts.spans_exported = exporter_->exported();
    facts.spans_dropped += exporter_->dropped();
  }
  return facts;
}

}  // namespace weft
