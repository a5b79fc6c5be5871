#include "engine/shared_instance.h"

#include "base/check.h"
#include "base/log.h"
#include "engine/linked_instance.h"

namespace weft {

struct SharedInstance::Ended {
  std::vector<std::unique_ptr<LinkedInstance>> instances;
};

class SharedInstance::Watch final : public LinkedInstance::Owner {
 public:
  explicit Watch(SharedInstance& of) : of_(of) {}

  void ended(LinkedInstance& instance) override {
    CHECK(of_.instance_.get() == &instance);
    log::warn(of_.deployment_.component,
              "the shared instance has ended, and its state with it: the next call makes a new one",
              {{"app", of_.deployment_.app}});
    of_.ended_->instances.push_back(std::move(of_.instance_));
    of_.deployment_.engine.loop().defer([gone = std::weak_ptr(of_.ended_)] {
      auto there = gone.lock();
      if (there != nullptr) std::exchange(there->instances, {}).clear();
    });
  }

 private:
  SharedInstance& of_;
};

SharedInstance::SharedInstance(Deployment& deployment, const ProgramInfo& program)
    : deployment_(deployment),
      watch_(std::make_unique<Watch>(*this)),
      ended_(std::make_shared<Ended>()) {
  for (const ExportedFunction& function : program.exports) {
    carrying_.emplace_back();
    if (function.plain) continue;
    if (auto signature = parse_signature(function.signature)) {
      carrying_.back() = std::make_unique<const Signature>(*std::move(signature));
    }
  }
}

SharedInstance::~SharedInstance() {
  end();
}

void SharedInstance::begin(Call& call, Completion done) {
  if (instance_ == nullptr) {
    instance_ = std::make_unique<LinkedInstance>(deployment_, watch_.get());
  }
  std::uint32_t number = call.function().ordinal;
  instance_->begin(number, carrying_[number].get(), call, std::move(done));
}

void SharedInstance::end() {
  std::exchange(instance_, nullptr).reset();
  std::exchange(ended_->instances, {}).clear();
}

}  // namespace weft
