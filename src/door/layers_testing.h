#pragma once

// What the tests of layers that wait share: a loop that the test's own thread runs, and calls on
// it.

#include <gtest/gtest.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <functional>

#include "door/link_notes.h"
#include "door/testing.h"
#include "io/loop.h"

namespace weft::testing {

// Counts what layers tell.
class Events : public LinkNotes {
 public:
  void note(LinkEvent event) override { ++counts[static_cast<std::size_t>(event)]; }
  int of(LinkEvent event) const { return counts[static_cast<std::size_t>(event)]; }

  std::array<int, 6> counts = {};
};

class LayersTest : public ::testing::Test {
 protected:
  Call* start(Link& link, std::string_view arguments = "x", Deadline deadline = Deadline::never()) {
    return pool_.start(link, context_, as_bytes(arguments), deadline);
  }
  // One that does not end inline, with `notes` as who waits for it.
  Call* start(Link& link, Notes& notes, std::string_view arguments = "x",
              Deadline deadline = Deadline::never()) {
    Call* call = start(link, arguments, deadline);
    call->set_caller(&notes);
    return call;
  }
  // Runs the loop until `done` is true.
  void run_until(const std::function<bool()>& done) {
    Deadline patience = Deadline::after(std::chrono::seconds(20));
    while (!done() && !patience.passed()) {
      loop_.context().restart();
      loop_.context().run_one_for(std::chrono::milliseconds(20));
    }
    ASSERT_TRUE(done());
  }
  // What is ready by now.
  void run_ready() {
    loop_.context().restart();
    loop_.context().poll();
  }

  CallPool pool_;
  Loop loop_;
  Context context_{loop_, "shop", "cart"};
  Events events_;
  Echo echo_;
  Late late_;
};

}  // namespace weft::testing
